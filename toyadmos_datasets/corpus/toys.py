"""The three toys of the corpus."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.units import Hertz, Seconds

Sound: TypeAlias = Literal["normal", "anomalous", "noise"]
RecordingType: TypeAlias = Literal["IND", "CNT"]

CORPUS_RATE_HZ: Hertz = 48_000
"""Rate of every recording in the archives."""

CHANNELS = (1, 2, 3, 4)
"""Microphones that hear every event at once."""

ALL_CASES = 0
"""Stands for the case of a noise recording that serves all cases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toy:
    """One toy: what its recordings are called, how long they are, what can break.

    Attributes:
        name: As folders and files are called: ``ToyTrain``.
        short: As people type it: ``train``.
        digit: First of the ten digits of a file name.
        cases: Numbers of its cases.
        design: What tells one case from another.
        clip_s: Length of an IND recording, seconds.
        parts: Parts that its damage table lists, in its order.
        noise_is_shared: Whether one set of noise recordings serves all cases.
    """

    name: str
    short: str
    digit: int
    cases: tuple[int, ...]
    design: str
    clip_s: Seconds
    parts: tuple[str, ...]
    noise_is_shared: bool

    @property
    def noise_cases(self) -> tuple[int, ...]:
        """Cases that noise recordings are filed under; `ALL_CASES` where one set serves all."""
        return (ALL_CASES,) if self.noise_is_shared else self.cases


TOYS = (
    Toy(
        name="ToyCar",
        short="car",
        digit=1,
        cases=(1, 2, 3, 4),
        design="motor (torque-tuned 2 or plasma dash) x bearing (plastic or steel)",
        clip_s=11.0,
        parts=("shaft", "gears", "tires", "voltage"),
        noise_is_shared=True,
    ),
    Toy(
        name="ToyConveyor",
        short="conveyor",
        digit=2,
        cases=(1, 2, 3),
        design="three sizes of belt conveyor",
        clip_s=10.0,
        parts=("tension_pulley", "tail_pulley", "belt", "voltage"),
        noise_is_shared=False,
    ),
    Toy(
        name="ToyTrain",
        short="train",
        digit=3,
        cases=(1, 2, 3, 4),
        design="1 bullet train HO, 2 commuter train HO, 3 bullet train N, 4 commuter train N scale",
        clip_s=11.0,
        parts=("straight_railway_track", "curved_railway_track", "first_carriage", "last_carriage"),
        noise_is_shared=False,
    ),
)
"""All toys, ordered by digit.

Source:
    Koizumi et al., WASPAA 2019, section 3 and Table 1; the parts' order is that of the published tables.
    The digit of the train is inferred from its place among the toys.
"""

EVERY_TOY = "all"
"""Stands for all toys where several can be named."""

_BY_NAME = {alias: toy for toy in TOYS for alias in (toy.name, toy.name.lower(), toy.short)}


@cache
def toy_named(name: str) -> Toy:
    """Find a toy by its name (``ToyTrain``, ``toytrain``) or its short name (``train``).

    Raises:
        OptionError: There is no such toy.
    """
    toy = _BY_NAME.get(name) or _BY_NAME.get(name.lower())
    if toy is None:
        raise OptionError(
            "There is no such toy.",
            where="--toy",
            expected=", ".join(f"{toy.short} ({toy.name})" for toy in TOYS),
            actual=ascii(name),
            remedy=f"Choose one of them, for instance: --toy {TOYS[-1].short}",
        )
    return toy


def toys_named(names: str) -> tuple[Toy, ...]:
    """Find the toys that a text lists with commas between them, or all of them.

    Example:
        >>> [toy.name for toy in toys_named("train,ToyCar")], len(toys_named("all"))
        (['ToyTrain', 'ToyCar'], 3)

    Raises:
        OptionError: There is no such toy, or one stands there twice.
    """
    if names.lower() == EVERY_TOY:
        return TOYS
    found = tuple(toy_named(name.strip()) for name in names.split(","))
    if len(set(found)) < len(found):
        raise OptionError(
            "A toy is named twice.",
            where="--toy",
            expected="each toy once",
            actual=ascii(names),
            remedy=f"For instance: --toy {','.join(toy.short for toy in TOYS[:2])}",
        )
    return found
