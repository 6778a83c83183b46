"""Odd headers of recordings whose sound is whole: how the store flags them, and how they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.signal.wav import QUIRKS
from toyadmos_datasets.values.source import MAX_EXAMPLES, Oddity

HEADER_FLAG: Final = "header:"
"""What the flags of the recording store begin with that are about a file's header and not about its sound."""


def header_flags(quirks: Sequence[str]) -> list[str]:
    """Return the flags by which the store keeps quirks of a header, such as ``header:riff_size``."""
    return [f"{HEADER_FLAG}{quirk}" for quirk in quirks]


def header_oddities(catalogue: pa.Table) -> tuple[Oddity, ...]:
    """Count the odd headers among recordings, in the order of `QUIRKS`.

    Args:
        catalogue: Columns `recording_id` and `flags`, as `read_catalogue` has them; the recordings that are told about.

    Returns:
        An oddity a quirk that there is, with the code ``header_riff_size`` and so on; its examples are recording_ids.
    """
    flags = catalogue["flags"].combine_chunks()
    rows = pa.table({"flag": pc.list_flatten(flags), "row": pc.list_parent_indices(flags)})
    found = []
    for quirk, what in QUIRKS.items():
        odd = rows.filter(pc.equal(rows["flag"], f"{HEADER_FLAG}{quirk}"))["row"]
        if len(odd):
            examples = sorted(catalogue["recording_id"].take(odd).to_pylist())[:MAX_EXAMPLES]
            found.append(Oddity(code=f"header_{quirk}", what=what, n=len(odd), examples=tuple(examples)))
    return tuple(found)
