"""What a source is made of, without audio: a file that a user can send to the authors of this package.

Its names are those of the recordings and of what lies beside them; where the source is, on which machine and whose,
is left out.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.errors import ToyAdmosError
from toyadmos_datasets.ingest.index_build import Indexed
from toyadmos_datasets.ingest.oddities import is_of_kind, seconds_of, usual_lengths
from toyadmos_datasets.ingest.source_findings import as_found
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.source import MAX_EXAMPLES, Source

REPORT_VERSION = 1
_N_NAMES = 3
"""Names of each kind."""
_MAX_FORMS = 100
_MAX_LENGTHS = 20
_KIND = ("case", "sound", "recording_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSize:
    """A part of an archive.

    Attributes:
        name: ``ToyTrain.7z.001``.
        n_bytes: Its size.
    """

    name: str
    n_bytes: Bytes


def source_report(indexed: Indexed, source: Source, volumes: Sequence[VolumeSize] = ()) -> dict[str, Any]:
    """Describe a source, as JSON values.

    Args:
        indexed: The index of the source, with what is wrong and what is odd.
        source: The source.
        volumes: The volumes that it consists of, if it does.
    """
    report: dict[str, Any] = {
        "report_version": REPORT_VERSION,
        "versions": {
            "toyadmos-datasets": importlib.metadata.version("toyadmos-datasets"),
            "pyarrow": pa.__version__,
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "kind": source.kind,
        "layout": {"blocks": _blocks(source), "volumes": [asdict(one) for one in volumes]},
        "as_found": as_found(indexed, source).as_json(),
        "lengths": _lengths(indexed.table),
        "names": _names(indexed.table),
        "name_forms": _name_forms(indexed.table),
        "problems": _problems(indexed.faults),
    }
    return {name: _without_places(value, source.location) for name, value in report.items()}


def _blocks(source: Source) -> dict[str, Any]:
    blocks = source.blocks()
    described: dict[str, Any] = {"n": len(blocks), "methods": dict(Counter(block.method for block in blocks))}
    for name in ("n_bytes", "n_packed_bytes"):
        sizes = np.array([getattr(block, name) for block in blocks], dtype=np.int64)
        described[name] = (
            {
                "least": int(sizes.min()),
                "median": float(np.median(sizes)),
                "most": int(sizes.max()),
                "sum": int(sizes.sum()),
            }
            if len(sizes)
            else None
        )
    return described


def _lengths(table: pa.Table) -> list[dict[str, Any]]:
    """Count the sizes of files of each kind, the most frequent first."""
    n_bytes = table["n_bytes"].to_numpy()
    found = []
    for usual in usual_lengths(table):
        sizes, counts = np.unique(n_bytes[is_of_kind(table, usual.kind)], return_counts=True)
        first = np.lexsort((sizes, -counts))[:_MAX_LENGTHS]
        frequent = [
            {"n_bytes": int(size), "duration_s": seconds_of(int(size)), "n": int(n)}
            for size, n in zip(sizes[first], counts[first], strict=True)
        ]
        found.append(asdict(usual) | {"n_different": len(sizes), "frequent": frequent})
    return found


def _names(table: pa.Table) -> list[dict[str, Any]]:
    """Return the first names of each kind."""
    kinds = table.group_by(_KIND).aggregate([("recording_id", "count")]).sort_by([(one, "ascending") for one in _KIND])
    found = []
    for kind in kinds.to_pylist():
        is_of = pc.and_(pc.equal(table["case"], kind["case"]), pc.equal(table["sound"], kind["sound"]))
        some = table.filter(pc.and_(is_of, pc.equal(table["recording_type"], kind["recording_type"])))
        first = some["member"].slice(0, _N_NAMES).to_pylist()
        found.append({one: kind[one] for one in _KIND} | {"n": kind["recording_id_count"], "examples": first})
    return found


def _name_forms(table: pa.Table) -> list[dict[str, Any]]:
    """Count names that differ in digits only, the most frequent first, each with its first recording."""
    forms = pc.replace_substring_regex(table["member"], "[0-9]", "#")
    counted = pa.table({"form": forms, "member": table["member"]}).group_by("form")
    rows = counted.aggregate([("member", "count"), ("member", "min")])
    rows = rows.sort_by([("member_count", "descending"), ("form", "ascending")]).slice(0, _MAX_FORMS).to_pylist()
    return [{"form": row["form"], "n": row["member_count"], "example": row["member_min"]} for row in rows]


def _problems(faults: Sequence[ToyAdmosError]) -> list[dict[str, Any]]:
    """Count what is wrong with names, by kind, each with its first files."""
    by_kind: dict[str, list[ToyAdmosError]] = {}
    for fault in faults:
        by_kind.setdefault(fault.what, []).append(fault)
    return [
        {
            "what": what,
            "n": len(some),
            "examples": [
                {"member": one.where, "expected": one.expected, "actual": one.actual} for one in some[:MAX_EXAMPLES]
            ],
        }
        for what, some in sorted(by_kind.items())
    ]


def _without_places(value: Any, location: str) -> Any:  # noqa: ANN401  # any JSON value
    """Return a JSON value whose texts name neither where the source is nor the user's home."""
    if isinstance(value, dict):
        return {name: _without_places(one, location) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_places(one, location) for one in value]
    if not isinstance(value, str):
        return value
    for place, shown in ((location, "SRC"), (str(Path.home()), "HOME")):
        if len(place) > 1:
            value = value.replace(place, shown)
    return value
