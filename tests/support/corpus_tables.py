"""The tables of docs/corpus.md, from the facts of the corpus; `option_table.py` renews them with the others."""

from __future__ import annotations

from toyadmos_datasets.corpus.damage import conditions_of
from toyadmos_datasets.corpus.facts import NEAR_SILENT, observations, read_rows
from toyadmos_datasets.corpus.toys import TOYS

KINDS = (("normal", "IND"), ("anomalous", "IND"), ("normal", "CNT"), ("noise", "CNT"))
Rows = list[list[object]]


def recordings() -> Rows:
    """Return a row for each toy and case; case 0 is noise for all cases."""
    _, rows = read_rows("recording_counts.csv")
    counts = {(toy, int(case), (sound, kind)): n for toy, case, sound, kind, n in rows}
    cases = dict.fromkeys((toy, case) for toy, case, _ in counts)
    return [[toy, case or "all", *(counts.get((toy, case, kind), "") for kind in KINDS)] for toy, case in cases]


def archives() -> Rows:
    """Return a row for each toy."""
    _, volumes = read_rows("volumes.csv")
    _, files = read_rows("file_counts.csv")
    sizes = {toy.name: [int(n) for name, n, _ in volumes if name.startswith(toy.name)] for toy in TOYS}
    n_wav = {toy.name: sum(int(n) for folder, n, _ in files if folder.startswith(toy.name)) for toy in TOYS}
    return [[toy.name, len(sizes[toy.name]), sum(sizes[toy.name]), n_wav[toy.name]] for toy in TOYS]


def damage() -> Rows:
    """Return a row for each toy."""
    return [[toy.name, len(conditions_of(toy.name)), ", ".join(f"`{part}`" for part in toy.parts)] for toy in TOYS]


def near_silent() -> Rows:
    """Return a row for each case of the car: how many of how many."""
    seen = [one for one in observations("car") if one.case is not None]
    found = {(one.case, one.sound): one.value for one in seen if one.what == NEAR_SILENT}
    totals = {(one.case, one.sound): one.value for one in seen if one.what == "recordings"}
    kinds = [f"{sound}_{kind}" for sound, kind in KINDS[:3]]
    cases = sorted({case for case, _ in found if case is not None})
    return [[case, *(f"{found[case, kind]:.0f} of {totals[case, kind]:.0f}" for kind in kinds)] for case in cases]


HEADS = {
    "toy | case | normal IND | anomalous IND | normal CNT | noise CNT": recordings,
    "toy | volumes | packed bytes | WAV files": archives,
    "toy | patterns | parts": damage,
    "case | normal IND | anomalous IND | normal CNT": near_silent,
}
TABLES = {f"| {head} |\n|{' --- |' * len(head.split('|'))}\n": rows for head, rows in HEADS.items()}
"""The head of each table, as the page has it, and what its rows come from."""
