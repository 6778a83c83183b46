"""The damage of each condition of a toy, as parts and states and in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

from toyadmos_datasets.corpus.facts import read_rows
from toyadmos_datasets.corpus.toys import TOYS, Toy, toy_named
from toyadmos_datasets.errors import OptionError

DamageSource: TypeAlias = Literal["published", "repaired"]
States: TypeAlias = tuple[tuple[str, str], ...]

NORMAL_STATE = "Normal"
"""How the tables call a part that is as it should be."""

_REPAIRED = {"ToyConveyor": "damage_ToyConveyor_repaired.csv"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """The state of every part of a toy under one condition.

    Attributes:
        condition: ``normal`` or ``ab01`` and so on.
        source: Where the states are from; None for the normal condition, which no table lists.
        states: Part and state, in the table's order.
        published_states: The same as the authors printed it, which differs from `states` only in
            rows that had to be repaired.
    """

    condition: str
    source: DamageSource | None
    states: States
    published_states: States

    @property
    def by_part(self) -> dict[str, str]:
        """Part to state, ``Normal`` ones included."""
        return dict(self.states)

    @property
    def damaged_parts(self) -> tuple[str, ...]:
        """Parts whose state is not ``Normal``, in the table's order."""
        return tuple(part for part, state in self.states if state != NORMAL_STATE)


def damage_of(toy: str, condition: str) -> Damage:
    """Look up the state of each part of `toy` under `condition`.

    Raises:
        OptionError: The toy has no such condition.

    Source:
        The authors' tables; ab92 to ab98 of the conveyor are repaired, see ``data/SOURCES.md``.

    Examples:
        >>> import toyadmos_datasets as toyadmos
        >>> toyadmos.damage_of("train", "ab01").damaged_parts
        ('last_carriage',)
    """
    name = toy_named(toy).name
    damage = _table(name).get(condition)
    if damage is None:
        raise OptionError(
            f"{name} has no such condition.",
            where=name,
            expected=f"normal, or {conditions_of(name)[0]} to {conditions_of(name)[-1]}",
            actual=ascii(condition),
            remedy=f"Choose one that is in damage_{name}.csv of this package.",
        )
    return damage


@cache
def conditions_of(toy: str) -> tuple[str, ...]:
    """List the damaged conditions of a toy in order: ``ab01``, ``ab02`` .."""
    return tuple(condition for condition in _table(toy_named(toy).name) if condition != "normal")


def has_condition(toy: str, condition: str) -> bool:
    """Whether `condition` is ``normal`` or in the toy's table; no other machine has one."""
    is_toy = any(toy in (one.name, one.short) for one in TOYS)
    return is_toy and condition in _table(toy_named(toy).name)


@cache
def _table(toy: str) -> dict[str, Damage]:
    published = _read_states(f"damage_{toy}.csv", toy_named(toy))
    repaired = _read_states(_REPAIRED[toy], toy_named(toy)) if toy in _REPAIRED else {}
    normal: States = tuple((part, NORMAL_STATE) for part in toy_named(toy).parts)
    table = {"normal": Damage(condition="normal", source=None, states=normal, published_states=normal)}
    for condition, states in published.items():
        table[condition] = Damage(
            condition=condition,
            source="repaired" if condition in repaired else "published",
            states=repaired.get(condition, states),
            published_states=states,
        )
    return table


def _read_states(file: str, toy: Toy) -> dict[str, States]:
    _, rows = read_rows(file)
    return {condition: tuple(zip(toy.parts, states, strict=True)) for condition, *states in rows}


INFERRED = "[inferred]"
"""What the words of a condition end with whose row of the published table had to be repaired."""


@cache
def condition_text(toy: str, condition: str) -> str:
    """Say in plain words what a toy is like under a condition.

    Which case of the car has which motor is not published: its voltages are given for both.

    Args:
        toy: ``ToyTrain``, or ``train``.
        condition: ``normal`` or ``ab01`` and so on.

    Returns:
        ``normal``, or the state of each damaged part in the table's order, such as
        ``curved railway track broken; first carriage with chipped wheel axle``.

    Raises:
        OptionError: The toy has no such condition.

    Source:
        The authors' tables (`damage_of`); DETAIL.pdf of the authors' repository for voltages and objects.
    """
    damage = damage_of(toy, condition)
    words = {row[0]: row[1] for row in _rows("state_words.csv")}
    objects = {f"object_{number}": name for number, name in _rows("metallic_objects.csv")}
    states = damage.by_part
    said = [
        words[states[part]].format(part=part.replace("_", " "), volts=_volts_text(toy, states[part]), **objects)
        for part in damage.damaged_parts
    ]
    inferred = f" {INFERRED}" if damage.source == "repaired" else ""
    return ("; ".join(said) or condition) + inferred


def voltages(toy: str, state: str) -> tuple[float, ...]:
    """Return the voltage of each motor of a toy, in the motors' order, volts; none where it is not published.

    Args:
        toy: ``ToyCar``, or ``car``.
        state: ``Normal``, ``Under voltage`` or ``Over voltage``.

    Source:
        DETAIL.pdf of the authors' repository.
    """
    name = toy_named(toy).name
    return tuple(float(volts) for of, _, kind, volts in _rows("voltages.csv") if (of, kind) == (name, state))


def metallic_objects() -> tuple[str, ...]:
    """Return what is attached to the conveyor's belt as metallic object 1, 2 and 3.

    Source:
        DETAIL.pdf of the authors' repository.
    """
    return tuple(name for _, name in _rows("metallic_objects.csv"))


def _volts_text(toy: str, state: str) -> str:
    found = [f"{volts:g}" for volts in voltages(toy, state)]
    return f"{' or '.join(found)} V" + (", by motor" if len(found) > 1 else "")


@cache
def _rows(table: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row) for row in read_rows(table)[1])
