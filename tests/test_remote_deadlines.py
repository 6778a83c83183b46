"""A server that always sends something, and never what was asked for, is left when its time is over."""

from __future__ import annotations

import contextlib
import dataclasses
import email.utils
import socket
import ssl
import threading

import pytest
import trustme
from hostile_servers import behaving, endless, silent
from loopback import Fault, serving
from proxying import proxying
from transferring import ALWAYS, BOTH, CONTENT, NAME, NOW, VOLUME, FakeClock, fetch
from wording import refused

from toyadmos_datasets.archives.remote.fetch_options import Clock, RetryPolicy
from toyadmos_datasets.archives.remote.http_request import FetchStopped, HttpClient, origin_named
from toyadmos_datasets.archives.remote.transfer import RateLimit, Transfer
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopy
from toyadmos_datasets.errors import FetchError

BRIEF = RetryPolicy(
    max_attempts=1, connect_timeout_s=0.3, headers_timeout_s=0.3, silence_timeout_s=0.2, slow_window_s=0.3
)
ENDLESS = RetryPolicy(
    max_attempts=1, connect_timeout_s=20, headers_timeout_s=10**6, silence_timeout_s=10**6, slow_window_s=10**6
)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@contextlib.contextmanager
def transferring(address, retry_policy=BRIEF, clock=None):
    """Make what fetches from an address, with real time."""
    clock = clock or Clock()
    client = HttpClient(retry_policy)
    yield Transfer(
        client=client,
        origin=origin_named(address),
        retry_policy=retry_policy,
        clock=clock,
        limit=RateLimit(None, clock),
    )
    client.close()


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (endless(b"a"), "headers"),
        (endless(b"a", after=OK + b"X-Long: "), "headers"),
        (endless(b"X-Many: 1\r\n", after=OK, pause_s=0.001), "headers"),
        (endless(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), "headers"),
        (endless(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 50, pause_s=0), "headers"),
        (endless(b"HTTP/1.1 100 Continue\r\n\r\n"), "headers"),
        (endless(b"a", after=CHUNKED + b"5;"), "next piece of the body"),
        (endless(b"a: b\r\n", after=CHUNKED + b"5\r\nabcde\r\n0\r\n"), "next piece of the body"),
    ],
    ids=[
        "a status line by bytes",
        "one header by bytes",
        "headers without end",
        "early hints",
        "early hints as fast as they come",
        "continues",
        "an extension of a chunk",
        "trailers",
    ],
)
def test_what_comes_without_end_ends_at_the_deadline(tmp_path, behaviour, said):
    with (
        behaving(behaviour) as port,
        transferring(f"http://127.0.0.1:{port}/") as transfer,
        refused(FetchError) as caught,
    ):
        transfer.fetch(VolumeCopy(tmp_path, VOLUME), 0, VOLUME.n_bytes, is_ranged=False)

    assert f"the {said} had not come after 0.3 s" in caught.value.actual
    assert f"http://127.0.0.1:{port}/{NAME}" in caught.value.where


def test_more_headers_than_a_server_needs_are_an_error(tmp_path):
    with (
        behaving(endless(b"X-Many: 1\r\n" * 1000, after=OK, pause_s=0)) as port,
        transferring(f"http://127.0.0.1:{port}/", ENDLESS) as transfer,
        pytest.raises(FetchError) as caught,
    ):
        transfer.fetch(VolumeCopy(tmp_path, VOLUME), 0, VOLUME.n_bytes)

    assert "RemoteProtocolError" in caught.value.actual


def test_a_body_that_comes_by_bytes_is_left_at_its_deadline(tmp_path):
    behaviour = endless(b"a", after=OK + b"Content-Length: 700000\r\n\r\n")

    with (
        behaving(behaviour) as port,
        transferring(f"http://127.0.0.1:{port}/") as transfer,
        pytest.raises(FetchError) as caught,
    ):
        transfer.fetch(VolumeCopy(tmp_path, VOLUME), 0, VOLUME.n_bytes, is_ranged=False)

    assert "came in 0 s" in caught.value.actual


def test_trailers_without_end_do_no_harm_to_a_body_that_is_there(tmp_path):
    copy = VolumeCopy(tmp_path, VOLUME)
    body = CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(CONTENT), CONTENT)

    with (
        behaving(endless(b"a: b\r\n", after=body)) as port,
        transferring(f"http://127.0.0.1:{port}/") as transfer,
    ):
        transfer.fetch(copy, 0, VOLUME.n_bytes, is_ranged=False)

    assert copy.verify()


def test_all_redirects_have_one_deadline(tmp_path):
    def behave(connection, ending):
        while connection.recv(1 << 16) and not ending.wait(0.1):
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    with (
        behaving(behave) as port,
        transferring(f"http://127.0.0.1:{port}/") as transfer,
        pytest.raises(FetchError) as caught,
    ):
        transfer.fetch(VolumeCopy(tmp_path, VOLUME), 0, VOLUME.n_bytes)

    assert "the headers had not come after 0.3 s" in caught.value.actual


@pytest.mark.parametrize(
    "behaviour", [silent(), endless(b"a", after=b"\x16\x03\x03\x3f\xff", is_asked=False)], ids=["silent", "by bytes"]
)
def test_a_handshake_that_never_ends_is_left(tmp_path, behaviour):
    with (
        behaving(behaviour) as port,
        transferring(f"https://127.0.0.1:{port}/") as transfer,
        pytest.raises(FetchError) as caught,
    ):
        transfer.fetch(VolumeCopy(tmp_path, VOLUME), 0, VOLUME.n_bytes)

    assert "ConnectTimeout" in caught.value.actual


def test_a_proxy_that_never_ends_its_headers_is_left(tmp_path, monkeypatch):
    with behaving(endless(b"a", after=OK + b"X-Long: ")) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("https_proxy", raising=False)
        with transferring("https://mirror.test/") as transfer, pytest.raises(FetchError) as caught:
            transfer.fetch(VolumeCopy(tmp_path, VOLUME), 0, VOLUME.n_bytes)

    assert "the headers had not come after 0.3 s" in caught.value.actual


def test_a_read_looks_for_a_stop_again_and_again_without_losing_bytes(tmp_path, monkeypatch):
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mirror.test").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setattr("toyadmos_datasets.archives.remote.http_request._LOOK_S", 0.0001)
    copy = VolumeCopy(tmp_path, VOLUME)

    with (
        serving({NAME: CONTENT}, tls=tls, rate_bytes_per_s=5e6) as server,
        proxying({"mirror.test": server.port}) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with transferring("https://mirror.test/", ENDLESS) as transfer:
            transfer.fetch(copy, 0, VOLUME.n_bytes)

    assert copy.verify()


@pytest.mark.parametrize(
    "behaviour",
    [silent(), endless(b"a"), endless(b"", after=OK + b"Content-Length: 700000\r\n\r\nabc")],
    ids=["nothing came", "headers come", "the body came in part"],
)
def test_a_stop_ends_a_wait_for_a_server(tmp_path, behaviour):
    with behaving(behaviour) as port, transferring(f"http://127.0.0.1:{port}/", ENDLESS) as transfer:
        outcome = stopped(transfer, tmp_path)

    assert outcome == [FetchStopped]


@pytest.mark.parametrize("headers", [{"Retry-After": "300"}, {"Retry-After": email.utils.formatdate(4e9)}])
def test_a_stop_ends_a_wait_that_a_server_asked_for(tmp_path, server, headers):
    server.faults = [Fault(kind="status", headers=headers, times=ALWAYS)]

    with transferring(server.url, dataclasses.replace(BRIEF, max_attempts=8)) as transfer:
        outcome = stopped(transfer, tmp_path)

    assert outcome == [FetchStopped]


def test_a_stop_ends_a_wait_for_the_rate_limit(tmp_path, server):
    with transferring(server.url) as transfer:
        transfer.limit = RateLimit(1, Clock())
        outcome = stopped(transfer, tmp_path)

    assert outcome == [FetchStopped]


@BOTH
@pytest.mark.parametrize("jump_s", [-3600, 3600])
def test_a_clock_that_is_set_makes_no_wait_longer(fetching, server, is_ranged, jump_s):
    _, transfer, ticking = fetching
    wall = FakeClock()
    transfer.clock = dataclasses.replace(transfer.clock, now=lambda: wall.now_s)
    transfer.limit = RateLimit(100_000, transfer.clock)
    server.extra_headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 5)}
    fetch(fetching, is_ranged=is_ranged)
    before_s = ticking.waited_s
    wall.now_s += jump_s

    transfer.fetch(fetching[0], 0, len(CONTENT), is_ranged=is_ranged)

    assert ticking.waited_s - before_s <= 5 + 7.01


def test_a_date_at_the_end_of_time_is_not_waited_for(fetching, server):
    server.faults = [Fault(kind="status", headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"})]

    fetch(fetching, is_ranged=True)

    assert 300 <= fetching[2].waited_s <= 301


def stopped(transfer, folder):
    """Fetch in a thread, stop it, and return what it ended with; [] if it did not end."""
    outcome = []

    def run():
        try:
            transfer.fetch(VolumeCopy(folder, VOLUME), 0, VOLUME.n_bytes, is_ranged=False)
        except (FetchError, FetchStopped) as error:
            outcome.append(type(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(0.1)
    transfer.stopping.set()
    thread.join(5)
    return outcome


def test_an_offline_machine_is_reported_within_fifteen_seconds(tmp_path):
    ticking = FakeClock()
    with contextlib.closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        fetching = VolumeCopy(tmp_path, VOLUME)
        with transferring(address, RetryPolicy(), ticking.clock()) as transfer, refused(FetchError) as caught:
            transfer.fetch(fetching, 0, 1000)

    assert "reached" in caught.value.what
    assert 0 < ticking.waited_s < 15
