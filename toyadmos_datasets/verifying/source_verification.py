"""Verifies a source, from its first byte to its last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.corpus.volumes import published_volumes
from toyadmos_datasets.engine import LazyTasks, Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import CorruptMemberError, OddSourceError, SourceError, WavError
from toyadmos_datasets.files.reading import raise_shortage, system_fault_of
from toyadmos_datasets.ingest import AsFound, as_found, refuse_oddities, survey_source
from toyadmos_datasets.ingest.block_reading import BlockReader
from toyadmos_datasets.ingest.task_cuts import BlockRun, bytes_by_block, cut_tasks
from toyadmos_datasets.signal.wav import open_wav
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.health import header_flags, header_oddities
from toyadmos_datasets.values.report_display import DisplayedReport, Rows
from toyadmos_datasets.values.source import Member, Oddity, Source
from toyadmos_datasets.verifying.dataset_verification import Problem, hash_of, problem_of, problem_rows

_FLAGS_SCHEMA = pa.schema([("recording_id", pa.string()), ("flags", pa.list_(pa.string()))])
"""Which recordings have odd headers; here they are called by their paths."""

SourceState: TypeAlias = Literal["complete", "partial", "wrong", "simulated"]

_TASK_BYTES: Bytes = 64_000_000
"""Blocks of a tree are single recordings; a task takes about so much of them."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SourceVerdict(DisplayedReport):
    """What reading a source showed.

    Attributes:
        location: Where it is.
        kind: ``tree`` or ``volumes``.
        toy: ``ToyTrain``.
        is_simulated: Whether its recordings were synthesised by this package.
        n_recordings: Recordings in it.
        n_bytes: Their size.
        n_volumes_compared: Volumes whose size is that of the published ones, and whose MD5 was compared.
        as_found: What is in it beside what was published, what is missing, and what is odd and tolerated.
        problems: What is wrong, ordered by path; empty for a source that can be used whole.
    """

    displayed = ("location", "toy", "state", "n_recordings", "n_problems")

    location: str
    kind: str
    toy: str
    is_simulated: bool
    n_recordings: int
    n_bytes: Bytes
    n_volumes_compared: int
    as_found: AsFound
    problems: tuple[Problem, ...]

    @property
    def n_problems(self) -> int:
        """How much is wrong."""
        return len(self.problems)

    def display_rows(self) -> Rows:
        """Return a row for each problem, or the facts where there is none."""
        return problem_rows(self.problems) if self.problems else DisplayedReport.display_rows(self)

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong with what is there; the corpus may be partial all the same, see `state`."""
        return not self.problems

    @property
    def state(self) -> SourceState:
        """The verdict: ``wrong`` with problems, ``partial`` where recordings are missing, else ``complete``.

        A simulated corpus is ``simulated``, since no count of it was published, and ``partial`` only where events
        lack a channel.
        """
        if self.problems:
            return "wrong"
        if self.as_found.missing or self.as_found.incomplete:
            return "partial"
        return "simulated" if self.is_simulated else "complete"


def verify_source(
    location: str | Path,
    toy: str,
    progress: Progress | None = None,
    *,
    workers: int = 1,
    ignore: Sequence[str] = (),
    strict: bool = False,
) -> SourceVerdict:
    """Read everything in a source: names, sizes, checksums, and every WAV file to its end.

    Nothing is raised for what is wrong with recordings: all of it is in the verdict.

    Args:
        location: As `open_source` takes it.
        toy: ``ToyTrain``, or ``train``.
        progress: Told about the work.
        workers: Number of processes.
        ignore: Glob patterns of files and folders that are left out.
        strict: Whether it is a problem that something is not as published.

    Raises:
        OptionError: There is no such toy.
        SourceError: There is nothing to read: no source, volumes that are not one archive, or a damaged header.
    """
    progress, toy = progress or Quiet(), toy_named(toy).name
    source = open_source(location, toy, ignore=ignore)
    members = source.members()
    indexed = survey_source(source)
    problems = [problem_of(fault, "") for fault in indexed.faults]
    n_bytes = sum(member.n_bytes for member in members)
    flags: list[pa.Table] = []
    with progress.stage(f"Reading {toy}", n_bytes, "bytes") as on_progress:
        tasks = _tasks(source, workers)
        for found in run_tasks(check_blocks, tasks, workers=workers, shared=source, on_progress=on_progress):
            problems += found.problems
            flags.append(found.flags)
    volumes = _published(source)
    with progress.stage(f"Comparing {toy} with what was published", sum(one.n_bytes for one in volumes), "bytes") as on:
        problems += [one for one in run_tasks(check_volume, volumes, workers=workers, on_progress=on) if one]
    odd_headers = header_oddities(pa.concat_tables([_FLAGS_SCHEMA.empty_table(), *flags]))
    indexed = replace(indexed, oddities=(*indexed.oddities, *odd_headers))
    if strict:
        problems += _odd_as_wrong(indexed.oddities, source.location)
    return SourceVerdict(
        location=source.location,
        kind=source.kind,
        toy=toy,
        is_simulated=source.is_simulated,
        n_recordings=len(members),
        n_bytes=n_bytes,
        n_volumes_compared=len(volumes),
        as_found=as_found(indexed, source),
        problems=tuple(sorted(problems, key=lambda one: one.path)),
    )


def _odd_as_wrong(oddities: Sequence[Oddity], location: str) -> list[Problem]:
    try:
        refuse_oddities(oddities, location)
    except OddSourceError as error:
        return [problem_of(error, location)]
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class _BlocksTask:
    """Blocks that one task reads, or a run of parts of one."""

    source: Source
    blocks: tuple[int, ...]
    wanted: frozenset[str]
    run: BlockRun | None


def _tasks(source: Source, workers: int) -> LazyTasks[_BlocksTask]:
    """Cut a source into tasks as for ingesting: small blocks together, a large one in runs of its parts."""
    paths: dict[int, list[str]] = {}
    for member in source.members():
        paths.setdefault(member.block, []).append(member.path)
    cost = bytes_by_block(source, {path for some in paths.values() for path in some})
    blocks = tuple(cost)
    cuts = cut_tasks(
        source, cost, lambda block: source.parts(block, frozenset(paths[block])), limit=_TASK_BYTES, workers=workers
    )

    def task(number: int) -> _BlocksTask:
        """Name what a task reads when its turn comes."""
        cut = cuts[number]
        chosen = blocks[cut.first : cut.stop]
        wanted = [path for block in chosen for path in paths[block]] if cut.run is None else cut.run.part.members
        return _BlocksTask(source=source, blocks=chosen, wanted=frozenset(wanted), run=cut.run)

    return LazyTasks(len(cuts), task)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What reading some blocks showed.

    Attributes:
        problems: What is wrong with their recordings.
        flags: Their recordings with odd headers, with `_FLAGS_SCHEMA`.
    """

    problems: list[Problem]
    flags: pa.Table


def check_blocks(task: _BlocksTask, watch: Watch) -> _Found:
    """Read all recordings of some blocks, and go on after a bad one."""
    problems: list[Problem] = []
    odd: dict[str, list[str]] = {}

    def take(member: Member, chunks: Iterator[bytes]) -> None:
        """Examine a recording."""
        fault, quirks = _examine(member, chunks)
        if isinstance(fault, CorruptMemberError):
            raise fault
        if fault is not None:
            problems.append(problem_of(fault, member.path))
        elif quirks:
            odd[member.path] = header_flags(quirks)

    for block in task.blocks:
        try:
            wrong = BlockReader(task.source, block, task.wanted, take, watch=watch, goes_on=True).read(task.run)
            problems += [problem_of(error, path) for path, error in wrong.items()]
        except SourceError as error:
            problems.append(problem_of(error, f"block {block}"))
    return _Found(problems=problems, flags=pa.table([list(odd), list(odd.values())], schema=_FLAGS_SCHEMA))


def _examine(member: Member, chunks: Iterator[bytes]) -> tuple[WavError | SourceError | None, tuple[str, ...]]:
    """Return what is wrong with one recording, and what is odd about its header.

    Where its bytes are wrong, that is told and not what follows from it.
    """
    fault: WavError | SourceError | None = None
    quirks: tuple[str, ...] = ()
    try:
        wav = open_wav(chunks, name=member.path, n_bytes=member.n_bytes, is_proved=member.crc32 is not None)
        for _ in wav.chunks:
            pass
        quirks = wav.quirks
    except (WavError, SourceError) as error:
        fault = error
    try:
        for _ in chunks:  # a bad WAV header leaves bytes unread, and the checksum is behind the last of them
            pass
    except SourceError as error:
        fault = error
    return fault, quirks


@dataclass(frozen=True, slots=True, kw_only=True)
class _VolumeTask:
    path: Path
    n_bytes: Bytes
    md5: str


def _published(source: Source) -> list[_VolumeTask]:
    """List the volumes that can only be the published ones, by name and size."""
    published = {(volume.name, volume.n_bytes): volume.md5 for volume in published_volumes(source.toy)}
    return [
        _VolumeTask(path=one.path, n_bytes=one.n_bytes, md5=published[one.path.name, one.n_bytes])
        for one in source.volume_files
        if (one.path.name, one.n_bytes) in published
    ]


def check_volume(task: _VolumeTask, watch: Watch) -> Problem | None:
    """Compare a volume's MD5 with the published one."""
    remedy = f"Fetch {task.path.name} again."
    try:
        md5 = hash_of(task.path, "md5", watch)
    except OSError as error:
        raise_shortage(error, task.path)
        fault = system_fault_of(error, task.path)
        if fault is not None:
            return problem_of(fault, str(task.path))
        md5 = str(error)
    if md5 == task.md5:
        return None
    return Problem(
        what="A volume is not the published one.",
        path=str(task.path),
        expected=f"md5 {task.md5}",
        actual=f"md5 {md5}",
        remedy=remedy,
    )
