"""What the conditions of a toy are in plain words: voltages, metallic objects, the state of every damaged part."""

from __future__ import annotations

from functools import cache

from toyadmos_datasets.corpus.damage import damage_of
from toyadmos_datasets.corpus.tables import read_rows
from toyadmos_datasets.corpus.toys import toy_named

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
