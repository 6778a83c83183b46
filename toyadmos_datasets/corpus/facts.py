"""The tables of facts that travel with the package, and what people who have the corpus counted and measured in it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from toyadmos_datasets.corpus.paper import PAPER_LIMITS
from toyadmos_datasets.corpus.toys import toy_named


def read_rows(name: str) -> tuple[list[str], list[list[str]]]:
    """Read a table of the folder ``data``: its header and its rows."""
    text = files(__package__).joinpath("data", name).read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    return header, rows


NEAR_SILENT = "near_silent (RMS < 0.001)"
"""How the table calls recordings in which next to nothing is heard; full scale is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One figure that was counted or measured in the true corpus.

    Attributes:
        toy: ``ToyCar``.
        case: Number of the case; None for all of them.
        sound: ``normal_IND``, ``anomalous_IND``, ``normal_CNT``, ``IND`` or ``noise``.
        channel: Number of the microphone; None for all of them.
        what: What was counted or measured, with its unit.
        value: How much of it.
        source: Who published it, as ``data/SOURCES.md`` explains.
    """

    toy: str
    case: int | None
    sound: str
    channel: int | None
    what: str
    value: float
    source: str


@cache
def observations(toy: str) -> tuple[Observation, ...]:
    """Return what was observed of a toy, in the table's order.

    Source:
        Published listings, inventories and file counts; see ``data/SOURCES.md``.
    """
    _, rows = read_rows("observations.csv")
    return tuple(
        Observation(
            toy=name,
            case=int(case) if case else None,
            sound=sound,
            channel=int(channel) if channel else None,
            what=what,
            value=float(value),
            source=source,
        )
        for name, case, sound, channel, what, value, source in rows
        if name == toy_named(toy).name
    )


def what_is_odd(toy: str) -> tuple[str, ...]:
    """Return what a user of a toy's recordings should know of the corpus, a paragraph each."""
    return (*PAPER_LIMITS, *_noise_conflict(toy), *_near_silence(toy))


def _noise_conflict(toy: str) -> tuple[str, ...]:
    """Compare the hours of noise on disk with those in the paper: a file has ten minutes."""
    found = {one.what: one.value for one in observations(toy) if one.sound == "noise"}
    hours_in_paper = found.get("hours in the paper's Table 1")
    if hours_in_paper is None:
        return ()
    n_files = found["files on disk (all channels)"]
    text = (
        f"The archive has {n_files:.0f} noise files of 10 minutes ({n_files / 6:.0f} h), the paper's Table 1 counts "
        f"{hours_in_paper:.0f} h in two sets, for the HO and the N scale. So cases 1 and 2, and 3 and 4, probably "
        "carry the same noise recordings under two names. This is an inference that nobody has confirmed."
    )
    return (text,)


def _near_silence(toy: str) -> tuple[str, ...]:
    """Say how many recordings of each case are near-silent, where somebody counted."""
    kinds = ("normal_IND", "anomalous_IND", "normal_CNT")
    totals = {(one.case, one.sound): one.value for one in observations(toy) if one.what == "recordings"}
    silent = {(one.case, one.sound): one.value for one in observations(toy) if one.what == NEAR_SILENT}
    if not silent:
        return ("Nobody has published how many recordings of this toy are near-silent; those of ToyCar were counted.",)
    cases = sorted({case for case, _ in silent if case is not None})
    said = [
        f"case {case}: "
        + ", ".join(
            f"{silent[case, kind]:.0f} of {totals[case, kind]:.0f} {kind.replace('_', ' ')}"
            for kind in kinds
            if (case, kind) in silent
        )
        for case in cases
    ]
    text = (
        "Some recordings are near-silent (RMS below 0.001 of full scale; counted on channel 1): "
        f"{'; '.join(said)}. In CNT recordings the motor rested for 10 minutes after every 10 minutes."
    )
    return (text,)
