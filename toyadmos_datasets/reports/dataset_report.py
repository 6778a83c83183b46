"""`toyadmos report DIR`: what a prepared dataset holds, to be looked at and listened to before anything is trained."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from toyadmos_datasets.baseline.frames import rows_of
from toyadmos_datasets.corpus.damage import condition_text
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.reports.charts import Chart, histogram
from toyadmos_datasets.reports.html_page import notes, page
from toyadmos_datasets.reports.level_section import level_section
from toyadmos_datasets.reports.spectrograms import ShownClip, shades_of, shown_clip, spectrum_of
from toyadmos_datasets.values.manifest import LABELS, Manifest
from toyadmos_datasets.values.shards import SplitOfConfig, open_split

N_A_CONDITION = 3
"""Clips shown of each condition; one of them with its sound, which is what a page grows by."""


def report_dataset(
    folder: Path, out: Path, progress: Progress | None = None, *, config: str | None = None, has_audio: bool = True
) -> None:
    """Write the report of one config of a prepared dataset.

    Args:
        folder: The prepared folder.
        out: The page.
        progress: Who listens.
        config: Config; None for the first.
        has_audio: Whether the clips can be played.

    Raises:
        DatasetError: There is no prepared dataset, or it is damaged.
        OptionError: It has no such config.
    """
    test = open_split(folder, config, "test")
    manifest = test.manifest
    splits = [open_split(folder, test.config, name) for name in manifest.configs[test.config]]
    tables = {split.split: rows_of(split, progress) for split in splits}
    joined = pa.concat_tables(tables.values())
    html = page(
        "dataset.html.j2",
        f"{manifest.toy}, {test.config}",
        notes=notes(is_simulated=bool(manifest.source.get("is_simulated", False)), has_audio=has_audio),
        counts=_counts(tables),
        levels=level_section(tables["test"], config=test.config, split="test"),
        histograms=_histograms(joined),
        grid=_grid(test, has_audio=has_audio),
        conditions=_conditions(joined, manifest.toy),
        facts=_facts(test),
    )
    write_text(out, html)


def _counts(tables: dict[str, pa.Table]) -> list[list[str]]:
    found = []
    for split, table in tables.items():
        rows = table.select(["label", "event_id", "duration_s"]).to_pylist()
        for label, name in enumerate(LABELS):
            mine = [row for row in rows if row["label"] == label]
            if mine:
                minutes = sum(row["duration_s"] for row in mine) / 60
                events = {row["event_id"] for row in mine}
                found.append([split, name, str(len(mine)), str(len(events)), f"{minutes:.1f}"])
    return found


def _histograms(table: pa.Table) -> list[Chart]:
    labels = table["label"].to_numpy()
    shown = []
    for column, name in (
        ("level_db", "level, dB re full scale"),
        ("snr_achieved_db", "SNR as achieved, dB"),
        ("duration_s", "length, s"),
    ):
        values = np.array([np.nan if one is None else one for one in table[column].to_pylist()], dtype=np.float64)
        by_label = [(kind, values[(labels == label) & np.isfinite(values)]) for label, kind in enumerate(LABELS)]
        groups = [group for group in by_label if len(group[1])]
        if groups:
            shown.append(histogram(groups, name))
    return shown


def _conditions(table: pa.Table, toy: str) -> list[list[str]]:
    counts = Counter(table["condition"].to_pylist())
    ordered = sorted(counts, key=lambda one: (one != "normal", one))
    return [[condition, condition_text(toy, condition), str(counts[condition])] for condition in ordered]


def _grid(test: SplitOfConfig, *, has_audio: bool) -> list[tuple[str, list[ShownClip]]]:
    """Show some clips of each condition side by side; the first can be played."""
    by_condition: dict[str, list[dict[str, Any]]] = {}
    for row in test.rows():
        some = by_condition.setdefault(row["condition"], [])
        if len(some) < N_A_CONDITION:
            some.append(row)
    names = sorted(by_condition, key=lambda one: (one != "normal", one))
    spectra = {name: [spectrum_of(row) for row in by_condition[name]] for name in names}
    shades = shades_of([one for some in spectra.values() for one in some])
    shown = []
    for name in names:
        clips = [
            shown_clip(row, spectrum, shades, has_audio=has_audio and number == 0)
            for number, (row, spectrum) in enumerate(zip(by_condition[name], spectra[name], strict=True))
        ]
        words = clips[0].state if by_condition[name][0]["damaged_parts"] else "no damage"
        shown.append((f"{name}: {words}", clips))
    return shown


def _facts(split: SplitOfConfig) -> dict[str, str]:
    manifest = split.manifest
    return {
        "dataset": str(split.folder),
        "recipe": f"sha256 {manifest.recipe_sha256}",
        "configs": ", ".join(manifest.configs),
        "headroom": _headroom(manifest, split.config),
        "asked for": ", ".join(f"{name} = {value}" for name, value in manifest.request_of(split.config).items()),
        "versions": ", ".join(f"{name} {version}" for name, version in manifest.versions_of(split.config).items()),
    }


def _headroom(manifest: Manifest, config: str) -> str:
    mine_db = manifest.headroom_of(config)
    others = [one for one in manifest.audio_configs if manifest.headroom_of(one) != mine_db]
    differing = f"; levels differ from those of {', '.join(others)}, which have another" if others else ""
    return f"{mine_db:g} dB{differing}"
