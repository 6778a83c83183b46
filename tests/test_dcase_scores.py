"""DCASE's official scores against their evaluators' arithmetic, written out with scikit-learn and SciPy."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import hmean
from sklearn.metrics import roc_auc_score

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.scores.dcase import dcase_score

EPSILON = sys.float_info.epsilon
MACHINES, SECTIONS = ("fan", "valve"), ("00", "01", "02")


def scored() -> dict[str, np.ndarray]:
    """Test clips of two machine types with three sections each, of two domains; some sections are hard."""
    random = np.random.default_rng(7)
    n = 240
    columns = {
        "machine": np.array(MACHINES)[np.arange(n) % 2],
        "section": np.array(SECTIONS)[np.arange(n) // 2 % 3],
        "domain": np.array(["source", "target"])[random.integers(0, 2, n)],
        "label": random.integers(0, 2, n),
    }
    shift = columns["label"] * np.where(columns["section"] == "02", -0.3, 1.5)
    return columns | {"score": np.round(random.normal(size=n) + shift, 1)}  # rounded: ties count


def figures(one: dict[str, np.ndarray], chosen: np.ndarray) -> tuple[float, float]:
    truth, scores = one["label"][chosen], one["score"][chosen]
    return roc_auc_score(truth, scores), roc_auc_score(truth, scores, max_fpr=0.1)


def of(one: dict[str, np.ndarray], machine: str, section: str) -> np.ndarray:
    return (one["machine"] == machine) & (one["section"] == section)


def score_of(one: dict[str, np.ndarray], year: int):
    return dcase_score(pa.table(one), year=year, machine="machine", section="section")


def test_2020_has_the_arithmetic_means_over_machine_ids():
    one = scored()
    found = score_of(one, 2020)

    for machine in MACHINES:
        expected = np.mean([figures(one, of(one, machine, section)) for section in SECTIONS], axis=0)
        mine = found.of_machine(machine)
        assert (mine.auc, mine.pauc) == pytest.approx(tuple(expected))
    assert found.official is None


def test_2021_joins_every_section_of_both_domains_by_the_harmonic_mean():
    one = scored()
    found = score_of(one, 2021)
    performance = np.array(
        [
            figures(one, of(one, machine, section) & (one["domain"] == domain))
            for machine in MACHINES
            for domain in ("source", "target")
            for section in SECTIONS
        ]
    )

    assert (found.auc, found.pauc) == pytest.approx(tuple(hmean(np.maximum(performance, EPSILON), axis=0)))
    assert found.official == pytest.approx(hmean(np.maximum(performance, EPSILON), axis=None))


@pytest.mark.parametrize("year", [2022, 2023, 2024])
def test_since_2022_each_domains_normal_clips_stand_against_the_anomalous_clips_of_both(year):
    one = scored()
    found = score_of(one, year)
    aucs, paucs = {"source": [], "target": []}, []
    for machine in MACHINES:
        for section in SECTIONS:
            mine = of(one, machine, section)
            paucs.append(figures(one, mine)[1])
            for domain, values in aucs.items():
                values.append(figures(one, mine & ((one["domain"] == domain) | (one["label"] != 0)))[0])
    everything = np.array(aucs["source"] + aucs["target"] + paucs)

    assert found.official == pytest.approx(hmean(np.maximum(everything, EPSILON)))
    assert found.auc == pytest.approx(hmean(aucs["source"] + aucs["target"]))
    assert found.pauc == pytest.approx(hmean(paucs))
    assert found.official != pytest.approx(score_of(one, 2021).official)


def test_a_section_that_is_all_wrong_counts_as_the_smallest_step_of_a_float():
    one = {
        "label": np.array([0, 1, 0, 1]),
        "score": np.array([1.0, 0.0, 0.0, 1.0]),
        "domain": np.array(["source", "source", "target", "target"]),
    }
    found = dcase_score(pa.table(one), year=2021)

    assert found.rows[0].auc == 0.0
    assert found.auc == pytest.approx(2 / (1 / EPSILON + 1))


def test_what_the_rule_lacks_is_named():
    one = scored()

    with pytest.raises(OptionError) as no_column:
        dcase_score(pa.table(one), year=2022, section="case")
    assert "case" in no_column.value.expected
    with pytest.raises(OptionError) as too_early:
        score_of(one, 2019)
    assert "2019" in too_early.value.actual
    with pytest.raises(OptionError) as no_domain:
        dcase_score(pa.table(one | {"domain": np.full(240, "attic")}), year=2023)
    assert "attic" in no_domain.value.actual
    with pytest.raises(OptionError) as one_class:
        score_of(one | {"label": np.where(one["section"] == "01", 0, one["label"])}, 2020)
    assert one_class.value.where == "fan 01"
    assert one_class.value.actual.endswith(" 0 anomalous")
