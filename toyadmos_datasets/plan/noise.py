"""Which noise an example gets: drawn for the event, the same for all its channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toyadmos_datasets.corpus.toys import ALL_CASES
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.plan.events import Event, shuffled
from toyadmos_datasets.signal.randomness import derived_generator

TEST_SHARE = 1 / 3
"""Share of the noise recordings that only the test hears (at least one recording)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseDraw:
    """A stretch of noise.

    Attributes:
        event: The noise, as all microphones recorded it.
        position: Where it begins, as a fraction in [0, 1) of the places where it can.
    """

    event: Event
    position: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisePool:
    """The noise recordings of one split, for every case.

    Attributes:
        split: The split's name.
        by_case: Noise events of each case; `ALL_CASES` serves the others.
    """

    split: str
    by_case: dict[int, list[Event]]

    def draw(self, event: Event, seed: int, protocol: str) -> NoiseDraw:
        """Draw noise for an event, from the same case where the corpus has that.

        Raises:
            PlanError: There is no noise for its case.
        """
        pool = self.by_case.get(event.case) or self.by_case.get(ALL_CASES)
        if not pool:
            raise PlanError(
                f"There is no noise recording of case {event.case} for the split {self.split!r}.",
                where=event.event_id,
                expected="WAV files in EnvironmentalNoise_CNT",
                actual="none",
                remedy="Complete the source, or prepare without noise: --protocol basic",
            )
        generator = derived_generator(seed, protocol, event.event_id, "noise")
        return NoiseDraw(event=pool[int(generator.integers(len(pool)))], position=float(generator.random()))


def split_noise(
    noise: Sequence[Event], channels: Sequence[int], *, seed: int, is_shared: bool
) -> tuple[NoisePool, NoisePool]:
    """Divide the noise recordings between train and test, case by case.

    A noise recording that lacks one of the channels is left out.

    Raises:
        PlanError: A case has a single noise recording, which cannot be divided.
    """
    train: dict[int, list[Event]] = {}
    test: dict[int, list[Event]] = {}
    for case in sorted({event.case for event in noise}):
        usable = [e for e in noise if e.case == case and all(e.recordings_on(c) is not None for c in channels)]
        if is_shared or not usable:
            train[case] = test[case] = usable
            continue
        if len(usable) == 1:
            raise PlanError(
                "One noise recording cannot serve both train and test.",
                where=usable[0].event_id,
                expected="at least two noise recordings a case",
                actual="1",
                remedy="Add noise recordings to the source, or accept it: --shared-noise",
            )
        in_order = shuffled(usable, seed, "noise-split")
        n_test = max(1, round(len(usable) * TEST_SHARE))
        train[case] = sorted(in_order[n_test:], key=lambda e: e.event_id)
        test[case] = sorted(in_order[:n_test], key=lambda e: e.event_id)
    return NoisePool(split="train", by_case=train), NoisePool(split="test", by_case=test)
