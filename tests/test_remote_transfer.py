"""Fetching a range of a volume, and a whole one, from a server that gives something else or breaks off."""

from __future__ import annotations

import dataclasses

import pytest
from loopback import Fault
from transferring import ALWAYS, BOTH, CONTENT, NAME, fetch
from wording import refused

from toyadmos_datasets.archives.remote import fetch_options
from toyadmos_datasets.archives.remote import transfer as transfer_module
from toyadmos_datasets.archives.remote.transfer import NoRangesError
from toyadmos_datasets.errors import FetchError


@BOTH
def test_a_healthy_server_is_asked_once(fetching, server, is_ranged):
    fetch(fetching, is_ranged=is_ranged)

    assert len(server.seen) == 1
    assert server.seen[0].headers["accept-encoding"] == "identity"
    assert server.seen[0].headers["user-agent"].startswith("toyadmos-datasets/")
    assert "+https://" in server.seen[0].headers["user-agent"]


@BOTH
def test_requests_that_follow_each_other_go_through_one_connection(fetching, server, is_ranged):
    copy, transfer, _ = fetching
    for _ in range(3):
        transfer.fetch(copy, 0, len(CONTENT), is_ranged=is_ranged)

    assert len(server.seen) == 3
    assert server.n_connections == 1


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


@BOTH
def test_a_server_that_trickles_is_left_and_asked_again(fetching, server, is_ranged):
    _, transfer, ticking = fetching
    server.faults = [Fault(kind="slow", after=100_000)]
    transfer.on_bytes = lambda name, at, n_bytes: ticking.sleep(10 if n_bytes < 1000 else 0)

    fetch(fetching, is_ranged=is_ranged)

    assert len(server.seen) == 2
    assert server.n_given < (599_000 if is_ranged else 100_000 + len(CONTENT)) + 1000


def test_a_server_that_forgets_a_range_once_is_asked_again(fetching, server):
    server.faults = [Fault(kind="whole")]

    fetch(fetching, is_ranged=True)

    assert len(server.seen) == 2


def test_a_server_without_ranges_is_told_apart(fetching, server):
    server.faults = [Fault(kind="whole", times=ALWAYS)]

    with pytest.raises(NoRangesError):
        fetch(fetching, is_ranged=True)

    assert not list(fetching[0].present)
    fetch(fetching, is_ranged=False)


@pytest.mark.parametrize("kind", ["wrong range", "wrong total"])
def test_a_wrong_content_range_is_forgiven_once(fetching, server, kind):
    server.faults = [Fault(kind=kind)]

    fetch(fetching, is_ranged=True)

    assert len(server.seen) == 2


@pytest.mark.parametrize("kind", ["wrong range", "wrong total"])
def test_a_content_range_that_stays_wrong_is_an_error(fetching, server, kind):
    server.faults = [Fault(kind=kind, times=ALWAYS)]

    with refused(FetchError) as caught:
        fetch(fetching, is_ranged=True)

    assert not list(fetching[0].present)
    assert "Content-Range" in caught.value.actual


@BOTH
def test_a_file_that_changes_midway_is_fetched_anew(fetching, server, is_ranged):
    server.faults = [Fault(kind="cut", after=300_000)]
    old, server.files[NAME] = CONTENT, bytes(len(CONTENT))

    def becomes_good(name, at, n_bytes):
        server.etag = '"two"'
        server.files[NAME] = old

    fetching[1].on_bytes = becomes_good

    fetch(fetching, is_ranged=is_ranged)

    # A range is asked for on condition that the file is the same; the whole is given, and seen to be another.
    assert [one.span for one in server.seen] == ([(1000, 600_000), None, (1000, 600_000)] if is_ranged else [None] * 3)


@BOTH
def test_what_had_come_of_a_file_when_another_connection_saw_it_change_is_dropped(fetching, server, is_ranged):
    copy, transfer, _ = fetching
    server.files[NAME] = bytes(len(CONTENT))

    def another_sees_it_change(name, at, n_bytes):
        if at > 300_000 and server.etag == '"one"':
            server.etag, server.files[NAME] = '"two"', CONTENT
            transfer._begin_volume_anew(copy, '"two"')

    transfer.on_bytes = another_sees_it_change

    fetch(fetching, is_ranged=is_ranged)

    assert [one.span for one in server.seen] == [(1000, 600_000)] * 2 if is_ranged else [None] * 2


@BOTH
def test_a_file_that_keeps_changing_is_an_error(fetching, server, is_ranged):
    numbers = iter(range(1000))

    def changes(name, at, n_bytes):
        server.etag = f'"{next(numbers)}"'

    server.faults = [Fault(kind="cut", after=100_000, times=ALWAYS)]
    fetching[1].on_bytes = changes

    with refused(FetchError):
        fetch(fetching, is_ranged=is_ranged)


@BOTH
def test_a_refused_range_is_asked_for_once_more(fetching, server, is_ranged):
    server.faults = [Fault(kind="refuse range")]

    fetch(fetching, is_ranged=is_ranged)

    assert len(server.seen) == 2


def test_a_range_past_the_servers_file_is_an_error_and_its_text_is_not_saved(fetching, server):
    server.files[NAME] = CONTENT[:500_000]

    with refused(FetchError) as caught:
        fetch(fetching, is_ranged=True, start=550_000)

    assert "500000 bytes" in caught.value.actual
    assert not list(fetching[0].present)
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

    with refused(FetchError):
        fetch(fetching, is_ranged=is_ranged)

    assert fetching[0].path.stat().st_size == len(CONTENT)


@BOTH
def test_a_web_page_in_place_of_the_file_is_an_error(fetching, server, is_ranged):
    server.faults = [Fault(kind="html")]

    with refused(FetchError) as caught:
        fetch(fetching, is_ranged=is_ranged)

    assert "portal" in caught.value.remedy
    assert not list(fetching[0].present)


@BOTH
def test_packed_bytes_that_nobody_asked_for_are_an_error(fetching, server, is_ranged):
    server.faults = [Fault(kind="gzip")]

    with refused(FetchError):
        fetch(fetching, is_ranged=is_ranged)

    assert not list(fetching[0].present)


@BOTH
def test_checkpoints_bound_what_a_crash_can_lose(fetching, monkeypatch, is_ranged):
    copy, transfer, _ = fetching
    transfer.checkpoint_bytes = 100_000
    noted = []
    record = copy.record

    def note(start, stop, **known):
        noted.append(stop - start)
        record(start, stop, **known)

    monkeypatch.setattr(copy, "record", note)

    fetch(fetching, is_ranged=is_ranged)

    assert len(noted) >= 4
    assert max(noted) <= 100_000 + (1 << 16)


@BOTH
def test_a_connection_is_free_before_the_disk_has_the_end_of_what_it_read(fetching, server, is_ranged):
    copy, transfer, _ = fetching
    there = []

    transfer.fetch(copy, 0, len(CONTENT), is_ranged=is_ranged, on_read=lambda: there.append(copy.is_complete))

    assert there == [False]
    assert copy.verify()


def test_what_a_reply_gave_of_a_file_that_changed_before_the_next_reply_is_dropped(fetching, server):
    copy, transfer, ticking = fetching
    server.files[NAME] = bytes(len(CONTENT))
    server.faults = [Fault(kind="cut", after=300_000)]

    def another_sees_it_change(stopping, duration_s):
        if server.etag == '"one"':
            server.etag, server.files[NAME] = '"two"', CONTENT
            transfer._begin_volume_anew(copy, '"two"')
        ticking.sleep(duration_s)

    transfer.clock = dataclasses.replace(transfer.clock, wait=another_sees_it_change)

    fetch(fetching, is_ranged=True)

    assert [one.span for one in server.seen] == [(1000, 600_000)] * 2


@pytest.mark.parametrize("n_connections", range(1, fetch_options.MAX_CONNECTIONS + 1))
def test_all_connections_together_lose_at_most_64_mib(n_connections):
    n_bytes = transfer_module.checkpoint_bytes_for(n_connections)

    # Two threads for each connection, each with what is at a checkpoint and what was written since.
    assert 0 < 2 * n_connections * 2 * n_bytes <= 64 << 20
