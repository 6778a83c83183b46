"""The noise that each split may use, and the noise of each example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.options.catalogue import protocol_named
from toyadmos_datasets.planning.events import Events, Numbers
from toyadmos_datasets.planning.split_layout import Scope, Split
from toyadmos_datasets.signal.randomness import choices_of, derived_words, fractions_of

WEIGHTS = {"train": 4, "test": 2}
"""How the takes of noise are shared out; other splits weigh 1. Each gets at least one in every case that it needs."""

_NOBODY = -1
_PLENTY = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Takes:
    """Takes of noise in the order in which they are drawn, and who can use them.

    Attributes:
        numbers: Number of each take; the smallest of those that carry the same sound.
        serves: Which cases each has noise for, shape (n_takes, n_cases).
        needs: Which cases each split has events of, shape (n_splits, n_cases).
    """

    numbers: Numbers
    serves: npt.NDArray[np.bool_]
    needs: npt.NDArray[np.bool_]


def divided_noise(scope: Scope, noise: Mapping[int, Numbers], needs: Mapping[str, set[int]]) -> dict[str, Numbers]:
    """Divide noise among splits: all events of one take number to one split, whatever their case.

    So do takes of which any two recordings carry the same sound. Each split gets a take for every case that it has
    events of, and of the rest a share by its weight.

    Args:
        scope: What is planned.
        noise: Noise events of each case that has any.
        needs: Cases of `noise` that each split has events of.

    Returns:
        Noise events of each split, ascending.

    Raises:
        PlanError: A case has too few takes for the splits that need it.
    """
    cases = list(noise)
    every = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *noise.values()]))
    take = take_numbers(scope.events, every)
    numbers = np.unique(take)
    words = derived_words(scope.options.seed, "noise-split", of=numbers.astype(np.uint64))
    numbers = numbers[np.lexsort((numbers, words[:, 1], words[:, 0]))]
    names = sorted(needs, key="train".__eq__)
    takes = _Takes(
        numbers=numbers,
        serves=np.stack([np.isin(numbers, take[np.isin(every, noise[case])]) for case in cases], axis=1)
        if cases
        else np.zeros((len(numbers), 0), dtype=np.bool_),
        needs=np.array([[case in needs[name] for case in cases] for name in names], dtype=np.bool_),
    )
    side, lacking = _one_for_each_need(takes)
    if lacking is not None:
        raise _too_few(scope, takes, noise, cases[lacking], names)
    _deal_the_rest(takes, side, [WEIGHTS.get(name, 1) for name in names])
    return {name: every[np.isin(take, numbers[side == place])] for place, name in enumerate(names)}


def take_numbers(events: Events, noise: Numbers) -> Numbers:
    """Return which take each noise event is of: takes of which any two events carry the same sound are one.

    Each event has the smallest number that leads to it from event to event, by take or by sound.
    """
    _, by_take = np.unique(events.take[noise], return_inverse=True)
    _, by_sound = np.unique(events.group[noise], return_inverse=True)
    number = events.take[noise].astype(np.int64)
    while True:
        before = number
        for place in (by_sound, by_take):
            smallest = np.full(len(noise), _PLENTY)
            np.minimum.at(smallest, place, number)
            number = smallest[place]
        if np.array_equal(number, before):
            return number


def _one_for_each_need(takes: _Takes) -> tuple[Numbers, int | None]:
    """Give each split takes until it has one for every case it needs, the scarcest case first.

    Returns:
        Split of each take, or `_NOBODY`; and the case that has too few, None if all have enough.
    """
    side = np.full(len(takes.numbers), _NOBODY)
    needs = takes.needs.copy()
    while needs.any():
        free = takes.serves & (side == _NOBODY)[:, np.newaxis]
        is_needed = needs.any(axis=0)
        left = np.where(is_needed, free.sum(axis=0) - needs.sum(axis=0), _PLENTY)
        case = int(left.argmin())
        if left[case] < 0:
            return side, case
        met = (needs.astype(np.int64) @ free.T.astype(np.int64)) * needs[:, [case]] * free[:, case]
        split, take = np.unravel_index(int(met.argmax()), met.shape)
        side[take] = split
        needs[split] &= ~takes.serves[take]
    return side, None


def _deal_the_rest(takes: _Takes, side: Numbers, weights: Sequence[int]) -> None:
    """Give each take that is left to the split that lacks most of its share, among takes for the same cases."""
    kinds: dict[bytes, list[int]] = {}
    for take, cases in enumerate(takes.serves):
        kinds.setdefault(cases.tobytes(), []).append(take)
    for some in kinds.values():
        needing = np.flatnonzero((takes.needs & takes.serves[some[0]]).any(axis=1)).tolist()
        given = dict.fromkeys(needing, 0)
        given.update(Counter(one for one in side[some].tolist() if one != _NOBODY))
        for n, take in enumerate((one for one in some if side[one] == _NOBODY), start=sum(given.values()) + 1):
            if needing:
                share = n / sum(weights[split] for split in needing)
                side[take] = max(needing, key=lambda split: weights[split] * share - given[split])
                given[int(side[take])] += 1


def _too_few(scope: Scope, takes: _Takes, noise: Mapping[int, Numbers], case: int, names: list[str]) -> PlanError:
    enough = dict(zip(noise, takes.serves.sum(axis=0) >= takes.needs.sum(axis=0), strict=True))
    place = list(noise).index(case)
    n, n_recordings = int(takes.serves[:, place].sum()), len(noise[case])
    of = [name for name, needs in zip(names, takes.needs[:, place], strict=True) if needs]
    of = [name for name in ("train",) if name in of] + [name for name in of if name != "train"]
    who = f"both {of[0]} and {of[1]}" if len(of) == 2 else f"{', '.join(of[:-1])} and {of[-1]}"
    actual = str(n)
    if n < n_recordings:
        actual += f", because {n_recordings} recordings have the same take or the same sound"
    elif enough[case]:
        actual += ", some of which are all that other cases have"
    return PlanError(
        f"{'One noise recording' if n == 1 else f'{n} noise recordings'} cannot serve {who} in case {case}.",
        where=scope.events.name(noise[case][0]),
        expected=f"at least {'two' if len(of) == 2 else len(of)} noise recordings a case",
        actual=actual,
        remedy=_remedy(scope, [one for one in scope.cases if enough.get(one, False) and one != case]),
    )


def _remedy(scope: Scope, other_cases: list[int]) -> str:
    """Name what helps: --shared-noise is refused beside some protocols, and leave-one-case-out needs two cases."""
    choices = ["Add noise recordings to the source"]
    if not any(protocol_named(one).is_noise_apart for one in scope.options.protocols):
        choices.append("accept it: --shared-noise")
    if len(other_cases) > (scope.protocol == "leave-one-case-out"):
        choices.append(f"choose other cases: --cases {','.join(map(str, other_cases))}")
    return ", or ".join(choices)


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
