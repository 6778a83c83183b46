"""`toyadmos report DIR`: what a prepared dataset holds, to be looked at and listened to before anything is trained."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from toyadmos_datasets.baseline.clips import SplitOfConfig, open_split
from toyadmos_datasets.baseline.frames import featured
from toyadmos_datasets.baseline.presets import PAPER
from toyadmos_datasets.baseline.report import LICENCE, SIMULATED
from toyadmos_datasets.baseline.spectrogram import picture, player, shades_of, spectrum_of
from toyadmos_datasets.corpus.damage import damage_of
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.files.atomic import write_text
from toyadmos_datasets.pages.charts import histogram
from toyadmos_datasets.pages.page import facts_table, figure, paragraph, rows_table, section, whole_page
from toyadmos_datasets.signal.metrics import auc


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
    train = open_split(folder, config, "train")
    test = open_split(folder, train.config, "test")
    manifest = train.manifest
    is_simulated = bool(manifest.source.get("is_simulated", False))
    tables = {split.split: featured(split, PAPER, progress).rows for split in (train, test)}
    joined = pa.concat_tables(tables.values())
    sections = [
        *([paragraph(SIMULATED, "note")] if is_simulated else []),
        *([paragraph(LICENCE, "note")] if has_audio and not is_simulated else []),
        section("What there is", rows_table(["split", "label", "clips", "events", "minutes"], _counts(tables))),
        section("Levels and SNR", _level_check(tables["test"]), f'<div class="pair">{_histograms(joined)}</div>'),
        section("A clip of each condition", _grid(test, has_audio=has_audio)),
        section("Conditions", rows_table(["condition", "damage", "clips"], _conditions(joined, manifest.toy))),
        section("What it was made of", facts_table(_facts(train))),
    ]
    write_text(out, whole_page(f"{manifest.toy}, {train.config}", sections))


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


def _level_check(test: pa.Table) -> str:
    labels = test["label"].to_numpy()
    if not 0 < labels.sum() < len(labels):
        return ""
    found = auc(labels, test["level_db"].to_numpy())
    text = (
        f"The level of a clip alone tells damage from normal in the test split with an AUC of {found:.3f} "
        f"({max(found, 1 - found):.3f} by its better direction): what any system has to beat."
    )
    return paragraph(text)


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
            shown.append(figure(histogram(groups, name), f"Both splits: {name}."))
    return "".join(shown)


def _conditions(table: pa.Table, toy: str) -> list[list[str]]:
    counts = Counter(table["condition"].to_pylist())
    found = []
    for condition in sorted(counts, key=lambda one: (one != "normal", one)):
        states = damage_of(toy, condition).by_part
        damaged = [f"{part}: {states[part]}" for part in damage_of(toy, condition).damaged_parts]
        found.append([condition, "; ".join(damaged).replace("_", " ") or "none", str(counts[condition])])
    return found


def _grid(test: SplitOfConfig, *, has_audio: bool) -> str:
    first: dict[str, dict[str, Any]] = {}
    for row in test.rows():
        first.setdefault(row["condition"], row)
    ordered = [first[name] for name in sorted(first, key=lambda one: (one != "normal", one))]
    spectra = [spectrum_of(row) for row in ordered]
    shades = shades_of(spectra)
    cells = []
    for row, spectrum in zip(ordered, spectra, strict=True):
        name = f"{row['condition']}, case {row['case']}"
        parts = "; ".join(row["damaged_parts"]).replace("_", " ") or "no damage"
        shown = picture(spectrum, shades, f"Log-mel spectrogram of {row['event_id']}, 0 to 8 kHz")
        sound = player(row["audio"], f"Play {row['event_id']}") if has_audio else ""
        cells.append(f'<div class="clip"><h3>{name}</h3><p class="dim">{parts}</p>{shown}{sound}</div>')
    return f'<div class="grid-of">{"".join(cells)}</div>'


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
