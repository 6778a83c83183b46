"""The folder of a run: what was trained on what, its weights, scores and metrics."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toyadmos_datasets.baseline.clips import SplitOfConfig, open_split
from toyadmos_datasets.baseline.presets import Preset
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.checked import Sha256, checked
from toyadmos_datasets.files.installing import upgrade_command
from toyadmos_datasets.files.json import read_json, write_json

RUN_NAME = "run.json"
WEIGHTS_NAME = "model.safetensors"
SCORES_NAME = "scores.parquet"
FRAME_SCORES_NAME = "frame_scores.parquet"
METRICS_NAME = "metrics.json"
SCHEMA_VERSION = 1


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
        versions: Of what the figures depend on.
        cases: Cases in the training split.
    """

    dataset: str
    config: str
    toy: str
    is_simulated: bool
    recipe_sha256: Sha256
    shards_sha256: tuple[Sha256, ...]
    preset: dict[str, Any] | None
    seed: int
    device: str
    versions: dict[str, str]
    cases: tuple[int, ...]

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
        try:
            return Preset(**self.preset | {"offsets": tuple(self.preset["offsets"])})
        except (KeyError, TypeError) as error:
            raise DatasetError(
                "The run's system is not one that this version has.",
                where=RUN_NAME,
                actual=error,
                remedy="Use the version that run.json names, or train again into another folder.",
            ) from error

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
    if not path.exists():
        raise DatasetError("This folder holds no run.", where=folder, expected=RUN_NAME, actual="none", remedy=remedy)
    content = read_json(path, remedy=remedy)
    if content.pop("schema_version", None) != SCHEMA_VERSION:
        raise DatasetError(
            "The run is of a version that this package does not read.",
            where=path,
            expected=f"schema_version {SCHEMA_VERSION}",
            remedy=f"Upgrade: {upgrade_command()}",
        )
    return checked(Run, content, what="The run's file is damaged.", where=path, remedy=remedy)
