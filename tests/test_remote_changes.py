"""A file that becomes another one on the server while it is fetched is called that, and the next run gets it."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from loopback import Fault, serving
from remote import CHANNEL_1, WAYS, contents, fetched
from transferring import ALWAYS, BOTH, CONTENT, NAME, fetch
from wording import refused

from toyadmos_datasets.archives.remote import fetch_session, fetching
from toyadmos_datasets.archives.remote.fetch_options import RetryPolicy
from toyadmos_datasets.archives.remote.http_reply import changed_file
from toyadmos_datasets.archives.remote.remote_opening import open_remote
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import CorruptMemberError, FetchError, VolumeError

CHANGED = "changed on the server while it was fetched"
OLD, NEW = "Tue, 01 Sep 2026 00:00:00 GMT", "Wed, 02 Sep 2026 00:00:00 GMT"


def after_first_bytes(server, change):
    """Change something once the server has answered a request, for those that follow."""
    original, answered = server.fault_for, []

    def fault_for(name):
        if len(answered) == 1:
            change()
        answered.append(name)
        return original(name)

    server.fault_for = fault_for


def test_a_file_that_gets_shorter_is_not_called_a_wrong_part(fetching, server):
    server.etag = ""
    server.faults = [Fault(kind="cut", after=100_000)]
    after_first_bytes(server, lambda: server.files.update({NAME: CONTENT[:300_000]}))

    with refused(FetchError) as caught:
        fetch(fetching, is_ranged=True)

    assert caught.value.actual == "its size was 700000 and is 300000"
    server.files[NAME] = CONTENT
    fetch(fetching, is_ranged=True)  # as the remedy says; what had come before is right, and was kept


def test_a_file_that_ends_before_the_range_is_not_called_shorter_than_the_published(fetching, server):
    server.etag = ""
    server.faults = [Fault(kind="cut", after=400_000)]
    after_first_bytes(server, lambda: server.files.update({NAME: CONTENT[:300_000]}))

    with refused(FetchError):
        fetch(fetching, is_ranged=True)


@pytest.mark.parametrize("size", [300_000, 900_000])
def test_a_whole_file_of_another_size_than_before_is_called_changed(fetching, server, size):
    server.etag = ""
    server.faults = [Fault(kind="cut", after=100_000)]
    after_first_bytes(server, lambda: server.files.update({NAME: (CONTENT * 2)[:size]}))

    with refused(FetchError) as caught:
        fetch(fetching, is_ranged=False)

    assert f"is {size}" in caught.value.actual


@BOTH
@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_vanishes_midway_is_not_called_absent(fetching, server, is_ranged, status):
    server.faults = [Fault(kind="cut", after=100_000), Fault(kind="status", status=status, times=ALWAYS)]

    with refused(FetchError) as caught:
        fetch(fetching, is_ranged=is_ranged)

    assert str(status) in caught.value.actual


def test_the_whole_file_without_a_mark_where_a_range_was_asked_for_means_that_it_changed(fetching, server):
    server.faults = [Fault(kind="cut", after=100_000)]
    old, server.files[NAME] = CONTENT, bytes(len(CONTENT))

    def change(name, at, n_bytes):
        server.files[NAME], server.etag = old, ""

    fetching[1].on_bytes = change

    fetch(fetching, is_ranged=True)

    assert [one.span for one in server.seen] == [(1000, 600_000), None, (1000, 600_000)]


@BOTH
def test_a_volume_that_changes_again_in_another_piece_is_an_error(fetching, server, is_ranged):
    copy, transfer, _ = fetching

    def give(etag):
        server.etag = etag
        transfer.fetch(copy, 0, len(CONTENT), is_ranged=is_ranged)

    give('"one"')
    give('"two"')
    with refused(FetchError):
        give('"three"')


def test_two_connections_that_see_one_change_count_it_once(fetching, server):
    copy, transfer, _ = fetching
    transfer.fetch(copy, 0, 1000)

    def another_is_first(name, etag):
        if '"two"' not in transfer._marks.values():
            transfer._begin_volume_anew(copy, '"two"')
            transfer._n_changes[name] += 1
        return original(name, etag)

    original, transfer.versions.note = transfer.versions.note, another_is_first
    server.etag = '"two"'

    transfer.fetch(copy, 0, len(CONTENT))

    assert copy.verify()


def test_dates_that_differ_do_no_harm_while_the_bytes_are_right(fetching, server):
    server.etag = ""
    server.extra_headers = {"Last-Modified": OLD}
    server.faults = [Fault(kind="cut", after=100_000)]
    after_first_bytes(server, lambda: server.extra_headers.update({"Last-Modified": NEW}))

    fetch(fetching, is_ranged=True)

    assert len(server.seen) == 2


@pytest.mark.parametrize(("etag", "modified", "said"), [("", NEW, "Last-Modified"), ('W/"two"', OLD, "ETag")])
@WAYS
def test_wrong_bytes_after_a_change_are_not_called_damaged(fetch_options, published, is_whole, etag, modified, said):
    wanted = set(contents(published.local)) if is_whole else CHANNEL_1
    # Nobody may give the first reply up before it has come: that it was of another file is known from it alone.
    patient = RetryPolicy(first_wait_s=0.01, max_wait_s=0.02)
    options = dataclasses.replace(fetch_options, parallel=1, retry_policy=patient)
    spoiled = {
        name: (data := path.read_bytes())[:64] + bytes(byte ^ 0x55 for byte in data[64:])
        for name, path in published.files.items()
    }
    with serving(published.files) as server:
        server.etag, server.extra_headers = etag and 'W/"one"', {"Last-Modified": OLD}
        options = dataclasses.replace(options, origin=dataclasses.replace(options.origin, base=server.url))
        open_remote(options)
        server.n_given = 0
        server.faults = [Fault(kind="cut", after=200)]

        def change():
            server.files.update(spoiled)
            server.etag, server.extra_headers = etag, {"Last-Modified": modified}

        after_first_bytes(server, change)

        with refused(FetchError) as caught:
            fetched(options, wanted, is_whole=is_whole)

        assert said in caught.value.actual
        server.files.update(published.files)
        assert fetched(options, wanted, is_whole=is_whole) == contents(published.local, wanted)


def test_what_the_first_attempt_saw_change_tells_why_a_volume_is_wrong_at_the_second(fetch_options, monkeypatch):
    change = changed_file("https://host/ToyTrain.7z.001", "one file", "another")
    wrong = [CorruptMemberError("A recording is wrong."), VolumeError("A volume is wrong, twice.")]

    class Session:
        def change_error(self):
            return change if len(wrong) == 1 else None

    @contextlib.contextmanager
    def open_session(*_):
        yield Session()

    def use(_session):
        raise wrong.pop(0)

    monkeypatch.setattr(fetch_session, "open_session", open_session)
    monkeypatch.setattr(fetching, "_has_suspects", lambda *_: True)

    with pytest.raises(FetchError) as caught:
        fetching._trying_twice(open_remote(fetch_options), CHANNEL_1, use, progress=Quiet())

    assert caught.value is change
    assert wrong == []
