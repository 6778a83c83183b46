"""What a source is made of, without audio: a file that a user can send to the authors of this package.

Its names are those of the recordings and of what lies beside them; where the source is, on which machine and whose,
is left out.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.names import NOISE
from toyadmos_datasets.corpus.toys import ALL_CASES, CHANNELS, RecordingType, Sound
from toyadmos_datasets.corpus.volumes import RecordingCount, recording_counts
from toyadmos_datasets.errors import ToyAdmosError
from toyadmos_datasets.ingest.index_build import IncompleteEvent, Indexed, missing_channels
from toyadmos_datasets.ingest.oddities import is_of_kind, oddity_lines, seconds_of, usual_lengths
from toyadmos_datasets.values.source import MAX_EXAMPLES, Oddity, Source

_SHOWN_EXAMPLES = 3
_SHOWN_MISSING = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class KindCount:
    """How many takes of one kind there are, and how many were published.

    Attributes:
        case: Number of the case; 0 for noise that is published for all cases together.
        sound: ``normal``, ``anomalous`` or ``noise``.
        recording_type: ``IND`` or ``CNT``.
        n_takes: Takes in the source, whatever their channels. Noise of several cases counts for each of them.
        n_by_channel: Takes that each of the microphones 1 to 4 has recorded.
        n_published: Takes in the corpus as published, on each microphone.
    """

    case: int
    sound: Sound
    recording_type: RecordingType
    n_takes: int
    n_by_channel: tuple[int, ...]
    n_published: int

    @property
    def is_whole(self) -> bool:
        """Whether no take is missing on any microphone."""
        return min(self.n_by_channel) >= self.n_published

    @property
    def missing(self) -> tuple[str, ...]:
        """What is missing, found of expected: a text for all channels that lack the same."""
        if self.is_whole:
            return ()
        if len(set(self.n_by_channel)) == 1:
            return (f"{self.name}: {self.n_by_channel[0]} of {self.n_published} takes",)
        lacking: dict[int, list[str]] = {}
        for channel, n in zip(CHANNELS, self.n_by_channel, strict=True):
            if n < self.n_published:
                lacking.setdefault(n, []).append(str(channel))
        return tuple(
            f"{self.name}, {'channel' if len(channels) == 1 else 'channels'} {', '.join(channels)}: "
            f"{n} of {self.n_published} takes"
            for n, channels in lacking.items()
        )

    @property
    def name(self) -> str:
        """What it is called: ``case 1, normal IND``."""
        return f"{f'case {self.case}' if self.case else 'all cases'}, {self.sound} {self.recording_type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AsFound:
    """What a source holds, beside what was published.

    Attributes:
        toy: ``ToyTrain``.
        is_simulated: Whether its recordings were synthesised by this package; no count was published then.
        n_recordings: Recordings in it.
        counts: Takes of each kind that was published, in the table's order.
        incomplete: Events that lack a channel which the source has for others.
        oddities: What is not as published, and is read all the same.
    """

    toy: str
    is_simulated: bool
    n_recordings: int
    counts: tuple[KindCount, ...]
    incomplete: tuple[IncompleteEvent, ...]
    oddities: tuple[Oddity, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """What is missing of the published corpus; nothing where the source is simulated."""
        return () if self.is_simulated else tuple(text for count in self.counts for text in count.missing)

    @property
    def n_published(self) -> int:
        """Recordings of the toy as published."""
        return len(CHANNELS) * sum(count.n_published for count in self.counts)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self) | {"missing": list(self.missing)}

    def lines(self) -> list[str]:
        """Return it as text, a few lines."""
        return ["As found:", *(f"  {line}" for line in self._lines())]

    def _lines(self) -> Iterator[str]:
        if self.is_simulated:
            yield f"{self.n_recordings} recordings, simulated: not compared with published counts"
        else:
            n_whole = sum(count.is_whole for count in self.counts)
            of = f"{self.n_recordings} recordings of {self.n_published} published"
            yield f"{of}; {n_whole} of {len(self.counts)} kinds are complete"
            yield from (f"missing: {text}" for text in self.missing[:_SHOWN_MISSING])
            if len(self.missing) > _SHOWN_MISSING:
                yield f"missing: and {len(self.missing) - _SHOWN_MISSING} more; --json lists them"
            for count in self.counts:
                if max(count.n_by_channel) > count.n_published:
                    yield f"more than published: {count.name}: {count.n_takes}, not {count.n_published} takes"
        if self.incomplete:
            first = self.incomplete[0]
            lacks = ", ".join(map(str, first.missing_channels))
            yield f"{len(self.incomplete)} events lack a channel, such as {first.event_id}: channel {lacks}"
        yield from tolerated_lines(self.oddities)


def tolerated_lines(oddities: tuple[Oddity, ...]) -> list[str]:
    """Return what was tolerated as text: each oddity with its first examples."""
    if not oddities:
        return ["tolerated: nothing was odd"]
    return [
        f"{'tolerated: ' if place == 0 else '  '}{line}"
        for oddity in oddities
        for place, line in enumerate(oddity_lines(oddity, _SHOWN_EXAMPLES))
    ]


def as_found(indexed: Indexed, source: Source) -> AsFound:
    """Compare what a source holds with what was published.

    Args:
        indexed: The index of the source, and what is odd.
        source: The source.
    """
    return AsFound(
        toy=source.toy,
        is_simulated=source.is_simulated,
        n_recordings=len(indexed.table),
        counts=_counts(indexed.table, source.toy),
        incomplete=missing_channels(indexed.table),
        oddities=indexed.oddities,
    )


def _counts(table: pa.Table, toy: str) -> tuple[KindCount, ...]:
    return tuple(_counted(table, one) for one in recording_counts(toy))


def _counted(table: pa.Table, published: RecordingCount) -> KindCount:
    """Count the takes of a kind by channel; a take that two files stand for counts once."""
    found = table.filter(pa.array(_is_of(table, published)))
    events = found.group_by(["event_id", "channel"]).aggregate([])
    channel = events["channel"].to_numpy()
    return KindCount(
        case=published.case,
        sound=published.sound,
        recording_type=published.recording_type,
        n_takes=pc.count_distinct(events["event_id"]).as_py(),
        n_by_channel=tuple(int((channel == one).sum()) for one in CHANNELS),
        n_published=published.n_takes,
    )


def _is_of(table: pa.Table, published: RecordingCount) -> npt.NDArray[np.bool_]:
    is_sound = pc.equal(table["sound"], published.sound)
    is_type = pc.equal(table["recording_type"], published.recording_type)
    found: npt.NDArray[np.bool_] = pc.and_(is_sound, is_type).to_numpy()
    if published.sound == NOISE:
        return _serving(table, published.case, found)
    found &= table["case"].to_numpy() == published.case
    return found


def _serving(table: pa.Table, case: int, is_noise: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell which noise serves a case: its own, or if it has none, that of no case; all noise serves `ALL_CASES`."""
    if case == ALL_CASES:
        return is_noise
    several = table["serves"].combine_chunks()
    is_own: npt.NDArray[np.bool_] = is_noise & (table["case"].to_numpy() == case)
    is_own[pc.list_parent_indices(several).filter(pc.equal(pc.list_flatten(several), case)).to_numpy()] = True
    names_none: npt.NDArray[np.bool_] = is_noise & (table["case"].to_numpy() == ALL_CASES)
    names_none &= pc.equal(pc.list_value_length(several), 0).to_numpy(zero_copy_only=False)
    return is_own if is_own.any() else names_none


REPORT_VERSION = 1
_N_NAMES = 3
"""Names of each kind."""
_MAX_FORMS = 100
_MAX_LENGTHS = 20
_KIND = ("case", "sound", "recording_type")


def describe_source(indexed: Indexed, source: Source) -> dict[str, Any]:
    """Describe a source, as JSON values.

    Args:
        indexed: The index of the source, with what is wrong and what is odd.
        source: The source.
    """
    volumes = [{"name": one.path.name, "n_bytes": one.n_bytes} for one in source.volume_files]
    report: dict[str, Any] = {
        "report_version": REPORT_VERSION,
        "versions": {
            "toyadmos-datasets": importlib.metadata.version("toyadmos-datasets"),
            "pyarrow": pa.__version__,
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "kind": source.kind,
        "layout": {"blocks": _blocks(source), "volumes": volumes},
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
