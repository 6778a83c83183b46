"""A server that misbehaves: what passes is mended, what does not is an error, and what was there stays."""

from __future__ import annotations

import dataclasses
import time

import pytest
from loopback import Fault, serving
from remote import CHANNEL_1, LONG, WAYS, Said, contents, fetched, publish
from tiny import STORED
from wording import refused

from toyadmos_datasets.archives.remote.fetch_schedule import FetchSchedule
from toyadmos_datasets.archives.remote.fetching import use_fetched
from toyadmos_datasets.archives.remote.remote_opening import open_remote
from toyadmos_datasets.corpus.volumes import Volume
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import FetchError

ALWAYS = 10**6


@WAYS
@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="cut", after=5000),
        Fault(kind="stall", after=5000),
        Fault(kind="short"),
        Fault(kind="whole"),
        Fault(kind="wrong range"),
        Fault(kind="wrong total"),
        Fault(kind="refuse range"),
        Fault(kind="chunked"),
        Fault(kind="no length"),
        Fault(kind="wrong length"),
        Fault(kind="status", status=429, headers={"Retry-After": "0"}),
        Fault(kind="status", status=503, headers={"Retry-After": "never"}),
        Fault(kind="status", status=500),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)
def test_what_passes_is_mended(fetch_options, published, volume_server, is_whole, fault):
    open_remote(fetch_options)
    volume_server.faults = [dataclasses.replace(fault, times=1)]

    got = fetched(fetch_options, CHANNEL_1, is_whole=is_whole)

    assert got == contents(published.local, CHANNEL_1)
    assert not volume_server.faults[0].times


@WAYS
@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="html"),
        Fault(kind="gzip"),
        Fault(kind="long"),
        Fault(kind="status", status=404),
        Fault(kind="status", status=410),
        Fault(kind="status", status=403),
        Fault(kind="redirect", location="http://example.org/x"),
        Fault(kind="redirect", location="/ToyTrain.7z.001"),
        Fault(kind="wrong range"),
        Fault(kind="status", status=503),
        Fault(kind="cut"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.kind} {value.status}",
)
def test_what_does_not_pass_is_an_error_and_what_was_there_stays(
    fetch_options, published, volume_server, is_whole, fault
):
    open_remote(fetch_options)
    volume_server.faults = [dataclasses.replace(fault, times=ALWAYS)]

    with refused(FetchError) as caught:
        fetched(fetch_options, CHANNEL_1, is_whole=is_whole)

    assert caught.value.remedy
    volume_server.faults = []
    assert fetched(fetch_options, CHANNEL_1, is_whole=is_whole) == contents(published.local, CHANNEL_1)


@WAYS
def test_a_server_without_ranges_gives_whole_volumes_and_it_is_said(fetch_options, published, volume_server, is_whole):
    volume_server.faults = [Fault(kind="whole", times=ALWAYS)]
    said = Said()

    got = fetched(fetch_options, CHANNEL_1, is_whole=is_whole, progress=said)

    assert got == contents(published.local, CHANNEL_1)
    assert any("no ranges: whole volumes" in line for line in said.lines)


def test_a_piece_that_was_taken_before_ranges_were_given_up_is_asked_for_as_one(tmp_path, fetch_options, monkeypatch):
    stored = publish(tmp_path / "published", n_blocks=1, n_volumes=1, corpus=LONG, filters=STORED)
    wanted, taken = set(list(LONG.files())[:30]), []

    def take(schedule):
        piece = original(schedule)
        if piece is not None and not taken:
            taken.append(piece)
            schedule.is_ranged = False  # as another connection does that was given a whole file
        return piece

    original = FetchSchedule.take
    monkeypatch.setattr(FetchSchedule, "take", take)

    with serving(stored.files) as server:
        got = fetched(stored.options(server, tmp_path / "copies"), wanted)

    assert got == contents(stored.local, wanted)
    assert taken[0].stop < stored.manifest.n_bytes


@WAYS
def test_a_file_that_changes_midway_is_fetched_anew(fetch_options, published, volume_server, is_whole):
    open_remote(fetch_options)
    volume_server.faults = [Fault(kind="cut", after=2000)]
    changed = []

    def change(name):
        if not changed and volume_server.n_given:
            changed.append(name)
            volume_server.etag = '"two"'
        return original(name)

    original, volume_server.fault_for = volume_server.fault_for, change

    assert fetched(fetch_options, CHANNEL_1, is_whole=is_whole) == contents(published.local, CHANNEL_1)


def test_bytes_from_before_the_file_changed_are_fetched_again_for_a_waiting_reader(tmp_path, fetch_options):
    published = publish(tmp_path / "published", n_volumes=1)
    members = [one.path for one in published.local.members()]
    wanted, waits = {members[0], members[-1]}, []  # in two blocks of one volume

    def impatient(n_bytes):
        waits.extend([] if n_bytes else ["a quarter of a second"])
        assert len(waits) < 60, "it waits for bytes that nobody fetches"

    with serving(published.files) as server:
        options = published.options(server, tmp_path / "copies", parallel=1)
        source = open_remote(options)
        n_before = len(server.seen)

        def change(name):
            if len(server.seen) == n_before + 1:
                server.etag = '"two"'
            return original(name)

        original, server.fault_for = server.fault_for, change

        def read_late(readable):
            while len(server.seen) < n_before + 3:  # first block, change, second block
                time.sleep(0.01)
            return {
                member.path: b"".join(chunks)
                for block in readable.blocks()
                for member, chunks in readable.read(block.number, wanted, impatient)
            }

        got = use_fetched(source, wanted, read_late, progress=Quiet())

    assert got == contents(published.local, wanted)


def test_a_manifest_of_another_size_is_noticed(fetch_options, published):
    first, *others = published.manifest.volumes
    longer = Volume(name=first.name, n_bytes=first.n_bytes + 10, md5=first.md5)
    manifest = dataclasses.replace(fetch_options.manifest, volumes=(longer, *others))

    with refused(FetchError):
        open_remote(dataclasses.replace(fetch_options, manifest=manifest))
