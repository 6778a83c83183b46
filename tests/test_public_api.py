"""What `import toyadmos_datasets` offers: names that are there, cost nothing and mean the same always."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest
from wording import refused

import toyadmos_datasets
from toyadmos_datasets import baseline

TREE = ast.parse(Path(toyadmos_datasets.__file__).read_text(encoding="utf-8"))


def run(code: str) -> object:
    """Run code in a fresh interpreter; return what it prints, as JSON."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)


def names_for_type_checkers() -> dict[str, str]:
    """Read the imports under TYPE_CHECKING: name -> where it is from."""
    (block,) = (node for node in TREE.body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("name", toyadmos_datasets.__all__)
def test_every_public_name_is_there(name):
    assert getattr(toyadmos_datasets, name) is getattr(toyadmos_datasets, name)
    assert name in dir(toyadmos_datasets)


def test_type_checkers_see_the_same_names_from_the_same_places():
    lazy = {name: f"toyadmos_datasets.{place}:{name}" for name, place in toyadmos_datasets._PLACES.items()}

    assert names_for_type_checkers() == lazy
    assert {*lazy, "ToyAdmosError", "__version__"} == set(toyadmos_datasets.__all__)


def test_a_name_is_what_its_place_says():
    for name, place in toyadmos_datasets._PLACES.items():
        meant = getattr(importlib.import_module(f"toyadmos_datasets.{place}"), name)

        assert getattr(toyadmos_datasets, name) is meant


@pytest.mark.parametrize("name", baseline.__all__)
def test_every_public_name_of_the_baseline_is_there(name):
    assert name in repr(getattr(baseline, name)) or name.lower() == getattr(baseline, name).name


def test_no_public_name_is_that_of_a_submodule():
    folder = Path(toyadmos_datasets.__file__).parent
    submodules = {path.stem for path in folder.iterdir()}

    assert submodules & set(toyadmos_datasets.__all__) == set()
    assert "jobs" in submodules


def test_the_version_is_the_installed_one():
    assert toyadmos_datasets.__version__ == importlib.metadata.version("toyadmos-datasets")


def test_an_unknown_name_is_an_attribute_error():
    with refused(AttributeError):
        _ = toyadmos_datasets.load_datasets


def test_importing_and_listing_load_nothing():
    heavy = ["numpy", "pyarrow", "datasets", "soundfile", "importlib.metadata", "toyadmos_datasets.loading"]
    code = f"""
import json, sys
before = set(sys.modules)
import toyadmos_datasets
listed = "load_dataset" in dir(toyadmos_datasets) and "__version__" in dir(toyadmos_datasets)
print(json.dumps([listed, sorted((set(sys.modules) - before) & set({heavy!r}))]))
"""

    assert run(code) == [True, []]


def test_parsing_a_name_needs_nothing_heavy():
    code = """
import json, sys
from toyadmos_datasets import format_name, parse_name
name = parse_name("1101010001_ToyCar_case1_ab01_IND_ch1_0001.wav")
print(json.dumps([name.condition, format_name(name), "numpy" in sys.modules]))
"""

    assert run(code) == ["ab01", "1101010001_ToyCar_case1_ab01_IND_ch1_0001.wav", False]


def test_a_submodule_that_is_imported_first_hides_nothing():
    code = """
import json
import toyadmos_datasets.jobs.prepare, toyadmos_datasets.loading, toyadmos_datasets.verifying
names = [name for name in toyadmos_datasets.__all__ if type(getattr(toyadmos_datasets, name)).__name__ == "module"]
print(json.dumps(names))
"""

    assert run(code) == []
