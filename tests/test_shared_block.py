"""One solid block that several workers decode: the same recordings, the same progress, the same errors."""

from __future__ import annotations

import bisect
import contextlib
import itertools
from dataclasses import dataclass
from pathlib import Path

import crafted
import pytest
import tiny
from crafted import LZMA2, CraftedFile, CraftedFolder
from hypothesis import given
from hypothesis import strategies as st
from ingesting import CORPUS, N_RECORDINGS, RATE_HZ, contents, index_of, segments, tree
from loopback import serving
from remote import Published

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.remote.fetching import use_fetched
from toyadmos_datasets.archives.remote.remote_opening import open_remote
from toyadmos_datasets.archives.remote.volume_list import VolumeList, describe_volumes
from toyadmos_datasets.archives.sevenzip.volumes_source import VolumesSource
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import CorruptMemberError, WavError
from toyadmos_datasets.ingest.recordings import bytes_to_decode, ingest, store_for
from toyadmos_datasets.ingest.task_cuts import cut_tasks, join_parts
from toyadmos_datasets.values.source import Block, BlockPart, Restart
from toyadmos_datasets.verifying import source_verification
from toyadmos_datasets.verifying.source_verification import verify_source

FILES = CORPUS.files()
PIECE = 1_999
BAD = tiny.only(FILES, "normal_IND_ch1_0002")
WORKERS = pytest.mark.parametrize("workers", [1, 2])


def block_of(files: dict[str, bytes], *, piece: int = PIECE, distance: int = 2, n_stored: int = 0) -> CraftedFolder:
    """All recordings as one solid block."""
    packed = crafted.restarting(b"".join(files.values()), piece, distance=distance, n_stored=n_stored)
    coders = [LZMA2, (b"\x03", bytes([distance - 1]))] if distance else [LZMA2]
    return CraftedFolder([CraftedFile(path, data) for path, data in files.items()], coders=coders, packed=packed)


def volumes(folder: Path, block: CraftedFolder) -> VolumesSource:
    return open_source(crafted.write(folder, crafted.archive([block]), n_volumes=3), "ToyTrain")


def ingested(source, folder: Path, workers: int, **options):
    store = store_for(folder, source, RATE_HZ)
    report = ingest(source, index_of(source), store, workers=workers, **options)
    return store, report


@pytest.mark.parametrize("distance", [0, 1, 2, 4, 7])
def test_a_tree_and_one_block_give_the_same_store_with_one_and_two_workers(tmp_path, distance):
    expected, _ = ingested(tree(tmp_path, FILES), tmp_path / "of-tree", 1)
    source = volumes(tmp_path / "volumes", block_of(FILES, distance=distance))
    for workers in (1, 2):
        store, report = ingested(source, tmp_path / str(workers), workers)

        assert (report.n_ingested, report.bad) == (N_RECORDINGS, ())
        assert contents(store) == contents(expected)
        assert (len(segments(store)) > 3) == (workers == 2 and distance <= 4)


def test_one_worker_decodes_a_block_in_one_go_and_looks_for_no_parts(tmp_path, monkeypatch):
    source = volumes(tmp_path / "volumes", block_of(FILES))
    monkeypatch.setattr(VolumesSource, "parts", lambda *_: pytest.fail("looked for parts"))

    store, report = ingested(source, tmp_path, 1)

    assert report.n_ingested == N_RECORDINGS
    assert len(segments(store)) == 1


@WORKERS
@pytest.mark.parametrize("first", [0, 4])
def test_progress_ends_at_the_bytes_that_were_announced(tmp_path, workers, first):
    source = volumes(tmp_path / "volumes", block_of(FILES))
    index = index_of(source).slice(first, 5)
    told: list[int] = []

    ingest(source, index, store_for(tmp_path, source, RATE_HZ), workers=workers, on_progress=told.append)

    assert told[-1] == bytes_to_decode(source, index)


def spoilt(block: CraftedFolder, share: float, width: int = 1) -> CraftedFolder:
    """A block with wrong packed bytes at about a share of its length."""
    packed = bytearray(block.packed)
    at = int(len(packed) * share)
    packed[at : at + width] = bytes(byte ^ 0x55 for byte in packed[at : at + width])
    block.packed = bytes(packed)
    return block


@pytest.mark.parametrize("share", [0.03, 0.31, 0.5, 0.77])
@pytest.mark.parametrize("n_stored", [0, 100], ids=["packed", "stored"])
def test_a_wrong_byte_costs_the_same_recordings_with_any_number_of_workers_and_no_others(tmp_path, share, n_stored):
    source = volumes(tmp_path / "volumes", spoilt(block_of(FILES, n_stored=n_stored), share))
    bad, stores = [], []
    for workers in (1, 2):
        store, report = ingested(source, tmp_path / str(workers), workers, skip_bad=True)
        bad.append([(one.member, one.reason.splitlines()[0]) for one in report.bad])
        stores.append(contents(store))

    assert bad[0] == bad[1]
    assert 1 <= len(bad[0]) <= 2
    assert stores[0] == stores[1]
    assert len(stores[0]) == N_RECORDINGS - len(bad[0])


def test_a_wrong_byte_is_the_same_error_with_any_number_of_workers_and_what_is_right_is_kept(tmp_path):
    source = volumes(tmp_path / "volumes", spoilt(block_of(FILES, n_stored=100), 0.31))
    ends = list(itertools.accumulate(map(len, FILES.values())))
    bad = list(FILES)[bisect.bisect(ends, 0.31 * ends[-1])]
    facts = []
    for workers in (1, 2):
        store = store_for(tmp_path / str(workers), source, RATE_HZ)
        with pytest.raises(CorruptMemberError) as caught:
            ingest(source, index_of(source), store, workers=workers)

        assert caught.value.where.startswith(f"{bad} in {tmp_path}")
        assert "block 0" in caught.value.where
        assert "ToyTrain.7z.00" in caught.value.remedy
        facts.append((caught.value.code, caught.value.expected, caught.value.actual))
        assert len(contents(store)) >= 1
    assert facts[0] == facts[1]
    assert facts[0][0] == "corrupt_member"


@pytest.mark.parametrize("share", [None, 0.31, 0.77])
def test_verifying_finds_the_same_with_any_number_of_workers(tmp_path, share):
    block = block_of(FILES, n_stored=100)
    volumes(tmp_path / "volumes", block if share is None else spoilt(block, share))
    one, two = (verify_source(tmp_path / "volumes", "ToyTrain", workers=workers) for workers in (1, 2))

    assert one == two
    assert bool(one.problems) == (share is not None)
    assert len(one.problems) <= 2


@pytest.mark.parametrize(("workers", "is_shared"), [(1, False), (2, True)])
def test_verifying_shares_a_block_among_several_workers(tmp_path, workers, is_shared):
    source = volumes(tmp_path / "volumes", block_of(FILES))
    told: list[int] = []

    tasks = [task for task in source_verification._tasks(source, workers) if task.blocks]
    verify_source(tmp_path / "volumes", "ToyTrain", Told(told), workers=workers)

    assert (len(tasks) > 1) == is_shared
    assert sorted(path for task in tasks for path in task.wanted) == sorted(FILES)
    assert told[-1] == sum(map(len, FILES.values()))


class Told(Quiet):
    """Keeps what the first stage was told."""

    def __init__(self, told: list[int]) -> None:
        self._told = told
        self._is_first = True

    @contextlib.contextmanager
    def stage(self, name: str, total: int, unit: str):
        is_first, self._is_first = self._is_first, False
        yield self._told.append if is_first else (lambda _done: None)


@WORKERS
def test_a_recording_that_is_no_wav_is_told_as_that_and_not_as_corrupt(tmp_path, workers):
    files = FILES | {BAD: b"junk" + FILES[BAD][4:]}
    source = volumes(tmp_path / "volumes", block_of(files))

    with pytest.raises(WavError, match=Path(BAD).stem):
        ingested(source, tmp_path / "strict", workers)
    _, report = ingested(source, tmp_path, workers, skip_bad=True)

    assert [one.member for one in report.bad] == [BAD]
    assert "corrupt" not in report.bad[0].reason


@WORKERS
def test_a_block_without_resets_is_ingested_as_one(tmp_path, workers):
    source = volumes(tmp_path / "volumes", block_of(FILES, piece=1 << 30))

    store, report = ingested(source, tmp_path, workers)

    assert report.n_ingested == N_RECORDINGS
    assert len(segments(store)) == 1


@WORKERS
@pytest.mark.parametrize("size", [b"\0\0", b"\xff\xff"])
def test_a_wrong_size_in_a_chunk_header_costs_all_that_follows_and_nothing_before(tmp_path, workers, size):
    block = block_of(FILES, n_stored=100)
    packed = bytearray(block.packed)
    half = sum(len(crafted.stored_chunks(bytes(PIECE), 100)) for _ in range(60))
    packed[half + 1 : half + 3] = size
    block.packed = bytes(packed)
    source = volumes(tmp_path / "volumes", block)

    store, report = ingested(source, tmp_path, workers, skip_bad=True)

    ends = list(itertools.accumulate(map(len, FILES.values())))
    assert report.n_ingested == bisect.bisect(ends, 60 * PIECE)
    assert report.n_ingested + len(report.bad) == N_RECORDINGS
    assert len(contents(store)) == report.n_ingested


def test_a_block_from_the_web_is_one_part_until_its_bytes_have_come(tmp_path):
    local = volumes(tmp_path / "published", block_of(FILES))
    manifest = VolumeList(toy="ToyTrain", volumes=describe_volumes(tmp_path / "published", "ToyTrain"))
    published = Published(folder=tmp_path / "published", manifest=manifest)
    with serving(published.files) as server:
        options = published.options(server, tmp_path / "copies")
        source = open_remote(options)

        before = [part.restart for part in source.parts(0, set(FILES))]
        store = store_for(tmp_path, source, RATE_HZ)
        use_fetched(
            source,
            set(FILES),
            lambda readable: ingest(readable, index_of(readable), store, workers=2),
            progress=Quiet(),
        )

    assert before == [None]
    assert list(open_remote(options).parts(0, set(FILES))) == list(local.parts(0, set(FILES)))
    expected, _ = ingested(local, tmp_path / "of-local", 1)
    assert contents(store) == contents(expected)
    again, _ = ingested(open_remote(options), tmp_path / "again", 2)
    assert contents(again) == contents(expected)


@given(
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=60),
    piece=st.integers(1, 200),
    limit=st.integers(1, 500),
    most=st.integers(1, 20),
)
def test_runs_hold_every_recording_once_and_are_long_enough(sizes, piece, limit, most):
    parts, begin = [], 0
    for number, size in enumerate(sizes):
        at = begin // piece * piece
        restart = Restart(position=at, offset=at) if at else None
        parts.append(BlockPart(block=0, members=(str(number),), restart=restart, begin=begin, stop=begin + size))
        begin += size

    runs = list(join_parts(iter(parts), limit=limit, most=most))

    assert [path for run in runs for path in run.part.members] == [str(number) for number in range(len(sizes))]
    assert len(runs) <= most
    assert runs[0].counted_from == 0
    for run, following in itertools.pairwise(runs):
        assert run.part.stop - run.counted_from >= limit
        assert following.counted_from == run.part.stop
        assert following.part.begin - (following.part.restart.offset if following.part.restart else 0) <= limit / 16


@dataclass
class Blocks:
    """A source of blocks, of which some may be shared."""

    costs: list[int]
    shareable: list[bool]

    def blocks(self) -> list[Block]:
        pairs = enumerate(zip(self.costs, self.shareable, strict=True))
        return [
            Block(number=number, n_bytes=cost, n_packed_bytes=cost, method="", may_be_shared=may)
            for number, (cost, may) in pairs
        ]


@given(
    blocks=st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=1, max_size=30),
    limit=st.integers(1, 2000),
    workers=st.integers(1, 5),
)
def test_tasks_hold_every_block_and_only_a_large_one_is_shared(blocks, limit, workers):
    costs, shareable = [cost for cost, _ in blocks], [may for _, may in blocks]
    asked: list[int] = []

    def parts_of(block: int):
        asked.append(block)
        return (
            BlockPart(block=block, members=(str(at),), restart=Restart(position=at, offset=at), begin=at, stop=at + 1)
            for at in range(costs[block])
        )

    source = Blocks(costs, shareable)
    cuts = list(cut_tasks(source, dict(enumerate(costs)), parts_of, limit=limit, workers=workers))

    places = [place for cut in cuts for place in range(cut.first, cut.stop)]
    assert places == sorted(places)
    assert set(places) == set(range(len(costs)))
    whole = [place for cut in cuts if cut.run is None for place in range(cut.first, cut.stop)]
    assert len(whole) == len(set(whole))
    share = sum(costs) // (workers * 4)
    assert asked == [block for block, (cost, may) in enumerate(blocks) if workers > 1 and may and cost > share]
    assert set(whole) == set(range(len(costs))) - set(asked)
    for block in asked:
        members = [path for cut in cuts if cut.run and cut.first == block for path in cut.run.part.members]
        assert members == [str(at) for at in range(costs[block])]
