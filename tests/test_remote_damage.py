"""Bytes that are not those that were published: noticed by CRC32 and MD5, fetched once more, and no further."""

from __future__ import annotations

import dataclasses

import pytest
from loopback import Fault, serving
from remote import CHANNEL_1, LONG, WAYS, Said, contents, fetched, publish
from tiny import STORED
from wording import refused

from toyadmos_datasets.archives.remote.fetching import use_fetched
from toyadmos_datasets.archives.remote.remote_opening import open_remote
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopies
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import CorruptMemberError, VolumeError

ALWAYS = 10**6


@WAYS
def test_what_has_changed_on_the_disk_is_fetched_again_when_it_is_used(fetch_options, published, is_whole):
    fetch_options = dataclasses.replace(fetch_options, whole=is_whole)
    fetched(fetch_options, CHANNEL_1, is_whole=is_whole)
    source = open_remote(fetch_options)
    block = next(iter(source.copies.wanted_blocks(source.table, CHANNEL_1).values())).block
    number, at, _ = next(source.copies.split(block.offset + 3000, block.stop))
    with source.volumes.paths[number].open("r+b") as file:
        file.seek(at)
        file.write(b"damage")

    if is_whole:  # its md5 was right: whoever changed it is asked to look
        with refused(CorruptMemberError):
            fetched(fetch_options, CHANNEL_1, is_whole=is_whole)
    else:
        assert fetched(fetch_options, CHANNEL_1, is_whole=is_whole) == contents(published.local, CHANNEL_1)


def test_a_volume_with_the_wrong_md5_is_set_aside_and_fetched_once_more(fetch_options, published, volume_server):
    open_remote(fetch_options)
    volume_server.faults = [Fault(kind="flip", after=5000, name="ToyTrain.7z.002")]
    said = Said()
    source = open_remote(dataclasses.replace(fetch_options, whole=True))

    source.fetch(CHANNEL_1, progress=said)

    assert any("set aside and fetched again" in line for line in said.lines)
    assert contents(published.local) == contents(dataclasses.replace(source))
    assert not list(fetch_options.folder.glob("*.wrong"))


def test_a_volume_that_stays_wrong_is_an_error_and_kept_for_a_look(fetch_options, volume_server):
    open_remote(fetch_options)
    volume_server.faults = [Fault(kind="flip", after=5000, name="ToyTrain.7z.002", times=ALWAYS)]
    source = open_remote(dataclasses.replace(fetch_options, whole=True))

    with refused(VolumeError) as caught:
        source.fetch(CHANNEL_1, progress=Quiet())

    assert (fetch_options.folder / "ToyTrain.7z.002.wrong").exists()
    assert "--source" in caught.value.remedy


def test_a_block_that_comes_damaged_is_fetched_once_more(fetch_options, published, volume_server):
    open_remote(fetch_options)
    volume_server.faults = [Fault(kind="flip", after=9000)]
    said = Said()

    got = fetched(fetch_options, CHANNEL_1, progress=said)

    assert got == contents(published.local, CHANNEL_1)
    assert any("fetched once more" in line for line in said.lines)


def test_a_block_that_stays_damaged_is_an_error(fetch_options, volume_server):
    open_remote(fetch_options)
    volume_server.faults = [Fault(kind="flip", after=9000, times=ALWAYS)]

    with pytest.raises(CorruptMemberError):
        fetched(fetch_options, CHANNEL_1)


def test_a_damaged_header_is_fetched_once_more(fetch_options, published, volume_server):
    volume_server.faults = [Fault(kind="flip", after=10, name="ToyTrain.7z.003")]

    assert open_remote(fetch_options).members() == published.local.members()


def test_a_block_that_was_mended_is_suspected_no_more(fetch_options, published, volume_server):
    open_remote(fetch_options)
    volume_server.faults = [Fault(kind="flip", after=9000)]
    fetched(fetch_options, CHANNEL_1)
    n_before, said = len(volume_server.seen), Said()

    again = fetched(fetch_options, CHANNEL_1, progress=said)

    assert again == contents(published.local, CHANNEL_1)
    assert len(volume_server.seen) == n_before
    assert not said.lines


def test_a_reader_that_continues_after_a_damaged_recording_finds_the_others_of_its_block(tmp_path):
    stored = publish(tmp_path / "published", n_blocks=1, n_volumes=1, corpus=LONG, filters=STORED)
    wanted, rounds, waits = set(list(LONG.files())[:30]), [], []

    def impatient(n_bytes):
        waits.extend([] if n_bytes else ["a quarter of a second"])
        assert len(waits) < 60, "it waits for bytes that nobody fetches"

    def read_all(readable):
        good, bad = {}, []
        for member, chunks in readable.read(0, wanted, impatient):
            try:
                good[member.path] = b"".join(chunks)
            except CorruptMemberError:
                bad.append(member.path)
        rounds.append((len(good), len(bad)))
        return good

    with serving(stored.files) as server:
        options = stored.options(server, tmp_path / "copies")
        source = open_remote(options)
        server.faults = [Fault(kind="flip", after=400_000)]

        got = use_fetched(source, wanted, read_all, progress=Quiet())

    assert rounds == [(29, 1), (30, 0)]
    assert got == contents(stored.local, wanted)
    assert not VolumeCopies(options.folder, options.manifest).has_suspects(0, stored.manifest.n_bytes)
