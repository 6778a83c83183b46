"""The stage that ingests: members of a source become checked, resampled, measured recordings in a store."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.engine import Engine, LazyTasks, Stopped, Watch, run_tasks
from toyadmos_datasets.engine.arrow_memory import release_freed_memory
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import (
    OptionError,
    SourceError,
    StoreError,
    ToyAdmosError,
    WavError,
)
from toyadmos_datasets.files.atomic import needing_room, require_room
from toyadmos_datasets.files.checked_json import canonical_json, write_json
from toyadmos_datasets.ingest.block_reading import BlockReader
from toyadmos_datasets.ingest.task_cuts import BlockRun, bytes_by_block, cut_tasks
from toyadmos_datasets.signal.levels import count_full_scale, health_flags, measure
from toyadmos_datasets.signal.resampling import resample_chunks, resampler_name
from toyadmos_datasets.signal.wav import open_wav
from toyadmos_datasets.units import Bytes, Hertz
from toyadmos_datasets.values.health import header_flags
from toyadmos_datasets.values.recording_store import SEGMENT_BYTES, SegmentWriter, read_catalogue, remove_abandoned
from toyadmos_datasets.values.source import BlockPart, Member, Source
from toyadmos_datasets.values.store_repair import damaged_samples, set_aside_damaged_rows, set_aside_samples

_LOG = logging.getLogger(__name__)

STORE_VERSION = 3
"""Changes when segments are written in another way; a store of another version is kept elsewhere."""

MOST_MENDINGS = 3
"""How often damage is mended in one run; when there is still more, the machine is at fault, and no longer the disk."""

INGESTED_BY = ("recording_id", "member", "n_bytes", "block")
"""What an index says of a recording that ingesting it needs."""


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRecording:
    """A recording that was left out because it could not be read.

    Attributes:
        recording_id: Which.
        member: Its path in the source.
        reason: The error's text.
    """

    recording_id: str
    member: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What an ingest did.

    Attributes:
        n_reused: Recordings that were in the store before.
        n_ingested: Recordings that were added.
        bad: Recordings that were skipped, with the reason.
    """

    n_reused: int
    n_ingested: int
    bad: tuple[BadRecording, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """One task: consecutive blocks of a source, or a run of parts of one, and what is wanted of them.

    Attributes:
        source: Where the blocks are.
        blocks: Their numbers.
        wanted: Member path and recording_id of each recording that is wanted.
        folder: The store.
        rate_hz: Rate of the kept samples.
        skip_bad: Whether a bad recording is listed instead of raised.
        run: The parts that are read where other tasks read others of the same block; None for whole blocks.
    """

    source: Source
    blocks: tuple[int, ...]
    wanted: tuple[tuple[str, str], ...]
    folder: Path
    rate_hz: Hertz
    skip_bad: bool
    run: BlockRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where the recordings of one source are kept, at one rate.

    Attributes:
        folder: Its place; made by the first ingest.
        key: What its recordings follow from.
        rate_hz: Rate of the kept samples.
    """

    folder: Path
    key: dict[str, Any]
    rate_hz: Hertz


def store_for(cache: Path, source: Source, rate_hz: Hertz) -> Store:
    """Return the store for this source, rate and resampler, without touching it.

    Raises:
        OptionError: The path of the cache has bytes that are no UTF-8; Arrow cannot map files there.
    """
    if not _is_text(str(cache)):
        raise OptionError(
            "The path of the cache cannot be written as UTF-8.",
            where="--cache",
            expected="a path without odd bytes",
            actual=ascii(str(cache)),
            remedy="Choose another folder with --cache; the path of the dataset may be any.",
        )
    key = {
        "version": STORE_VERSION,
        "source": source.identity,
        "rate_hz": rate_hz,
        "resampler": resampler_name(CORPUS_RATE_HZ, rate_hz),
    }
    digest = hashlib.sha256(canonical_json(key).encode()).hexdigest()[:16]
    return Store(folder=cache / "recordings" / f"{source.toy}-{rate_hz}Hz-{digest}", key=key, rate_hz=rate_hz)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def ingest(
    source: Source,
    index: pa.Table,
    store: Store,
    *,
    workers: int = 1,
    engine: Engine | None = None,
    skip_bad: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> IngestReport:
    """Bring every recording of `index` into the store; those that are there already are not read again.

    Args:
        source: Where the members are.
        index: The recordings that are wanted.
        store: Where they go, from `store_for` with the same source; a rate of 48000 keeps them bit for bit.
        workers: How many tasks run at once.
        engine: Where they run; None for this machine.
        skip_bad: List bad recordings in the report instead of raising.
        on_progress: Called with the bytes decoded so far, of `bytes_to_decode`.

    Raises:
        WavError: A recording is not what the corpus has, and `skip_bad` is off.
        CorruptMemberError: A recording's size or CRC32 is wrong, and `skip_bad` is off.
    """
    remove_abandoned(store.folder)
    missing = missing_recordings(index, store)
    if not len(missing):  # nothing is written, so that users without write access can use the store
        return IngestReport(n_reused=len(index), n_ingested=0, bad=())
    _LOG.info("Ingesting %d recordings of %s; %d are stored", len(missing), source.toy, len(index) - len(missing))
    write_json(store.folder / "store.json", store.key | {"toy": source.toy, "location": source.location})
    require_room(store.folder, bytes_to_store(missing, store), purpose="the recording store")
    tasks = _tasks(source, missing, store, workers=workers, skip_bad=skip_bad)
    bad: list[BadRecording] = []
    release_freed_memory()  # what planning has used
    with needing_room(bytes_to_store(missing, store)):
        for result in run_tasks(
            ingest_blocks, tasks, workers=workers, engine=engine, shared=source, on_progress=on_progress
        ):
            bad.extend(result)
    bad.sort(key=lambda one: one.recording_id)
    _LOG.info("Ingested %d recordings of %s; %d are bad", len(missing) - len(bad), source.toy, len(bad))
    return IngestReport(n_reused=len(index) - len(missing), n_ingested=len(missing) - len(bad), bad=tuple(bad))


def repairing_store(attempt: Callable[[], Result], store: Store, progress: Progress) -> Result:
    """Return what an attempt gives that ingests what it needs; where it meets damage, mend the store and try again.

    Damaged segments are set aside, so that the next attempt ingests their recordings again.

    Args:
        attempt: Ingests, and reads what was ingested.
        store: Where it does so.
        progress: Told what was set aside.

    Raises:
        StoreError: More damage was found after `MOST_MENDINGS`, or the store may not be written to.
    """
    _say_set_aside(set_aside_damaged_rows(store.folder), store, progress)
    for _ in range(MOST_MENDINGS):
        try:
            return attempt()
        except StoreError:
            found = set_aside_damaged_rows(store.folder)
            found += _set_aside_damaged(read_catalogue(store.folder), progress)
            _say_set_aside(found, store, progress)
    return attempt()


def require_undamaged(catalogue: pa.Table, recording_ids: Sequence[str], progress: Progress) -> None:
    """Compare recordings with their checksums, for tasks that run where nothing mends the store.

    Raises:
        StoreError: One is not as it was ingested.
    """
    used = catalogue.filter(pc.is_in(catalogue["recording_id"], value_set=pa.array(recording_ids, pa.string())))
    with _checking(used, progress) as on_progress:
        damaged = damaged_samples(used, on_progress)
    if damaged:
        raise damaged[0]


def _set_aside_damaged(catalogue: pa.Table, progress: Progress) -> list[Path]:
    with _checking(catalogue, progress) as on_progress:
        return set_aside_samples(damaged_samples(catalogue, on_progress))


def _checking(catalogue: pa.Table, progress: Progress) -> AbstractContextManager[Callable[[int], None]]:
    n_bytes = 2 * (pc.sum(catalogue["n_samples"]).as_py() or 0)
    return progress.stage("Checking the recording store", n_bytes, "bytes")


def _say_set_aside(segments: Sequence[Path], store: Store, progress: Progress) -> None:
    if segments:
        parts = "1 damaged part" if len(segments) == 1 else f"{len(segments)} damaged parts"
        progress.say(f"Set aside {parts} of the recording store; what was in it is read again: {store.folder}")


def missing_recordings(index: pa.Table, store: Store) -> pa.Table:
    """Return the rows of `index` whose recordings are not in the store, of their columns `INGESTED_BY`."""
    there = read_catalogue(store.folder)["recording_id"]
    return index.select(INGESTED_BY).filter(pc.invert(pc.is_in(index["recording_id"], value_set=there)))


def bytes_to_store(index: pa.Table, store: Store) -> Bytes:
    """Return about how many bytes these recordings take in the store."""
    return int(pc.sum(index["n_bytes"]).as_py() or 0) * store.rate_hz // CORPUS_RATE_HZ


def bytes_to_decode(source: Source, index: pa.Table) -> Bytes:
    """Return how many bytes are decoded for these recordings: each block up to its last wanted member."""
    return sum(bytes_by_block(source, set(index["member"].to_pylist())).values())


def ingest_blocks(task: Ingest, watch: Watch) -> list[BadRecording]:
    """Ingest some blocks into segments of the store; what was complete is kept whatever happens."""
    reading = _TaskReading(task, watch)
    try:
        for block in task.blocks:
            reading.read(block)
    except (Stopped, WavError, SourceError):
        reading.writer.commit()
        raise
    except BaseException:
        reading.writer.discard()
        raise
    reading.writer.commit()
    return reading.bad


class _TaskReading:
    """Brings the recordings of one task into segments."""

    def __init__(self, task: Ingest, watch: Watch) -> None:
        self.writer = SegmentWriter(task.folder)
        self.bad: list[BadRecording] = []
        self._task = task
        self._watch = watch
        self._ids = dict(task.wanted)

    def read(self, block: int) -> None:
        """Ingest what is wanted of a block.

        Raises:
            WavError: A recording is not what the corpus has, and is not to be skipped.
            CorruptMemberError: The same for one that cannot be read from anywhere.
        """
        task = self._task
        reader = BlockReader(
            task.source, block, self._ids.keys(), self._ingest, watch=self._watch, goes_on=task.skip_bad
        )
        for path, error in reader.read(task.run).items():
            self._note(error, path)

    def _ingest(self, member: Member, chunks: Iterator[bytes]) -> None:
        try:
            _ingest_member(member, chunks, self._ids[member.path], self.writer, self._task.rate_hz)
        except WavError as error:
            if not self._task.skip_bad:
                raise
            self._note(error, member.path)
        if self.writer.is_full:
            self.writer.commit()
            self.writer = SegmentWriter(self._task.folder)

    def _note(self, error: ToyAdmosError, path: str) -> None:
        self.bad.append(BadRecording(recording_id=self._ids[path], member=path, reason=str(error)))


def _ingest_member(
    member: Member, chunks: Iterator[bytes], recording_id: str, writer: SegmentWriter, rate_hz: Hertz
) -> None:
    counter = _Counter(member.crc32)
    try:
        wav = open_wav(
            counter.through(chunks), name=member.path, n_bytes=member.n_bytes, is_proved=member.crc32 is not None
        )
        resampled = list(resample_chunks(counter.counting(wav.chunks), CORPUS_RATE_HZ, rate_hz))
    except WavError:
        for _ in chunks:  # where the source has a wrong CRC32 for it, that is the reason and is raised here
            pass
        raise
    samples = np.concatenate(resampled)
    del resampled
    if not len(samples):
        raise WavError(
            "This recording is too short: nothing is left of it at the rate asked for.",
            where=member.path,
            expected=f"at least one sample at {rate_hz} Hz",
            actual=f"{wav.n_samples} samples at {CORPUS_RATE_HZ} Hz",
            remedy="Move it out of the source, or leave it out: --skip-bad",
        )
    levels = measure(samples, rate_hz)
    writer.add(
        samples,
        recording_id=recording_id,
        level_db=levels.level_db,
        active_level_db=levels.active_level_db,
        active_share=levels.active_share,
        peak=levels.peak,
        flags=health_flags(levels, counter.n_full_scale) + header_flags(wav.quirks),
        source_crc32=counter.crc32,
    )


class _Counter:
    """Sees a member's bytes and samples pass and keeps what is asked of them."""

    def __init__(self, crc32: int | None) -> None:
        self.crc32 = crc32 or 0
        self._crc32_is_known = crc32 is not None  # then the source compares it and once is enough
        self.n_full_scale = 0

    def through(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Pass bytes on, and take their CRC32 where nobody else compares it."""
        for chunk in chunks:
            if not self._crc32_is_known:
                self.crc32 = zlib.crc32(chunk, self.crc32)
            yield chunk

    def counting(self, chunks: Iterator[npt.NDArray[np.int16]]) -> Iterator[npt.NDArray[np.int16]]:
        """Pass samples on, and count those at full scale."""
        for chunk in chunks:
            self.n_full_scale += count_full_scale(chunk)
            yield chunk


def _tasks(source: Source, missing: pa.Table, store: Store, *, workers: int, skip_bad: bool) -> LazyTasks[Ingest]:
    """Cut what is wanted into tasks of at most about a segment each, and enough for all workers."""
    missing = missing.sort_by("block").combine_chunks()
    blocks, first_rows = np.unique(missing["block"].to_numpy(), return_index=True)
    rows = [*first_rows.tolist(), len(missing)]

    def rows_of(first: int, stop: int) -> pa.Table:
        """Return the recordings of some of the blocks."""
        return missing.slice(rows[first], rows[stop] - rows[first])

    def parts_of(block: int) -> Iterator[BlockPart]:
        """Find the parts of a block."""
        place = int(np.searchsorted(blocks, block))
        return source.parts(block, frozenset(rows_of(place, place + 1)["member"].to_pylist()))

    cuts = cut_tasks(
        source,
        bytes_by_block(source, set(missing["member"].to_pylist())),
        parts_of,
        limit=SEGMENT_BYTES * CORPUS_RATE_HZ // store.rate_hz,
        workers=workers,
    )

    def task(number: int) -> Ingest:
        """Name the recordings of a task when its turn comes."""
        cut = cuts[number]
        wanted = rows_of(cut.first, cut.stop)
        if cut.run is not None:
            wanted = wanted.filter(pc.is_in(wanted["member"], value_set=pa.array(cut.run.part.members, pa.string())))
        return Ingest(
            source=source,
            blocks=tuple(blocks[cut.first : cut.stop].tolist()),
            wanted=tuple(zip(wanted["member"].to_pylist(), wanted["recording_id"].to_pylist(), strict=True)),
            folder=store.folder,
            rate_hz=store.rate_hz,
            skip_bad=skip_bad,
            run=cut.run,
        )

    return LazyTasks(len(cuts), task)
