"""The folder of a simulated corpus: what it is called for, and whether the folder at hand holds it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from toyadmos_datasets.errors import DatasetError, OutputConflictError
from toyadmos_datasets.files.atomic import sync_folder, writing
from toyadmos_datasets.files.checked_json import checked, read_json
from toyadmos_datasets.files.job_folder import JobFolder, State

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
