"""`toyadmos report DIR`: the content of a prepared dataset, to look at and listen to before training."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.damage import condition_text
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.escaping import shell_line
from toyadmos_datasets.reports.charts import Chart, histogram
from toyadmos_datasets.reports.clip_pairs import pairs_by_condition
from toyadmos_datasets.reports.html_page import Head, notes, write_page
from toyadmos_datasets.reports.level_section import LevelSection, level_section
from toyadmos_datasets.reports.page_commands import prepare_command
from toyadmos_datasets.reports.report_tables import Cell, Table
from toyadmos_datasets.reports.spectrograms import Pair, paired, shown_clips
from toyadmos_datasets.runs.feature_cache import rows_of
from toyadmos_datasets.units import format_bytes, format_duration
from toyadmos_datasets.values.columns import LABELS
from toyadmos_datasets.values.manifest import Manifest
from toyadmos_datasets.values.shards import SplitOfConfig, open_split


def report_dataset(
    folder: Path, out: Path, progress: Progress | None = None, *, config: str | None = None, has_audio: bool = True
) -> list[Table]:
    """Write the report of one config of a prepared dataset, and return its tables.

    Args:
        folder: The prepared folder.
        out: The page.
        progress: Receives the progress.
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
    counts, conditions = _counts(tables), _conditions(joined, test.toy)
    levels = level_section(tables["test"], config=test.config, split="test")
    write_page(
        out,
        "dataset.html.j2",
        _head(test, joined, levels, out, has_audio=has_audio),
        {
            "counts": counts,
            "levels": levels,
            "histograms": _histograms(joined),
            "grid": _grid(test, tables["test"], has_audio=has_audio),
            "conditions": conditions,
            "facts": _facts(test),
        },
    )
    return [counts, conditions, *([levels.table] if levels.checks else [])]


def _head(test: SplitOfConfig, rows: pa.Table, levels: LevelSection, out: Path, *, has_audio: bool) -> Head:
    manifest, folder = test.manifest, test.folder
    duration_s, n_events = pc.sum(rows["duration_s"]).as_py(), pc.count_distinct(rows["event_id"]).as_py()
    n_bytes = sum(shard.n_bytes for some in manifest.configs[test.config].values() for shard in some)
    prepared = prepare_command(manifest, folder, test.config)
    audio = [] if has_audio else ["--no-audio"]
    written = shell_line("toyadmos", "report", folder, "--config", test.config, "-o", out, *audio)
    return Head(
        title=f"{test.toy}, {test.config}",
        verdict=levels.verdict if levels.checks else "The test split has clips of one label only.",
        totals=f"{len(rows)} clips of {n_events} events, {format_duration(duration_s)}, {format_bytes(n_bytes)}.",
        commands=[*([prepared] if prepared else []), written],
        notes=notes(is_simulated=bool(manifest.source.get("is_simulated", False)), has_audio=has_audio),
        kind="dataset",
        datasets=[manifest.recipe_sha256],
    )


def _counts(tables: dict[str, pa.Table]) -> Table:
    found: list[list[Cell]] = []
    for split, table in tables.items():
        rows = table.select(["label", "event_id", "duration_s"]).to_pylist()
        for label, name in enumerate(LABELS):
            mine = [row for row in rows if row["label"] == label]
            if mine:
                minutes = sum(row["duration_s"] for row in mine) / 60
                events = {row["event_id"] for row in mine}
                found.append([split, name, len(mine), len(events), f"{minutes:.1f}"])
    return Table(name="counts", heading=("split", "label", "clips", "events", "minutes"), rows=found)


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


def _conditions(table: pa.Table, toy: str) -> Table:
    counts = Counter(table["condition"].to_pylist())
    ordered = sorted(counts, key=lambda one: (one != "normal", one))
    rows = [[condition, condition_text(toy, condition), counts[condition]] for condition in ordered]
    return Table(name="conditions", heading=("condition", "what it is", "clips"), rows=rows)


def _grid(test: SplitOfConfig, rows: pa.Table, *, has_audio: bool) -> list[tuple[str, list[Pair]]]:
    """Show some clips of each condition, each beside a normal one."""
    by_condition = pairs_by_condition(rows)
    chosen = {one for pairs in by_condition.values() for pair in pairs for one in pair.rows}
    shown = shown_clips(test, chosen, has_audio=has_audio)
    toy = test.toy
    return [
        (f"{condition}: {condition_text(toy, condition)}", paired(pairs, shown))
        for condition, pairs in by_condition.items()
    ]


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
