"""What the samples tell: identical clips, silence, clipping, and whether loudness alone gives the label away."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.audit_clips import TEST, family_of
from toyadmos_datasets.auditing.findings import Count, Findings, LevelCheck, Severity
from toyadmos_datasets.scores.metrics import auc
from toyadmos_datasets.values.manifest import LABELS

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
        findings.add("problem", "A clip cannot be decoded.", f"{row['config']}, {row['place']}: {row['fault']}")
    decoded = clips.filter(clips["digest"].is_valid())
    # Equal zeros prove nothing; where no sample was heard, a hash alone tells.
    sounding = decoded.filter(pc.fill_null(pc.greater(decoded["peak"], 0), fill_value=True))
    for how, configs, places, is_leak in _identical(sounding):
        where = "on two sides" if is_leak else "in a config more than once"
        findings.add("leak" if is_leak else "problem", f"Identical audio stands {where}{how}.", f"{configs}: {places}")
    odd = decoded.filter(pc.greater(pc.fill_null(pc.list_value_length(decoded["flags"]), 0), 0))
    for row in odd.select(["config", "place", "flags", "peak", "level_db", "noise_recording_ids"]).to_pylist():
        said = f"{row['config']}, {row['place']}: {row['level_db']:.1f} dB, peak {row['peak']:.4f}"
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
    families = pa.array([family_of(one) for one in clips["config"].to_pylist()], pa.string())
    grouped = clips.append_column("family", families)
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
