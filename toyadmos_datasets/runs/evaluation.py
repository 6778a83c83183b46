"""`toyadmos evaluate`: the scores of a run, and the metrics of these scores."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.baseline.clip_scores import ClipDetector, ClipScores, Scores, clip_score_name, with_clip_score
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.options.presets import Preset
from toyadmos_datasets.options.training_options import EvaluateOptions
from toyadmos_datasets.runs.evaluations import (
    EVALUATIONS_NAME,
    TELLING,
    Evaluated,
    Evaluation,
    changes_of,
    evaluation_name,
    require_free,
    write_evaluation,
)
from toyadmos_datasets.runs.feature_cache import KEPT, featured, held_features, rows_of
from toyadmos_datasets.runs.leakage import EvaluatedClips, evaluated_clips, learnt_clips
from toyadmos_datasets.runs.run_folder import RUN_NAME, Run, read_run, write_run
from toyadmos_datasets.runs.tensor_files import packed
from toyadmos_datasets.runs.thresholds import threshold_for
from toyadmos_datasets.runs.trainer import load_detector
from toyadmos_datasets.scores.decisions import HELD_BACK
from toyadmos_datasets.scores.summary import summarise
from toyadmos_datasets.signal.logmel import FloatArray
from toyadmos_datasets.values.given_scores import read_given_scores, unusable
from toyadmos_datasets.values.shards import DcaseSplit, SplitOfConfig, cases_of, open_split


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
    preset = run.system
    chosen = with_clip_score(preset, options.clip_score)
    detector = load_detector(folder, device=options.device)
    split = open_split(options.dataset or Path(run.dataset), options.config or run.config, "test")
    tested = evaluated_clips(split)
    evaluated = Evaluated(
        **_facts_of(split),
        system=chosen.label,
        changes=changes_of(chosen),
        clip_score=clip_score_name(chosen),
        seed=run.seed,
        epochs_done=detector.epochs_done,
        epochs=preset.epochs if preset.is_network else 0,
        overlap=tested.overlap(run.trained_on),
        scored_by=hashlib.sha256(packed(detector.as_arrays())).hexdigest(),
    )
    place = folder / EVALUATIONS_NAME / evaluation_name(run, split, _in_short(chosen, preset))
    _require_fair(evaluated, place, options, progress)
    if chosen.clip_score == "selective-mahalanobis":
        _learn_residuals(detector, run, progress)

    def scored(one: SplitOfConfig) -> tuple[pa.Table, ClipScores]:
        """Score the clips of a split."""
        with held_features(one.toy):
            data = featured(one, preset, progress)
            if one == split:
                _require_both_classes(data.rows, split)
            return data.rows, detector.scored(data.frames, how=chosen, progress=progress)

    def rated(one: SplitOfConfig) -> tuple[pa.Table, Scores]:
        """Return the clips of a split and their scores."""
        rows, of_clips = scored(one)
        return rows, of_clips.scores

    rows, found = scored(split)
    evaluated = replace(evaluated, threshold=threshold_for(run, rated, progress))
    return _finish(place, evaluated, _scored(with_domain(rows, split, run), tested, found.scores), found.frame_scores)


def _learn_residuals(detector: ClipDetector, run: Run, progress: Progress) -> None:
    """Show a network the clips that it was trained on once more; others would give another score.

    Raises:
        DatasetError: The run's dataset is gone, or is not the one that it was trained on.
    """
    split = run.split("train")
    if tuple(shard.sha256 for shard in split.shards) != run.shards_sha256:
        raise DatasetError(
            "The dataset is not the one that the run was trained on.",
            where=split.folder,
            expected="the training split of the run, for the residuals of its clips",
            actual="other shards",
            remedy="Prepare it as it was, or choose another clip score: --clip-score mean",
        )
    with held_features(split.toy):
        detector.learn_residuals(featured(split, run.system, progress).frames)


def _evaluate_scores(options: EvaluateOptions, scores_file: Path, dataset: Path, progress: Progress) -> Evaluation:
    split = open_split(dataset, options.config, "test")
    run = _run_elsewhere(split, options.trained_on or split.config)
    _require_same_method(options.run, run)
    rows = rows_of(split, progress)
    _require_both_classes(rows, split)
    read = read_given_scores(scores_file, machine=split.toy, files=split.by_file_name, labels=options.labels)
    given = read.table
    scores = _matched(given, rows, scores_file)
    _require_known(given, [rows, *_held_back_rows(split), *_held_back_rows(run.split("train"))], scores_file)
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
        scored_by=read.sha256,
        threshold=threshold_for(run, lambda one: _given_of(one, given, scores_file), progress),
    )
    place = options.run / EVALUATIONS_NAME / evaluation_name(run, split, "")
    _require_fair(evaluated, place, options, progress)
    write_run(options.run, run)
    return _finish(place, evaluated, _scored(with_domain(rows, split, run), tested, scores), None)


def _require_both_classes(rows: pa.Table, split: SplitOfConfig) -> None:
    """Raise where there is nothing to tell apart, before anything is scored."""
    n_anomalous = pc.sum(rows["label"]).as_py()
    if not 0 < n_anomalous < len(rows):
        raise DatasetError(
            "The test split has clips of one class only.",
            where=f"{split.folder}, config {split.config}",
            expected="normal and anomalous clips",
            actual=f"{len(rows) - n_anomalous} normal and {n_anomalous} anomalous clips",
            remedy="Prepare it with more events, or evaluate another config: --config NAME",
        )


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
        n_threads=None,
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
    if isinstance(split, DcaseSplit):
        told = [clip.name.domain or "source" for clip in split.clips]
        return rows.append_column("domain", pa.array(told, pa.string()))
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


def _in_short(chosen: Preset, own: Preset) -> str:
    """Return a clip score in short; empty for the preset's own."""
    if chosen == own:
        return ""
    return f"{chosen.quantile:g}" if chosen.clip_score == "quantile" else chosen.clip_score


def _matched(given: pa.Table, rows: pa.Table, path: Path) -> list[float]:
    names = ["event_id", *(name for name in TELLING if name in given.column_names)]
    keys = _keys(given, names)
    by_key = dict(zip(keys, given["score"].to_pylist(), strict=True))
    wanted = _keys(rows, names)
    if len(by_key) < len(keys) or len(set(wanted)) < len(wanted):
        raise unusable(path, f"one score a clip, told apart by {' and '.join(names)}", "a clip twice")
    missing = [key for key in wanted if by_key.get(key) is None]
    if missing:
        shown = ", ".join(map(str, missing[0]))
        raise unusable(path, f"a score for each of the {len(wanted)} clips", f"none for {len(missing)}, as {shown}")
    return [float(by_key[key]) for key in wanted]


def _given_of(split: SplitOfConfig, given: pa.Table, path: Path) -> tuple[pa.Table, Scores] | None:
    """Return the clips of a split with the scores that a file gives them; None where it does not score them all."""
    rows = _named_rows(split)
    try:
        return rows, np.array(_matched(given, rows, path))
    except OptionError:
        return None


def _require_known(given: pa.Table, known: Sequence[pa.Table], path: Path) -> None:
    """Raise where a file scores clips that are in no split that was tested or learnt from."""
    names = ["event_id", *(name for name in TELLING if name in given.column_names)]
    unknown = sorted(set(_keys(given, names)).difference(*(_keys(rows, names) for rows in known)), key=str)
    if unknown:
        shown = ", ".join(map(str, unknown[0]))
        raise unusable(path, "clips of the dataset's splits alone", f"{len(unknown)} others, as {shown}")


def _held_back_rows(split: SplitOfConfig) -> Iterator[pa.Table]:
    """Yield what tells the clips of the splits apart that a method may have learnt from."""
    there = split.manifest.configs[split.config]
    yield from (_named_rows(replace(split, split=origin)) for origin in HELD_BACK if origin in there)


def _named_rows(split: SplitOfConfig) -> pa.Table:
    """Return the labels of a split's clips, and what tells the clips apart."""
    schema = pa.schema({name: KEPT[name] for name in ("event_id", "label", *TELLING)})
    return pa.Table.from_pylist(list(split.known(schema.names)), schema=schema)


def _keys(table: pa.Table, names: Sequence[str]) -> list[tuple[object, ...]]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))
