"""The whole corpus: written beside its place, then moved there as one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.engine import run_tasks
from toyadmos_datasets.errors import DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.files.atomic import require_room, sync_folder, writing
from toyadmos_datasets.files.checked_json import checked, read_json, write_json
from toyadmos_datasets.files.job_folder import JobFolder, State
from toyadmos_datasets.simulation.corpus_files import MARKER_NAME, marker_text, pack, write_event, write_plainly
from toyadmos_datasets.simulation.simulated_events import Event, list_blocks, list_events, size_named
from toyadmos_datasets.simulation.synthesiser import MODEL_VERSION
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.report_display import DisplayedReport

RECORD_NAME = "simulated.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusRecord:
    """All that the bytes of a corpus follow from.

    Attributes:
        toy: ``ToyTrain``.
        size: ``tiny``, ``small`` or ``medium``.
        seed: The seed.
        model: Version of the sound models.
        tree: Whether the tree is there.
        volumes: Whether the volumes are there.
    """

    toy: str
    size: str
    seed: int
    model: int
    tree: bool
    volumes: bool

    def __str__(self) -> str:
        parts = " and ".join(name for name, there in (("tree", self.tree), ("volumes", self.volumes)) if there)
        return f"{self.toy}, size {self.size}, seed {self.seed}, model {self.model}, {parts}"

    def covers(self, wanted: CorpusRecord) -> bool:
        """Whether this corpus fulfils a request for the other."""
        same = (self.toy, self.size, self.seed, self.model) == (wanted.toy, wanted.size, wanted.seed, wanted.model)
        return same and self.tree >= wanted.tree and self.volumes >= wanted.volumes


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusFolder(JobFolder):
    """The folder of a simulated corpus, which is made beside it and appears as one."""

    parts: tuple[str, ...] = ("tree", "volumes", RECORD_NAME)
    maker: str = "simulation"
    other: str = "The folder holds another corpus, or something else."

    @property
    def workplace(self) -> Path:
        """The folder beside, which is locked while the corpus is made."""
        return self.path.with_name(f".{self.path.name}.simulating")

    @property
    def partial(self) -> Path:
        """Where the corpus is made; nothing of a cut run is used again."""
        return self.workplace / "corpus"

    def state(self, *, overwrite: bool = False) -> State:  # noqa: ARG002  # a corpus is never replaced
        """Tell whether the folder holds the wanted corpus, or is absent or empty.

        Raises:
            OptionError: It is a file, or would be inside one.
            OutputConflictError: It holds something else.
        """
        with writing(self.path):
            self.refuse_file()
            if not self.path.exists() or not any(self.path.iterdir()):
                return "new"
        wanted = CorpusRecord(**self.request)
        actual = self._difference_from(wanted)
        if actual is None:
            return "done"
        raise OutputConflictError(
            self.other,
            where=self.path,
            expected=f"{wanted}, or an empty folder",
            actual=actual,
            remedy=self.remedy,
        )

    def put_in_place(self) -> None:
        """Rename the corpus to its place.

        Raises:
            OutputError: That failed; the folder is as it was.
        """
        with writing(self.path):
            if self.path.exists():  # and empty: some systems rename onto nothing else than nothing
                self.path.rmdir()
            self.partial.rename(self.path)
            sync_folder(self.path.parent)

    def _difference_from(self, wanted: CorpusRecord) -> str | None:
        """Say what is in the folder instead of the wanted corpus; None if it is there."""
        path = self.path / RECORD_NAME
        if not path.is_file():
            return "something that toyadmos simulate did not make"
        try:
            found = checked(
                CorpusRecord, read_json(path), what="The record is damaged.", where=path, remedy=self.remedy
            )
        except DatasetError:
            return f"a damaged {RECORD_NAME}"
        missing = self._missing(found)
        if missing is not None:
            return f"{found}, of which {missing} is missing"
        return None if found.covers(wanted) else str(found)

    def _missing(self, found: CorpusRecord) -> str | None:
        if found.tree and not (self.path / "tree" / found.toy).is_dir():
            return f"tree/{found.toy}"
        if found.volumes and not (self.path / "volumes" / f"{found.toy}.7z.001").is_file():
            return f"volumes/{found.toy}.7z.001"
        return None


def corpus_folder(out: Path, wanted: CorpusRecord) -> CorpusFolder:
    """Return the folder of a corpus."""
    remedy = f"Choose another folder with --out, or delete {out} and run the same command again."
    return CorpusFolder(path=out, request=asdict(wanted), remedy=remedy)


Report: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SimulatedCorpus(DisplayedReport):
    """A finished corpus.

    Attributes:
        toy: ``ToyTrain``.
        tree: Folder that the toy's folder is in, or None where no tree was asked for.
        volumes: Folder that the volumes are in, or None where none were asked for.
        n_recordings: Number of WAV files.
        n_bytes: Their size, bytes.
    """

    displayed = ("toy", "tree", "volumes", "n_recordings", "n_bytes")

    toy: str
    tree: Path | None
    volumes: Path | None
    n_recordings: int
    n_bytes: Bytes


def simulate(
    toy: str,
    out: Path,
    *,
    size: str = "small",
    seed: int = 0,
    workers: int = 1,
    tree: bool = True,
    volumes: bool = True,
    report: Report | None = None,
) -> SimulatedCorpus:
    """Synthesise a corpus of one toy with the real layout, names, damage, channels and volumes.

    Writes ``OUT/tree/<Toy>/`` and ``OUT/volumes/<Toy>.7z.001`` .., 48 kHz 16-bit mono, and ``simulated.json``
    beside them; `out` appears when all of it is there. The recordings follow from toy, size and seed alone,
    whatever the workers; on another kind of processor a sample may differ by one step, as its mathematics
    rounds.

    Args:
        toy: ``ToyTrain``, or ``train``.
        out: Folder to make; one corpus a folder.
        size: ``tiny``, ``small`` or ``medium``, see `SIZES`.
        seed: Another seed gives other takes by other motors.
        workers: Processes that synthesise; packing, two thirds of the work, is done by one.
        tree: Whether to leave the extracted tree.
        volumes: Whether to write the split archive.
        report: Told the bytes done and to do; a recording counts when it is written and when it is packed.

    Returns:
        What is in `out`, made now or found there.

    Raises:
        OptionError: An unknown toy or size, a negative seed, or neither tree nor volumes.
        OutputConflictError: `out` holds something else.
        BusyError: Another process is making the same folder.
        DiskFullError: There is not enough room.
    """
    _require_possible(seed=seed, workers=workers, something=tree or volumes)
    wanted = CorpusRecord(
        toy=toy_named(toy).name, size=size_named(size).name, seed=seed, model=MODEL_VERSION, tree=tree, volumes=volumes
    )
    out = out.absolute()
    folder = corpus_folder(out, wanted)
    if folder.state() == "new":
        _make(folder, wanted, workers=workers, report=report)
    events = list_events(wanted.toy, size_named(size))
    return SimulatedCorpus(
        toy=wanted.toy,
        tree=out / "tree" if tree else None,
        volumes=out / "volumes" if volumes else None,
        n_recordings=sum(len(event.names) for event in events),
        n_bytes=sum(event.n_bytes for event in events),
    )


def _require_possible(*, seed: int, workers: int, something: bool) -> None:
    if seed < 0:
        raise OptionError("A seed cannot be negative.", where="--seed", actual=seed, remedy="Try: --seed 0")
    if workers < 1:
        raise OptionError("There must be a worker.", where="--workers", actual=workers, remedy="Try: --workers 1")
    if not something:
        raise OptionError("Neither the tree nor the volumes are wanted.", remedy="Ask for at least one of them.")


def _make(folder: CorpusFolder, wanted: CorpusRecord, *, workers: int, report: Report | None) -> None:
    """Write the corpus into a folder of its own beside `out`, then rename it."""
    events = list_events(wanted.toy, size_named(wanted.size))
    n_bytes = sum(event.n_bytes for event in events)
    # The archive is at most as large as the recordings, and is there twice while it is cut.
    purpose = f"a simulated {wanted.toy} of size {wanted.size}"
    require_room(folder.path, n_bytes * (1 + 2 * wanted.volumes), purpose=purpose)
    with folder.held():
        if folder.state() == "new":  # unless another process finished it meanwhile
            with writing(folder.partial):
                if folder.partial.exists():  # left by a process that was killed
                    shutil.rmtree(folder.partial)
            _write(folder.partial, wanted, events, workers=workers, report=report)
            folder.put_in_place()
    # A process that waited for the lock finds the corpus there, so its file need not stay.
    shutil.rmtree(folder.workplace, ignore_errors=True)


def _write(
    folder: Path, wanted: CorpusRecord, events: tuple[Event, ...], *, workers: int, report: Report | None
) -> None:
    """Write the tree, then pack it: both can be stopped and watched as all tasks can."""
    root, size = folder / "tree", size_named(wanted.size)
    marker = marker_text(toy=wanted.toy, size=wanted.size, seed=wanted.seed)
    write_plainly(root / wanted.toy / MARKER_NAME, marker)
    n_bytes = sum(event.n_bytes for event in events)

    def telling(n_before: Bytes) -> Callable[[int], None] | None:
        """Return what adds up the bytes of both steps; None where nobody listens."""
        return report and (lambda done: report(n_before + done, n_bytes * (1 + wanted.volumes)))

    write = partial(write_event, seed=wanted.seed, root=root)
    list(run_tasks(write, events, workers=workers, on_progress=telling(0)))
    if wanted.volumes:
        packing = partial(pack, root=root, folder=folder / "volumes", toy=wanted.toy, volume_bytes=size.volume_bytes)
        blocks = list_blocks(events, block_bytes=size.block_bytes)
        list(run_tasks(packing, [blocks], on_progress=telling(n_bytes)))
    with writing(folder):
        if not wanted.tree:
            shutil.rmtree(root)
        for inside in (path for path in folder.rglob("*") if path.is_dir()):
            sync_folder(inside)
    write_json(folder / RECORD_NAME, asdict(wanted))
