"""A summary of scores: every figure with its interval, over all clips and by case, channel, condition, part, SNR."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.scores.auc_intervals import auc_interval, paired_difference, placements_of
from toyadmos_datasets.scores.dcase import DcaseScore, dcase_score
from toyadmos_datasets.scores.decisions import Decision, Threshold, decisions
from toyadmos_datasets.scores.intervals import NO_VALUE, Interval, square_and_add
from toyadmos_datasets.scores.metrics import area_of_mcclish, harmonic_mean, threshold_at
from toyadmos_datasets.scores.operating_points import OperatingPoint, operating_points
from toyadmos_datasets.scores.scored_clips import ScoredClips

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

TOLD_APART_BY = ("domain", "case", "channel", "snr_db")

DCASE_YEARS = (2020, 2021, 2022)
"""Years whose rules differ; that of 2022 holds since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some anomalous clips against the normal clips they are to be told from; it may lack either.

    Attributes:
        by: What the group shares: ``domain``, ``case``, ``channel``, ``snr_db``, ``condition``, ``part`` or
            ``damage``.
        name: Its value of that.
        n_normal: Normal clips.
        n_anomalous: Anomalous clips.
        auc: With its interval; without a value where the group lacks a class.
        pauc_mcclish: Partial AUC up to FPR 0.1, scaled to 0.5 for chance and 1 for perfection.
        share_overlooked: Anomalous clips below the threshold that lets 10 % of all normal clips through.
    """

    by: str
    name: str
    n_normal: int
    n_anomalous: int
    auc: Interval
    pauc_mcclish: Interval
    share_overlooked: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonicMeans:
    """Groups of one kind joined by the harmonic mean, which a single bad one pulls down.

    Attributes:
        names: Of the groups.
        auc: Harmonic mean of their AUCs; without a value where a group has none.
        pauc_mcclish: The same of their partial AUCs.

    Source:
        DCASE 2021 and later, task 2: sections and domains are joined by the harmonic mean.
    """

    names: tuple[str, ...]
    auc: Interval
    pauc_mcclish: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """What the RMS level of the clips alone tells: a system has to beat it.

    Attributes:
        auc: Of the level as the score, in its better direction.
        is_louder_anomalous: Whether that direction is "the louder, the more anomalous".
        advantage: AUC of the scores minus this one, paired clip by clip.
        is_beaten: Whether the advantage is above 0 with its whole interval.
    """

    auc: Interval
    is_louder_anomalous: bool
    advantage: Interval
    is_beaten: bool

    @property
    def direction(self) -> str:
        """The better direction, for people."""
        return "louder is anomalous" if self.is_louder_anomalous else "quieter is anomalous"

    @property
    def verdict(self) -> str:
        """What it says of the scores, for people."""
        return "beats loudness" if self.is_beaten else "does not beat loudness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All figures of one set of scores.

    Attributes:
        clip_score: How clip scores were made, for people.
        n_normal: Normal clips.
        n_anomalous: Anomalous clips.
        n_events: Events; the microphones of one take are one.
        n_infinite: Clips whose score is infinite; they count as the highest or the lowest.
        auc: Area under the ROC.
        auc_as_published: As the published code computes it; see `metrics.auc_as_published`.
        pauc: Area under the ROC up to FPR 0.1, at most 0.1.
        pauc_mcclish: The same, scaled to 0.5 for chance and 1 for perfection.
        loudness: What the level alone tells.
        threshold: At which at most 10 % of normal clips are judged anomalous.
        f1: At that threshold.
        share_overlooked: Of the anomalous clips at that threshold.
        decisions: What the test comes to at the threshold that was there before it, where one is known, and at that
            which its labels choose.
        operating_points: What the detector does at thresholds for FPR 1, 5 and 10 %.
        cases: The cases joined; None for a single one.
        domains: The domains joined, source (cases that were trained on) and target; None for a single one.
        dcase: DCASE's official scores, of the years whose rule the table fulfils.
        groups: By domain, case, channel, SNR, condition, part, and state of a part.
    """

    clip_score: str
    n_normal: int
    n_anomalous: int
    n_events: int
    n_infinite: int
    auc: Interval
    auc_as_published: Interval
    pauc: Interval
    pauc_mcclish: Interval
    loudness: Loudness
    threshold: float
    f1: Interval
    share_overlooked: Interval
    decisions: tuple[Decision, ...]
    operating_points: tuple[OperatingPoint, ...]
    cases: HarmonicMeans | None
    domains: HarmonicMeans | None
    dcase: tuple[DcaseScore, ...]
    groups: tuple[Group, ...]

    def by(self, what: str) -> list[Group]:
        """Return the groups of one kind, worst first; those without an AUC come last."""
        mine = [one for one in self.groups if one.by == what]
        return sorted(mine, key=lambda one: (np.nan_to_num(one.auc.value, nan=2.0), one.name))

    def as_json(self) -> dict[str, Any]:
        """Return JSON values; a missing value, and a threshold that no clip reaches, is null."""
        found: dict[str, Any] = _finite(asdict(self))
        found["loudness"] |= {"direction": self.loudness.direction, "verdict": self.loudness.verdict}
        return found


def _finite(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def summarise(table: pa.Table, *, clip_score: str = "score", threshold: Threshold | None = None) -> Summary:
    """Compute all figures of a table of scores.

    Args:
        table: Columns `event_id`, `label`, `score`, `level_db`, `domain`, `case`, `channel`, `snr_db`, `condition`,
            `damage`.
        clip_score: How the scores were made.
        threshold: That was taken from clips that are no test; None where there were none.

    Raises:
        OptionError: A class is missing or a score is NaN.
    """
    labels = table["label"].to_numpy().astype(np.int64)
    scores = table["score"].to_numpy().astype(np.float64)
    events = np.array(table["event_id"].to_pylist(), dtype=np.str_)
    of_labels = threshold_at(labels, scores)  # refuses scores that have none
    clips = ScoredClips(labels=labels, scores=scores, events=events)
    groups = tuple(_group(clips, one, of_labels) for one in _selections(table, labels == 0))
    pauc = clips.pauc_mcclish()
    return Summary(
        clip_score=clip_score,
        n_normal=int(np.count_nonzero(labels == 0)),
        n_anomalous=int(np.count_nonzero(labels == 1)),
        n_events=len(np.unique(events)),
        n_infinite=int(np.count_nonzero(np.isinf(scores))),
        auc=clips.auc(),
        auc_as_published=clips.auc_as_published(),
        pauc=pauc.changed(area_of_mcclish),
        pauc_mcclish=pauc,
        loudness=_loudness(clips, table["level_db"].to_numpy().astype(np.float64)),
        threshold=of_labels,
        f1=clips.f1(of_labels),
        share_overlooked=clips.share_overlooked(of_labels),
        decisions=tuple(decisions(clips, threshold, of_labels)),
        operating_points=operating_points(clips),
        cases=_joined(groups, "case"),
        domains=_joined(groups, "domain"),
        dcase=tuple(_dcase(table)),
        groups=groups,
    )


def _loudness(clips: ScoredClips, level_db: Array) -> Loudness:
    placements = placements_of(clips.labels, level_db, clips.events)
    if placements is None:  # a level is NaN
        return Loudness(auc=NO_VALUE, is_louder_anomalous=True, advantage=NO_VALUE, is_beaten=False)
    is_louder = placements.area >= 0.5
    found = auc_interval(placements)
    better = level_db if is_louder else -level_db
    advantage = paired_difference(clips.labels, better, clips.scores, clips.events).difference
    return Loudness(
        auc=found if is_louder else found.mirrored,
        is_louder_anomalous=is_louder,
        advantage=advantage,
        is_beaten=advantage.low > 0,
    )


def _dcase(table: pa.Table) -> Iterator[DcaseScore]:
    """Yield the official scores of the years whose rule the table fulfils.

    A case is a machine id of 2020. A case is of the source domain or of the target, never of both, so for the later
    years all clips are one section.
    """
    has_both = {"source", "target"} <= set(table["domain"].to_pylist())
    for year in DCASE_YEARS if has_both else DCASE_YEARS[:1]:
        try:
            yield dcase_score(table, year=year, section="case" if year == DCASE_YEARS[0] else None)
        except OptionError:
            continue  # a case or a domain has clips of one class only; the tables of groups show which


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    """A group's kind and name, its anomalous clips, and the normal clips to tell them from; it may lack either."""

    by: str
    name: str
    is_anomaly: Mask
    is_own_normal: Mask


def _group(clips: ScoredClips, selection: _Selection, threshold: float) -> Group:
    mine = clips.chosen(selection.is_anomaly | selection.is_own_normal)
    return Group(
        by=selection.by,
        name=selection.name,
        n_normal=int(selection.is_own_normal.sum()),
        n_anomalous=int(selection.is_anomaly.sum()),
        auc=mine.auc(),
        pauc_mcclish=mine.pauc_mcclish(),
        share_overlooked=mine.share_overlooked(threshold),
    )


def _joined(groups: Sequence[Group], by: str) -> HarmonicMeans | None:
    """Join the groups of one kind, if there are several; they share no clip."""
    mine = [one for one in groups if one.by == by]
    if len(mine) < 2:
        return None
    return HarmonicMeans(
        names=tuple(one.name for one in mine),
        auc=_harmonic([one.auc for one in mine]),
        pauc_mcclish=_harmonic([one.pauc_mcclish for one in mine]),
    )


def _harmonic(intervals: Sequence[Interval]) -> Interval:
    values = np.array([one.value for one in intervals])

    def with_end(place: int, end: float) -> float:
        return harmonic_mean(np.where(np.arange(len(values)) == place, end, values))

    return square_and_add(
        harmonic_mean(values),
        lowered=[with_end(place, one.low) for place, one in enumerate(intervals)],
        raised=[with_end(place, one.high) for place, one in enumerate(intervals)],
    )


def _selections(table: pa.Table, is_normal: Mask) -> Iterator[_Selection]:
    for by in TOLD_APART_BY:
        values = table[by].to_pylist()
        for value in sorted({one for one in values if one is not None}):
            is_mine = np.array([one == value for one in values])
            name = value if isinstance(value, str) else f"{value:g}"
            yield _Selection(by=by, name=name, is_anomaly=is_mine & ~is_normal, is_own_normal=is_mine & is_normal)
    conditions = np.array(table["condition"].to_pylist())
    for condition in sorted(set(conditions[~is_normal])):
        is_mine = (conditions == condition) & ~is_normal
        yield _Selection(by="condition", name=str(condition), is_anomaly=is_mine, is_own_normal=is_normal)
    damages = table["damage"].to_pylist()
    for by, kinds in (("part", _parts(damages)), ("damage", damages)):
        for name in sorted({one for some in kinds for one in some}):
            is_mine = np.array([name in some for some in kinds]) & ~is_normal
            yield _Selection(by=by, name=name, is_anomaly=is_mine, is_own_normal=is_normal)


def _parts(damages: list[list[str]]) -> list[list[str]]:
    return [[one.partition(":")[0] for one in some] for some in damages]
