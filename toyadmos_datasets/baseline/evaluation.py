"""`toyadmos evaluate`: the scores of a run, and what they come to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch

from toyadmos_datasets.baseline.checkpoint import packed
from toyadmos_datasets.baseline.detector import Detector, Stacks
from toyadmos_datasets.baseline.evaluations import (
    EVALUATIONS_NAME,
    TELLING,
    Evaluated,
    Evaluation,
    changes_of,
    evaluation_name,
    require_free,
    write_evaluation,
)
from toyadmos_datasets.baseline.frames import featured, frames_of, held_features, rows_of
from toyadmos_datasets.baseline.leakage import EvaluatedClips, evaluated_clips, learnt_clips
from toyadmos_datasets.baseline.run_folder import RUN_NAME, Run, read_bounded_table, read_run, write_run
from toyadmos_datasets.baseline.thresholds import threshold_for
from toyadmos_datasets.baseline.trainer import load_detector
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import OptionError, OutputConflictError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.reading import raise_shortage, sha256_of
from toyadmos_datasets.options.presets import Preset
from toyadmos_datasets.options.training_options import EvaluateOptions
from toyadmos_datasets.scores.summary import summarise
from toyadmos_datasets.signal.logmel import FloatArray
from toyadmos_datasets.values.parquet_files import open_in_own_memory
from toyadmos_datasets.values.shards import SplitOfConfig, cases_of, open_split, row_groups

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


def evaluate(options: EvaluateOptions, progress: Progress | None = None) -> Evaluation:
    """Score the test split of a config, and write scores and metrics into a folder of the run.

    Scores of another method get the same tables as the baseline's; the folder becomes a run without a model.

    Raises:
        DatasetError: The run or the dataset is damaged.
        LeakageError: The run was trained on what is tested, or it is not known on what.
        OptionError: The file of scores lacks a column or a clip, or has one twice.
        OutputConflictError: Scores of another method, and the folder holds a run that was trained; or another
            evaluation of the config is there.
    """
    shown = progress or Quiet()
    if options.scores is not None and options.dataset is not None:
        return _evaluate_scores(options, options.scores, options.dataset, shown)
    return _evaluate_model(options, shown)


def _evaluate_model(options: EvaluateOptions, progress: Progress) -> Evaluation:
    folder = options.run
    run = read_run(folder)
    detector = load_detector(folder, device=options.device)
    preset = run.system
    split = open_split(options.dataset or Path(run.dataset), options.config or run.config, "test")
    chosen = _with_clip_score(preset, options.clip_score)
    tested = evaluated_clips(split)
    evaluated = Evaluated(
        **_facts_of(split),
        system=chosen.label,
        changes=changes_of(chosen),
        clip_score=_name_of(chosen),
        seed=run.seed,
        epochs_done=len(detector.history),
        epochs=preset.epochs,
        overlap=tested.overlap(run.trained_on),
        scored_by=hashlib.sha256(packed(detector.state_dict())).hexdigest(),
    )
    place = folder / EVALUATIONS_NAME / evaluation_name(run, split, _in_short(chosen, preset))
    _require_fair(evaluated, place, options, progress)

    def scored(one: SplitOfConfig) -> tuple[pa.Table, Scores, list[FloatArray]]:
        """Score the clips of a split."""
        with held_features(one.toy):
            data = featured(one, preset, progress)
            errors = frame_scores(detector, data.frames, progress)
        return data.rows, np.array([clip_score(of_clip, chosen) for of_clip in errors]), errors

    rows, scores, errors = scored(split)
    evaluated = replace(evaluated, threshold=threshold_for(run, lambda one: scored(one)[:2], progress))
    return _finish(place, evaluated, _scored(with_domain(rows, split, run), tested, scores), errors)


def _evaluate_scores(options: EvaluateOptions, scores_file: Path, dataset: Path, progress: Progress) -> Evaluation:
    split = open_split(dataset, options.config, "test")
    run = _run_elsewhere(split, options.trained_on or split.config)
    _require_same_method(options.run, run)
    rows = rows_of(split, progress)
    given = _read_scores(scores_file)
    scores = _matched(given, rows, scores_file)
    tested = evaluated_clips(split)
    evaluated = Evaluated(
        **_facts_of(split),
        system=run.label,
        changes=(),
        clip_score=f"scores from {scores_file.name}",
        seed=run.seed,
        epochs_done=0,
        epochs=0,
        overlap=tested.overlap(run.trained_on),
        scored_by=sha256_of(scores_file),
        threshold=threshold_for(run, lambda one: _given_of(one, given, scores_file), progress),
    )
    place = options.run / EVALUATIONS_NAME / evaluation_name(run, split, "")
    _require_fair(evaluated, place, options, progress)
    write_run(options.run, run)
    return _finish(place, evaluated, _scored(with_domain(rows, split, run), tested, scores), None)


def _facts_of(split: SplitOfConfig) -> dict[str, Any]:
    """Return what an evaluation keeps of the split that is scored."""
    return {
        "dataset": str(split.folder),
        "config": split.config,
        "recipe_sha256": split.manifest.recipe_sha256,
        "shards_sha256": tuple(shard.sha256 for shard in split.shards),
    }


def _require_fair(evaluated: Evaluated, place: Path, options: EvaluateOptions, progress: Progress) -> None:
    """Raise where clips would be tested that were trained on, or another evaluation be replaced, without leave."""
    if not options.allow_overlap:
        evaluated.overlap.require_clean(f"{options.run}, {evaluated.config}")
    require_free(place, evaluated, progress, overwrite=options.overwrite)


def _run_elsewhere(split: SplitOfConfig, trained_on: str) -> Run:
    """Return the run of another method, which was trained on `train` and `validation` of a config of the dataset."""
    manifest = split.manifest
    train = open_split(split.folder, trained_on, "train")
    learnt = [train, *[replace(train, split="validation")] * ("validation" in manifest.configs[train.config])]
    return Run(
        dataset=str(split.folder),
        config=train.config,
        toy=train.toy,
        is_simulated=bool(manifest.source.get("is_simulated", False)),
        recipe_sha256=manifest.recipe_sha256,
        shards_sha256=tuple(shard.sha256 for one in learnt for shard in one.shards),
        preset=None,
        seed=0,
        device="elsewhere",
        versions={},
        cases=cases_of(train),
        trained_on=learnt_clips(learnt),
    )


def _require_same_method(folder: Path, run: Run) -> None:
    """Raise where a folder holds a run with a model, or of a method that was trained on something else."""
    if not (folder / RUN_NAME).exists():
        return
    found = read_run(folder)
    if found.preset is not None or found.shards_sha256 != run.shards_sha256:
        is_model = found.preset is not None
        raise OutputConflictError(
            "The folder holds a run that was trained."
            if is_model
            else "The folder holds the scores of a method that was trained on something else.",
            where=folder,
            expected="a new folder, or one with the scores of another method" if is_model else f"{run.config}",
            actual="a run with a model" if is_model else f"{found.dataset}, {found.config}",
            remedy="Choose another folder for these scores; nothing was touched."
            if is_model
            else f"Choose another folder, or say what it was trained on: --trained-on {shell_word(found.config)}",
        )


def with_domain(rows: pa.Table, split: SplitOfConfig, run: Run) -> pa.Table:
    """Return rows with a column `domain`: ``source`` where the machine was trained on, else ``target``."""
    is_toy = split.toy == run.toy
    domains = ["source" if is_toy and case in run.cases else "target" for case in rows["case"].to_pylist()]
    return rows.append_column("domain", pa.array(domains, pa.string()))


def _scored(rows: pa.Table, tested: EvaluatedClips, scores: npt.ArrayLike) -> pa.Table:
    table = rows.append_column("recipe_row", pa.array(tested.recipe_rows, pa.string()))
    return table.append_column("score", pa.array(np.asarray(scores, dtype=np.float64)))


def _finish(place: Path, evaluated: Evaluated, table: pa.Table, errors: list[FloatArray] | None) -> Evaluation:
    summary = summarise(table, clip_score=evaluated.clip_score, threshold=evaluated.threshold)
    found = Evaluation(folder=place, evaluated=evaluated, summary=summary)
    write_evaluation(found, table, errors)
    return found


def _name_of(preset: Preset) -> str:
    names = {"max": "largest frame score", "mean": "mean frame score"}
    return names.get(preset.clip_score, f"{preset.quantile:g}-quantile of the frame scores")


def _with_clip_score(preset: Preset, asked: Preset | None) -> Preset:
    """Return a preset with the clip score that was asked for; a quantile counts only where it is taken."""
    if asked is None:
        return preset
    quantile = asked.quantile if asked.clip_score == "quantile" else preset.quantile
    return replace(preset, clip_score=asked.clip_score, quantile=quantile)


def _in_short(chosen: Preset, own: Preset) -> str:
    """Return a clip score in short; empty for the preset's own."""
    if chosen == own:
        return ""
    return f"{chosen.quantile:g}" if chosen.clip_score == "quantile" else chosen.clip_score


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


def _given_of(split: SplitOfConfig, given: pa.Table, path: Path) -> tuple[pa.Table, Scores] | None:
    """Return the clips of a split with the scores that a file gives them; None where it does not score them all."""
    groups = [
        group for shard in split.shards for group in row_groups(split.folder, shard, ["event_id", "label", *TELLING])
    ]
    rows = pa.concat_tables(groups)
    try:
        return rows, np.array(_matched(given, rows, path))
    except OptionError:
        return None


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
