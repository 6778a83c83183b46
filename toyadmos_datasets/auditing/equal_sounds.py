"""Sounds that are one recording although their names differ: found by their marks, proved by correlation."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.audit_clips import family_of, path_of, row_of
from toyadmos_datasets.auditing.content_check import pairs_of
from toyadmos_datasets.auditing.findings import Findings, Severity
from toyadmos_datasets.errors import WavError
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.signal.clip_codec import decode_pcm
from toyadmos_datasets.signal.landmarks import SAME_FROM, correlation
from toyadmos_datasets.values.shards import row_of_shard

Mono = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Decodes a part of a clip, by the clip's place.

    Attributes:
        root: What the places are in.
        is_dataset: Whether that is a prepared folder; else one of audio files.
    """

    root: Path
    is_dataset: bool

    def part(self, clips: pa.Table, part: str) -> Callable[[int], Mono | None]:
        """Return what gives the first channel of ``target`` or ``noise``, by the clip's row in a table."""
        places = clips["place"]

        def listen(row: int) -> Mono | None:
            """Decode one clip; None where it is no longer there."""
            try:
                return self._samples(places[row].as_py(), part)
            except (WavError, OSError) as error:
                raise_shortage(error, self.root)
                return None

        return listen

    def _samples(self, place: str, part: str) -> Mono | None:
        if not self.is_dataset:
            with (self.root / path_of(place)).open("rb") as file:
                return decode_pcm(file, name=place).samples[:, 0]
        path, number = row_of(place)
        row = row_of_shard(self.root / path, number, (part, "audio"))
        sound = row.get(part) or (row["audio"] if part == "target" else None)
        return decode_pcm(io.BytesIO(sound["bytes"]), name=place).samples[:, 0] if sound else None


Listen: TypeAlias = Callable[[int], npt.NDArray[np.integer] | None]
"""Gives the sound of a clip by its row, mono, or None where it cannot be had again."""

Side: TypeAlias = tuple[int, int, int]
"""Numbers of a group, of a side in it, and of a name."""

_TRIED = 8
_KEPT_SOUNDS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Two clips of one sound.

    Attributes:
        one: Row of the first.
        other: Row of the second.
        shift: Where in the first the second begins, samples.
        correlation: Of the two where they overlap.
    """

    one: int
    other: int
    shift: int
    correlation: float


def alike_in(  # what is compared, and how, in one call
    clips: pa.Table, part: str, columns: Sequence[str], name: str, listen: Listen, *, across: bool = False
) -> Iterator[Alike]:
    """Find sounds of one group that have different names; yield a proven pair for each two names and sides.

    Args:
        clips: Clips with sketches.
        part: ``target`` or ``noise``.
        columns: The columns of the group and of the side: only clips of one group are compared.
        name: The column of the name: what it says to be one sound is not compared.
        listen: Gives a clip's sound again.
        across: Whether only clips of two sides are compared.
    """
    hear = lru_cache(_KEPT_SOUNDS)(listen)
    for votes in _candidates(clips, part, columns, name, across=across):
        for (one, other, shift), _ in votes.most_common(_TRIED):
            sounds = hear(one), hear(other)
            if sounds[0] is None or sounds[1] is None:
                continue
            reached = correlation(sounds[0], sounds[1], shift)
            if reached > SAME_FROM:
                yield Alike(one=one, other=other, shift=shift, correlation=reached)
                break


def _candidates(
    clips: pa.Table, part: str, columns: Sequence[str], name: str, *, across: bool
) -> Iterator[Counter[tuple[int, int, int]]]:
    """Yield, for each two sides and names that have marks in common, the pairs of clips and shifts that marks say."""
    rows, marks = pairs_of(clips[f"{part}_marks"])
    places = pairs_of(clips[f"{part}_places"])[1].to_numpy()
    group, side, names = (_codes(clips[column]) for column in (*columns, name))
    order = np.argsort(marks.to_numpy(), kind="stable")
    values = marks.to_numpy()[order]
    rows, places = rows[order], places[order]
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1])) if len(values) else np.empty(0, np.int64)
    ends = np.append(starts[1:], len(values))
    found: dict[tuple[Side, Side], Counter[tuple[int, int, int]]] = defaultdict(Counter)
    for start, end in _of_several(starts, ends, group[rows], names[rows]):
        first: dict[Side, tuple[int, int]] = {}
        for row, at in zip(rows[start:end].tolist(), places[start:end].tolist(), strict=True):
            first.setdefault((group[row], side[row], names[row]), (row, at))
        for (one, here), (other, there) in combinations(sorted(first.items()), 2):
            if one[0] == other[0] and one[2] != other[2] and not (across and one[1] == other[1]):
                found[one, other][here[0], there[0], here[1] - there[1]] += 1
    yield from found.values()


def _of_several(
    starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], *codes: npt.NDArray[np.int64]
) -> Iterator[tuple[int, int]]:
    """Yield the runs in which one group has several names: few, where nothing is there twice."""
    group, names = codes
    if not len(starts):
        return
    differs = np.maximum.reduceat(names, starts) != np.minimum.reduceat(names, starts)
    for start, end in zip(starts[differs].tolist(), ends[differs].tolist(), strict=True):
        both = set(zip(group[start:end].tolist(), names[start:end].tolist(), strict=True))
        if len(both) > len({one for one, _ in both}):
            yield start, end


def _codes(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    codes: npt.NDArray[np.int64] = encoded.indices.to_numpy().astype(np.int64)
    return codes


def check_alike(
    clips: pa.Table, findings: Findings, listener: Listener, *, sharing_noise: Collection[str] = ()
) -> None:
    """Find sounds that stand under two names: on two sides, and in one split.

    Args:
        clips: As `with_events` returns them.
        findings: Where to put what is found.
        listener: Gives their sound again.
        sharing_noise: Configs whose splits were asked to share their noise.
    """
    families = pa.array([family_of(one) for one in clips["config"].to_pylist()], pa.string())
    grouped = clips.append_column("family", families)
    for part, sound in (("target", "The sound of a machine"), ("noise", "A stretch of noise")):
        for alike in alike_in(grouped, part, ("family", "split"), f"{part}_content", listener.part(clips, part)):
            one, other = (clips.slice(row, 1).to_pylist()[0] for row in (alike.one, alike.other))
            if one["digest"] == other["digest"]:
                continue  # told as identical audio
            is_asked = part == "noise" and {one["config"], other["config"]} <= set(sharing_noise)
            is_apart = one["split"] != other["split"]
            severity: Severity = "note" if not is_apart else "problem" if is_asked else "leak"
            where = f"stands on two sides{', as was asked for' if is_asked else ''}" if is_apart else "is there twice"
            configs = " and ".join(dict.fromkeys((one["config"], other["config"])))
            said = f"{_side(one, part)} = {_side(other, part)}, correlation {alike.correlation:.4f}"
            findings.add(severity, f"{sound} {where}, under two names.", f"{configs}: {said}")


def _side(row: Mapping[str, Any], part: str) -> str:
    return f"{row[f'{part}_content']} in {row['split']} ({row['place']})"
