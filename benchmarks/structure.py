"""How large is the package, how is it knit together, and how many of its files does one `prepare` enter?

Method: the files of a checkout are counted and their imports read, also those inside functions and for types alone.
Then `toyadmos prepare` runs with one worker on a simulated corpus, and a profile hook notes each file of the package
with a function that was called. Nothing is timed, so one round says all.

    python benchmarks/structure.py                   this checkout
    python benchmarks/structure.py --against DIR     and another one beside it
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from corpora import Bench, bench_from_arguments

from toyadmos_datasets.corpus.toys import toy_named

PACKAGE = "toyadmos_datasets"
HERE = Path(__file__).resolve().parent.parent
SHORT = 70
"""Lines below which a module is called short."""

_TRACE = """
import sys, threading
trace, *words = sys.argv[1:]
entered = set()
def note(frame, event, _arg):
    if event == "call" and frame.f_code.co_name != "<module>":
        entered.add(frame.f_code.co_filename)
sys.setprofile(note)
threading.setprofile(note)
from toyadmos_datasets.cli import main
try:
    sys.argv = ["toyadmos", *words]
    main()
finally:
    sys.setprofile(None)
    with open(trace, "w") as file:
        file.write("\\n".join(sorted(entered)))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What a checkout looks like.

    Attributes:
        files: Modules of the package.
        lines: Their lines.
        code_lines: Of these, lines that are neither empty nor a comment nor in a docstring.
        short_modules: Modules below `SHORT` lines.
        arrows: Pairs of rooms (names at the package's top) of which one imports the other.
        circles: Groups of modules that import each other round about, for types too.
        modules_in_circles: Modules in them.
        entered: Modules that one `prepare` from a tree enters.
    """

    files: int
    lines: int
    code_lines: int
    short_modules: int
    arrows: int
    circles: int
    modules_in_circles: int
    entered: int


def main() -> None:
    with bench_from_arguments(__doc__ or "", n_rounds=1, can_compare=True) as bench:
        tree = bench.corpus("tree")
        checkouts = {"this checkout": HERE, **({"before": bench.against.resolve()} if bench.against else {})}
        found = {name: asdict(structure_of(checkout, tree, bench)) for name, checkout in checkouts.items()}
    print(f"| | {' | '.join(found)} |")
    print(f"|{' --- |' * (len(found) + 1)}")
    for fact in Structure.__dataclass_fields__:
        print(f"| {fact.replace('_', ' ')} | {' | '.join(str(one[fact]) for one in found.values())} |")


def structure_of(checkout: Path, tree: Path, bench: Bench) -> Structure:
    """Count and trace one checkout."""
    root = checkout / PACKAGE
    texts = {name_of(root, path): path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))}
    imports = {name: set(imports_of(name, text, texts)) for name, text in texts.items()}
    rooms = {(room(name), room(other)) for name, others in imports.items() for other in others}
    circles = [group for group in strongly_connected(imports) if len(group) > 1]
    return Structure(
        files=len(texts),
        lines=sum(len(text.splitlines()) for text in texts.values()),
        code_lines=sum(code_lines(text) for text in texts.values()),
        short_modules=sum(len(text.splitlines()) < SHORT for name, text in texts.items() if text),
        arrows=sum(above != below and PACKAGE not in {above, below} for above, below in rooms),
        circles=len(circles),
        modules_in_circles=sum(map(len, circles)),
        entered=len(entered_by_prepare(checkout, tree, bench)),
    )


def name_of(root: Path, path: Path) -> str:
    """Return a module's dotted name."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(name: str) -> str:
    """Return the name at the package's top that a module belongs to."""
    return ".".join(name.split(".")[1:2]) or PACKAGE


def imports_of(name: str, text: str, known: dict[str, str]) -> Iterator[str]:
    """Yield the package's modules that a module imports, wherever the import stands."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                targets = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                targets = [f"{module}.{alias.name}" for alias in names]
            case _:
                continue
        for target in targets:
            module = target if target in known else target.rpartition(".")[0]
            if module in known and module != name:
                yield module


def strongly_connected(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            groups.append(stack[at:])
            del stack[at:]

    for node in graph:
        if node not in index:
            visit(node)
    return groups


def code_lines(text: str) -> int:
    """Count lines with code: no empty ones, comments or docstrings."""
    without = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            without.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(), start=1)
    return sum(
        number not in without and bool(line.strip()) and not line.lstrip().startswith("#") for number, line in lines
    )


def entered_by_prepare(checkout: Path, tree: Path, bench: Bench) -> set[str]:
    """Run a first `toyadmos prepare` from a tree, and return the files of the package with a function that ran."""
    with bench.fresh() as folder:
        trace = folder / "trace.txt"
        words = ["prepare", "--toy", toy_named(bench.toy).name, "--source", str(tree), "--out", str(folder / "out")]
        command = [sys.executable, "-c", _TRACE, str(trace), *words, "--cache", str(folder / "cache"), "--workers", "1"]
        subprocess.run(
            command, check=True, env={**os.environ, "PYTHONPATH": str(checkout)}, cwd=folder, capture_output=True
        )
        root = f"{checkout / PACKAGE}{os.sep}"
        return {line for line in trace.read_text().splitlines() if line.startswith(root)}


if __name__ == "__main__":
    main()
