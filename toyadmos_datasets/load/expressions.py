"""Expressions of `datasets` for parts of splits, such as ``train[:10%]+test``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from toyadmos_datasets.errors import OptionError

if TYPE_CHECKING:
    from datasets import Dataset


def part_of(opened: Mapping[str, Dataset], asked: str) -> Dataset:
    """Cut and put together what an expression says.

    Raises:
        OptionError: It is none.
    """
    import datasets  # noqa: PLC0415  (takes a second)

    try:
        n_rows = {split: len(rows) for split, rows in opened.items()}
        pieces = datasets.ReadInstruction.from_spec(asked).to_absolute(n_rows)
    except (ValueError, AssertionError) as error:  # how datasets refuses what stands in the brackets
        raise OptionError(
            "This is not an expression for a split.",
            where="split",
            expected="train, train[:100], train[10%:20%], train+test and the like",
            actual=f"{asked}: {error}",
            remedy="See https://huggingface.co/docs/datasets/loading#slice-splits",
        ) from error
    parts = []
    for piece in pieces:
        rows = opened[piece.splitname]
        start, end = piece.from_ or 0, len(rows) if piece.to is None else piece.to
        parts.append(rows if (start, end) == (0, len(rows)) else rows.select(range(start, end)))
    return parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts, split=datasets.NamedSplit(asked))
