"""How much is synthesised: three sizes, from a test's to a first experiment's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from toyadmos_datasets.corpus.damage import conditions_of, damage_of
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.units import Bytes, Seconds

Patterns: TypeAlias = Literal["a part", "a state", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusSize:
    """How many recordings of which length a corpus of one toy has; four channels each.

    Attributes:
        name: What ``--size`` calls it.
        cases: How many of the toy's cases, from the first.
        normal_takes: IND clips of the undamaged toy, a case.
        patterns: Which rows of the damage table: for every part one that damages it alone (``a part``), for
            every state of every part the one that has nothing else (``a state``), or ``all``.
        anomalous_takes: IND clips a pattern and case; the corpus has about five.
        clip_s: Length of an IND clip; None for the corpus' own.
        continuous_takes: CNT recordings a case.
        noise_takes: Noise recordings a case, or for all cases where the toy has one set for all.
        continuous_s: Length of CNT and noise recordings; the corpus' are ten minutes.
        block_bytes: A solid block of the archive ends before it exceeds this.
        volume_bytes: Largest volume; smaller where that would give fewer than three.
    """

    name: str
    cases: int
    normal_takes: int
    patterns: Patterns
    anomalous_takes: int
    clip_s: Seconds | None
    continuous_takes: int
    noise_takes: int
    continuous_s: Seconds
    block_bytes: Bytes
    volume_bytes: Bytes


SIZES: Final[Mapping[str, CorpusSize]] = MappingProxyType(
    {
        size.name: size
        for size in (
            CorpusSize(
                name="tiny",
                cases=2,
                normal_takes=5,
                patterns="a part",
                anomalous_takes=2,
                clip_s=2.2,
                continuous_takes=1,
                noise_takes=4,
                continuous_s=6.0,
                block_bytes=8_000_000,
                volume_bytes=16_000_000,
            ),
            CorpusSize(
                name="small",
                cases=2,
                normal_takes=24,
                patterns="a state",
                anomalous_takes=2,
                clip_s=None,
                continuous_takes=1,
                noise_takes=4,
                continuous_s=30.0,
                block_bytes=32_000_000,
                volume_bytes=100_000_000,
            ),
            CorpusSize(
                name="medium",
                cases=4,
                normal_takes=100,
                patterns="all",
                anomalous_takes=2,
                clip_s=None,
                continuous_takes=2,
                noise_takes=8,
                continuous_s=60.0,
                block_bytes=64_000_000,
                volume_bytes=700_000_000,
            ),
        )
    }
)
"""Name to size.

Of the train, tree and volumes, one core (AMD EPYC) with one worker: tiny 45 MB of recordings in 3.6 s, small
450 MB in 47 s; medium, 4.4 GB, is reckoned from these at 8 minutes. The car and the conveyor take a fifth less.
"""


def size_named(name: str) -> CorpusSize:
    """Find a size.

    Raises:
        OptionError: There is no such size.
    """
    if name not in SIZES:
        raise OptionError(
            "There is no such size of a simulated corpus.",
            where="--size",
            expected=", ".join(SIZES),
            actual=ascii(name),
            remedy="Choose one of them, for instance: --size small",
        )
    return SIZES[name]


def chosen_conditions(toy: str, patterns: Patterns) -> tuple[str, ...]:
    """Return the damaged conditions that a size has, in the table's order."""
    conditions = conditions_of(toy)
    if patterns == "all":
        return conditions
    damages = [damage_of(toy, condition) for condition in conditions]
    alone = [damage for damage in damages if len(damage.damaged_parts) == 1]
    if patterns == "a state":
        return tuple(damage.condition for damage in alone)
    # The last state of a part is the one furthest from normal in most rows of the tables.
    last_of_part = {damage.damaged_parts[0]: damage.condition for damage in alone}
    return tuple(sorted(last_of_part.values()))
