"""A source on the web: the same recordings as on the disk, for the fewest bytes, whatever the server does."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pickle
import platform
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from loopback import Fault, serving
from remote import TOY, contents, publish
from tiny import TinyCorpus

from toyadmos_datasets.archive.remote import estimate as estimate_module
from toyadmos_datasets.archive.remote import session as session_module
from toyadmos_datasets.archive.remote.ends import BlockEnds
from toyadmos_datasets.archive.remote.estimate import estimate
from toyadmos_datasets.archive.remote.fetching import download, use_fetched
from toyadmos_datasets.archive.remote.need import needs_of
from toyadmos_datasets.archive.remote.present import Layout, present_in
from toyadmos_datasets.archive.remote.session import running
from toyadmos_datasets.archive.remote.source import open_remote
from toyadmos_datasets.corpus.volumes import Volume
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import BusyError, CorruptMemberError, FetchError, SourceError, VolumeError
from toyadmos_datasets.files.lock import folder_lock

ALWAYS = 10**6
CHANNEL_1 = {one for one in TinyCorpus().members() if "_ch1_" in one and "normal" in one}
WAYS = pytest.mark.parametrize("is_whole", [False, True], ids=["blocks", "volumes"])


class Said(Quiet):
    """Keeps what was told."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture
def server(published):
    with serving(published.files) as running_server:
        yield running_server


@pytest.fixture
def options(published, server, tmp_path, monkeypatch):
    monkeypatch.setattr(estimate_module, "REQUEST_BYTES", 0)  # the corpus is smaller than a request is worth
    return published.options(server, tmp_path / "archives" / "tiny")


def fetched(options, wanted=None, *, progress=None, is_whole=False):
    """Fetch recordings and read them on the way."""
    source = open_remote(dataclasses.replace(options, is_whole=is_whole))
    names = {member.path for member in source.members()} if wanted is None else wanted
    return use_fetched(source, names, lambda readable: contents(readable, names), progress=progress or Quiet())


def test_the_header_alone_tells_what_the_volumes_hold(options, published, server):
    source = open_remote(options)

    assert source.members() == published.local.members()
    assert source.blocks() == published.local.blocks()
    assert source.identity == published.local.identity
    assert server.n_given < sum(volume.n_bytes for volume in published.manifest.volumes) / 20


def test_the_header_is_fetched_once(options, server):
    open_remote(options)
    n_before = len(server.seen)

    open_remote(options)

    assert len(server.seen) == n_before


@WAYS
def test_what_was_fetched_and_found_right_is_used_without_a_request_or_a_write(options, published, server, is_whole):
    options = dataclasses.replace(options, is_whole=is_whole)
    fetched(options, CHANNEL_1, is_whole=is_whole)
    n_before, before = len(server.seen), changes_in(options.folder)

    again = fetched(options, CHANNEL_1, is_whole=is_whole)
    download(open_remote(options), CHANNEL_1, progress=Quiet())

    assert again == contents(published.local, CHANNEL_1)
    assert estimate(open_remote(options), CHANNEL_1).n_missing == 0
    assert len(server.seen) == n_before
    assert changes_in(options.folder) == before


@WAYS
def test_what_has_changed_on_the_disk_is_fetched_again_when_it_is_used(options, published, is_whole):
    options = dataclasses.replace(options, is_whole=is_whole)
    fetched(options, CHANNEL_1, is_whole=is_whole)
    source = open_remote(options)
    block = next(iter(needs_of(source.table, CHANNEL_1, BlockEnds(options.folder)).values())).block
    number, at, _ = next(Layout(source.volumes.sizes).split(block.offset + 3000, block.stop))
    with source.volumes.paths[number].open("r+b") as file:
        file.seek(at)
        file.write(b"damage")

    if is_whole:  # its md5 was right: whoever changed it is asked to look
        with pytest.raises(CorruptMemberError, match="Compare the md5"):
            fetched(options, CHANNEL_1, is_whole=is_whole)
    else:
        assert fetched(options, CHANNEL_1, is_whole=is_whole) == contents(published.local, CHANNEL_1)


def changes_in(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*")}


@WAYS
def test_every_recording_comes_as_it_is(options, published, is_whole):
    assert fetched(options, is_whole=is_whole) == contents(published.local)


@pytest.mark.parametrize(("n_blocks", "n_volumes"), [(1, 1), (1, 5), (7, 2), (12, 9)])
def test_blocks_may_cross_any_number_of_volumes(tmp_path, n_blocks, n_volumes):
    published = publish(tmp_path / "published", n_blocks=n_blocks, n_volumes=n_volumes)
    with serving(published.files) as server:
        got = fetched(published.options(server, tmp_path / "copies"), CHANNEL_1)

    assert got == contents(published.local, CHANNEL_1)


def test_only_the_blocks_with_wanted_recordings_are_fetched(options, published, server):
    fetched(options, CHANNEL_1)

    source = open_remote(options)
    needs = needs_of(source.table, CHANNEL_1, BlockEnds(options.folder))
    least = sum(need.expected[1] - need.expected[0] for need in needs.values())
    present = present_in(options.folder, options.manifest)
    untouched = [block for block in source.table.blocks if block.number not in needs]
    assert untouched
    assert all(present.n_missing(one.offset, one.stop) > 0 for one in untouched)
    assert server.n_given <= least * 1.05 + 200_000


def test_a_later_run_fetches_the_difference(options, published, server):
    fetched(options, CHANNEL_1)
    n_before = server.n_given

    everything = fetched(options)

    assert everything == contents(published.local)
    assert server.n_given <= sum(volume.n_bytes for volume in published.manifest.volumes)
    assert server.n_given > n_before


def test_a_volume_that_has_become_whole_is_checked_and_stays(options, published, server):
    fetched(options)
    for journal in present_in(options.folder, options.manifest)._journals:
        assert journal.is_whole
    n_before = len(server.seen)

    fetched(options, is_whole=True)

    assert len(server.seen) == n_before
    for volume in published.manifest.volumes:
        assert (options.folder / volume.name).read_bytes() == (published.folder / volume.name).read_bytes()


def test_the_cheaper_way_is_chosen_and_named(options):
    source = open_remote(options)
    everything = {member.path for member in source.members()}

    little, much = estimate(source, CHANNEL_1), estimate(source, everything)

    assert (little.way, much.way) == ("blocks", "volumes")
    assert little.n_missing < much.n_missing <= much.n_in_archive
    assert little.n_blocks < little.n_blocks_in_archive
    assert "needed" in little.why


def test_whole_volumes_are_fetched_when_asked(options, published):
    source = open_remote(dataclasses.replace(options, is_whole=True))

    assert estimate(source, CHANNEL_1).volumes == (0, 1, 2)


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
def test_what_passes_is_mended(options, published, server, is_whole, fault):
    open_remote(options)
    server.faults = [dataclasses.replace(fault, times=1)]

    got = fetched(options, CHANNEL_1, is_whole=is_whole)

    assert got == contents(published.local, CHANNEL_1)
    assert not server.faults[0].times


@WAYS
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(kind="html"), "web page"),
        (Fault(kind="gzip"), "packed bytes"),
        (Fault(kind="long"), "more than the file has"),
        (Fault(kind="status", status=404), "no such file"),
        (Fault(kind="status", status=410), "no such file"),
        (Fault(kind="status", status=403), "refuses"),
        (Fault(kind="redirect", location="http://example.org/x"), "redirects to where"),
        (Fault(kind="redirect", location="/ToyTrain.7z.001"), "in a circle"),
        (Fault(kind="wrong range"), "another part"),
        (Fault(kind="status", status=503), "8 times in a row"),
        (Fault(kind="cut"), "8 times in a row"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.kind} {value.status}",
)
def test_what_does_not_pass_is_an_error_and_what_was_there_stays(options, published, server, is_whole, fault, message):
    open_remote(options)
    server.faults = [dataclasses.replace(fault, times=ALWAYS)]

    with pytest.raises(FetchError, match=message) as caught:
        fetched(options, CHANNEL_1, is_whole=is_whole)

    assert caught.value.remedy
    server.faults = []
    assert fetched(options, CHANNEL_1, is_whole=is_whole) == contents(published.local, CHANNEL_1)


@WAYS
def test_a_server_without_ranges_gives_whole_volumes_and_it_is_said(options, published, server, is_whole):
    server.faults = [Fault(kind="whole", times=ALWAYS)]
    said = Said()

    got = fetched(options, CHANNEL_1, is_whole=is_whole, progress=said)

    assert got == contents(published.local, CHANNEL_1)
    assert any("no ranges: whole volumes" in line for line in said.lines)


@WAYS
def test_a_file_that_changes_midway_is_fetched_anew(options, published, server, is_whole):
    open_remote(options)
    server.faults = [Fault(kind="cut", after=2000)]
    changed = []

    def change(name):
        if not changed and server.n_given:
            changed.append(name)
            server.etag = '"two"'
        return original(name)

    original, server.fault_for = server.fault_for, change

    assert fetched(options, CHANNEL_1, is_whole=is_whole) == contents(published.local, CHANNEL_1)


def test_a_volume_with_the_wrong_md5_is_set_aside_and_fetched_once_more(options, published, server):
    open_remote(options)
    server.faults = [Fault(kind="flip", after=5000, name="ToyTrain.7z.002")]
    said = Said()
    source = open_remote(dataclasses.replace(options, is_whole=True))

    download(source, CHANNEL_1, progress=said)

    assert any("set aside and fetched again" in line for line in said.lines)
    assert contents(published.local) == contents(dataclasses.replace(source))
    assert not list(options.folder.glob("*.wrong"))


def test_a_volume_that_stays_wrong_is_an_error_and_kept_for_a_look(options, server):
    open_remote(options)
    server.faults = [Fault(kind="flip", after=5000, name="ToyTrain.7z.002", times=ALWAYS)]
    source = open_remote(dataclasses.replace(options, is_whole=True))

    with pytest.raises(VolumeError, match="wrong md5, twice") as caught:
        download(source, CHANNEL_1, progress=Quiet())

    assert (options.folder / "ToyTrain.7z.002.wrong").exists()
    assert "--source" in caught.value.remedy


def test_a_block_that_comes_damaged_is_fetched_once_more(options, published, server):
    open_remote(options)
    server.faults = [Fault(kind="flip", after=9000)]
    said = Said()

    got = fetched(options, CHANNEL_1, progress=said)

    assert got == contents(published.local, CHANNEL_1)
    assert any("fetched once more" in line for line in said.lines)


def test_a_block_that_stays_damaged_is_an_error(options, server):
    open_remote(options)
    server.faults = [Fault(kind="flip", after=9000, times=ALWAYS)]

    with pytest.raises(CorruptMemberError):
        fetched(options, CHANNEL_1)


def test_a_damaged_header_is_fetched_once_more(options, published, server):
    server.faults = [Fault(kind="flip", after=10, name="ToyTrain.7z.003")]

    assert open_remote(options).members() == published.local.members()


@WAYS
def test_a_second_fetch_of_an_archive_may_fail_instead_of_waiting(options, is_whole):
    source = open_remote(dataclasses.replace(options, is_waiting=False, is_whole=is_whole))

    with folder_lock(options.folder), pytest.raises(BusyError, match="Another process") as caught:
        use_fetched(source, CHANNEL_1, contents, progress=Quiet())

    assert "held by process" in caught.value.actual


@WAYS
def test_a_second_fetch_of_an_archive_waits_says_for_whom_and_fetches_what_is_still_missing(
    options, published, server, is_whole
):
    open_remote(options)
    n_before, said = server.n_given, Said()
    with ThreadPoolExecutor() as pool:
        with folder_lock(options.folder):
            second = pool.submit(fetched, options, progress=said, is_whole=is_whole)
            wait_until(lambda: said.lines)
            n_while_waiting = server.n_given

        assert second.result() == contents(published.local)
    assert n_while_waiting == n_before
    assert f"held by process {os.getpid()} on {platform.node()}: waiting until it is done" in said.lines[0]
    assert server.n_given <= published.manifest.n_bytes * 1.01


@WAYS
def test_two_fetchers_without_a_lock_still_give_right_bytes(options, published, monkeypatch, is_whole):
    monkeypatch.setattr(session_module, "having_turn", lambda *_: contextlib.nullcontext())
    source = open_remote(dataclasses.replace(options, is_whole=is_whole))
    with running(source, CHANNEL_1, Quiet()) as one, running(source, CHANNEL_1, Quiet()) as other:
        first, second = contents(one.source, CHANNEL_1), contents(other.source, CHANNEL_1)

    assert first == second == contents(published.local, CHANNEL_1)


def wait_until(is_so, *, within_s=60):
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_it_can_be_sent_to_a_worker(options):
    source = open_remote(options)

    again = pickle.loads(pickle.dumps(source))

    assert again == source


def test_without_a_fetch_missing_bytes_are_an_error_that_says_how_to_get_them(options):
    source = open_remote(options)

    with pytest.raises(SourceError, match="nothing is fetching them") as caught:
        contents(source, CHANNEL_1)

    assert "toyadmos download" in caught.value.remedy


def test_copies_that_are_not_kept_are_let_go_when_their_recordings_are_stored(options, published):
    source = open_remote(dataclasses.replace(options, is_keeping=False))

    got = use_fetched(
        source, CHANNEL_1, lambda readable: contents(readable, CHANNEL_1), progress=Quiet(), stored=lambda: CHANNEL_1
    )

    present = present_in(options.folder, options.manifest)
    assert got == contents(published.local, CHANNEL_1)
    for need in needs_of(source.table, CHANNEL_1, BlockEnds(options.folder)).values():
        assert present.n_missing(need.block.offset, need.block.stop) == need.block.n_packed_bytes
    used = sum(path.stat().st_blocks * 512 for path in options.folder.iterdir() if path.is_file())
    assert used < published.manifest.n_bytes / 2


def test_the_last_line_says_what_was_fetched_reused_and_verified(options):
    said = Said()

    fetched(options, CHANNEL_1, progress=said)

    assert "Fetched" in said.lines[-1]
    assert "were there" in said.lines[-1]
    assert "CRC32" in said.lines[-1]


def test_a_manifest_of_another_size_is_noticed(options, published):
    first, *others = published.manifest.volumes
    longer = Volume(name=first.name, n_bytes=first.n_bytes + 10, md5=first.md5)
    manifest = dataclasses.replace(options.manifest, volumes=(longer, *others))

    with pytest.raises(FetchError, match="another part"):
        open_remote(dataclasses.replace(options, manifest=manifest))


def test_recordings_come_from_the_toy_that_was_asked_for(options):
    assert open_remote(options).toy == TOY


def test_progress_is_told_over_all_and_for_each_block(options):
    class Stages(Quiet):
        def __init__(self):
            self.told = {}

        @contextlib.contextmanager
        def stage(self, what, total, unit):
            self.told[what.strip()] = (total, [])
            yield self.told[what.strip()][1].append

    stages = Stages()

    fetched(options, CHANNEL_1, progress=stages)

    total, done = stages.told["Fetching ToyTrain"]
    assert total > 0
    assert sorted(done) == done
    assert done[-1] >= total * 0.9
    blocks = {what: told for what, told in stages.told.items() if what.startswith("block ")}
    assert blocks
    assert all(told[0] >= told[1][-1] > told[0] * 0.9 for told in blocks.values())
