"""Names of clips in the layouts of DCASE task 2, 2020 to 2026."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Domain: TypeAlias = Literal["source", "target"]

SPLIT_FOLDERS: Mapping[str, str] = {
    "train": "train",
    "test": "test",
    "source_test": "test",
    "target_test": "test",
    "supplemental": "supplemental",
}
"""The split that each folder of a machine holds; 2021 has two folders of test clips, one a domain."""

_LABELS = {"normal": "normal", "anomaly": "anomalous", None: None}
_DOMAINS: Mapping[str, Domain | None] = {
    "source": "source",
    "target": "target",
    **dict.fromkeys(("train", "test", "supplemental")),
}
"""By what the name says, or else the first word of the folder: ``target_test``."""

_KINDS = {"noise": "noise", "machine": "normal"}

_ID = re.compile(r"(?:(normal|anomaly)_)?id_([0-9]{2})_([0-9]{8})")
_SECTION = re.compile(
    r"section_([0-9]{2})(?:_(source|target))?(?:_(train|test))?(?:_(normal|anomaly))?_([0-9]{4,8})(?:_(.*))?"
)
_SUPPLEMENTAL = re.compile(r"section_([0-9]{2})_(machine|noise)_([0-9]{4,8})(?:_(.*))?")
_SCORES = re.compile(
    r"anomaly_score_(?:DCASE20[0-9]{2}T2)?(?P<machine>.+?)_(?:id|section)_[0-9]{2}(?:_(?:(?:source|target)_)?test)?(?:_.*)?\.csv"
)
_NO_ATTRIBUTE = ("", "noAttribute")


@dataclass(frozen=True, slots=True, kw_only=True)
class DcaseName:
    """What the place and the name of a clip say.

    Attributes:
        machine: ``ToyCar``, ``fan`` and so on: the folder of the machine.
        split: ``train``, ``test`` or ``supplemental``.
        label: ``normal``, ``anomalous``, ``noise`` for noise alone; None where it is not told.
        section: Number of the section, or of the machine's id in 2020.
        domain: ``source`` or ``target``; None where the year has no domains or the name does not tell.
        number: Number of the clip among its like.
        attributes: What else the name says, by attribute; empty where it is hidden.
    """

    machine: str
    split: str
    label: str | None
    section: int
    domain: Domain | None
    number: int
    attributes: Mapping[str, str] = field(default_factory=dict)


def parse_dcase(folders: Sequence[str], file_name: str, truth: str | None = None) -> DcaseName | None:
    """Read a clip's place and name; None where they are not those of the challenge.

    Args:
        folders: The folders above it, the nearest last: ``[.., "ToyCar", "train"]``.
        file_name: Its name.
        truth: The name that a list of the organisers gives a clip of the evaluation set, with its label.

    Source:
        nttcslab/dcase2023_task2_baseline_ae, README.md and README_legacy.md (2020 to 2026): folders and names.
    """
    if len(folders) < 2 or folders[-1] not in SPLIT_FOLDERS:
        return None
    machine, split = folders[-2], SPLIT_FOLDERS[folders[-1]]
    stem = (truth or file_name).rpartition(".")[0]
    if match := _ID.fullmatch(stem):
        label, section, number = match.groups()
        return DcaseName(
            machine=machine,
            split=split,
            label=_LABELS[label],
            section=int(section),
            domain=None,
            number=int(number),
        )
    if match := _SUPPLEMENTAL.fullmatch(stem):
        section, kind, number, rest = match.groups()
        return DcaseName(
            machine=machine,
            split=split,
            label=_KINDS[kind],
            section=int(section),
            domain=None,
            number=int(number),
            attributes=_attributes(rest),
        )
    if match := _SECTION.fullmatch(stem):
        section, domain, _, label, number, rest = match.groups()
        return DcaseName(
            machine=machine,
            split=split,
            label=_LABELS[label] or ("normal" if split == "train" else None),
            section=int(section),
            domain=_DOMAINS[domain or folders[-1].partition("_")[0]],
            number=int(number),
            attributes=_attributes(rest),
        )
    return None


def machine_of_scores(file_name: str) -> str | None:
    """Return the machine of a file of scores as the challenge's baselines call it; None for another file.

    Example:
        >>> machine_of_scores("anomaly_score_ToyCar_section_00_test.csv"), machine_of_scores("mine.csv")
        ('ToyCar', None)

    Source:
        y-kawagu/dcase2020_task2_baseline: ``anomaly_score_<machine>_id_NN.csv``; the baselines of 2021 to 2026:
        ``anomaly_score_<machine>_section_NN_<folder>.csv``. Rows are name and score, without a header.
    """
    match = _SCORES.fullmatch(file_name)
    return None if match is None else match["machine"]


def truth_of(lines: Sequence[Sequence[str]]) -> dict[tuple[str, str], str]:
    """Return the name with a label of each clip of an evaluation set, by machine and own name.

    Args:
        lines: The rows of a list of the organisers: a machine alone, then its clips, own name first.

    Source:
        nttcslab/dcase2023_task2_baseline_ae, datasets/eval_data_list_2021.csv to 2025.
    """
    found: dict[tuple[str, str], str] = {}
    machine = ""
    for cells in lines:
        names = [cell.strip() for cell in cells if cell.strip()]
        if len(names) >= 2 and names[0].endswith(".wav"):
            found[machine, names[0]] = names[1]
        elif names:
            machine = names[0]
    return found


def _attributes(text: str | None) -> dict[str, str]:
    """Read ``car_A1_spd_28V``; what are no pairs is one attribute called ``attribute``."""
    spelled = (text or "").strip("_")
    if spelled in _NO_ATTRIBUTE:
        return {}
    words = spelled.split("_")
    if len(words) % 2:
        return {"attribute": spelled}
    return dict(zip(words[::2], words[1::2], strict=True))
