"""A source on the web: the same recordings as on the disk, for the fewest bytes."""

from __future__ import annotations

import dataclasses
import pickle
import time

import pytest
from loopback import serving
from remote import CHANNEL_1, LONG, TOY, WAYS, contents, fetched, publish
from tiny import STORED
from wording import refused

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.file_kinds import Ignore
from toyadmos_datasets.archives.remote.fetch_schedule import estimate
from toyadmos_datasets.archives.remote.fetching import use_fetched
from toyadmos_datasets.archives.remote.remote_opening import open_remote
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopies
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import SourceError


def test_the_header_alone_tells_what_the_volumes_hold(fetch_options, published, volume_server):
    source = open_remote(fetch_options)

    assert source.members() == published.local.members()
    assert source.blocks() == published.local.blocks()
    assert source.identity == published.local.identity
    assert volume_server.n_given < sum(volume.n_bytes for volume in published.manifest.volumes) / 20


def test_what_is_ignored_on_the_web_is_what_is_ignored_on_the_disk(fetch_options, published):
    remote = open_remote(fetch_options, ignore=Ignore(patterns=("*_ch1_*",)))
    local = open_source(published.folder, TOY, ignore=["*_ch1_*"])

    assert remote.members() == local.members()
    assert (remote.identity, remote.ignored, remote.oddities) == (local.identity, local.ignored, local.oddities)


def test_the_header_is_fetched_once(fetch_options, volume_server):
    open_remote(fetch_options)
    n_before = len(volume_server.seen)

    open_remote(fetch_options)

    assert len(volume_server.seen) == n_before


@WAYS
def test_what_was_fetched_and_found_right_is_used_without_a_request_or_a_write(
    fetch_options, published, volume_server, is_whole
):
    fetch_options = dataclasses.replace(fetch_options, whole=is_whole)
    fetched(fetch_options, CHANNEL_1, is_whole=is_whole)
    n_before, before = len(volume_server.seen), changes_in(fetch_options.folder)

    again = fetched(fetch_options, CHANNEL_1, is_whole=is_whole)
    open_remote(fetch_options).fetch(CHANNEL_1, progress=Quiet())

    assert again == contents(published.local, CHANNEL_1)
    assert estimate(open_remote(fetch_options), CHANNEL_1).n_missing == 0
    assert len(volume_server.seen) == n_before
    assert changes_in(fetch_options.folder) == before


def changes_in(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*")}


@WAYS
def test_every_recording_comes_as_it_is(fetch_options, published, is_whole):
    assert fetched(fetch_options, is_whole=is_whole) == contents(published.local)


@pytest.mark.parametrize(("n_blocks", "n_volumes"), [(1, 1), (1, 5), (7, 2), (12, 9)])
def test_blocks_may_cross_any_number_of_volumes(tmp_path, n_blocks, n_volumes):
    published = publish(tmp_path / "published", n_blocks=n_blocks, n_volumes=n_volumes)
    with serving(published.files) as volume_server:
        got = fetched(published.options(volume_server, tmp_path / "copies"), CHANNEL_1)

    assert got == contents(published.local, CHANNEL_1)


def test_only_the_blocks_with_wanted_recordings_are_fetched(fetch_options, published, volume_server):
    fetched(fetch_options, CHANNEL_1)

    source = open_remote(fetch_options)
    needs = source.copies.wanted_blocks(source.table, CHANNEL_1)
    least = sum(need.expected_span[1] - need.expected_span[0] for need in needs.values())
    copies = VolumeCopies(fetch_options.folder, fetch_options.manifest)
    untouched = [block for block in source.table.blocks if block.number not in needs]
    assert untouched
    assert all(copies.n_missing(one.offset, one.stop) > 0 for one in untouched)
    assert volume_server.n_given <= least * 1.05 + 200_000


def test_a_later_run_fetches_the_difference(fetch_options, published, volume_server):
    fetched(fetch_options, CHANNEL_1)
    n_before = volume_server.n_given

    everything = fetched(fetch_options)

    assert everything == contents(published.local)
    assert volume_server.n_given <= sum(volume.n_bytes for volume in published.manifest.volumes)
    assert volume_server.n_given > n_before


def test_a_volume_that_has_become_whole_is_checked_and_stays(fetch_options, published, volume_server):
    fetched(fetch_options)
    for copy in VolumeCopies(fetch_options.folder, fetch_options.manifest).volumes:
        assert copy.is_verified
    n_before = len(volume_server.seen)

    fetched(fetch_options, is_whole=True)

    assert len(volume_server.seen) == n_before
    for volume in published.manifest.volumes:
        assert (fetch_options.folder / volume.name).read_bytes() == (published.folder / volume.name).read_bytes()


def test_the_cheaper_way_is_chosen_and_named(fetch_options):
    source = open_remote(fetch_options)
    everything = {member.path for member in source.members()}

    little, much = estimate(source, CHANNEL_1), estimate(source, everything)

    assert (little.way, much.way) == ("blocks", "volumes")
    assert little.n_missing < much.n_missing <= much.n_in_archive
    assert little.n_blocks < little.n_blocks_in_archive
    assert "needed" in little.why


def test_whole_volumes_are_fetched_when_asked(fetch_options, published):
    source = open_remote(dataclasses.replace(fetch_options, whole=True))

    assert estimate(source, CHANNEL_1).volumes == (0, 1, 2)


def test_it_can_be_sent_to_a_worker(fetch_options):
    source = open_remote(fetch_options)

    again = pickle.loads(pickle.dumps(source))

    assert again == source


def test_without_a_fetch_missing_bytes_are_an_error_that_says_how_to_get_them(fetch_options):
    source = open_remote(fetch_options)

    with refused(SourceError) as caught:
        contents(source, CHANNEL_1)

    assert "toyadmos download" in caught.value.remedy


def test_copies_that_are_not_kept_are_let_go_when_their_recordings_are_stored(fetch_options, published):
    source = open_remote(dataclasses.replace(fetch_options, keep_archives=False))

    got = use_fetched(
        source, CHANNEL_1, lambda readable: contents(readable, CHANNEL_1), progress=Quiet(), stored=lambda: CHANNEL_1
    )

    copies = VolumeCopies(fetch_options.folder, fetch_options.manifest)
    assert got == contents(published.local, CHANNEL_1)
    for need in source.copies.wanted_blocks(source.table, CHANNEL_1).values():
        assert copies.n_missing(need.block.offset, need.block.stop) == need.block.n_packed_bytes
    used = sum(path.stat().st_blocks * 512 for path in fetch_options.folder.iterdir() if path.is_file())
    assert used < published.manifest.n_bytes / 2


def test_what_is_still_coming_of_copies_that_are_not_kept_is_let_go_too(tmp_path, fetch_options):
    stored = publish(tmp_path / "published", n_blocks=1, n_volumes=1, corpus=LONG, filters=STORED)
    wanted = set(list(LONG.files())[:30])
    with serving(stored.files, rate_bytes_per_s=2e6) as server:
        options = stored.options(server, tmp_path / "copies", keep_archives=False)
        source = open_remote(options)
        n_enough = server.n_given + 500_000

        def use_none(_readable):
            while server.n_given < n_enough:
                time.sleep(0.01)

        use_fetched(source, wanted, use_none, progress=Quiet(), stored=lambda: wanted)

    (block,) = source.table.blocks
    copies = VolumeCopies(options.folder, options.manifest)
    assert copies.n_missing(block.offset, block.stop) == block.n_packed_bytes


def test_recordings_come_from_the_toy_that_was_asked_for(fetch_options):
    assert open_remote(fetch_options).toy == TOY
