"""Checks of the samples: identical clips, silence, clipping, and whether loudness alone separates the labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.audit_clips import TEST, Listen, Listener, located, with_families
from toyadmos_datasets.auditing.findings import Count, Findings, LevelCheck, Severity
from toyadmos_datasets.auditing.split_check import pairs_of
from toyadmos_datasets.scores.metrics import auc
from toyadmos_datasets.signal.landmarks import SAME_FROM, correlation
from toyadmos_datasets.values.columns import LABELS

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
    grouped = with_families(clips)
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


TELLING = 0.75
"""From this AUC on, by the better direction, loudness alone says enough of the label to be told."""

_FLAGS: dict[str, tuple[Severity, str]] = {
    "silent": ("note", "A clip is quieter than -60 dB re full scale."),
    "clipped": ("note", "A clip has samples at full scale, as its recording may have."),
    "dc": ("note", "A clip has a mean further than 1 % of full scale from zero."),
}


def check_sounds(clips: pa.Table, findings: Findings) -> None:
    """Find clips that cannot be decoded, that occur twice in a config, or that something is odd about."""
    for row in clips.filter(clips["fault"].is_valid()).to_pylist():
        findings.add("problem", "A clip cannot be decoded.", located(row, row["fault"]))
    decoded = clips.filter(clips["digest"].is_valid())
    # Equal zeros prove nothing; where no sample was heard, a hash alone tells.
    sounding = decoded.filter(pc.fill_null(pc.greater(decoded["peak"], 0), fill_value=True))
    for how, configs, places, is_leak in _identical(sounding):
        where = "on two sides" if is_leak else "in a config more than once"
        findings.add("leak" if is_leak else "problem", f"Identical audio stands {where}{how}.", f"{configs}: {places}")
    odd = decoded.filter(pc.greater(pc.fill_null(pc.list_value_length(decoded["flags"]), 0), 0))
    for row in odd.select(["config", "place", "flags", "peak", "level_db", "noise_recording_ids"]).to_pylist():
        said = located(row, f"{row['level_db']:.1f} dB, peak {row['peak']:.4f}")
        for flag in row["flags"]:
            severity, what = _FLAGS[flag]
            if flag == "silent" and row["peak"] == 0:
                severity, what = "problem", "A clip is digital silence."
            elif flag == "clipped" and row["noise_recording_ids"]:
                severity, what = "problem", "A mixture has samples at full scale."
            findings.add(severity, what, said)


def _identical(clips: pa.Table) -> Iterator[tuple[str, str, str, bool]]:
    """Yield every sound that is there twice: how, in which configs, where, and whether on two sides.

    In one config that is one clip too many. Two configs that differ in noise alone may have a clip in common, but not
    on two sides.
    """
    known: set[tuple[str, str]] = set()
    grouped = with_families(clips)
    for unit, how in (("config", ""), ("family", ", in two configs that differ in noise alone")):
        lists = [(name, "list") for name in ("config", "place", "split")]
        found = grouped.group_by([unit, "digest"], use_threads=False).aggregate(lists)
        for row in found.filter(pc.greater(pc.list_value_length(found["place_list"]), 1)).to_pylist():
            configs, is_leak = tuple(dict.fromkeys(row["config_list"])), len(set(row["split_list"])) > 1
            if how and (not is_leak or any((config, row["digest"]) in known for config in configs)):
                continue
            known |= {(config, row["digest"]) for config in configs if is_leak}
            pairs = zip(row["place_list"], row["split_list"], strict=True)
            yield how, " and ".join(configs), " = ".join(f"{place} ({split})" for place, split in pairs), is_leak


def count_clips(clips: pa.Table, findings: Findings) -> tuple[Count, ...]:
    """Count by config, split, label and case, and find a test split that lacks one of the classes."""
    keys = ["config", "split", "label", "case"]
    labelled = clips.set_column(clips.column_names.index("label"), "label", pc.fill_null(clips["label"], "unknown"))
    counted = labelled.group_by(keys, use_threads=False).aggregate(
        [("place", "count"), ("event_id", "count_distinct"), ("duration_s", "sum")]
    )
    counts = tuple(
        Count(
            config=row["config"],
            split=row["split"],
            label=row["label"],
            case=row["case"],
            n_clips=row["place_count"],
            n_events=row["event_id_count_distinct"] or None,
            duration_s=row["duration_s_sum"],
        )
        for row in counted.to_pylist()
    )
    for config in dict.fromkeys(one.config for one in counts):
        labels = {one.label for one in counts if one.config == config and one.split == TEST}
        if labels and not {"normal", "anomalous"} <= labels and "unknown" not in labels:
            missing = {"normal", "anomalous"} - labels
            findings.add("problem", f"The test split has no {' and no '.join(sorted(missing))} clip.", config)
    return counts


def check_levels(clips: pa.Table, findings: Findings) -> tuple[LevelCheck, ...]:
    """Tell how well the level alone separates the labels, in every split that has both."""
    checks = []
    decoded = clips.filter(pc.and_(clips["level_db"].is_valid(), pc.is_in(clips["label"], value_set=pa.array(LABELS))))
    for config, split in dict.fromkeys(zip(*(decoded[name].to_pylist() for name in ("config", "split")), strict=True)):
        mine = decoded.filter(pc.and_(pc.equal(decoded["config"], config), pc.equal(decoded["split"], split)))
        levels = mine["level_db"].to_numpy()
        is_anomalous = pc.equal(mine["label"], "anomalous").to_numpy()
        if not 0 < np.count_nonzero(is_anomalous) < len(levels):
            continue
        check = LevelCheck(
            config=config,
            split=split,
            n_normal=int(np.count_nonzero(~is_anomalous)),
            n_anomalous=int(np.count_nonzero(is_anomalous)),
            normal_db=float(np.median(levels[~is_anomalous])),
            anomalous_db=float(np.median(levels[is_anomalous])),
            auc=auc(is_anomalous, levels),
            auc_within=_auc_within(mine, levels, is_anomalous),
        )
        checks.append(check)
        if check.separation >= TELLING:
            aucs = f"{check.auc:.3f}, within a case and channel {check.auc_within:.3f}"
            what = "Loudness alone tells much of the label; a system has to beat that."
            findings.add("note", what, f"{config}, {split}: AUC of level alone {aucs}")
    return tuple(checks)


def _auc_within(clips: pa.Table, levels: npt.NDArray[np.float64], is_anomalous: npt.NDArray[np.bool_]) -> float:
    """Return the share of pairs of one case and channel in which the anomalous clip is louder; 0.5 without pairs."""
    known = [clips[name].to_pylist() for name in ("case", "channel") if name in clips.column_names]
    groups = np.array([repr(one) for one in zip(*known, strict=True)] or [""] * len(clips))
    won, n_pairs = 0.0, 0
    for group in np.unique(groups):
        mine = groups == group
        n = int(np.count_nonzero(is_anomalous[mine]))
        pairs = n * (int(np.count_nonzero(mine)) - n)
        if pairs:
            won += pairs * auc(is_anomalous[mine], levels[mine])
            n_pairs += pairs
    return won / n_pairs if n_pairs else 0.5
