"""Where bytes are fetched from: which addresses, along which redirects, and who learns a password."""

from __future__ import annotations

import pytest
from loopback import Fault, serving
from transferring import ALWAYS, BOTH, CONTENT, NAME, fetch
from wording import refused

from toyadmos_datasets.archives.remote.fetch_options import RetryPolicy
from toyadmos_datasets.archives.remote.http_request import HttpClient, origin_named
from toyadmos_datasets.errors import FetchError, OptionError
from toyadmos_datasets.files.address import is_on_web


@BOTH
def test_a_refusal_is_an_error_at_once(fetching, server, is_ranged):
    server.refused_agents = ("toyadmos",)

    with refused(FetchError):
        fetch(fetching, is_ranged=is_ranged)

    assert len(server.seen) == 1


@BOTH
@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_file_is_an_error_at_once(fetching, server, is_ranged, status):
    server.faults = [Fault(kind="status", status=status)]

    with refused(FetchError) as caught:
        fetch(fetching, is_ranged=is_ranged)

    assert "--source" in caught.value.remedy
    assert len(server.seen) == 1
    assert fetching[2].waited_s == 0


@BOTH
def test_a_redirect_on_this_machine_is_followed(fetching, server, is_ranged):
    server.faults = [Fault(kind="redirect", location=f"{server.url}elsewhere/{NAME}")]

    fetch(fetching, is_ranged=is_ranged)

    assert len(server.seen) == 2


@BOTH
def test_redirects_in_a_circle_are_an_error(fetching, server, is_ranged):
    server.faults = [Fault(kind="redirect", location=f"/{NAME}", times=ALWAYS)]

    with refused(FetchError):
        fetch(fetching, is_ranged=is_ranged)

    assert len(server.seen) == 6


@BOTH
@pytest.mark.parametrize("target", ["http://example.org/x", "ftp://example.org/x", "http://10.0.0.1/x", "file:///etc"])
def test_a_redirect_to_anything_but_https_is_refused(fetching, server, target, is_ranged):
    server.faults = [Fault(kind="redirect", location=target)]

    with refused(FetchError):
        fetch(fetching, is_ranged=is_ranged)


def test_a_password_stays_with_its_host(server, tmp_path):
    with serving({NAME: CONTENT}) as other:
        server.faults = [Fault(kind="redirect", location=f"{other.url.replace('://', '://x:y@')}{NAME}")]
        client = HttpClient(RetryPolicy())
        with client.get(f"{server.url.replace('://', '://me:secret@')}{NAME}", {}) as response:
            response.read()
        client.close()

    assert "authorization" in server.seen[0].headers
    assert "authorization" not in other.seen[0].headers


def test_netrc_is_read_only_when_asked(server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    for has_netrc in (False, True):
        client = HttpClient(RetryPolicy(), has_netrc=has_netrc)
        with client.get(f"{server.url}{NAME}", {}) as response:
            response.read()
        client.close()

    assert ["authorization" in one.headers for one in server.seen] == [False, True]


@BOTH
def test_a_secret_in_an_address_is_not_shown(fetching, server, is_ranged):
    _, transfer, _ = fetching
    transfer.origin = origin_named(server.url.replace("://", "://me:canary@"))
    server.faults = [Fault(kind="status", status=404)]

    with pytest.raises(FetchError) as caught:
        fetch(fetching, is_ranged=is_ranged)

    assert "canary" not in str(caught.value)
    assert "canary" not in transfer.origin.shown


@pytest.mark.parametrize(
    "source",
    ["http://example.org/x/", "ftp://127.0.0.1/", "https://", "https://h/x?token=1", "http://127.0.0.1.evil.org/"],
)
def test_an_address_that_is_not_https_is_refused(source):
    with refused(OptionError):
        origin_named(source)


def test_the_record_has_the_address_that_knows_ranges():
    origin = origin_named("record")

    assert origin.url_of(NAME) == f"https://zenodo.org/records/3351307/files/{NAME}?download=1"


@pytest.mark.parametrize("source", ["/some/path", "ToyTrain", "simulate:tiny", "C:\\data", "record.7z", "./record"])
def test_a_path_is_no_place_on_the_web(source):
    assert not is_on_web(source)


@pytest.mark.parametrize("source", ["record", "https://example.org/x/", "http://example.org/", "ftp://example.org"])
def test_an_address_is_one_whether_it_can_be_used_or_not(source):
    assert is_on_web(source)
