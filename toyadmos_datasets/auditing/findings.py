"""The findings of an audit, as values, gathered place by place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from toyadmos_datasets.units import Decibels, Seconds
from toyadmos_datasets.values.report_display import DisplayedReport, Rows

Severity: TypeAlias = Literal["leak", "problem", "note"]
Kind: TypeAlias = Literal["dataset", "recipe", "folder"]

SEVERITIES: tuple[Severity, ...] = ("leak", "problem", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that an audit found.

    Attributes:
        severity: ``leak``: what a system is judged on is in what it learns from. ``problem``: something that is not
            as it should be. ``note``: something to know.
        what: One sentence that states it.
        places: Every place where it is so.
    """

    severity: Severity
    what: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many clips of one kind there are.

    Attributes:
        config: Config; for a folder, the toy or folder that the clips lie in.
        split: Split.
        label: ``normal``, ``anomalous``, or ``unknown`` where the names do not tell.
        case: Case, or None where the names do not tell.
        n_clips: Clips.
        n_events: Events, or None where the names do not tell.
        duration_s: Length of all clips together, or None where only the recordings would tell.
    """

    config: str
    split: str
    label: str
    case: int | None
    n_clips: int
    n_events: int | None
    duration_s: Seconds | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCheck:
    """How well loudness alone tells damage in one split.

    Attributes:
        config: Config.
        split: Split.
        n_normal: Normal clips.
        n_anomalous: Anomalous clips.
        normal_db: Median level of the normal clips, dB re full scale.
        anomalous_db: Median level of the anomalous ones.
        auc: AUC of the level as the score; below 0.5 damage is quieter.
        auc_within: The same among clips of one case and channel, weighted by their pairs: cases and microphones that
            are louder than others hide nothing in it.
    """

    config: str
    split: str
    n_normal: int
    n_anomalous: int
    normal_db: Decibels
    anomalous_db: Decibels
    auc: float
    auc_within: float

    @property
    def separation(self) -> float:
        """The greater of the two AUCs, each by its better direction, 0.5 to 1."""
        return max(self.auc, 1 - self.auc, self.auc_within, 1 - self.auc_within)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnrCheck:
    """Requested against achieved SNR in one config.

    Attributes:
        config: Config.
        requested_db: As asked for.
        reference: What it is relative to.
        is_from_stems: Whether the levels were measured from the stems; else the columns say them.
        n_clips: Clips that were compared.
        n_groups: Numbers that were compared: a clip each; without stems, for the reference ``corpus``, a case and
            channel each, and each clip whose target others have too.
        largest_error_db: Largest difference from what was asked for; None where nothing could be compared.
        clips_db: Least, median and greatest SNR of single clips over what the reference compares.
    """

    config: str
    requested_db: Decibels
    reference: str
    is_from_stems: bool
    n_clips: int
    n_groups: int
    largest_error_db: Decibels | None
    clips_db: tuple[Decibels, Decibels, Decibels]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AuditReport(DisplayedReport):
    """What an audit found.

    Attributes:
        place: What was audited.
        kind: ``dataset``, ``recipe`` or ``folder``.
        toys: Toys that the clips are of.
        is_simulated: Whether the recordings are known to be synthesised.
        findings: The worst first.
        counts: By config, split, label and case.
        levels: By config and split, where clips of both labels were decoded.
        snrs: By config, where an SNR was asked for.
        clips: A row for every clip, with `auditing.audit_clips.CLIPS_SCHEMA`.
    """

    displayed = ("place", "n_clips", "has_leak", "n_findings")

    place: str
    kind: Kind
    toys: tuple[str, ...]
    is_simulated: bool
    findings: tuple[Finding, ...]
    counts: tuple[Count, ...]
    levels: tuple[LevelCheck, ...]
    snrs: tuple[SnrCheck, ...]
    clips: pa.Table

    @property
    def n_clips(self) -> int:
        """How many clips were looked at."""
        return len(self.clips)

    @property
    def n_findings(self) -> int:
        """How much was found."""
        return len(self.findings)

    def display_rows(self) -> Rows:
        """Return a row for each finding."""
        return _finding_rows(self.findings)

    @property
    def n_decoded(self) -> int:
        """How many clips were decoded and measured."""
        return len(self.clips) - int(self.clips["level_db"].null_count)

    @property
    def has_leak(self) -> bool:
        """Whether anything leaks."""
        return any(one.severity == "leak" for one in self.findings)

    @property
    def is_clean(self) -> bool:
        """Whether there is neither a leak nor a problem."""
        return all(one.severity == "note" for one in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return everything but the clips, as JSON values."""
        return {
            "place": self.place,
            "kind": self.kind,
            "toys": list(self.toys),
            "is_simulated": self.is_simulated,
            "n_clips": len(self.clips),
            "n_decoded": self.n_decoded,
            "has_leak": self.has_leak,
            "is_clean": self.is_clean,
            **{name: [asdict(one) for one in getattr(self, name)] for name in ("findings", "counts", "levels", "snrs")},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonCount:
    """How much of what one dataset learns from another tests, for one config of each.

    Attributes:
        learner: Which of the two learns: ``first`` or ``second``.
        learnt_config: Config of that one.
        tested_config: Config of the other.
        n_events: Events, by their names and by recordings that they share.
        n_recordings: Recordings, by their content.
        n_clips: Clips with equal samples.
        n_noises: Takes of noise, by their names and by recordings that they share.
        n_noise_recordings: Noise recordings, by their content.
        n_stretches: Stretches of a noise recording that overlap.
        n_alike: Sounds that are one although their names are not.
    """

    learner: str
    learnt_config: str
    tested_config: str
    n_events: int = 0
    n_recordings: int = 0
    n_clips: int = 0
    n_noises: int = 0
    n_noise_recordings: int = 0
    n_stretches: int = 0
    n_alike: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PairReport(DisplayedReport):
    """Whether one of two datasets learns from anything that the other tests.

    Attributes:
        places: What was compared, first and second.
        kinds: ``dataset``, ``recipe`` or ``folder``, of each.
        are_simulated: Whether the recordings of each are known to be synthesised.
        n_clips: How many clips each has.
        common: What they have in common, by the dataset that trains and by configs; only configs that have something.
        findings: The worst first.
    """

    displayed = ("places", "has_leak")

    places: tuple[str, str]
    kinds: tuple[Kind, Kind]
    are_simulated: tuple[bool, bool]
    n_clips: tuple[int, int]
    common: tuple[CommonCount, ...]
    findings: tuple[Finding, ...]

    def display_rows(self) -> Rows:
        """Return a row for each finding."""
        return _finding_rows(self.findings)

    @property
    def has_leak(self) -> bool:
        """Whether one learns from anything that the other tests."""
        return any(one.severity == "leak" for one in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        said = {name: list(getattr(self, name)) for name in ("places", "kinds", "are_simulated", "n_clips")}
        lists = {name: [asdict(one) for one in getattr(self, name)] for name in ("common", "findings")}
        return {**said, "has_leak": self.has_leak, **lists}


def _finding_rows(findings: Iterable[Finding]) -> Rows:
    return ["severity", "finding", "places"], [[one.severity, one.what, len(one.places)] for one in findings]


class Findings:
    """Puts the places of one finding together, in the order in which they were met."""

    def __init__(self) -> None:
        self._places: dict[tuple[Severity, str], list[str]] = defaultdict(list)

    def add(self, severity: Severity, what: str, place: str | None = None) -> None:
        """Note that something is so, and where."""
        places = self._places[severity, what]
        if place is not None:
            places.append(place)

    def all(self) -> tuple[Finding, ...]:
        """Return what was found, the worst first."""
        found = [Finding(severity=key[0], what=key[1], places=tuple(some)) for key, some in self._places.items()]
        return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity)))
