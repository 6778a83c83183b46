"""Who trains and who tests: events are divided, never recordings, so that no microphone gives an event away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toyadmos_datasets.corpus.paper import PaperExperiment
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.plan.events import Numbers
from toyadmos_datasets.plan.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseEvents:
    """The IND events of one case, each part in random order, so that its first k are a fair choice.

    Attributes:
        case: Case.
        train: Normal events for training.
        test: The other normal events.
        anomalous: Anomalous events.
    """

    case: int
    train: Numbers
    test: Numbers
    anomalous: Numbers

    @property
    def n_normal(self) -> int:
        """How many normal events the case has."""
        return len(self.train) + len(self.test)


def train_count(n_normal: int, experiment: PaperExperiment) -> int:
    """Return how many of a case's normal events are for training: the paper's 1000, or the same fraction.

    Source:
        Koizumi et al. 2019, section 4: 1000 IND normal clips for training, the rest for the test.
    """
    if n_normal >= experiment.n_normal:
        return experiment.n_train
    return n_normal * experiment.n_train // experiment.n_normal


def split_as_paper(scope: Scope) -> list[CaseEvents]:
    """Divide the IND events of each case as the paper did; anomalies are for the test alone.

    Raises:
        PlanError: A case would leave train or test without normal events, or there are no anomalies.
    """
    divided = []
    for case in scope.cases:
        normal, anomalous = scope.of(case, "normal"), scope.of(case, "anomalous")
        n_train = train_count(len(normal), scope.experiment)
        require(n_train > 0, case, "normal events for training", len(normal))
        require(len(normal) > n_train, case, "normal events for the test", len(normal))
        require(len(anomalous) > 0, case, "anomalous events for the test", 0)
        divided.append(CaseEvents(case=case, train=normal[:n_train], test=normal[n_train:], anomalous=anomalous))
    return divided


def fraction_note(divided: Sequence[CaseEvents], experiment: PaperExperiment) -> list[str]:
    """Say of which cases a part is for training, where the source is smaller than the paper's."""
    smaller = [one for one in divided if one.n_normal < experiment.n_normal]
    if not smaller:
        return []
    counts = ", ".join(f"{len(one.train)} of {one.n_normal} in case {one.case}" for one in smaller)
    return [
        (
            f"The source has fewer normal IND events than the paper's {experiment.n_normal} a case, so the same "
            f"fraction ({experiment.n_train}/{experiment.n_normal}) is for training: {counts}."
        )
    ]


def require(is_met: bool, case: int, what: str, actual: int) -> None:  # noqa: FBT001  # reads as a sentence
    """Raise unless a case has what a split needs.

    Raises:
        PlanError: It has not.
    """
    if not is_met:
        raise PlanError(
            f"Case {case} has too few recordings: there would be no {what}.",
            where=f"case{case}",
            expected=f"enough recordings to leave {what}",
            actual=f"{actual} events",
            remedy="Complete the source, or choose other cases with --cases.",
        )
