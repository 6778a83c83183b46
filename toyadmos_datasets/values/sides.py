"""What configs and splits may be called: their names become parts of paths, wherever a recipe comes from."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

SIDE = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""Letters, digits, ``_``, ``.`` and ``-``, and neither a dot nor a dash at the start."""


def unusable_side(examples: pa.Table) -> str | None:
    """Return the first config or split of a recipe's rows whose name cannot be a part of a path, or None."""
    names = [name for column in ("config", "split") for name in pc.unique(examples[column]).to_pylist()]
    return next((name for name in names if not re.fullmatch(SIDE, name)), None)
