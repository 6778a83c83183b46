"""What a simulated corpus is called for, and whether the folder at hand is the one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from toyadmos_datasets.errors import DatasetError, OutputConflictError
from toyadmos_datasets.files.atomic import writing
from toyadmos_datasets.files.checked_json import checked, read_json, write_json

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
        """Whether who wants the other is served by this one."""
        same = (self.toy, self.size, self.seed, self.model) == (wanted.toy, wanted.size, wanted.seed, wanted.model)
        return same and self.tree >= wanted.tree and self.volumes >= wanted.volumes


def write_record(folder: Path, record: CorpusRecord) -> None:
    """Write the record into a corpus' folder."""
    write_json(folder / RECORD_NAME, asdict(record))


def is_there(out: Path, wanted: CorpusRecord) -> bool:
    """Whether `out` holds the wanted corpus already; not if it is absent or empty.

    Raises:
        OutputConflictError: It holds something else.
    """
    with writing(out):
        if not out.exists():
            return False
        if out.is_dir() and not any(out.iterdir()):
            return False
    remedy = f"Choose another folder with --out, or delete {out} and run the same command again."
    actual = "something that toyadmos simulate did not make"
    if (out / RECORD_NAME).is_file():
        try:
            found = _read_record(out / RECORD_NAME)
        except DatasetError:
            actual = f"a damaged {RECORD_NAME}"
        else:
            missing = _missing(out, found)
            if found.covers(wanted) and missing is None:
                return True
            actual = str(found) if missing is None else f"{found}, of which {missing} is missing"
    raise OutputConflictError(
        "The folder holds another corpus, or something else.",
        where=out,
        expected=f"{wanted}, or an empty folder",
        actual=actual,
        remedy=remedy,
    )


def _read_record(path: Path) -> CorpusRecord:
    remedy = "Remove the folder and simulate it again."
    return checked(CorpusRecord, read_json(path), what="The record is damaged.", where=path, remedy=remedy)


def _missing(out: Path, found: CorpusRecord) -> str | None:
    if found.tree and not (out / "tree" / found.toy).is_dir():
        return f"tree/{found.toy}"
    if found.volumes and not (out / "volumes" / f"{found.toy}.7z.001").is_file():
        return f"volumes/{found.toy}.7z.001"
    return None
