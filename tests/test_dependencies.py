"""What the project declares is what its files import, and what they import is declared."""

from __future__ import annotations

import ast
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_metadata import PROJECT, ROOT, normal

from toyadmos_datasets.files.installing import NEEDED

PACKAGE = "toyadmos_datasets"

EXTRA_CODE = {
    "train": (
        "baseline/autoencoder.py",
        "baseline/band_errors.py",
        "baseline/detector.py",
        "baseline/fitting.py",
        "baseline/reconstruction.py",
        "baseline/residuals.py",
        "baseline/training_loop.py",
        "loading/torch_batches.py",
        "runs/checkpoint.py",
        "runs/network_run.py",
        "runs/thread_count.py",
    ),
    "dask": ("engine/dask_cluster.py",),
    "ray": ("engine/ray_cluster.py",),
    "report": ("reports/spectrograms.py", "reports/paper_figures.py"),
}
"""What of the package may import what an extra brings."""

USERS = {"test": "tests", "docs": "docs", "examples": "docs/examples"}
"""Who imports what an extra brings that is not for the package."""

NEVER_IMPORTED = {
    "s3fs": "fsspec loads it for addresses s3://",
    "pytest-xdist": "a plugin of pytest",
    "mypy": "a command",
    "mkdocs-material": "a theme of MkDocs",
    "mkdocstrings": "a plugin of MkDocs",
    "ruff": "a command",
}

ONLY_WHERE_INSTALLED = {"moto", "werkzeug", "torchcodec", "lhotse"}
"""What tests and benchmarks compare with, where somebody has it."""


def names_of(requirements: list[str]) -> set[str]:
    """Return the distributions that requirements name, but for this one."""
    names = {normal(one.split("[")[0].split(">")[0].split("<")[0].split("=")[0].strip()) for one in requirements}
    return names - {PROJECT["name"]}


CORE = names_of(PROJECT["dependencies"])
EXTRAS = {extra: names_of(requirements) for extra, requirements in PROJECT["optional-dependencies"].items()}
HOMES = importlib.metadata.packages_distributions()


def modules_in(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in it, those that it names to import included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if ast.unparse(node.func).endswith(
                ("import_module", "importorskip")
            ):
                yield name


def imported_by(*paths: Path) -> set[str]:
    """Return the distributions whose modules files import; a module of none by its own name."""
    heads = {name.partition(".")[0] for path in paths for name in modules_in(path)}
    known = {
        path.stem
        for folder in ("tests", "tests/support", "benchmarks", "docs")
        for path in (ROOT / folder).glob("*.py")
    }
    others = heads - sys.stdlib_module_names - known - {PACKAGE, "_typeshed", ""}
    return {normal(HOMES.get(head, [head])[0]) for head in others}


def of_package(extra: str | None) -> list[Path]:
    """Return the modules that may import what an extra brings; for None those that may import no extra's."""
    root = ROOT / PACKAGE
    owner = dict.fromkeys(root.rglob("*.py"))
    for name, places in EXTRA_CODE.items():
        owner |= {path: name for path in owner if path.relative_to(root).as_posix().startswith(places)}
    return [path for path, name in owner.items() if name == extra]


def test_the_package_imports_what_a_plain_install_brings_and_all_of_that():
    assert imported_by(*of_package(None)) == CORE


@pytest.mark.parametrize("extra", sorted(EXTRA_CODE))
def test_an_extra_of_the_package_brings_what_its_modules_import_and_nothing_else(extra):
    assert imported_by(*of_package(extra)) - CORE == EXTRAS[extra]
    assert {normal(package) for package in NEEDED[extra].values()} == EXTRAS[extra]


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - EXTRA_CODE.keys()))
def test_an_extra_for_others_brings_only_what_they_import(extra):
    users = imported_by(*(ROOT / USERS[extra]).rglob("*.py")) if extra in USERS else set()

    assert EXTRAS[extra] - users - NEVER_IMPORTED.keys() == set()
    assert not EXTRAS[extra] & CORE


@pytest.mark.parametrize("folder", ["tests", "docs", "benchmarks"])
def test_nothing_is_imported_that_is_not_declared(folder):
    declared = CORE.union(*EXTRAS.values())

    assert imported_by(*(ROOT / folder).rglob("*.py")) - declared - ONLY_WHERE_INSTALLED == set()


def test_an_import_that_is_not_declared_would_be_noticed(tmp_path):
    (tmp_path / "late.py").write_text("def late():\n    import numpy.linalg, pandas\n")

    assert imported_by(tmp_path / "late.py") == {"numpy", "pandas"}
