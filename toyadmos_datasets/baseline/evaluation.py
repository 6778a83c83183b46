"""`toyadmos evaluate`: the scores of a run, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from toyadmos_datasets.baseline.detector import Detector, Stacks
from toyadmos_datasets.baseline.frames import KEPT, MEASURED, featured, frames_of, held_features, rows_of
from toyadmos_datasets.baseline.run_folder import (
    FRAME_SCORES_NAME,
    METRICS_NAME,
    RUN_NAME,
    SCORES_NAME,
    Run,
    damaged_table,
    read_bounded_table,
    read_run,
    read_table,
    write_run,
)
from toyadmos_datasets.baseline.trainer import load_detector
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.checked_json import write_json
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.options.presets import Preset
from toyadmos_datasets.options.training_options import EvaluateOptions
from toyadmos_datasets.scores.summary import Summary, summarise
from toyadmos_datasets.signal.logmel import FloatArray
from toyadmos_datasets.values.parquet_files import open_in_own_memory
from toyadmos_datasets.values.shards import SplitOfConfig, cases_of, open_split

_ROWS_A_STEP = 8192

Scores = npt.NDArray[np.float64]


def score(detector: Detector, clips: Any, preset: Preset | None = None) -> Scores:  # noqa: ANN401
    """Return the anomaly score of each clip, shape (n_clips,); more is more anomalous.

    Args:
        detector: What `fit` returned.
        clips: As for `fit`.
        preset: Another clip score than the detector's own.
    """
    chosen = preset or detector.preset
    return np.array([clip_score(errors, chosen) for errors in frame_scores(detector, clips)])


def frame_scores(detector: Detector, clips: Any, progress: Progress | None = None) -> list[FloatArray]:  # noqa: ANN401
    """Return the error of each input of each clip, one array a clip."""
    preset = detector.preset
    frames = frames_of(clips, preset)
    stacks = Stacks(frames, preset, detector.mean.device)
    was_training = detector.training
    detector.eval()
    found = []
    shown = progress or Quiet()
    with torch.inference_mode(), shown.stage("scoring", frames.n_clips, "clips") as done:
        for clip in range(frames.n_clips):
            rows = torch.from_numpy(frames.rows_of(clip, preset)).to(stacks.values.device)
            errors = [detector.errors(stacks, piece) for piece in rows.split(_ROWS_A_STEP)]
            found.append(torch.cat(errors).cpu().numpy())
            done(clip + 1)
    detector.train(was_training)
    return found


def clip_score(errors: FloatArray, preset: Preset) -> float:
    """Return the score of a clip from those of its frames: the largest, the mean or a quantile."""
    if preset.clip_score == "max":
        return float(errors.max())
    if preset.clip_score == "mean":
        return float(errors.mean(dtype=np.float64))
    return float(np.quantile(errors, preset.quantile))


SCORES_SCHEMA = pa.schema(
    [
        *(pa.field(name, kind, nullable=name in {"snr_db", "snr_achieved_db"}) for name, kind in KEPT.items()),
        *(pa.field(name, kind, nullable=False) for name, kind in MEASURED.items()),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
    ]
)
"""Columns of the scores of a run, beside the state of each part."""

FRAME_SCORES_SCHEMA = pa.schema([pa.field("frame_scores", pa.list_(pa.float32()), nullable=False)])

TELLING = ("channel", "draw", "snr_db")
"""What tells the clips of one event apart: the microphone, which noise it was given, and how much of it."""


def evaluate(options: EvaluateOptions, progress: Progress | None = None) -> Summary:
    """Score the test split of a config, and write scores and metrics into the run.

    Scores of another method get the same tables as the baseline's; the folder becomes a run without a model.

    Raises:
        DatasetError: The run or the dataset is damaged.
        OptionError: The file of scores lacks a column or a clip, or has one twice.
        OutputConflictError: Scores of another method, and the folder holds a run that was trained.
    """
    if options.scores is not None and options.dataset is not None:
        return _evaluate_scores(options.run, options.scores, options.dataset, options.config, progress)
    return _evaluate_model(options, progress or Quiet())


def _evaluate_model(options: EvaluateOptions, progress: Progress) -> Summary:
    folder = options.run
    run = read_run(folder)
    detector = load_detector(folder, device=options.device)
    preset = run.system
    split = open_split(options.dataset or Path(run.dataset), options.config or run.config, "test")
    with held_features(split.manifest.toy):
        data = featured(split, preset, progress)
        errors = frame_scores(detector, data.frames, progress)
    chosen = options.clip_score or preset
    chosen = replace(preset, clip_score=chosen.clip_score, quantile=chosen.quantile)
    scores = np.array([clip_score(one, chosen) for one in errors])
    _write_table(folder / FRAME_SCORES_NAME, pa.table({"frame_scores": pa.array(errors)}))
    return _finish(folder, split, with_domain(data.rows, split, run), scores, what=_name_of(chosen))


def _evaluate_scores(
    folder: Path, scores_file: Path, dataset: Path, config: str | None, progress: Progress | None
) -> Summary:
    _require_no_model(folder)
    split = open_split(dataset, config, "test")
    rows = rows_of(split, progress)
    scores = _matched(_read_scores(scores_file), rows, scores_file)
    manifest = split.manifest
    run = Run(
        dataset=str(split.folder),
        config=split.config,
        toy=manifest.toy,
        is_simulated=bool(manifest.source.get("is_simulated", False)),
        recipe_sha256=manifest.recipe_sha256,
        shards_sha256=(),
        preset=None,
        seed=0,
        device="elsewhere",
        versions={},
        cases=cases_of(open_split(dataset, split.config, "train")),
    )
    write_run(folder, run)
    (folder / FRAME_SCORES_NAME).unlink(missing_ok=True)
    return _finish(folder, split, with_domain(rows, split, run), scores, what=f"scores from {scores_file.name}")


def _require_no_model(folder: Path) -> None:
    if (folder / RUN_NAME).exists() and read_run(folder).preset is not None:
        raise OutputConflictError(
            "The folder holds a run that was trained.",
            where=folder,
            expected="a new folder, or one with the scores of another method",
            actual="a run with a model",
            remedy="Choose another folder for these scores; nothing was touched.",
        )


def read_scores(folder: Path) -> pa.Table:
    """Read the scores of a run.

    Raises:
        DatasetError: There are none.
    """
    path = folder / SCORES_NAME
    if not path.exists():
        raise DatasetError(
            "The run was not evaluated yet.",
            where=folder,
            expected=SCORES_NAME,
            actual="none",
            remedy=f"toyadmos evaluate {shell_word(folder)}",
        )
    table = read_table(folder, SCORES_NAME, SCORES_SCHEMA)
    if set(table["label"].to_pylist()) != {0, 1}:
        raise damaged_table(path, "normal and anomalous clips, labels 0 and 1", "other labels")
    for name in ("level_db", "duration_s"):
        if not pc.all(pc.is_finite(table[name])).as_py():
            raise damaged_table(path, f"finite numbers as {name}", "others")
    if pc.any(pc.is_nan(table["score"])).as_py():  # an infinite score is the highest or the lowest
        raise damaged_table(path, "numbers as score", "NaN")
    if pc.min(table["duration_s"]).as_py() <= 0 or pc.list_flatten(table["damage"]).null_count:
        raise damaged_table(path, "durations above 0, and names of parts", "others")
    return table


def with_domain(rows: pa.Table, split: SplitOfConfig, run: Run) -> pa.Table:
    """Return rows with a column `domain`: ``source`` where the machine was trained on, else ``target``."""
    is_toy = split.manifest.toy == run.toy
    domains = ["source" if is_toy and case in run.cases else "target" for case in rows["case"].to_pylist()]
    return rows.append_column("domain", pa.array(domains, pa.string()))


def _finish(folder: Path, split: SplitOfConfig, rows: pa.Table, scores: Any, *, what: str) -> Summary:  # noqa: ANN401
    table = rows.append_column("score", pa.array(np.asarray(scores, dtype=np.float64)))
    evaluated = {"dataset": str(split.folder), "config": split.config, "recipe_sha256": split.manifest.recipe_sha256}
    summary = summarise(table, clip_score=what)
    _write_table(folder / SCORES_NAME, table)
    write_json(folder / METRICS_NAME, {"evaluated": evaluated} | summary.as_json())
    return summary


def _name_of(preset: Preset) -> str:
    names = {"max": "largest frame score", "mean": "mean frame score"}
    return names.get(preset.clip_score, f"{preset.quantile:g}-quantile of the frame scores")


def _write_table(path: Path, table: pa.Table) -> None:
    with write_file(path) as file:
        pq.write_table(table, file)


def _read_scores(path: Path) -> pa.Table:
    import pyarrow.csv  # noqa: PLC0415  (seldom wanted)

    try:
        with open_in_own_memory(path) as file:
            is_csv = path.suffix.lower() == ".csv"
            table = pyarrow.csv.read_csv(file) if is_csv else read_bounded_table(file)
    except (OSError, pa.ArrowException, ValueError, LookupError, TypeError) as error:
        raise_shortage(error, path)
        raise _unusable(path, "a CSV or Parquet file", error) from error
    if not {"event_id", "score"} <= set(table.column_names):
        raise _unusable(path, "the columns event_id and score", ", ".join(table.column_names))
    kind = table.schema.field("score").type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise _unusable(path, "numbers as scores", f"values of the type {kind}")
    if pc.any(pc.is_nan(table["score"].cast(pa.float64()))).as_py():
        raise _unusable(path, "numbers as scores", "NaN")
    return table


def _matched(given: pa.Table, rows: pa.Table, path: Path) -> list[float]:
    names = ["event_id", *(name for name in TELLING if name in given.column_names)]
    keys = _keys(given, names)
    by_key = dict(zip(keys, given["score"].to_pylist(), strict=True))
    wanted = _keys(rows, names)
    if len(by_key) < len(keys) or len(set(wanted)) < len(wanted):
        raise _unusable(path, f"one score a clip, told apart by {' and '.join(names)}", "a clip twice")
    missing = [key for key in wanted if by_key.get(key) is None]
    if missing:
        shown = ", ".join(map(str, missing[0]))
        raise _unusable(path, f"a score for each of the {len(wanted)} clips", f"none for {len(missing)}, as {shown}")
    return [float(by_key[key]) for key in wanted]


def _keys(table: pa.Table, names: Sequence[str]) -> list[tuple[object, ...]]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def _unusable(path: Path, expected: str, actual: object) -> OptionError:
    return OptionError(
        "These scores cannot be used.",
        where=path,
        expected=expected,
        actual=actual,
        remedy="Write a CSV of event_id,score for the whole test split, with the columns channel, draw and snr_db "
        "where an event has several clips.",
    )
