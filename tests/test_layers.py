"""The layer rule of docs/design.md, held by reading every import and every call in the package."""

from __future__ import annotations

import ast
import graphlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import pytest

import toyadmos_datasets

PACKAGE = "toyadmos_datasets"

LAYER_ZERO = ("errors", "escaping", "units")
AT_START_UP = (*LAYER_ZERO, "registration")
"""What the package's own `__init__` may import at once."""

LAYER_ONE_ORDER = ("files", "corpus", "options", "signal", "scores", "engine", "values")
"""Layer 1, lowest first: each may import those before it, so no circle can arise."""
STAGES = (
    "archives",
    "ingest",
    "planning",
    "rendering",
    "loading",
    "simulation",
    "sharing",
    "auditing",
    "exporting",
)
COMPOSITIONS = ("jobs", "verifying")
"""Rooms that put stages together, and know nothing of each other."""
LAYER_THREE = ("builder", "baseline", "runs", "reports")
API, CLI = "api", "cli"

_ONE = {*LAYER_ZERO, *LAYER_ONE_ORDER}
_TWO = {*_ONE, *STAGES, *COMPOSITIONS}

MAY_IMPORT: dict[str, set[str]] = {
    **{name: set(LAYER_ZERO) - {name} for name in LAYER_ZERO},
    "registration": set(),  # of the package itself: it waits for datasets, and knows a module by its name
    **{name: {*LAYER_ZERO, *takewhile(name.__ne__, LAYER_ONE_ORDER)} for name in LAYER_ONE_ORDER},
    **dict.fromkeys(STAGES, _ONE),
    **{name: {*_ONE, *STAGES} for name in COMPOSITIONS},
    "builder": _TWO,
    "baseline": _TWO,
    "runs": {*_TWO, "baseline"},
    "reports": {*_TWO, "baseline", "runs"},
    API: {*_TWO, *LAYER_THREE},
    CLI: {*_TWO, *LAYER_THREE},
}
"""Which of the package's top-level names each may import, besides itself."""

TERMINAL = ("typer", "rich", "click")
TRAINING = ("torch", "torchaudio", "torchcodec")
NETWORK = (
    "aiohttp",
    "http.client",
    "httpx",
    "httpx2",
    "huggingface_hub",
    "requests",
    "socket",
    "ssl",
    "urllib.request",
    "urllib3",
)
ONLY_IN: dict[str, set[str]] = {
    **{module: {CLI} for module in TERMINAL},
    **{module: {"baseline", "runs", "loading/torch_batches.py"} for module in TRAINING},
    **{module: {"archives", "sharing"} for module in NETWORK},
}
"""Modules of others that only some may import: whole packages, or a single file."""

TERMINAL_CALLS = {"print", "input", "exit", "quit", "sys.exit", "os._exit", "SystemExit"}
OWN_WORKERS = {("engine", "os._exit")}
"""A worker process ends itself when its driver was killed; that is no exit of the user's process."""
TERMINAL_STREAMS = {"sys.stdout", "sys.stderr", "sys.exit"}
BARS_IN_PYTHON = {(API, "sys.stderr")}
"""The one exception to a library that never prints; they are switched off as those of datasets are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported dotted name, and whether importing the module is enough to run it."""

    target: str
    line: int
    at_top: bool


def violations(root: Path) -> list[str]:
    """Every break of the rule in a package, as ``file:line: sentence``."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        owner = "" if parts == ("__init__",) else parts[0]
        shown = path.relative_to(root).as_posix()
        if owner and owner not in MAY_IMPORT:
            found.append(f"{shown}:1: '{owner}' is in no layer")
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        package = (root.name, *parts[:-1])
        for line, sentence in (*broken_imports(tree, owner, package, shown), *broken_calls(tree, owner)):
            found.append(f"{shown}:{line}: {sentence}")
    return found


def broken_imports(tree: ast.Module, owner: str, package: tuple[str, ...], shown: str) -> Iterator[tuple[int, str]]:
    for one in imports_of(tree, package):
        head, _, rest = one.target.partition(".")
        if head == PACKAGE:
            sentence = inside(owner, rest.partition(".")[0], at_top=one.at_top)
        else:
            sentence = outside(owner, one.target, shown)
        if sentence:
            yield one.line, sentence


def inside(owner: str, name: str, *, at_top: bool) -> str | None:
    """Say what is wrong with importing a name of the package, or nothing."""
    if name in {owner, "__version__"}:
        return None
    if not owner:  # the package's own __init__ hands names out lazily
        if at_top and name not in AT_START_UP:
            return f"the package imports '{name or PACKAGE}' at start-up"
        return "the package imports 'cli'" if name == CLI else None
    if name not in MAY_IMPORT:
        return f"'{owner}' imports '{name}' from the package itself: it stands above every layer"
    return None if name in MAY_IMPORT[owner] else f"'{owner}' imports '{name}'"


def outside(owner: str, target: str, shown: str) -> str | None:
    """Say what is wrong with importing a module of others, or nothing."""
    for module, allowed in ONLY_IN.items():
        if (target == module or target.startswith(f"{module}.")) and not {owner, shown} & allowed:
            return f"'{owner or PACKAGE}' imports '{module}', which belongs to {' and '.join(sorted(allowed))}"
    return None


def imports_of(tree: ast.Module, package: tuple[str, ...]) -> Iterator[Import]:
    """All imports, also those inside functions, under TYPE_CHECKING and by import_module with a literal."""
    at_top = set(map(id, top_level(tree)))
    for node in ast.walk(tree):
        for target in targets_of(node, package):
            yield Import(target=target, line=getattr(node, "lineno", 0), at_top=id(node) in at_top)


def targets_of(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            above = package[: len(package) - level + 1] if level else ()
            base = ".".join((*above, *([module] if module else [])))
            return [f"{base}.{alias.name}" for alias in names]
        case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if dotted(func).endswith(
            ("import_module", "__import__")
        ):
            return [".".join(package) + name if name.startswith(".") else name]
    return []


def top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes that run when the module is imported: neither in a function nor under TYPE_CHECKING."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            only_for_types = isinstance(child, ast.If) and dotted(child.test).endswith("TYPE_CHECKING")
            if not only_for_types and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                waiting.append(child)


def broken_calls(tree: ast.Module, owner: str) -> Iterator[tuple[int, str]]:
    """Find what prints or exits, outside the one place that may."""
    if owner == CLI:
        return
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func) if dotted(func) in TERMINAL_CALLS and (owner, dotted(func)) not in OWN_WORKERS:
                yield node.lineno, f"'{owner or PACKAGE}' calls {dotted(func)}()"
            case ast.Attribute() if (
                dotted(node) in TERMINAL_STREAMS - TERMINAL_CALLS and (owner, dotted(node)) not in BARS_IN_PYTHON
            ):
                yield node.lineno, f"'{owner or PACKAGE}' uses {dotted(node)}"
            case ast.ImportFrom(module="sys", names=names):
                for alias in names:
                    if f"sys.{alias.name}" in TERMINAL_STREAMS:
                        yield node.lineno, f"'{owner or PACKAGE}' uses sys.{alias.name}"


def dotted(node: ast.expr) -> str:
    """Write a chain of attributes as ``a.b.c``; anything else is empty."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr) if dotted(value):
            return f"{dotted(value)}.{attr}"
    return ""


def test_the_package_holds_the_layer_rule():
    found = violations(Path(toyadmos_datasets.__file__).parent)

    assert found == []


def modules() -> dict[str, ast.Module]:
    """All modules of the package by their dotted names."""
    root = Path(toyadmos_datasets.__file__).parent
    names = {path: path.relative_to(root.parent).with_suffix("").parts for path in root.rglob("*.py")}
    return {
        ".".join(parts[:-1] if parts[-1] == "__init__" else parts): ast.parse(path.read_text(encoding="utf-8"))
        for path, parts in names.items()
    }


def test_no_modules_import_each_other_round_about_not_even_for_types():
    trees = modules()
    graph = graphlib.TopologicalSorter()
    for name, tree in trees.items():
        package = tuple(name.split(".")) if name.rpartition(".")[0] == "" else tuple(name.split(".")[:-1])
        for one in imports_of(tree, package):
            target = one.target if one.target in trees else one.target.rpartition(".")[0]
            if target in trees and target != name:
                graph.add(name, target)

    graph.prepare()  # raises CycleError, which names the circle


def test_no_two_modules_have_one_name():
    names = Counter(name.rpartition(".")[2] for name in modules())

    assert [name for name, n in names.items() if n > 1] == []


def test_no_two_public_classes_have_one_name():
    names = Counter(
        node.name
        for tree in modules().values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )

    assert [name for name, n in names.items() if n > 1] == []


def test_the_order_inside_layer_one_is_the_documented_one():
    below = {"errors", "escaping", "units", "files", "corpus", "options", "signal", "scores", "engine"}
    assert MAY_IMPORT["values"] == below
    assert MAY_IMPORT["files"] == {"errors", "escaping", "units"}


def test_no_two_names_may_import_each_other():
    both_ways = [
        (above, below)
        for above, allowed in MAY_IMPORT.items()
        for below in allowed
        if above in MAY_IMPORT[below] and above not in LAYER_ZERO
    ]

    assert both_ways == []


def package_with(root: Path, path: str, code: str) -> Path:
    """Write a package of one module."""
    package = root / PACKAGE
    file = package / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code)
    return package


ALLOWED = [
    ("planning.py", "from toyadmos_datasets.values.index import INDEX_SCHEMA"),
    ("planning/draw.py", "from toyadmos_datasets.planning.split import split"),
    ("planning/draw.py", "from .split import split\nfrom ..errors import PlanError"),
    ("planning/draw.py", "from . import split"),
    ("values/index.py", "from toyadmos_datasets.files.atomic import write_file"),
    ("jobs/prepare.py", "from toyadmos_datasets import planning, rendering"),
    ("jobs/prepare.py", "from toyadmos_datasets.jobs.sources import resolve_source"),
    ("builder/builder.py", "from toyadmos_datasets.jobs.prepare import prepare"),
    ("baseline/detector.py", "import torch.nn"),
    ("loading/torch_batches.py", "import torch"),
    ("archives/http.py", "import httpx\nfrom urllib.request import urlopen"),
    ("ingest.py", "from urllib.parse import quote"),
    ("cli/main.py", "import sys\nimport typer\nprint(1)\nsys.exit(2)"),
    ("__init__.py", "def __getattr__(name):\n    from toyadmos_datasets.loading import load_dataset"),
    ("__init__.py", "if TYPE_CHECKING:\n    from toyadmos_datasets.loading import load_dataset"),
    ("rendering.py", "print_rows()\nself.print\nconsole.exit()"),
]


@pytest.mark.parametrize(("path", "code"), ALLOWED)
def test_what_the_design_allows_passes(tmp_path, path, code):
    assert violations(package_with(tmp_path, path, code)) == []


FORBIDDEN = [
    ("planning.py", "from toyadmos_datasets.rendering import render", "'planning' imports 'rendering'"),
    ("planning/draw.py", "from ..rendering import render", "'planning' imports 'rendering'"),
    ("planning/draw.py", "from .. import rendering", "'planning' imports 'rendering'"),
    ("planning.py", "import toyadmos_datasets.cli", "'planning' imports 'cli'"),
    ("planning.py", "def late():\n    from toyadmos_datasets.loading import x", "'planning' imports 'loading'"),
    ("planning.py", "if TYPE_CHECKING:\n    from toyadmos_datasets.loading import x", "'planning' imports 'loading'"),
    ("planning.py", "importlib.import_module('toyadmos_datasets.loading')", "'planning' imports 'loading'"),
    ("planning.py", "from toyadmos_datasets.jobs.prepare import prepare", "'planning' imports 'jobs'"),
    (
        "planning.py",
        "from toyadmos_datasets import load_dataset",
        "'planning' imports 'load_dataset' from the package itself",
    ),
    ("files/atomic.py", "from toyadmos_datasets.values import index", "'files' imports 'values'"),
    ("engine/tasks.py", "from toyadmos_datasets.values import index", "'engine' imports 'values'"),
    ("corpus/names.py", "from toyadmos_datasets.ingest import x", "'corpus' imports 'ingest'"),
    ("errors.py", "from toyadmos_datasets.files.atomic import x", "'errors' imports 'files'"),
    ("planning.py", "import toyadmos_datasets.jobs.sources", "'planning' imports 'jobs'"),
    ("jobs/prepare.py", "import toyadmos_datasets.verifying", "'jobs' imports 'verifying'"),
    ("jobs/prepare.py", "import toyadmos_datasets.builder", "'jobs' imports 'builder'"),
    ("builder/b.py", "import toyadmos_datasets.baseline", "'builder' imports 'baseline'"),
    ("baseline/b.py", "from toyadmos_datasets.builder import b", "'baseline' imports 'builder'"),
    ("__init__.py", "from toyadmos_datasets.loading import load_dataset", "the package imports 'loading' at start-up"),
    ("__init__.py", "def main():\n    from toyadmos_datasets.cli import main", "the package imports 'cli'"),
    ("tools/x.py", "", "'tools' is in no layer"),
    ("oddments.py", "", "'oddments' is in no layer"),
    ("rendering.py", "import typer", "'rendering' imports 'typer', which belongs to cli"),
    (
        "rendering.py",
        "def late():\n    from rich.table import Table",
        "'rendering' imports 'rich', which belongs to cli",
    ),
    (
        "loading/prepared_dataset.py",
        "import torch",
        "'loading' imports 'torch', which belongs to baseline and loading/torch_batches.py",
    ),
    ("loading.py", "import requests", "'loading' imports 'requests', which belongs to archives and sharing"),
    ("loading.py", "from urllib import request", "'loading' imports 'urllib.request'"),
    ("loading.py", "import urllib.request as r", "'loading' imports 'urllib.request'"),
    ("files/lock.py", "import socket", "'files' imports 'socket'"),
    ("rendering.py", "print('done')", "'rendering' calls print()"),
    ("rendering.py", "import sys\nsys.exit(1)", "'rendering' calls sys.exit()"),
    ("rendering.py", "raise SystemExit(1)", "'rendering' calls SystemExit()"),
    ("rendering.py", "from sys import exit", "'rendering' uses sys.exit"),
    ("rendering.py", "import sys\nsys.stderr.write('x')", "'rendering' uses sys.stderr"),
]


@pytest.mark.parametrize(("path", "code", "sentence"), FORBIDDEN)
def test_what_the_design_forbids_is_found(tmp_path, path, code, sentence):
    found = violations(package_with(tmp_path, path, code))

    assert any(sentence in one for one in found), found
    assert all(one.startswith(f"{path}:") for one in found)
