"""Fetching over https and through a proxy, as from the record: names end at servers on this machine."""

from __future__ import annotations

import ssl

import pytest
import trustme
from loopback import Fault, serving
from proxying import proxying
from transferring import BOTH, CONTENT, NAME, VOLUME
from wording import refused

from toyadmos_datasets.archives.remote.fetch_options import Clock, RetryPolicy
from toyadmos_datasets.archives.remote.http_request import HttpClient, origin_named
from toyadmos_datasets.archives.remote.transfer import RateLimit, Transfer
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopy
from toyadmos_datasets.errors import FetchError


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority, tmp_path_factory):
    """The file that names whom to trust, as a company's authority is named."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def servers(authority):
    """Two hosts, each with a certificate of its own name."""
    tls = {}
    for host in ("mirror.test", "other.test"):
        tls[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(tls[host])
    with (
        serving({NAME: CONTENT}, tls=tls["mirror.test"]) as mirror,
        serving({NAME: CONTENT}, tls=tls["other.test"]) as other,
    ):
        yield mirror, other


@pytest.fixture
def proxy(servers, trusted, monkeypatch):
    mirror, other = servers
    with proxying({"mirror.test": mirror.port, "wrong.test": mirror.port, "other.test": other.port}) as running:
        for name in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.delenv("https_proxy", raising=False)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{running.port}")
        monkeypatch.setenv("SSL_CERT_FILE", trusted)
        yield running


def fetch(folder, source="https://mirror.test/folder/", *, is_ranged=True, has_netrc=False):
    """Fetch the volume; waiting takes no time and is not expected."""
    waits = []
    retry_policy, clock = RetryPolicy(), Clock(wait=lambda _stopping, duration_s: waits.append(duration_s))
    copy, client = VolumeCopy(folder, VOLUME), HttpClient(retry_policy, has_netrc=has_netrc)
    try:
        Transfer(
            client=client,
            origin=origin_named(source),
            retry_policy=retry_policy,
            clock=clock,
            limit=RateLimit(None, clock),
        ).fetch(copy, 0, len(CONTENT), is_ranged=is_ranged)
    finally:
        client.close()
    assert copy.path.read_bytes() == CONTENT
    assert not waits


@BOTH
def test_the_proxy_of_the_environment_is_used_for_https_and_the_certificate_is_checked(
    tmp_path, servers, proxy, is_ranged
):
    fetch(tmp_path, is_ranged=is_ranged)

    assert proxy.asked == ["mirror.test:443"]
    assert [one.name for one in servers[0].seen] == [NAME]


def test_this_machine_is_never_asked_through_a_proxy(tmp_path, proxy, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    with serving({NAME: CONTENT}) as server:
        fetch(tmp_path, server.url)

    assert not proxy.asked


def test_a_proxys_password_is_for_the_proxy_alone(tmp_path, servers, proxy, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:canary@127.0.0.1:{proxy.port}")

    fetch(tmp_path)

    assert proxy.authorizations[0].startswith("Basic ")
    assert not any("authorization" in name for one in servers[0].seen for name in one.headers)


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_refuses_is_an_error_at_once_without_its_password(tmp_path, servers, proxy, monkeypatch, status):
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:canary@127.0.0.1:{proxy.port}")
    proxy.refusal = status

    with refused(FetchError) as caught:
        fetch(tmp_path)

    assert str(status) in caught.value.actual
    assert "HTTPS_PROXY" in caught.value.remedy
    assert "canary" not in str(caught.value)
    assert len(proxy.asked) == 1
    assert not servers[0].seen


def test_an_authority_that_is_not_known_is_an_error_at_once_that_says_how_to_name_it(
    tmp_path, servers, proxy, monkeypatch
):
    monkeypatch.delenv("SSL_CERT_FILE")

    with refused(FetchError) as caught:
        fetch(tmp_path)

    assert "certificate" in caught.value.actual
    assert "SSL_CERT_FILE" in caught.value.remedy
    assert not servers[0].seen


def test_a_certificate_of_another_name_is_an_error_at_once(tmp_path, servers, proxy):
    with refused(FetchError):
        fetch(tmp_path, "https://wrong.test/folder/")

    assert not servers[0].seen


@BOTH
@pytest.mark.parametrize("target", ["http://mirror.test/x", "http://127.0.0.1:1/x", "http://localhost/x"])
def test_a_redirect_from_https_to_http_is_refused(tmp_path, servers, proxy, target, is_ranged):
    servers[0].faults = [Fault(kind="redirect", location=target)]

    with refused(FetchError):
        fetch(tmp_path, is_ranged=is_ranged)

    assert proxy.asked == ["mirror.test:443"]


@BOTH
@pytest.mark.parametrize("has_netrc", [False, True])
def test_a_password_does_not_follow_a_redirect_to_another_host(
    tmp_path, servers, proxy, monkeypatch, is_ranged, has_netrc
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine mirror.test login me password secret\ndefault login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    mirror, other = servers
    mirror.faults = [Fault(kind="redirect", location=f"https://other.test/{NAME}")]
    source = "https://mirror.test/" if has_netrc else "https://me:secret@mirror.test/"

    fetch(tmp_path, source, is_ranged=is_ranged, has_netrc=has_netrc)

    assert [one.headers["authorization"].split()[0] for one in mirror.seen] == ["Basic"]
    assert ["authorization" in one.headers for one in other.seen] == [False]
    assert proxy.asked == ["mirror.test:443", "other.test:443"]
