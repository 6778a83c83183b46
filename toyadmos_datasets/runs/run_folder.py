"""The folder of a run: its training data, its weights, and the history of the training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.checked_json import Sha256, checked, read_json, write_json
from toyadmos_datasets.files.installing import upgrade_command
from toyadmos_datasets.files.reading import file_errors, is_there, raise_system_fault
from toyadmos_datasets.options.presets import PRESETS, Preset, settings_of
from toyadmos_datasets.runs.leakage import LearntClips
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.dcase_folder import is_dcase
from toyadmos_datasets.values.manifest import SIDE
from toyadmos_datasets.values.parquet_files import footer_fault, open_in_own_memory
from toyadmos_datasets.values.shards import SplitOfConfig, open_split

RUN_NAME = "run.json"
WEIGHTS_NAME = "model.safetensors"
HISTORY_NAME = "history.json"
SCHEMA_VERSION = 4

_MOST_SCORES_BYTES: Bytes = 1 << 30
"""A hundred times the scores of the frames of a whole toy's test split."""

Case: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 15)]
Seed: TypeAlias = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Threads: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1 << 16)]
Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=rf"^{SIDE}\Z", max_length=255)]
FolderName: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]+\Z", max_length=1 << 15)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run is; the same run trained twice on one device gives the same weights.

    Attributes:
        dataset: The prepared folder, absolute.
        config: Its config.
        toy: ``ToyTrain``.
        is_simulated: Whether the corpus is.
        recipe_sha256: Of the dataset.
        shards_sha256: Of the training split's files.
        preset: The system, as JSON values; none for scores from elsewhere.
        seed: Of the start and of the order of the inputs.
        device: What it was trained on.
        n_threads: Of a network that is trained on the CPU; None before they were chosen, and elsewhere.
        versions: Of what the figures depend on.
        cases: Cases in the training split.
        trained_on: The clips that were trained and validated on, so that none of them is tested in silence.
    """

    dataset: FolderName
    config: Name
    toy: str
    is_simulated: bool
    recipe_sha256: Sha256
    shards_sha256: tuple[Sha256, ...]
    preset: dict[str, Any] | None
    seed: Seed
    device: str
    n_threads: Threads | None
    versions: dict[str, str]
    cases: tuple[Case, ...]
    trained_on: LearntClips

    @property
    def label(self) -> str:
        """What the system is called: ``paper``, or ``paper*`` once a setting was changed."""
        return self.system.label if self.preset is not None else "scores from elsewhere"

    @property
    def system(self) -> Preset:
        """The preset.

        Raises:
            DatasetError: The scores are from elsewhere, or the settings of another version.
        """
        if self.preset is None:
            raise DatasetError(
                "This run holds the scores of another method: there is no model in it.",
                where=RUN_NAME,
                remedy="Train one: toyadmos train DIR --config NAME --out RUN",
            )
        return _preset_of(self.preset, RUN_NAME)

    def split(self, name: str) -> SplitOfConfig:
        """Open a split of the config that it was trained on."""
        return open_split(Path(self.dataset), self.config, name)


def write_run(folder: Path, run: Run) -> None:
    """Write what a run is."""
    write_json(folder / RUN_NAME, {"schema_version": SCHEMA_VERSION} | asdict(run))


def read_run(folder: Path) -> Run:
    """Read what a run is.

    Raises:
        DatasetError: There is none, it is damaged, or a newer version wrote it.
    """
    path = folder / RUN_NAME
    remedy = f"Train it: toyadmos train DIR --config NAME --out {shell_word(folder)}"
    with file_errors(folder):
        is_run = is_there(path)
    if not is_run:
        raise DatasetError("This folder holds no run.", where=folder, expected=RUN_NAME, actual="none", remedy=remedy)
    content = read_json(path, remedy=remedy)
    version = content.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise DatasetError(
            "The run is of a version that this package does not read.",
            where=path,
            expected=f"schema_version {SCHEMA_VERSION}",
            actual=version,
            remedy=f"Train it again into another folder. A newer version is read after: {upgrade_command()}",
        )
    run = checked(Run, content, what="The run's file is damaged.", where=path, remedy=remedy)
    if run.toy not in {toy.name for toy in TOYS} and not is_dcase(run.dataset):
        raise DatasetError(
            "The run's file is damaged.",
            where=path,
            expected=", ".join(toy.name for toy in TOYS),
            actual=ascii(run.toy),
            remedy=remedy,
        )
    if run.preset is not None:
        _preset_of(run.preset, path)
    return run


def _preset_of(content: dict[str, Any], where: object) -> Preset:
    what = "The run's system is not one that this version has."
    remedy = "Use the version that run.json names, or train again into another folder."
    missing = settings_of(str(content.get("detector"))) - content.keys()
    if missing:
        raise DatasetError(what, where=where, expected="all settings", actual=f"no {min(missing)}", remedy=remedy)
    preset: Preset = checked(Preset, content, what=what, where=where, remedy=remedy)
    if preset.base not in PRESETS:
        known = ", ".join(PRESETS)
        raise DatasetError(what, where=where, expected=f"base: {known}", actual=ascii(preset.base), remedy=remedy)
    return preset


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How a training went.

    Attributes:
        losses: Mean loss of every epoch.
        validation_losses: The same of what was not trained on, where the preset keeps some of it out; else empty.
        weights_sha256: Of the file of the weights that it ended with.
    """

    losses: tuple[float, ...]
    validation_losses: tuple[float, ...]
    weights_sha256: Sha256


def read_history(folder: Path) -> History:
    """Read how a finished training went.

    Raises:
        DatasetError: The file is missing or damaged.
    """
    path = folder / HISTORY_NAME
    remedy = f"Delete {folder / WEIGHTS_NAME} and run toyadmos train again: it goes on from the last checkpoint."
    content = read_json(path, remedy=remedy)
    return checked(History, content, what="The run's history is damaged.", where=path, remedy=remedy)


def read_table(folder: Path, name: str, schema: pa.Schema) -> pa.Table:
    """Read a table of scores of a run.

    Args:
        folder: The evaluation.
        name: The file.
        schema: Columns that it must have, without nulls where a field says so.

    Raises:
        DatasetError: It is missing, larger than any that this package writes, damaged, or of other columns.
    """
    path = folder / name
    try:
        table = _table_of(path, schema)
    except (OSError, pa.ArrowException, LookupError, ValueError, TypeError, AttributeError) as error:
        raise_system_fault(error, path)
        raise damaged_table(path, f"the columns {', '.join(schema.names)}", error) from error
    faults = [field.name for field in schema if not field.nullable and table[field.name].null_count]
    if faults:
        raise damaged_table(path, f"a value in every row of {faults[0]}", "none in some")
    return table


def damaged_table(path: Path, expected: str, actual: object) -> DatasetError:
    """Return the error for a table of scores of a run that is not as it was written."""
    return DatasetError(
        "A table of the run is damaged.",
        where=path,
        expected=f"Parquet with {expected}",
        actual=actual,
        remedy=f"Score it again: toyadmos evaluate {shell_word(path.parents[2])}",
    )


def _table_of(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a table with the columns of a schema, with its types, and whatever others there are."""
    table = read_bounded_table(open_in_own_memory(path, most=_MOST_SCORES_BYTES))
    wanted = table.select(schema.names).cast(pa.schema([field.with_nullable(True) for field in schema]))
    for name in schema.names:
        table = table.set_column(table.column_names.index(name), name, wanted[name])
    return table


def read_bounded_table(content: pa.BufferReader) -> pa.Table:
    """Read a Parquet file of scores after looking at how much its footer says that it holds.

    Raises:
        ValueError: It is more than any scores are, or invalid; pyarrow raises others of its errors, too.
    """
    _require_bounded_rows(pq.read_metadata(content))
    table = pq.read_table(content)
    table.validate(full=True)
    return table


def _require_bounded_rows(metadata: pq.FileMetaData) -> None:
    fault = footer_fault(metadata)
    if fault is not None:
        raise ValueError(fault)
