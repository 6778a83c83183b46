"""The official scores of DCASE's task 2, anomalous sound detection, by year."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.scores.metrics import auc, harmonic_mean, partial_auc_mcclish

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

FIRST_YEAR = 2020
DOMAINS = ("source", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class DcaseRow:
    """The scores of one subset of the test clips.

    Attributes:
        machine: Machine type.
        section: Section, or machine id; empty where the clips have none.
        domain: Of the normal clips; empty for 2020, which has none.
        auc: Area under the ROC.
        pauc: McClish-scaled up to FPR 0.1; since 2022 of both domains together, the same in both of their rows.
    """

    machine: str
    section: str
    domain: str
    auc: float
    pauc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DcaseScore:
    """The official figures of one year's rule.

    Attributes:
        year: Whose rule.
        auc: 2020: arithmetic mean over machine ids. Later: harmonic mean over sections and domains.
        pauc: The same of the partial AUCs.
        official: Harmonic mean of all AUCs and partial AUCs; None for 2020, which ranked by both means.
        rows: What is joined.
    """

    year: int
    auc: float
    pauc: float
    official: float | None
    rows: tuple[DcaseRow, ...]

    def of_machine(self, machine: str) -> DcaseScore:
        """Return the figures of one machine type, which is what 2020's evaluator prints."""
        return _joined(self.year, [row for row in self.rows if row.machine == machine])


def dcase_score(
    table: pa.Table, *, year: int, machine: str | None = None, section: str | None = None, domain: str = "domain"
) -> DcaseScore:
    """Compute the official figures of DCASE task 2 of a table of scores.

    - 2020: AUC and partial AUC of each machine id; arithmetic means.
    - 2021: AUC and partial AUC of each section and domain; the official score is the harmonic mean of all of them.
    - 2022 and later: of each section the AUC of each domain's normal clips against the anomalous clips of both domains,
      and one partial AUC of all its clips; the official score is the harmonic mean of the three, over all sections.

    Values of 0 count as the smallest step of a float from 1, as the evaluators have it.

    Args:
        table: Columns `label` (1 anomalous, 0 normal) and `score`, and those named below.
        year: Whose rule, from 2020.
        machine: Column of the machine type; None if all clips are of one.
        section: Column of the section, for 2020 of the machine id; None if all clips are of one.
        domain: Column of the domain, ``source`` or ``target``; not read for 2020.

    Raises:
        OptionError: The year has no rule, a column is missing, or a subset lacks a class or a domain.

    Source:
        Held against the evaluators' arithmetic: github.com/y-kawagu/dcase2020_task2_evaluator and
        dcase2021_task2_evaluator, Kota-Dohi/dcase2022_evaluator, nttcslab/dcase2023_task2_evaluator and
        dcase2024_task2_evaluator, as of 2026-11.
    """
    wanted = ["label", "score", *filter(None, (machine, section)), *([] if year <= FIRST_YEAR else [domain])]
    missing = [name for name in wanted if name not in table.column_names]
    if year < FIRST_YEAR or missing:
        raise OptionError(
            "DCASE's score of this year cannot be computed.",
            where="dcase_score",
            expected=f"a year from {FIRST_YEAR}, and the columns {', '.join(wanted)}",
            actual=f"year {year}; the columns {', '.join(table.column_names)}",
            remedy="Name the columns by machine=, section= and domain=.",
        )
    labels, scores = table["label"].to_numpy().astype(np.int64), table["score"].to_numpy().astype(np.float64)
    machines, sections = _names(table, machine), _names(table, section)
    domains = _names(table, None if year == FIRST_YEAR else domain)
    _require_domains(domains, year, domain)
    rows = []
    for one in sorted(set(machines)):
        for other in sorted(set(sections[machines == one])):
            is_mine = (machines == one) & (sections == other)
            for name, of_auc, of_pauc in _subsets(year, is_mine, labels == 1, domains):
                found = [
                    _of(figure, labels, scores, chosen, f"{one} {other} {name}".strip())
                    for figure, chosen in ((auc, of_auc), (partial_auc_mcclish, of_pauc))
                ]
                rows.append(DcaseRow(machine=one, section=other, domain=name, auc=found[0], pauc=found[1]))
    return _joined(year, rows)


def _require_domains(domains: npt.NDArray[np.str_], year: int, column: str) -> None:
    others = sorted(set(domains) - set(DOMAINS))
    if year > FIRST_YEAR and others:
        raise OptionError(
            "DCASE's score knows no such domain.",
            where=f"the column {column}",
            expected=" or ".join(DOMAINS),
            actual=ascii(others[0]),
            remedy="Name the column of the domain by domain=.",
        )


def _names(table: pa.Table, column: str | None) -> npt.NDArray[np.str_]:
    if column is None:
        return np.full(len(table), "", dtype=np.str_)
    return np.array([str(one) for one in table[column].to_pylist()], dtype=np.str_)


def _subsets(
    year: int, is_mine: Mask, is_anomalous: Mask, domains: npt.NDArray[np.str_]
) -> Iterator[tuple[str, Mask, Mask]]:
    """Yield, for a section, names of domains with the clips of the AUC and those of the partial AUC."""
    if year == FIRST_YEAR:
        yield "", is_mine, is_mine
        return
    for domain in DOMAINS:
        is_domain = is_mine & (domains == domain)
        if year == FIRST_YEAR + 1:
            yield domain, is_domain, is_domain
        else:
            yield domain, is_domain | (is_mine & is_anomalous), is_mine


def _of(figure: Callable[..., float], labels: npt.NDArray[np.int64], scores: Array, chosen: Mask, where: str) -> float:
    counts = np.bincount(labels[chosen], minlength=2)
    if not counts.all():
        raise OptionError(
            "A subset that DCASE's score joins has no ROC.",
            where=where or "all clips",
            expected="normal and anomalous clips",
            actual=f"{counts[0]} normal, {counts[1]} anomalous",
            remedy="Score the test clips of every section and domain, or leave this score out.",
        )
    return float(figure(labels[chosen], scores[chosen]))


def _joined(year: int, rows: list[DcaseRow]) -> DcaseScore:
    aucs, paucs = np.array([row.auc for row in rows]), np.array([row.pauc for row in rows])
    official = None
    if year == FIRST_YEAR:
        joined = float(np.mean(aucs)), float(np.mean(paucs))
    else:
        aucs, paucs = np.maximum(aucs, sys.float_info.epsilon), np.maximum(paucs, sys.float_info.epsilon)
        joined = harmonic_mean(aucs), harmonic_mean(paucs)
        counted = paucs if year == FIRST_YEAR + 1 else paucs[:: len(DOMAINS)]  # both domains of a section share one
        official = harmonic_mean(np.concatenate([aucs, counted]))
    return DcaseScore(year=year, auc=joined[0], pauc=joined[1], official=official, rows=tuple(rows))
