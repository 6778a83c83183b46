"""Fetching a range of a volume, and a whole one, against every way in which a server can fail."""

from __future__ import annotations

import email.utils
import hashlib

import numpy as np
import pytest
from loopback import Fault, serving

from toyadmos_datasets.archive.remote import transfer as transfer_module
from toyadmos_datasets.archive.remote.copy import VolumeCopy
from toyadmos_datasets.archive.remote.http import HttpClient, origin_named
from toyadmos_datasets.archive.remote.patience import Clock, Patience, RateLimit
from toyadmos_datasets.archive.remote.transfer import NoRangesError, Transfer
from toyadmos_datasets.corpus.volumes import Volume
from toyadmos_datasets.errors import FetchError, OptionError

NAME = "ToyTrain.7z.001"
CONTENT = np.random.default_rng(1).bytes(700_000)
VOLUME = Volume(name=NAME, n_bytes=len(CONTENT), md5=hashlib.md5(CONTENT, usedforsecurity=False).hexdigest())
NOW = 1_800_000_000.0
ALWAYS = 10**6
BOTH = pytest.mark.parametrize("is_ranged", [True, False], ids=["a range", "the whole"])


class FakeClock:
    """A clock that only waiting moves."""

    def __init__(self):
        self.now_s = NOW
        self.waits = []

    def sleep(self, duration_s):
        self.waits.append(duration_s)
        self.now_s += duration_s

    def clock(self):
        return Clock(now=lambda: self.now_s, sleep=self.sleep, chance=lambda: 0.5)

    @property
    def waited_s(self):
        return sum(self.waits)


@pytest.fixture
def server():
    with serving({NAME: CONTENT}) as running:
        yield running


@pytest.fixture
def fetching(server, tmp_path):
    """Make the copy, the transfer and its clock."""
    ticking = FakeClock()
    patience = Patience(silence_s=0.3, connect_s=1)
    client = HttpClient(patience)
    transfer = Transfer(
        client=client,
        origin=origin_named(server.url),
        patience=patience,
        clock=ticking.clock(),
        limit=RateLimit(None, ticking.clock()),
    )
    yield VolumeCopy(tmp_path, VOLUME), transfer, ticking
    client.close()


def fetch(fetching, *, is_ranged, start=1000, stop=600_000):
    """Fetch, and compare what the journal says is there with the content."""
    copy, transfer, _ = fetching
    start, stop = (start, stop) if is_ranged else (0, len(CONTENT))
    transfer.fetch(copy, start, stop, is_ranged=is_ranged)
    assert list(copy.have) == [(start, stop)]
    assert copy.path.read_bytes()[start:stop] == CONTENT[start:stop]


@BOTH
def test_a_healthy_server_is_asked_once(fetching, server, is_ranged):
    fetch(fetching, is_ranged=is_ranged)

    assert len(server.seen) == 1
    assert server.seen[0].headers["accept-encoding"] == "identity"
    assert server.seen[0].headers["user-agent"].startswith("toyadmos-datasets/")
    assert "+https://" in server.seen[0].headers["user-agent"]


@BOTH
@pytest.mark.parametrize("kind", ["cut", "stall", "short"])
def test_a_body_that_breaks_off_is_mended(fetching, server, is_ranged, kind):
    server.faults = [Fault(kind=kind, after=300_000)]

    fetch(fetching, is_ranged=is_ranged)

    assert len(server.seen) == 2


def test_a_cut_range_goes_on_at_the_byte_where_it_was_cut(fetching, server):
    server.faults = [Fault(kind="cut", after=300_000)]

    fetch(fetching, is_ranged=True)

    assert server.seen[1].span == (301_000, 600_000)
    assert server.seen[1].headers["if-range"] == '"one"'
    assert server.n_given == 599_000


def test_a_cut_whole_file_begins_anew(fetching, server):
    server.faults = [Fault(kind="cut", after=300_000)]

    fetch(fetching, is_ranged=False)

    assert server.seen[1].span is None
    assert server.n_given == 300_000 + len(CONTENT)


def test_a_server_that_forgets_a_range_once_is_asked_again(fetching, server):
    server.faults = [Fault(kind="whole")]

    fetch(fetching, is_ranged=True)

    assert len(server.seen) == 2


def test_a_server_without_ranges_is_told_apart(fetching, server):
    server.faults = [Fault(kind="whole", times=ALWAYS)]

    with pytest.raises(NoRangesError):
        fetch(fetching, is_ranged=True)

    assert not list(fetching[0].have)
    fetch(fetching, is_ranged=False)


@pytest.mark.parametrize("kind", ["wrong range", "wrong total"])
def test_a_wrong_content_range_is_forgiven_once(fetching, server, kind):
    server.faults = [Fault(kind=kind)]

    fetch(fetching, is_ranged=True)

    assert len(server.seen) == 2


@pytest.mark.parametrize("kind", ["wrong range", "wrong total"])
def test_a_content_range_that_stays_wrong_is_an_error(fetching, server, kind):
    server.faults = [Fault(kind=kind, times=ALWAYS)]

    with pytest.raises(FetchError, match="another part than the one") as caught:
        fetch(fetching, is_ranged=True)

    assert not list(fetching[0].have)
    assert "Content-Range" in caught.value.actual
    assert "run the same command again" in caught.value.remedy


def test_a_file_that_changes_midway_is_fetched_anew(fetching, server):
    server.faults = [Fault(kind="cut", after=300_000)]
    old, server.files[NAME] = CONTENT, bytes(len(CONTENT))

    def becomes_good(name, at, n_bytes):
        server.etag = '"two"'
        server.files[NAME] = old

    fetching[1].on_bytes = becomes_good

    fetch(fetching, is_ranged=True)

    assert [one.span for one in server.seen] == [(1000, 600_000), None, (1000, 600_000)]


def test_a_file_that_keeps_changing_is_an_error(fetching, server):
    numbers = iter(range(1000))

    def changes(name, at, n_bytes):
        server.etag = f'"{next(numbers)}"'

    server.faults = [Fault(kind="cut", after=100_000, times=ALWAYS)]
    fetching[1].on_bytes = changes

    with pytest.raises(FetchError, match="changes on the server"):
        fetch(fetching, is_ranged=True)


def test_a_refused_range_is_asked_for_once_more(fetching, server):
    server.faults = [Fault(kind="refuse range")]

    fetch(fetching, is_ranged=True)

    assert len(server.seen) == 2


def test_a_range_past_the_servers_file_is_an_error_and_its_text_is_not_saved(fetching, server):
    server.files[NAME] = CONTENT[:500_000]

    with pytest.raises(FetchError, match="shorter than the published") as caught:
        fetch(fetching, is_ranged=True, start=550_000)

    assert "500000 bytes" in caught.value.actual
    assert not list(fetching[0].have)
    assert b"ERROR BODY" not in fetching[0].path.read_bytes()


@BOTH
@pytest.mark.parametrize("kind", ["no length", "chunked", "wrong length"])
def test_the_known_size_decides_where_the_length_is_missing_or_wrong(fetching, server, is_ranged, kind):
    server.faults = [Fault(kind=kind)]

    fetch(fetching, is_ranged=is_ranged)

    assert len(server.seen) == 1


@BOTH
def test_a_body_that_is_too_long_is_an_error(fetching, server, is_ranged):
    server.faults = [Fault(kind="long")]

    with pytest.raises(FetchError, match="sends more than the file has"):
        fetch(fetching, is_ranged=is_ranged)

    assert fetching[0].path.stat().st_size == len(CONTENT)


@BOTH
def test_a_web_page_in_place_of_the_file_is_an_error(fetching, server, is_ranged):
    server.faults = [Fault(kind="html")]

    with pytest.raises(FetchError, match="web page") as caught:
        fetch(fetching, is_ranged=is_ranged)

    assert "portal" in caught.value.remedy
    assert not list(fetching[0].have)


@BOTH
def test_packed_bytes_that_nobody_asked_for_are_an_error(fetching, server, is_ranged):
    server.faults = [Fault(kind="gzip")]

    with pytest.raises(FetchError, match="sends packed bytes"):
        fetch(fetching, is_ranged=is_ranged)

    assert not list(fetching[0].have)


DATE = email.utils.formatdate(NOW + 40, usegmt=True)


@BOTH
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "least_s", "most_s"),
    [
        ("7", 7, 8),
        (DATE, 40, 41),
        ("999999", 300, 301),
        ("0", 0, 1),
        (email.utils.formatdate(NOW - 99, usegmt=True), 0, 1),
        ("soon", 0.5, 1),
        ("-5", 0.5, 1),
        ("\N{SUPERSCRIPT TWO}".encode().decode("latin-1"), 0.5, 1),
        (None, 0.5, 1),
    ],
)
def test_a_busy_server_is_given_the_time_that_it_asks_for(
    fetching, server, is_ranged, status, retry_after, least_s, most_s
):
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    server.faults = [Fault(kind="status", status=status, headers=headers)]

    fetch(fetching, is_ranged=is_ranged)

    assert least_s <= fetching[2].waited_s <= most_s


@BOTH
def test_a_server_that_stays_busy_is_an_error_after_waits_that_grow(fetching, server, is_ranged):
    server.faults = [Fault(kind="status", times=ALWAYS)]

    with pytest.raises(FetchError, match="failed 8 times in a row") as caught:
        fetch(fetching, is_ranged=is_ranged)

    assert "status 503" in caught.value.actual
    assert fetching[2].waited_s == pytest.approx(0.75 * (1 + 2 + 4 + 8 + 16 + 32 + 60))


def test_the_last_allowed_request_makes_the_next_one_wait(fetching, server):
    server.extra_headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 25)}
    fetch(fetching, is_ranged=True)
    before = fetching[2].waited_s

    fetching[1].fetch(fetching[0], 600_000, 700_000)

    assert before == 0
    assert fetching[2].waited_s == pytest.approx(25)


@BOTH
def test_a_refusal_is_an_error_at_once(fetching, server, is_ranged):
    server.refused_agents = ("toyadmos",)

    with pytest.raises(FetchError, match="refuses the file"):
        fetch(fetching, is_ranged=is_ranged)

    assert len(server.seen) == 1


@BOTH
@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_file_is_an_error_at_once(fetching, server, is_ranged, status):
    server.faults = [Fault(kind="status", status=status)]

    with pytest.raises(FetchError, match="no such file") as caught:
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

    with pytest.raises(FetchError, match="in a circle"):
        fetch(fetching, is_ranged=is_ranged)

    assert len(server.seen) == 6


@pytest.mark.parametrize("target", ["http://example.org/x", "ftp://example.org/x", "http://10.0.0.1/x", "file:///etc"])
def test_a_redirect_to_anything_but_https_is_refused(fetching, server, target):
    server.faults = [Fault(kind="redirect", location=target)]

    with pytest.raises(FetchError, match="redirects to where nothing is fetched"):
        fetch(fetching, is_ranged=True)


def test_a_password_stays_with_its_host(server, tmp_path):
    with serving({NAME: CONTENT}) as other:
        server.faults = [Fault(kind="redirect", location=f"{other.url.replace('://', '://x:y@')}{NAME}")]
        client = HttpClient(Patience())
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
        client = HttpClient(Patience(), has_netrc=has_netrc)
        with client.get(f"{server.url}{NAME}", {}) as response:
            response.read()
        client.close()

    assert ["authorization" in one.headers for one in server.seen] == [False, True]


def test_a_secret_in_an_address_is_not_shown(fetching, server):
    _, transfer, _ = fetching
    transfer.origin = origin_named(server.url.replace("://", "://me:canary@"))
    server.faults = [Fault(kind="status", status=404)]

    with pytest.raises(FetchError) as caught:
        fetch(fetching, is_ranged=True)

    assert "canary" not in str(caught.value)
    assert "canary" not in transfer.origin.shown


def test_a_server_that_trickles_is_left_and_asked_again(fetching, server, tmp_path):
    _, transfer, ticking = fetching
    server.faults = [Fault(kind="slow", after=100_000)]
    transfer.on_bytes = lambda name, at, n_bytes: ticking.sleep(10 if n_bytes < 1000 else 0)

    fetch(fetching, is_ranged=True)

    assert len(server.seen) == 2
    assert server.n_given < 599_000 + 1000


def test_the_rate_is_held(fetching):
    _, transfer, ticking = fetching
    transfer.limit = RateLimit(100_000, ticking.clock())

    fetch(fetching, is_ranged=True)

    assert ticking.waited_s == pytest.approx(5.99, rel=0.01)


def test_checkpoints_bound_what_a_crash_can_lose(fetching, monkeypatch):
    copy, _, _ = fetching
    monkeypatch.setattr(transfer_module, "CHECKPOINT_BYTES", 100_000)
    noted = []
    record = copy.record
    monkeypatch.setattr(copy, "record", lambda start, stop: (noted.append(stop - start), record(start, stop)))

    fetch(fetching, is_ranged=True)

    assert len(noted) >= 5
    assert max(noted) <= 100_000 + (1 << 16)


def test_all_connections_together_lose_at_most_64_mib():
    assert transfer_module.MAX_CONNECTIONS * transfer_module.CHECKPOINT_BYTES <= 64 << 20


@pytest.mark.parametrize(
    "source",
    ["http://example.org/x/", "ftp://127.0.0.1/", "https://", "https://h/x?token=1", "http://127.0.0.1.evil.org/"],
)
def test_an_address_that_is_not_https_is_refused(source):
    with pytest.raises(OptionError, match="not an address"):
        origin_named(source)


def test_the_record_has_the_address_that_knows_ranges():
    origin = origin_named("record")

    assert origin.url_of(NAME) == f"https://zenodo.org/records/3351307/files/{NAME}?download=1"
    assert origin_named("/some/path") is None
