"""Two files that stand for one recording."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.name_errors import ignoring, showable
from toyadmos_datasets.errors import IndexConflictError

_EVENTS_APART = 16
"""More than the highest channel, so that event and channel make one number."""


def conflicts_among(table: pa.Table) -> list[IndexConflictError]:
    """Return an error for every file whose recording another file stands for too.

    Args:
        table: `INDEX_SCHEMA`, sorted.
    """
    ids = table["recording_id"].combine_chunks()
    found = _repeated(table, _folded(ids), "have the same identifier")
    event = pc.dictionary_encode(table["event_id"].combine_chunks()).indices.to_numpy()
    place = pa.array(event.astype(np.int64) * _EVENTS_APART + table["channel"].to_numpy())
    found = _repeated(table, place, "are the same channel of one event") | found
    return [found[number] for number in sorted(found)]


def _repeated(table: pa.Table, identities: pa.Array, what: str) -> dict[int, IndexConflictError]:
    counts = identities.value_counts()
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if not len(repeated):
        return {}
    rows = np.flatnonzero(pc.is_in(identities, value_set=repeated).to_numpy(zero_copy_only=False)).tolist()
    first: dict[object, int] = {}
    found = {}
    for row, identity in zip(rows, identities.take(pa.array(rows)).to_pylist(), strict=True):
        earlier = first.setdefault(identity, row)
        if earlier != row:
            path, other = (showable(table["member"][one].as_py()) for one in (row, earlier))
            found[row] = IndexConflictError(
                f"Two files {what}.",
                where=path,
                expected="one file for each recording",
                actual=f"{other} as well",
                remedy="Move one of the two out of the source, or leave it out: the same command with "
                f"{ignoring(path.rpartition('/')[2])}",
            )
    return found


def _folded(recording_ids: pa.Array) -> pa.Array:
    """Make identifiers equal that some file systems cannot hold side by side."""
    lower = pc.utf8_lower(recording_ids)
    odd = np.flatnonzero(pc.invert(pc.string_is_ascii(recording_ids)).to_numpy(zero_copy_only=False))
    if not len(odd):
        return lower
    folded = [unicodedata.normalize("NFC", one).casefold() for one in recording_ids.take(pa.array(odd)).to_pylist()]
    is_odd = np.zeros(len(recording_ids), dtype=np.bool_)
    is_odd[odd] = True
    return pc.replace_with_mask(lower, pa.array(is_odd), pa.array(folded, pa.string()))
