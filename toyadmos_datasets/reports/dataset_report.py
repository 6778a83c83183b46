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
from toyadmos_datasets.escaping import html_text
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.reports.charts import histogram
from toyadmos_datasets.reports.html_page import facts_table, figure, paragraph, rows_table, section, whole_page
from toyadmos_datasets.reports.level_section import level_section
from toyadmos_datasets.reports.run_report import LICENCE, SIMULATED
from toyadmos_datasets.reports.spectrograms import picture, place_of, player, shades_of, spectrum_of
from toyadmos_datasets.signal.logmel import FloatArray
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
    is_simulated = bool(manifest.source.get("is_simulated", False))
    splits = [open_split(folder, test.config, name) for name in manifest.configs[test.config]]
    tables = {split.split: rows_of(split, progress) for split in splits}
    joined = pa.concat_tables(tables.values())
    sections = [
        *([paragraph(SIMULATED, "note")] if is_simulated else []),
        *([paragraph(LICENCE, "note")] if has_audio and not is_simulated else []),
        section("What there is", rows_table(["split", "label", "clips", "events", "minutes"], _counts(tables))),
        level_section(tables["test"], config=test.config, split="test"),
        section("Levels, SNR and lengths of all splits", f'<div class="pair">{_histograms(joined)}</div>'),
        section("Clips of each condition", _grid(test, has_audio=has_audio)),
        section("Conditions", rows_table(["condition", "what it is", "clips"], _conditions(joined, manifest.toy))),
        section("What it was made of", facts_table(_facts(test))),
    ]
    write_text(out, whole_page(f"{manifest.toy}, {test.config}", sections))


def _counts(tables: dict[str, pa.Table]) -> list[list[str]]:
    found = []
    for split, table in tables.items():
        rows = table.select(["label", "event_id", "duration_s"]).to_pylist()
        for label, name in enumerate(("normal", "anomalous")):
            mine = [row for row in rows if row["label"] == label]
            if mine:
                minutes = sum(row["duration_s"] for row in mine) / 60
                events = {row["event_id"] for row in mine}
                found.append([split, name, str(len(mine)), str(len(events)), f"{minutes:.1f}"])
    return found


def _histograms(table: pa.Table) -> str:
    labels = table["label"].to_numpy()
    shown = []
    for column, name in (
        ("level_db", "level, dB re full scale"),
        ("snr_achieved_db", "SNR as achieved, dB"),
        ("duration_s", "length, s"),
    ):
        values = np.array([np.nan if one is None else one for one in table[column].to_pylist()], dtype=np.float64)
        groups = [
            (kind, kind, values[(labels == label) & np.isfinite(values)])
            for label, kind in enumerate(("normal", "anomalous"))
        ]
        groups = [group for group in groups if len(group[2])]
        if groups:
            shown.append(figure(histogram(groups, name), f"All splits: {name}."))
    return "".join(shown)


def _conditions(table: pa.Table, toy: str) -> list[list[str]]:
    counts = Counter(table["condition"].to_pylist())
    ordered = sorted(counts, key=lambda one: (one != "normal", one))
    return [[condition, condition_text(toy, condition), str(counts[condition])] for condition in ordered]


def _grid(test: SplitOfConfig, *, has_audio: bool) -> str:
    """Draw some clips of each condition side by side; the first can be played."""
    by_condition: dict[str, list[dict[str, Any]]] = {}
    for row in test.rows():
        some = by_condition.setdefault(row["condition"], [])
        if len(some) < N_A_CONDITION:
            some.append(row)
    names = sorted(by_condition, key=lambda one: (one != "normal", one))
    spectra = {name: [spectrum_of(row) for row in by_condition[name]] for name in names}
    shades = shades_of([one for some in spectra.values() for one in some])
    return "".join(_condition(by_condition[name], spectra[name], shades, has_audio=has_audio) for name in names)


def _condition(
    rows: list[dict[str, Any]], spectra: list[FloatArray], shades: tuple[float, float], *, has_audio: bool
) -> str:
    first = rows[0]
    words = condition_text(first["toy"], first["condition"]) if first["damaged_parts"] else "no damage"
    cells = []
    for number, (row, spectrum) in enumerate(zip(rows, spectra, strict=True)):
        shown = picture(spectrum, shades, f"Log-mel spectrogram of {row['event_id']}, 0 to 8 kHz")
        sound = player(row["audio"], f"Play {row['event_id']}") if has_audio and number == 0 else ""
        cells.append(f'<div class="clip"><p class="dim">{html_text(place_of(row))}</p>{shown}{sound}</div>')
    heading = html_text(f"{first['condition']}: {words}")
    return f'<h3>{heading}</h3><div class="grid-of">{"".join(cells)}</div>'


def _facts(split: SplitOfConfig) -> dict[str, str]:
    manifest = split.manifest
    return {
        "dataset": str(split.folder),
        "recipe": f"sha256 {manifest.recipe_sha256}",
        "configs": ", ".join(manifest.configs),
        "headroom": f"{manifest.headroom_db:g} dB",
        "asked for": ", ".join(f"{name} = {value}" for name, value in manifest.request.items()),
        "versions": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
    }
