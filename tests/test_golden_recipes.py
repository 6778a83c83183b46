"""What each protocol makes of a tiny simulated corpus is what it made of it when the golden file was written."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.ingest import build_index

MAKER = runpy.run_path(str(Path(__file__).parent / "golden" / "make_recipes.py"))
GOLDEN = json.loads(MAKER["PLACE"].read_text(encoding="utf-8"))


@pytest.mark.parametrize("toy", [toy.name for toy in TOYS])
def test_every_protocol_gives_the_recipe_that_it_gave(tmp_path, simulated, toy):
    if toy == "ToyTrain":
        index = build_index(open_source(simulated / "tree", toy).members())
    else:
        index = MAKER["index_of_simulated"](tmp_path, toy)

    found = {name: MAKER["described"](recipe) for name, recipe in MAKER["recipes_of"](index, toy).items()}

    assert found == GOLDEN[toy]
