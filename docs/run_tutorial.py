"""Run the cells of docs/tutorial.ipynb without Jupyter, and keep what they give in the notebook.

    python docs/run_tutorial.py        in an empty folder: it writes data/ and runs/ there

Plots are kept as PNG of 64 colours at 70 dpi, so that the notebook stays small.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTEBOOK = Path(__file__).with_name("tutorial.ipynb")
DOTS_PER_INCH = 70
N_COLOURS = 64


def run_cells(cells: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Run the code cells in one namespace, and yield what each gives, as a notebook holds it.

    Args:
        cells: Cells of a notebook, of any type.
    """
    import matplotlib as mpl  # noqa: PLC0415  # its backend is chosen before anything is drawn
    import matplotlib.pyplot as plt  # noqa: PLC0415

    mpl.use("agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(one for one in cells if one["cell_type"] == "code"):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            value = _run("".join(cell["source"]), names, f"cell {number}")
        yield [
            *([_stream(printed.getvalue())] if printed.getvalue() else []),
            *map(_picture, map(plt.figure, plt.get_fignums())),
            *([] if value is None else [_result(value)]),
        ]
        plt.close("all")


def _run(source: str, names: dict[str, Any], where: str) -> object:
    """Run a cell; return the value of its last line, where that is an expression."""
    body = ast.parse(source, where).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), where, "exec"), names)  # noqa: S102  # the cells are our own
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), where, "eval"), names)  # noqa: S307  # the same


def _stream(text: str) -> dict[str, Any]:
    return {"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}


def _result(value: object) -> dict[str, Any]:
    data = {"text/plain": [repr(value)]}
    return {"data": data, "execution_count": None, "metadata": {}, "output_type": "execute_result"}


def _picture(figure: Figure) -> dict[str, Any]:
    from PIL import Image  # noqa: PLC0415  # of the extra `report`, as matplotlib

    drawn, written = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    Image.open(drawn).convert("RGB").quantize(N_COLOURS).save(written, format="png", optimize=True)
    data = {"image/png": base64.b64encode(written.getvalue()).decode()}
    return {"data": data, "metadata": {}, "output_type": "display_data"}


def main() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    code = [one for one in notebook["cells"] if one["cell_type"] == "code"]
    for cell, outputs in zip(code, run_cells(code), strict=True):
        cell["outputs"] = outputs
        print(len(json.dumps(outputs)), "bytes of outputs")
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
