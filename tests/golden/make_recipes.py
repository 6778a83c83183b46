"""Write recipes.json: what each protocol makes of a tiny simulated corpus, so that a change of it is noticed.

python tests/golden/make_recipes.py

Only names and sizes of the simulated recordings count, which its seed fixes; a hash that differs means that published
recipes would, which CHANGELOG.md has to say.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.corpus.toys import TOYS, toy_named
from toyadmos_datasets.ingest import build_index
from toyadmos_datasets.planning import PROTOCOLS, PlanOptions, plan
from toyadmos_datasets.simulation import simulate
from toyadmos_datasets.values.recipe import Recipe

PLACE = Path(__file__).with_name("recipes.json")
SIZE = "tiny"

ASKED: dict[str, dict[str, Any]] = {
    "waspaa2019": {},
    "waspaa2019 faithful": {"faithful": True},
    "waspaa2019 as printed": {"as_printed": True},
    "basic": {"snrs_db": (6.0, -6.0), "channels": "all", "n_draws": 2},
    "basic validation": {"validation_share": 0.3, "channels": "stack", "snrs_db": (0.0,)},
    "leave-one-case-out": {"snrs_db": (0.0,), "adapt_events": 1},
    "noise-shift": {},
    "noise-aware": {"supplemental_events": 1},
    "few-shot": {"snrs_db": (0.0,)},
    "cnt-to-ind": {"snrs_db": (0.0,), "window_s": 2.0, "hop_s": 1.0},
    "dcase2020": {},
}
"""Protocol, with what tells its variants apart, to options."""


def recipes_of(index: pa.Table, toy: str) -> dict[str, Recipe]:
    """Plan everything that is for a toy; continuous recordings count as if machines always ran."""
    toys = {protocol.name: protocol.toys for protocol in PROTOCOLS}
    return {
        name: plan(index, PlanOptions(toy=toy, protocols=(name.partition(" ")[0],), seed=7, **asked))
        for name, asked in ASKED.items()
        if toy in toys[name.partition(" ")[0]]
    }


def described(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe's hash and counts as JSON values."""
    rows = zip(*(recipe.examples[name].to_pylist() for name in ("config", "split", "label")), strict=True)
    return {"sha256": recipe.sha256, "counts": {" ".join(key): n for key, n in Counter(rows).items()}}


def index_of_simulated(folder: Path, toy: str) -> pa.Table:
    """Simulate the corpus of a toy and list its recordings."""
    simulate(toy, folder / toy, size=SIZE, volumes=False)
    return build_index(open_source(folder / toy / "tree", toy).members())


def main() -> None:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for toy in (toy_named(one.name).name for one in TOYS):
            recipes = recipes_of(index_of_simulated(Path(folder), toy), toy)
            found[toy] = {name: described(recipe) for name, recipe in recipes.items()}
    PLACE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
