"""docs/results.md: what is kept, what shrinks to a sentence, and that the page is made of its data."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def results_page():
    """The script's module, which lies beside the page."""
    spec = importlib.util.spec_from_file_location("results_page", DOCS / "results_page.py")
    sys.modules["results_page"] = found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def result_of(results_page, **changes):
    found = results_page.Result(
        corpus="ToyCar",
        is_true=True,
        config="waspaa2019",
        system="paper",
        changes=[],
        seed=0,
        n_normal=10,
        n_anomalous=20,
        auc=[0.8, 0.7, 0.9],
        auc_of_means=0.81,
        auc_as_published=0.79,
        pauc_mcclish=[0.6, 0.5, 0.7],
        share_overlooked=0.25,
        auc_of_loudness=0.6,
        verdict="beats loudness",
        recipe="0" * 12,
        run="today",
        command="python docs/results.py --toy car",
    )
    return replace(found, **changes)


def test_the_true_row_has_a_toy_that_was_run_over_its_seeds_and_the_others_as_not_run(results_page):
    seeds = [result_of(results_page, seed=seed, auc_as_published=value) for seed, value in enumerate((0.78, 0.8))]
    text = results_page.page(seeds, {})

    assert "| this package, `paper`, the same figure as the paper | 0.790 ± 0.014 | not run | not run |" in text
    assert "Nobody who works on this package" not in text
    assert "    python docs/results.py --toy car" in text
    assert "Run: today, recipe 000000000000." in text


def test_without_a_run_on_the_archives_the_page_says_so(results_page):
    assert "Nobody who works on this package" in results_page.page([], {})


def test_rows_in_which_everything_is_1_are_a_sentence(results_page):
    perfect = {"auc": [1.0, 0.8, 1.0], "auc_of_means": 1.0, "auc_as_published": 1.0, "pauc_mcclish": [1.0, 0.7, 1.0]}
    other = {"is_true": False, "corpus": "mine", "config": "snr_minus_6db"}
    text = results_page.page([result_of(results_page, **perfect, **other, system="code")], {"mine": "About it."})
    both = results_page.page(
        [result_of(results_page, **perfect, **other, system="code"), result_of(results_page, **other)], {}
    )

    assert "All rows have 1.000 as every figure" in text
    assert "`code` at -6 dB" in text
    assert "About it." in text
    assert "| code |" not in text
    assert "All other rows have 1.000" in both
    assert "| paper | nothing | -6 dB | 1 | 0.800 [0.700, 0.900] |" in both


def test_a_later_result_replaces_only_that_of_the_same_system_corpus_and_seed(results_page):
    first = result_of(results_page)

    assert result_of(results_page, auc=[0.9, 0.8, 1.0]).key == first.key
    changes = ({"seed": 1}, {"changes": ["epochs 2"]}, {"config": "clean"}, {"corpus": "ToyTrain"}, {"is_true": False})
    assert len({first.key, *(result_of(results_page, **one).key for one in changes)}) == 6


def test_the_page_in_docs_is_made_of_the_data_beside_it(results_page):
    data = json.loads((DOCS / "results.json").read_text(encoding="utf-8"))
    made = results_page.page([results_page.Result(**one) for one in data["results"]], data["notes"])

    assert (DOCS / "results.md").read_text(encoding="utf-8") == made
