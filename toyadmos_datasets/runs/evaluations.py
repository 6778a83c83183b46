"""The evaluations of a run, each in its own folder: by config, dataset and clip score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.checked_json import Count, Sha256, checked, read_json, write_json
from toyadmos_datasets.files.reading import file_errors, is_there
from toyadmos_datasets.options.presets import Preset
from toyadmos_datasets.runs.feature_cache import KEPT, MEASURED
from toyadmos_datasets.runs.leakage import Overlap
from toyadmos_datasets.runs.run_folder import FolderName, Name, Run, Seed, damaged_table, read_run, read_table
from toyadmos_datasets.scores.decisions import Threshold
from toyadmos_datasets.scores.summary import Summary
from toyadmos_datasets.values.shards import SplitOfConfig

EVALUATIONS_NAME = "evaluations"
SCORES_NAME = "scores.parquet"
FRAME_SCORES_NAME = "frame_scores.parquet"
METRICS_NAME = "metrics.json"

SCORES_SCHEMA = pa.schema(
    [
        *(pa.field(name, kind, nullable=name in {"snr_db", "snr_achieved_db"}) for name, kind in KEPT.items()),
        *(pa.field(name, kind, nullable=False) for name, kind in MEASURED.items()),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("recipe_row", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
    ]
)
"""Columns of the scores of a run, beside the state of each part; `recipe_row` hashes what a clip is made of."""

FRAME_SCORES_SCHEMA = pa.schema([pa.field("frame_scores", pa.list_(pa.float32()), nullable=False)])

TELLING = ("channel", "draw", "snr_db")
"""What tells the clips of one event apart: the microphone, which noise it was given, and how much of it."""

_Text = Annotated[str, msgspec.Meta(max_length=1 << 12)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What was scored by what.

    Attributes:
        dataset: The prepared folder, absolute.
        config: Its config.
        recipe_sha256: Of the dataset.
        shards_sha256: Of the test split's files.
        system: What scored it: ``paper``, ``paper*`` where settings were changed.
        changes: These settings, each as ``name=value``.
        clip_score: How clip scores were made, for people.
        seed: Of the training.
        epochs_done: Epochs that the weights have behind them; 0 for scores from elsewhere.
        epochs: Epochs that the system has.
        overlap: What of the test was trained on.
        scored_by: Hash of the weights, or of the file of scores.
        threshold: What it was decided at: of clips that are no test; None where nothing is known of these.
    """

    dataset: FolderName
    config: Name
    recipe_sha256: Sha256
    shards_sha256: tuple[Sha256, ...]
    system: _Text
    changes: tuple[_Text, ...]
    clip_score: _Text
    seed: Seed
    epochs_done: Count
    epochs: Count
    overlap: Overlap
    scored_by: Sha256
    threshold: Threshold | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the training was at its end."""
        return self.epochs_done == self.epochs

    @property
    def epochs_text(self) -> str:
        """How far the training was, for people."""
        return f"{self.epochs_done} of {self.epochs}"

    @property
    def marks(self) -> tuple[str, ...]:
        """What stands beside the figures wherever they are shown: unfinished training, changed settings, overlap."""
        unfinished = f"UNFINISHED: epoch {self.epochs_text}"
        changed = f"{self.system}: {', '.join(self.changes)}"
        return (
            *([] if self.is_finished else [unfinished]),
            *([changed] if self.changes else []),
            *([self.overlap.mark] if self.overlap.mark else []),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One evaluation, computed or read.

    Attributes:
        folder: Where it is.
        evaluated: What was scored by what.
        summary: What the scores come to.
    """

    folder: Path
    evaluated: Evaluated
    summary: Summary

    def as_json(self) -> dict[str, object]:
        """Return what `metrics.json` holds."""
        evaluated = asdict(self.evaluated) | {"is_finished": self.evaluated.is_finished}
        return {"evaluated": evaluated} | self.summary.as_json()


def changes_of(preset: Preset) -> tuple[str, ...]:
    """Return what a preset changes, each as ``name=value``."""
    return tuple(f"{name}={value}" for name, value in preset.changes.items())


def evaluation_name(run: Run, split: SplitOfConfig, clip_score: str) -> str:
    """Name an evaluation: the config, and whatever of dataset and clip score is not the run's own.

    A ``+`` stands in no config's name, so no two evaluations have one name.

    Args:
        run: The run.
        split: What is scored.
        clip_score: The clip score in short, where it is not the preset's own; else empty.
    """
    is_own = str(split.folder) == run.dataset and split.manifest.recipe_sha256 == run.recipe_sha256
    other = "" if is_own else f"+{split.manifest.recipe_sha256[:8]}"
    return split.config + other + (f"+{clip_score}" if clip_score else "")


def evaluation_folders(run: Path) -> list[Path]:
    """Return the folders of a run's evaluations, by name."""
    place = run / EVALUATIONS_NAME
    with file_errors(place):
        return sorted(one for one in place.iterdir() if one.is_dir()) if is_there(place) else []


def find_evaluation(run: Path, name: str | None = None) -> Path:
    """Return the folder of an evaluation of a run.

    Args:
        run: The run.
        name: Its name, or the config that was scored where this names one; without it the only one, or that of the
            config that was trained on.

    Raises:
        DatasetError: The run was not evaluated.
        OptionError: It has several, or none of that name.
    """
    folders = evaluation_folders(run)
    if not folders:
        raise DatasetError(
            "The run was not evaluated yet.",
            where=run,
            expected=f"{EVALUATIONS_NAME}/CONFIG/{SCORES_NAME}",
            actual="none",
            remedy=f"toyadmos evaluate {shell_word(run)}",
        )
    names = {one.name: one for one in folders}
    if name is None:
        chosen = folders if len(folders) == 1 else [names[own] for own in [read_run(run).config] if own in names]
    else:
        chosen = [names[name]] if name in names else [one for one in folders if one.name.startswith(f"{name}+")]
    if len(chosen) != 1:
        raise OptionError(
            "The run has no such evaluation." if name else "The run has several evaluations.",
            where=f"--config, {run}",
            expected=", ".join(names),
            actual=name or "none chosen",
            remedy=f"Choose one of them, or score it: toyadmos evaluate {shell_word(run)} --config NAME",
        )
    return chosen[0]


def read_metrics(folder: Path) -> Evaluated:
    """Read what an evaluation scored, and how; its figures are computed anew of the scores.

    Args:
        folder: The evaluation.

    Raises:
        DatasetError: The file is missing or damaged.
    """
    path, remedy = folder / METRICS_NAME, f"Score it again: toyadmos evaluate {shell_word(_run_of(folder))}"
    known = read_json(path, remedy=remedy).get("evaluated")
    what = "The run's metrics are damaged."
    names = {one.name for one in fields(Evaluated)}
    found = {name: one for name, one in known.items() if name in names} if isinstance(known, dict) else {}
    return checked(Evaluated, found, what=what, where=path, remedy=remedy)


def read_scores(run: Path, name: str | None = None) -> pa.Table:
    """Read the scores of an evaluation of a run; see `find_evaluation`.

    Raises:
        DatasetError: There are none, or they are damaged.
    """
    return read_scores_of(find_evaluation(run, name))


def read_scores_of(folder: Path) -> pa.Table:
    """Read the scores of an evaluation.

    Raises:
        DatasetError: They are missing or damaged.
    """
    path = folder / SCORES_NAME
    table = read_table(folder, SCORES_NAME, SCORES_SCHEMA)
    if set(table["label"].to_pylist()) != {0, 1}:
        raise damaged_table(path, "normal and anomalous clips, labels 0 and 1", "other labels")
    for column in ("level_db", "duration_s"):
        if not pc.all(pc.is_finite(table[column])).as_py():
            raise damaged_table(path, f"finite numbers as {column}", "others")
    if pc.any(pc.is_nan(table["score"])).as_py():  # an infinite score is the highest or the lowest
        raise damaged_table(path, "numbers as score", "NaN")
    if pc.min(table["duration_s"]).as_py() <= 0 or pc.list_flatten(table["damage"]).null_count:
        raise damaged_table(path, "durations above 0, and names of parts", "others")
    return table


def require_free(folder: Path, new: Evaluated, progress: Progress, *, overwrite: bool) -> None:
    """Raise where an evaluation would replace another; the same, or one of fewer epochs, may be.

    Raises:
        OutputConflictError: The folder holds the evaluation of another dataset, or other scores.
    """
    with file_errors(folder):
        if overwrite or not is_there(folder / METRICS_NAME):
            return
    try:
        old = read_metrics(folder)
    except DatasetError:  # it is damaged, and scoring again is what mends it
        return
    is_same = _without_training(old) == _without_training(new)
    if is_same and (old.scored_by == new.scored_by or (not old.is_finished and old.epochs_done < new.epochs_done)):
        if old.epochs_done < new.epochs_done:
            progress.say(f"This replaces the evaluation of epoch {old.epochs_done} of {old.epochs}.")
        return
    raise OutputConflictError(
        "The run holds another evaluation of this config.",
        where=folder,
        expected="the same dataset, scored by the same weights or file",
        actual=f"{old.dataset}, {old.config}, scored by sha256 {old.scored_by[:16]}",
        remedy="Keep it and score into another run's folder, or replace it: --overwrite",
    )


def _without_training(one: Evaluated) -> Evaluated:
    """Return an evaluation without what a later epoch, or the user's leave to overlap, changes."""
    return replace(one, epochs_done=0, scored_by="0" * 64, dataset="-", overlap=Overlap(n_events=0), threshold=None)


def write_evaluation(found: Evaluation, table: pa.Table, frame_scores: Iterable[object] | None) -> None:
    """Write an evaluation into its folder, the metrics last.

    Args:
        found: The evaluation.
        table: Its scores, a row a clip.
        frame_scores: The scores of each clip's frames, where there are any.
    """
    (found.folder / METRICS_NAME).unlink(missing_ok=True)  # a folder without them is not taken for an evaluation
    (found.folder / FRAME_SCORES_NAME).unlink(missing_ok=True)
    _write_table(found.folder / SCORES_NAME, table)
    if frame_scores is not None:
        _write_table(found.folder / FRAME_SCORES_NAME, pa.table({"frame_scores": pa.array(frame_scores)}))
    write_json(found.folder / METRICS_NAME, found.as_json())


def _write_table(path: Path, table: pa.Table) -> None:
    with write_file(path) as file:
        pq.write_table(table, file)


def _run_of(folder: Path) -> Path:
    return folder.parent.parent
