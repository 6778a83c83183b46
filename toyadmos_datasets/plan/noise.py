"""Which noise an example gets: drawn for its event, the same for all its channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.plan.events import Events, Numbers
from toyadmos_datasets.plan.layout import Split
from toyadmos_datasets.plan.noise_division import divided_noise
from toyadmos_datasets.plan.scope import Scope
from toyadmos_datasets.signal.randomness import choices_of, derived_words, fractions_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoisePool:
    """The noise recordings of one split.

    Attributes:
        split: The split's name.
        by_case: Noise events that serve each case, ascending.
    """

    split: str
    by_case: dict[int, Numbers]

    def draw(
        self, scope: Scope, targets: Numbers, draws: npt.NDArray[np.int64], places: Numbers | int
    ) -> tuple[Numbers, npt.NDArray[np.float64]]:
        """Draw noise for targets, from the same case where the corpus has that.

        Draws of one event go through the recordings of its pool, so that as many as there are differ in more
        than their position.

        Args:
            scope: What is planned.
            targets: Events.
            draws: Which draw of its event each is.
            places: Where its window begins; 0 for whole recordings.

        Returns:
            Noise event of each, and where it begins: a fraction in [0, 1) of the places where it can.

        Raises:
            PlanError: There is no noise for a case.
        """
        pool, first, size = self._laid_out(scope.events, targets)
        of = scope.events.identity[targets]
        chosen = derived_words(scope.options.seed, scope.protocol, "noise", of=of, place=places)
        placed = derived_words(scope.options.seed, scope.protocol, "noise-position", of=of, draw=draws, place=places)
        number = (choices_of(chosen[:, 0], size) + draws) % size
        return pool[first + number], fractions_of(placed[:, 0], placed[:, 1])

    def _laid_out(self, events: Events, targets: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Return all pools one after the other, and where that of each target begins and how long it is."""
        cases = events.case[targets].astype(np.int64)
        first, size = np.zeros(len(targets), dtype=np.int64), np.zeros(len(targets), dtype=np.int64)
        pools: list[Numbers] = []
        for case in np.unique(cases).tolist():
            pool = self.by_case.get(case, np.empty(0, dtype=np.int64))
            if not len(pool):
                raise _no_noise(case, self.split, events.name(targets[cases == case][0]))
            first[cases == case], size[cases == case] = sum(map(len, pools)), len(pool)
            pools.append(pool)
        return np.concatenate([np.empty(0, dtype=np.int64), *pools]), first, size


def split_noise(scope: Scope, splits: Sequence[Split]) -> dict[str, NoisePool]:
    """Divide the noise among the splits, take by take over all cases.

    A noise recording that lacks one of the channels is left out.

    Raises:
        PlanError: A case has fewer takes of noise than splits that need them.
    """
    noise = {case: some for case in scope.cases if len(some := scope.noise(case))}
    needs = {split.name: set(noise) & set(np.unique(scope.events.case[split.targets]).tolist()) for split in splits}
    if scope.is_noise_shared:
        return {name: NoisePool(split=name, by_case=noise) for name in needs}
    sides = divided_noise(scope, noise, needs)
    return {
        name: NoisePool(split=name, by_case={case: np.intersect1d(noise[case], sides[name]) for case in sorted(cases)})
        for name, cases in needs.items()
    }


def _no_noise(case: int, split: str, event_id: str) -> PlanError:
    return PlanError(
        f"There is no noise recording of case {case} for the split {split!r}.",
        where=event_id,
        expected="WAV files in EnvironmentalNoise_CNT",
        actual="none",
        remedy="Complete the source, or prepare without noise: --protocol basic",
    )
