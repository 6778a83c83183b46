"""Plain tables: columns in line, visible characters, nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from toyadmos_datasets.escaping import escaped


def table_lines(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows under their names; columns of numbers to the right."""
    rows = [[escaped(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [names, *rows]) for i in range(len(names))]
    is_number = [bool(rows) and all(row[i][:1].isdigit() for row in rows) for i in range(len(names))]

    def line(cells: Sequence[str]) -> str:
        """Align one row."""
        aligned = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, is_number, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return [line(names), *(line(row) for row in rows)]
