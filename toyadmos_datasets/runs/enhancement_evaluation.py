"""`toyadmos evaluate --enhanced`: how good noise reduction is, and whether a detector gains by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from toyadmos_datasets.baseline.clip_input import decoded
from toyadmos_datasets.baseline.clip_scores import with_clip_score
from toyadmos_datasets.baseline.frames import frames_of
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import OptionError, OutputConflictError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.checked_json import write_json
from toyadmos_datasets.files.reading import is_there
from toyadmos_datasets.jobs.enhanced_clips import enhanced_clips, score_clips
from toyadmos_datasets.options.training_options import EvaluateOptions
from toyadmos_datasets.runs.leakage import evaluated_clips
from toyadmos_datasets.runs.run_folder import RUN_NAME, Run, read_run
from toyadmos_datasets.runs.trainer import load_detector
from toyadmos_datasets.scores.auc_intervals import paired_difference
from toyadmos_datasets.scores.enhancement_summary import EnhancementGroup, summarise_enhancement
from toyadmos_datasets.scores.intervals import Interval
from toyadmos_datasets.scores.scored_clips import ScoredClips
from toyadmos_datasets.values.shards import SplitOfConfig, open_split

ENHANCEMENTS_NAME = "enhancements"
SCORES_NAME = "scores.json"
CLIPS_NAME = "clips.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionGain:
    """What a trained detector makes of enhanced clips.

    Attributes:
        system: What was trained.
        marks: What a reader must know, such as clips that were trained on.
        auc_mixture: On the clips with noise.
        auc_enhanced: On the enhanced clips.
        auc_target: On the targets without noise: what noise reduction could reach.
        gain: AUC on enhanced clips minus that on clips with noise, paired clip by clip.
        p_value: Of no difference.
    """

    system: str
    marks: tuple[str, ...]
    auc_mixture: Interval
    auc_enhanced: Interval
    auc_target: Interval
    gain: Interval
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancementEvaluation:
    """What noise reduction comes to.

    Attributes:
        folder: Where it is kept.
        dataset: The prepared folder.
        config: Its config.
        enhanced: Where the enhanced clips are.
        n_silent: Clips that are left out because their target is digital silence.
        groups: Means over all clips, then by SNR, case, condition and channel.
        detection: What a trained run makes of them; None without one.
    """

    folder: Path
    dataset: str
    config: str
    enhanced: str
    n_silent: int
    groups: tuple[EnhancementGroup, ...]
    detection: DetectionGain | None

    def as_json(self) -> dict[str, Any]:
        """Return JSON values; what is infinite or has no value is null."""
        found: dict[str, Any] = _finite(asdict(self) | {"folder": str(self.folder)})
        return found


def _finite(value: Any) -> Any:  # noqa: ANN401  # JSON values
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def evaluate_enhanced(options: EvaluateOptions, progress: Progress | None = None) -> EnhancementEvaluation:
    """Score enhanced clips against the stems of a test split, and with a trained run whether it detects better.

    Args:
        options: What is scored; `enhanced` is given. Its run is a trained one, or a folder for the scores.
        progress: Told about the clips.

    Raises:
        OptionError: It is not said which dataset was enhanced, or the clips are not those of its test split.
        LeakageError: The run was trained on what is tested.
        OutputConflictError: They were scored already.
    """
    shown = progress or Quiet()
    enhanced = options.enhanced or Path()
    run = read_run(options.run) if is_there(options.run / RUN_NAME) else None
    dataset = options.dataset or (None if run is None else Path(run.dataset))
    if dataset is None:
        raise OptionError(
            "It is not said which dataset was enhanced.",
            where="--dataset",
            expected="a prepared dataset, or a trained run, which names its own",
            actual="neither",
            remedy=f"toyadmos evaluate {shell_word(options.run)} --enhanced {shell_word(enhanced)} --dataset DIR",
        )
    split = open_split(dataset, options.config or (None if run is None else run.config), "test")
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", enhanced.absolute().name)
    folder = options.run / ENHANCEMENTS_NAME / f"{split.config}+{name}"
    if is_there(folder / SCORES_NAME) and not options.overwrite:
        raise OutputConflictError(
            "Enhanced clips of this name were scored already.",
            where=folder,
            expected="no scores",
            actual=SCORES_NAME,
            remedy="Replace them: --overwrite",
        )
    table, n_silent = score_clips(split, enhanced, shown)
    found = EnhancementEvaluation(
        folder=folder,
        dataset=str(split.folder),
        config=split.config,
        enhanced=str(enhanced),
        n_silent=n_silent,
        groups=summarise_enhancement(table),
        detection=None if run is None or run.preset is None else _detection(options, run, split, enhanced, shown),
    )
    folder.mkdir(parents=True, exist_ok=True)
    with write_file(folder / CLIPS_NAME) as file:
        pq.write_table(table, file)
    write_json(folder / SCORES_NAME, found.as_json())
    return found


def _detection(
    options: EvaluateOptions, run: Run, split: SplitOfConfig, enhanced: Path, progress: Progress
) -> DetectionGain:
    """Score the clips with noise, the enhanced ones and the targets with a trained detector."""
    overlap = evaluated_clips(split).overlap(run.trained_on)
    if not options.allow_overlap:
        overlap.require_clean(f"{options.run}, {split.config}")
    detector = load_detector(options.run, device=options.device)
    rate_hz = detector.preset.rate_hz
    labels: list[int] = []
    events: list[str] = []

    def sounds(part: str) -> Iterator[Any]:
        """Yield one part of every clip at the detector's rate, mono."""
        labels.clear()
        events.clear()
        for clip in enhanced_clips(split, enhanced):
            labels.append(int(clip.row["label"]))
            events.append(clip.row["event_id"])
            yield decoded({"array": getattr(clip, part), "sampling_rate": clip.rate_hz}, rate_hz)

    progress.say("Scoring the clips with noise, the enhanced ones and the targets.")
    parts = ("mixture", "estimate", "target")
    how = with_clip_score(detector.preset, options.clip_score)
    spectra = (frames_of(sounds(part), detector.preset) for part in parts)
    mixture, estimate, target = (detector.scored(one, how=how).scores for one in spectra)
    is_anomalous, names = np.array(labels, dtype=np.int64), np.array(events, dtype=np.str_)
    difference = paired_difference(is_anomalous, mixture, estimate, names)
    aucs = [ScoredClips(labels=is_anomalous, scores=one, events=names).auc() for one in (mixture, estimate, target)]
    return DetectionGain(
        system=run.label,
        marks=() if overlap.is_clean else (overlap.mark,),
        auc_mixture=aucs[0],
        auc_enhanced=aucs[1],
        auc_target=aucs[2],
        gain=difference.difference,
        p_value=difference.p_value,
    )
