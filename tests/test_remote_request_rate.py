"""No server is asked more often than it allows, and pieces are as large as that takes."""

from __future__ import annotations

import dataclasses
import math
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import Fault, serving
from remote import CHANNEL_1, LONG, TOY, Said, contents, fetched, publish
from tiny import STORED
from transferring import CONTENT, NAME, FakeClock

from toyadmos_datasets.archives.remote import fetch_schedule, fetch_session, remote_source
from toyadmos_datasets.archives.remote.fetch_options import RECORD_REQUESTS, FetchOptions, RetryPolicy
from toyadmos_datasets.archives.remote.fetch_schedule import FetchSchedule
from toyadmos_datasets.archives.remote.fetching import use_fetched
from toyadmos_datasets.archives.remote.http_request import Deadline, FetchStopped, HttpClient, origin_named
from toyadmos_datasets.archives.remote.remote_opening import open_remote
from toyadmos_datasets.archives.remote.request_rate import (
    MAX_PIECE_BYTES,
    LineSpeed,
    RequestWindow,
    open_window,
    piece_bytes_for,
)
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopies
from toyadmos_datasets.archives.remote.volume_list import published_manifest
from toyadmos_datasets.archives.sevenzip import coders
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import OptionError

MIB = 1 << 20


@pytest.fixture
def ticking():
    return FakeClock()


@pytest.fixture
def window_of(tmp_path, ticking):
    """Open the file of requests, as each process does."""

    def open_(most=50, say=lambda _text: None):
        return RequestWindow(tmp_path / "requests", most=most, host="mirror.test", clock=ticking.clock(), say=say)

    return open_


def most_in_a_minute(times):
    return max(sum(start <= one < start + 60 for one in times) for start in times)


def test_no_minute_has_more_requests_than_the_limit_over_all_processes(window_of, ticking):
    windows, times = [window_of(), window_of()], []
    for number in range(175):
        windows[number % 2].wait_for_turn(threading.Event())
        times.append(ticking.now_s)
        ticking.now_s += 0.3 if number % 40 else 25

    assert most_in_a_minute(times) == 50


def test_requests_within_the_limit_do_not_wait(window_of, ticking):
    window = window_of()
    for _ in range(200):
        window.wait_for_turn(threading.Event())
        ticking.now_s += 1.21

    assert not ticking.waits


def test_connections_that_ask_at_once_have_turns_of_their_own(window_of, ticking):
    window, waits = window_of(most=3), []
    ticking.wait = lambda _stopping, _duration_s: None  # all of them ask before time goes on
    window._clock = ticking.clock()
    threads = [
        threading.Thread(target=lambda: waits.append(window.wait_for_turn(threading.Event()))) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [round(one) for one in sorted(waits)] == [0, 0, 0, 60, 60, 60, 120, 120, 120, 180]


def test_a_waiting_request_says_for_which_server_and_how_long(window_of):
    said = []
    window = window_of(most=2, say=said.append)
    for _ in range(4):
        window.wait_for_turn(threading.Event())

    assert len(said) == 1
    assert "mirror.test" in said[0]
    assert "60 s" in said[0]


def test_requests_of_before_the_machine_was_started_anew_hold_nobody_up(window_of, ticking):
    window = window_of(most=2)
    for _ in range(9):
        window.wait_for_turn(threading.Event())
    ticking.now_s, ticking.waits = 30.0, []

    window_of(most=2).wait_for_turn(threading.Event())
    window.wait_for_turn(threading.Event())

    assert not ticking.waits


def test_the_file_of_requests_does_not_grow_for_ever(window_of, ticking, tmp_path):
    for _ in range(3):
        window_of().wait_for_turn(threading.Event())
        ticking.now_s += 61

    assert len((tmp_path / "requests").read_bytes().split()) == 3  # one line: time, name, checksum


def test_every_redirect_is_a_request(server, window_of, ticking):
    server.faults = [Fault(kind="redirect", location=f"/{NAME}")]
    client = HttpClient(RetryPolicy(), window=window_of(most=1))
    with client.get(f"{server.url}{NAME}", {}) as response:
        assert response.read() == CONTENT
    client.close()

    assert len(server.seen) == 2
    assert [round(one) for one in ticking.waits] == [60]


def test_a_stop_ends_a_wait_for_a_turn(server, window_of):
    stopping = threading.Event()
    window = window_of(most=1)
    window.wait_for_turn(stopping)
    stopping.set()
    client = HttpClient(RetryPolicy(), window=window)

    with pytest.raises(FetchStopped), client.get(f"{server.url}{NAME}", {}, stopping):
        pass

    client.close()
    assert not server.seen


def test_a_wait_for_a_turn_takes_nothing_from_the_servers_time():
    deadline = Deadline(RetryPolicy(headers_timeout_s=1), threading.Event())

    deadline.extend(50)

    assert deadline.left_s() > 49


def options_for(source, tmp_path, **changed):
    return FetchOptions(
        origin=origin_named(source), manifest=published_manifest(TOY), folder=tmp_path / "copies", **changed
    )


@pytest.mark.parametrize("source", ["record", "https://zenodo.org/records/3351307/files/"])
def test_the_record_is_asked_less_often_than_it_allows_by_whatever_address(tmp_path, source):
    assert options_for(source, tmp_path).request_limit == RECORD_REQUESTS < 60
    assert options_for(source, tmp_path, requests_per_minute=7).request_limit == 7
    with pytest.raises(OptionError) as caught:
        options_for(source, tmp_path, requests_per_minute=RECORD_REQUESTS + 1)

    assert caught.value.actual == str(RECORD_REQUESTS + 1)


def test_a_mirror_has_no_limit_but_one_that_the_user_gives(tmp_path):
    assert options_for("https://mirror.test/", tmp_path).request_limit is None
    assert open_window(options_for("https://mirror.test/", tmp_path), print) is None
    assert options_for("https://mirror.test/", tmp_path, requests_per_minute=600).request_limit == 600
    with pytest.raises(OptionError):
        options_for("https://mirror.test/", tmp_path, requests_per_minute=0)


def test_a_fetch_from_a_mirror_keeps_the_limit_that_the_user_gives(fetch_options, published, volume_server):
    ticking, said = FakeClock(), Said()
    options = dataclasses.replace(fetch_options, requests_per_minute=2, clock=ticking.clock(), parallel=1)

    got = fetched(options, CHANNEL_1, progress=said)

    assert got == contents(published.local, CHANNEL_1)
    n_requests = len(volume_server.seen)
    assert n_requests > 2
    assert ticking.waited_s >= 60 * (math.ceil(n_requests / 2) - 1) - n_requests
    assert any("at most 2 times a minute" in line for line in said.lines)


@given(st.floats(0, MAX_PIECE_BYTES * 50 / 60 / 1.5), st.integers(20, 60))
def test_pieces_are_so_large_that_a_full_line_stays_within_the_limit(line_bytes_per_s, most):
    piece = piece_bytes_for(line_bytes_per_s, most, least=32 * MIB)

    assert 32 * MIB <= piece <= MAX_PIECE_BYTES
    if piece < MAX_PIECE_BYTES:
        assert line_bytes_per_s * 60 / piece <= most


def test_pieces_stay_as_they_are_where_requests_are_not_limited():
    assert piece_bytes_for(1e9, None, least=32 * MIB) == 32 * MIB


def test_the_speed_of_a_line_is_that_of_the_last_replies_and_not_of_short_ones():
    speed = LineSpeed()
    for _ in range(20):
        speed.note(10 * MIB, 2.0)
        speed.note(1000, 5.0)

    assert speed.bytes_per_s == pytest.approx(5 * MIB)


def test_pieces_grow_with_the_line_where_requests_are_scarce(tmp_path, monkeypatch):
    for module in (fetch_schedule, fetch_session):
        monkeypatch.setattr(module, "PIECE_BYTES", 300_000)
    stored = publish(tmp_path / "published", n_blocks=1, n_volumes=1, corpus=LONG, filters=STORED)
    wanted = set(list(LONG.files())[:30])
    with serving(stored.files, rate_bytes_per_s=4e6) as server:
        options = stored.options(server, tmp_path / "copies", parallel=1, requests_per_minute=10)
        source = open_remote(options)
        n_before = len(server.seen)
        got = use_fetched(source, wanted, lambda readable: contents(readable, wanted), progress=Quiet())

    assert got == contents(stored.local, wanted)
    sizes = [stop - start for start, stop in (one.span for one in server.seen[n_before:])]
    assert sizes[0] == 300_000
    assert sizes[1] > 600_000


@pytest.fixture
def copies(tmp_path):
    return VolumeCopies(tmp_path / "copies", published_manifest(TOY))


def test_what_is_left_at_the_end_is_divided_among_the_connections(copies):
    schedule = FetchSchedule(copies, [(0, 100 * MIB)], n_connections=2)

    pieces = [schedule.take() for _ in range(5)]

    assert [piece and (piece.stop - piece.start) // MIB for piece in pieces] == [32, 32, 18, 9, 8]
    assert schedule.take().stop == 100 * MIB


def test_what_a_decoder_asks_for_again_and_again_counts_once_when_the_end_is_divided(copies):
    schedule = FetchSchedule(copies, [(0, 40 * MIB)], n_connections=2)
    for _ in range(100):
        schedule.fetch_first(30 * MIB, 40 * MIB)

    pieces = [schedule.take() for _ in range(4)]

    assert [(one.start // MIB, one.stop // MIB) for one in pieces] == [(30, 40), (0, 15), (15, 23), (23, 30)]


def test_no_more_is_on_its_way_than_there_is_room_for_but_what_a_reader_waits_for(copies):
    schedule = FetchSchedule(copies, [(0, 1000 * MIB)], n_connections=4, room=lambda: 100 * MIB)

    pieces = [schedule.take() for _ in range(4)]
    schedule.fetch_first(500 * MIB, 501 * MIB)
    urgent = schedule.take()

    assert [piece and piece.stop // MIB for piece in pieces] == [32, 64, 96, None]
    assert (urgent.start, urgent.stop) == (500 * MIB, 501 * MIB)
    assert schedule.take() is None


def test_bytes_fetched_ahead_of_the_writer_stay_within_the_window(tmp_path, monkeypatch):
    window = 600_000
    monkeypatch.setattr(fetch_session, "WINDOW_BYTES", window)
    monkeypatch.setattr(fetch_schedule, "PIECE_BYTES", 65_536)
    monkeypatch.setattr(fetch_session, "PIECE_BYTES", 65_536)
    stored = publish(tmp_path / "published", n_blocks=3, n_volumes=1, corpus=LONG, filters=STORED)
    wanted = set(list(LONG.files())[:30])
    held = []

    def use_late(readable):
        copies = readable.copies
        until = time.monotonic() + 60
        while copies.n_bytes < window - 70_000 and time.monotonic() < until:
            copies.refresh()
            time.sleep(0.01)
        time.sleep(0.2)
        copies.refresh()
        held.append(sum(copies.n_present(one.offset, one.stop) for one in readable.table.blocks))
        return contents(readable, wanted)

    with serving(stored.files) as server:
        options = stored.options(server, tmp_path / "copies", keep_archives=False)
        got = use_fetched(open_remote(options), wanted, use_late, progress=Quiet(), stored=set)

    assert got == contents(stored.local, wanted)
    assert window - 2 * 65_536 <= held[0] <= window


def test_more_of_a_block_comes_before_its_decoder_has_used_up_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(coders, "PIECE_BYTES", 1 << 12)
    monkeypatch.setattr(remote_source, "_TELL_BYTES", 1)
    published = publish(tmp_path / "published", n_blocks=1, n_volumes=1, corpus=LONG)
    wanted = set(list(LONG.files())[:30])
    with serving(published.files) as server:
        source = open_remote(published.options(server, tmp_path / "copies"))
        (need,) = source.copies.wanted_blocks(source.table, wanted).values()
        stop = need.initial_span[1]
        n_decoded, is_ahead = [0], []

        def pause_before_the_end(n_bytes):
            n_decoded[0] += n_bytes
            until = time.monotonic() + 30
            if not is_ahead and n_decoded[0] > 0.85 * need.n_bytes:
                while source.copies.reach(stop) <= stop and time.monotonic() < until:
                    source.copies.refresh_at(stop)
                    time.sleep(0.01)
                is_ahead.append(source.copies.reach(stop) > stop)

        def read(readable):
            for _, chunks in readable.read(need.block.number, wanted, pause_before_the_end):
                for _ in chunks:
                    pass

        use_fetched(source, wanted, read, progress=Quiet())

    assert not need.is_exact
    assert is_ahead == [True]
