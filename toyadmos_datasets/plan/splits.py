"""Train and test: events are divided, never recordings, so that no microphone gives an event away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toyadmos_datasets.corpus.paper import PaperExperiment
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.plan.events import Event, shuffled


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """Events of each split, sorted by event_id.

    Attributes:
        train: Normal events.
        test: The other normal events, and all anomalous ones.
        n_train_by_case: How many normal events of a case are for training.
        n_normal_by_case: How many it has.
    """

    train: list[Event]
    test: list[Event]
    n_train_by_case: dict[int, int]
    n_normal_by_case: dict[int, int]


def train_count(n_normal: int, experiment: PaperExperiment) -> int:
    """Return how many of a case's normal events are for training: the paper's 1000, or the same fraction.

    Source:
        Koizumi et al. 2019, section 4: 1000 IND normal clips for training, the rest for the test.
    """
    if n_normal >= experiment.n_normal:
        return experiment.n_train
    return n_normal * experiment.n_train // experiment.n_normal


def split_events(
    events: Sequence[Event], experiment: PaperExperiment, *, protocol: str, seed: int, max_events: int | None
) -> Splits:
    """Divide the IND events of each case; anomalies are in the test alone.

    Raises:
        PlanError: A case would leave train or test without normal events, or there are no anomalies.
    """
    train: list[Event] = []
    test: list[Event] = []
    n_train_by_case: dict[int, int] = {}
    n_normal_by_case: dict[int, int] = {}
    for case in sorted({event.case for event in events}):
        of_case = [event for event in events if event.case == case]
        normal = shuffled([e for e in of_case if e.sound == "normal"], seed, protocol, "split")
        anomalous = shuffled([e for e in of_case if e.sound == "anomalous"], seed, protocol, "split")
        n_train = train_count(len(normal), experiment)
        _require(n_train > 0, case, "normal events for training", len(normal))
        _require(len(normal) > n_train, case, "normal events for the test", len(normal))
        _require(bool(anomalous), case, "anomalous events for the test", 0)
        n_train_by_case[case], n_normal_by_case[case] = n_train, len(normal)
        train += normal[:n_train][:max_events]
        test += normal[n_train:][:max_events] + anomalous[:max_events]
    return Splits(
        train=sorted(train, key=lambda e: e.event_id),
        test=sorted(test, key=lambda e: e.event_id),
        n_train_by_case=n_train_by_case,
        n_normal_by_case=n_normal_by_case,
    )


def _require(is_met: bool, case: int, what: str, actual: int) -> None:  # noqa: FBT001  # reads as a sentence
    if not is_met:
        raise PlanError(
            f"Case {case} has too few recordings: there would be no {what}.",
            where=f"case{case}",
            expected=f"enough IND recordings to leave {what}",
            actual=f"{actual} events",
            remedy="Complete the source, or choose other cases with --cases.",
        )
