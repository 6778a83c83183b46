"""Which noise an example gets: drawn for its event, the same for all its channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.plan.events import Events, Numbers
from toyadmos_datasets.plan.layout import Split
from toyadmos_datasets.plan.scope import Scope
from toyadmos_datasets.signal.randomness import choices_of, derived_words, fractions_of

WEIGHTS = {"train": 4, "test": 2}
"""How the noise recordings of a case are shared out; other splits weigh 1. Each gets at least one recording."""


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
    """Divide the noise recordings of each case among the splits that have events of it.

    A noise recording that lacks one of the channels is left out.

    Raises:
        PlanError: A case has fewer noise recordings than splits that need them.
    """
    pools: dict[str, dict[int, Numbers]] = {split.name: {} for split in splits}
    served: dict[tuple[int, ...], list[int]] = {}
    for case in scope.cases:
        served.setdefault(tuple(scope.noise(case).tolist()), []).append(case)
    for noise, cases in served.items():
        recordings = np.array(noise, dtype=np.int64)
        needing = [split.name for split in splits if set(cases) & set(scope.events.case[split.targets].tolist())]
        if not noise or not needing:
            continue
        in_order = scope.events.shuffled(recordings, scope.options.seed, "noise-split")
        parts = dict.fromkeys(needing, in_order) if scope.is_noise_shared else _shared_out(scope, in_order, needing)
        for name, some in parts.items():
            pools[name] |= dict.fromkeys(cases, np.sort(some))
    return {name: NoisePool(split=name, by_case=by_case) for name, by_case in pools.items()}


def _shared_out(scope: Scope, recordings: Numbers, names: Sequence[str]) -> dict[str, Numbers]:
    """Give each split one recording, and of the rest a share by its weight; train takes from the end."""
    if len(recordings) < len(names):
        raise _too_few(scope, recordings, names)
    in_order = sorted(names, key="train".__eq__)
    weights = np.array([0, *(WEIGHTS.get(name, 1) for name in in_order)]).cumsum()
    rest = len(recordings) - len(names)
    bounds = [int(rest * weight) // int(weights[-1]) + place for place, weight in enumerate(weights)] if names else []
    return {name: recordings[bounds[place] : bounds[place + 1]] for place, name in enumerate(in_order)}


def _too_few(scope: Scope, recordings: Numbers, names: Sequence[str]) -> PlanError:
    n = len(recordings)
    who = f"both {names[0]} and {names[1]}" if len(names) == 2 else f"{', '.join(names[:-1])} and {names[-1]}"
    return PlanError(
        f"{'One noise recording' if n == 1 else f'{n} noise recordings'} cannot serve {who}.",
        where=scope.events.name(recordings[0]),
        expected=f"at least {'two' if len(names) == 2 else len(names)} noise recordings a case",
        actual=str(n),
        remedy="Add noise recordings to the source, or accept it: --shared-noise",
    )


def _no_noise(case: int, split: str, event_id: str) -> PlanError:
    return PlanError(
        f"There is no noise recording of case {case} for the split {split!r}.",
        where=event_id,
        expected="WAV files in EnvironmentalNoise_CNT",
        actual="none",
        remedy="Complete the source, or prepare without noise: --protocol basic",
    )
