"""One shard: its examples are mixed, encoded and written, a row group at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from toyadmos_datasets.corpus.damage import condition_text, damage_of
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.engine import Watch
from toyadmos_datasets.engine.arrow_memory import release_freed_memory
from toyadmos_datasets.errors import ClippingError, DatasetError
from toyadmos_datasets.files.atomic import HashedFile, write_file
from toyadmos_datasets.files.checked_json import write_json
from toyadmos_datasets.options.render_options import Encoding
from toyadmos_datasets.rendering.clip_memory import ClipColumn, Scratch
from toyadmos_datasets.rendering.mixing_rules import MixingRules
from toyadmos_datasets.signal.clip_codec import encode_stored
from toyadmos_datasets.signal.mixing import MixtureLevels, Stem, mix, mixture_levels, peak_of, quantise
from toyadmos_datasets.units import Bytes, Decibels
from toyadmos_datasets.values.columns import LABELS, STEMS, audio_columns, columns_of, dataset_schema
from toyadmos_datasets.values.manifest import Shard
from toyadmos_datasets.values.recording_store import RecordingReader

ROWS_A_SHARD = 256
"""About 50 MB of 11 s clips at 16 kHz: enough shards to share work, few enough to list."""

ROWS_A_GROUP = 32
"""About 6 MB: what a streaming reader fetches at least."""

_ONE_PAGE_BYTES: Bytes = 1 << 30
"""More than a row group has: its clips are one page."""

SNR_DECIMALS = 4

SNR_TOLERANCE_DB: Decibels = 0.01
"""How far a mixture's SNR may be from the one that was asked for: far more than rounding makes."""

_SAME = (
    "toy",
    "case",
    "channel",
    "recording_type",
    "condition",
    "take",
    "event_id",
    "draw",
    "recording_ids",
    "target_start",
    "noise_recording_ids",
    "noise_start",
    "n_samples",
    "target_gain_db",
    "noise_gain_db",
    "snr_db",
    "reference_level_db",
    "target_level_db",
    "target_active_level_db",
    "noise_level_db",
    "health",
    "recording_hashes",
    "noise_recording_hashes",
)
"""Columns that an example has before it is rendered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    """What it takes to render one shard, wherever that happens.

    Attributes:
        folder: Where shards are collected.
        path: The shard's place in the folder and in the dataset, forward slashes.
        config: Its config.
        split: Its split.
        examples: Its rows, as `resolve` gives them.
        catalogue: The recordings that they need.
        toy: ``ToyTrain``.
        schema_toy: The toy whose parts are columns; None for those of every toy.
        encoding: How audio is stored.
        rules: How recordings are put together and compared.
        stems: Whether the parts of each mixture are kept beside it.
        headroom_db: Attenuation of every example.
        is_clipping_error: Whether a sample past full scale is an error; it is counted otherwise.
        note: Where the finished shard's facts are noted, for a run that goes on from here.
    """

    folder: Path
    path: str
    config: str
    split: str
    examples: pa.Table
    catalogue: pa.Table
    toy: str
    schema_toy: str | None
    encoding: Encoding
    rules: MixingRules
    stems: bool
    headroom_db: Decibels
    is_clipping_error: bool
    note: Path


Integers = npt.NDArray[np.int16] | npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Example:
    """A mixed example.

    Attributes:
        samples: The mixture, integers of the encoding's width.
        n_clipped: How many of them are past full scale, and stand there.
        parts: Target and noise as mixed; none where stems are not kept, no noise where there is none.
        snr_achieved_db: SNR over the whole clip; None without noise.
        snr_active_db: SNR over the active frames; None without noise.
    """

    samples: Integers
    n_clipped: int
    parts: dict[str, Integers]
    snr_achieved_db: Decibels | None
    snr_active_db: Decibels | None


def render_shard(task: ShardTask, watch: Watch) -> Shard:
    """Write a shard and return its facts; nothing is left under its name if that fails.

    Raises:
        ClippingError: An example exceeds full scale and that is an error.
        DatasetError: The recordings are not those that were measured.
    """
    with write_file(task.folder / task.path) as file:
        hashed = HashedFile(file)
        n_clipped = _write_rows(task, watch, hashed)
    release_freed_memory()
    shard = Shard(
        path=task.path,
        config=task.config,
        split=task.split,
        n_rows=len(task.examples),
        n_bytes=hashed.n_bytes,
        sha256=hashed.sha256,
        n_clipped=n_clipped,
    )
    write_json(task.note, {name: getattr(shard, name) for name in Shard.__slots__})
    return shard


def rendered_groups(task: ShardTask, watch: Watch, *, is_used_at_once: bool = False) -> Iterator[tuple[pa.Table, int]]:
    """Render a shard's rows, a row group at a time, and tell how many examples of each exceeded full scale.

    Args:
        task: The shard.
        watch: Told about the work.
        is_used_at_once: Whether a group is done with when the next is asked for, which then takes its memory.

    Raises:
        ClippingError: An example exceeds full scale and that is an error.
    """
    schema = dataset_schema(task.schema_toy, task.encoding.rate_hz, stems=task.stems)
    reader, scratch = RecordingReader(task.catalogue), Scratch()
    clips: dict[str, ClipColumn] = {}
    for start in range(0, len(task.examples), ROWS_A_GROUP):
        clips = _emptied(clips) if is_used_at_once and clips else _new_columns(task)
        rows = []
        n_clipped = 0
        for example in task.examples.slice(start, ROWS_A_GROUP).to_pylist():
            watch.advance(1, at=example["event_id"])
            mixed = _mix(example, task, reader, scratch)
            _require_unclipped(example, mixed, task)
            _encode(example, mixed, task, clips)
            rows.append(_row(example, mixed, task))
            n_clipped += mixed.n_clipped > 0
        yield _table(rows, clips, schema), n_clipped


def _new_columns(task: ShardTask) -> dict[str, ClipColumn]:
    return {name: ClipColumn() for name in audio_columns(stems=task.stems)}


def _emptied(clips: dict[str, ClipColumn]) -> dict[str, ClipColumn]:
    for column in clips.values():
        column.clear()
    return clips


def _table(rows: list[dict[str, Any]], clips: dict[str, ClipColumn], schema: pa.Schema) -> pa.Table:
    known = pa.Table.from_pylist(rows, schema=pa.schema([field for field in schema if field.name not in clips]))
    columns = [clips[name].array() if name in clips else known[name] for name in schema.names]
    return pa.table(columns, schema=schema)


def _write_rows(task: ShardTask, watch: Watch, file: HashedFile) -> int:
    schema = dataset_schema(task.schema_toy, task.encoding.rate_hz, stems=task.stems)
    clips = [f"{name}.bytes" for name in audio_columns(stems=task.stems)]
    n_clipped = 0
    with pq.ParquetWriter(
        file,
        schema,
        compression="none",  # so that WAV is read where it lies; FLAC does not compress again
        use_dictionary=False,
        # The clips of a row group lie in one piece, one after the other, so that a reader can map them where they are.
        column_encoding=dict.fromkeys(clips, "DELTA_LENGTH_BYTE_ARRAY"),
        data_page_size=_ONE_PAGE_BYTES,
        write_page_checksum=True,
        write_statistics=["label", *columns_of(task.schema_toy)],
        store_schema=True,
    ) as writer:
        for group, n in rendered_groups(task, watch, is_used_at_once=True):
            n_clipped += n
            writer.write_table(group, row_group_size=ROWS_A_GROUP)
    return n_clipped


def _require_unclipped(example: dict[str, Any], mixed: _Example, task: ShardTask) -> None:
    """Raise where an example exceeds full scale and that is an error.

    Raises:
        ClippingError: It does.
    """
    if mixed.n_clipped and task.is_clipping_error:
        raise ClippingError(
            "An example exceeds full scale.",
            where=f"{example['event_id']}, channel {example['channel']}, config {example['config']}",
            expected=f"every sample within full scale at a headroom of {task.headroom_db:g} dB",
            actual=f"{mixed.n_clipped} samples past it",
            remedy="Leave --headroom-db to be found, raise it, or count such examples: --on-clip count",
        )


def _row(example: dict[str, Any], mixed: _Example, task: ShardTask) -> dict[str, Any]:
    """Return what is known of an example, in a row of the dataset."""
    damage = damage_of(task.toy, example["condition"])
    return (
        {name: example[name] for name in _SAME}
        | damage.by_part
        | {
            "label": LABELS.index(example["label"]),
            "condition_text": condition_text(task.toy, example["condition"]),
            "damage_source": damage.source,
            "damage": [{"part": part, "state": damage.by_part[part]} for part in damage.damaged_parts],
            "damaged_parts": list(damage.damaged_parts),
            "headroom_db": task.headroom_db,
            "snr_achieved_db": mixed.snr_achieved_db,
            "snr_active_db": mixed.snr_active_db,
            "peak": peak_of(mixed.samples, task.encoding.bit_depth),
        }
    )


def _encode(example: dict[str, Any], mixed: _Example, task: ShardTask, clips: dict[str, ClipColumn]) -> None:
    """Encode the mixture and what is kept of its parts, each under a name of its own."""
    microphone = f"ch{example['channel']}" if example["channel"] else "stack" if task.rules.is_stacked else "mix"
    window = "" if example["target_length"] is None else f"_at{example['target_start']}"
    draw = f"_d{example['draw']}" if example["draw"] else ""
    name = f"{example['event_id']}_{microphone}{window}{draw}"
    named = {"audio": (mixed.samples, name)}
    named |= {part: (samples, f"{name}_{part}") for part, samples in mixed.parts.items()}
    for column, clip in clips.items():
        if column in named:
            samples, stem = named[column]
            clip.add(encode_stored(samples, task.encoding), f"{stem}.{task.encoding.container}")
        else:
            clip.add_none()


def _mix(example: dict[str, Any], task: ShardTask, reader: RecordingReader, scratch: Scratch) -> _Example:
    stems = _stems(example, task, reader)
    depth = task.encoding.bit_depth
    kept = zip(STEMS, stems, strict=False) if task.stems else ()
    parts = {name: quantise(mix([stem], task.headroom_db), depth, is_overwritten=True)[0] for name, stem in kept}
    achieved_db = active_db = math.nan
    stems = [stem.with_floats(scratch.floats(number, stem.total.size)) for number, stem in enumerate(stems)]
    if len(stems) > 1:
        target, noise = stems
        levels = mixture_levels(target, noise, task.rules.rate_hz, task.rules.weighting)
        _require_snr(example, levels, task.rules)
        achieved_db, active_db = levels.snr_db, levels.snr_active_db
    samples, n_clipped = quantise(mix(stems, task.headroom_db), depth, is_overwritten=True)
    return _Example(
        samples=samples,
        n_clipped=n_clipped,
        parts=parts,
        snr_achieved_db=_finite(achieved_db),
        snr_active_db=_finite(active_db),
    )


def _require_snr(example: dict[str, Any], levels: MixtureLevels, rules: MixingRules) -> None:
    """Raise unless the noise is mixed at the SNR that was asked for, whatever was found out when its gain was made.

    Raises:
        DatasetError: It is not: the noise is not the one that was measured.
    """
    if example["snr_db"] is None:
        return
    noise_db = levels.noise_active_db if rules.snr_reference == "active" else levels.noise_db
    snr_db = example["reference_level_db"] - noise_db
    if not abs(snr_db - example["snr_db"]) <= SNR_TOLERANCE_DB:
        raise DatasetError(
            "An example has not the SNR that was asked for: its noise has changed since it was measured.",
            where=f"{example['event_id']}, noise {', '.join(example['noise_recording_ids'])}",
            expected=f"{example['snr_db']:g} dB, to {SNR_TOLERANCE_DB:g} dB",
            actual=f"{snr_db:.2f} dB",
            remedy="Let the recordings be ingested anew, then run the same command again: "
            f"toyadmos cache --toy {toy_named(example['toy']).short} --kind recordings --clean",
        )


def _stems(example: dict[str, Any], task: ShardTask, reader: RecordingReader) -> list[Stem]:
    """Return the target and, if there is any, the noise."""
    stems = []
    for ids, start, gain_db in (
        (example["recording_ids"], example["target_start"], example["target_gain_db"]),
        (example["noise_recording_ids"], example["noise_start"], example["noise_gain_db"]),
    ):
        if ids:
            stems.append(task.rules.stem(reader, ids, start, example["n_samples"], gain_db=gain_db))
    return stems


def _finite(ratio_db: Decibels) -> Decibels | None:
    return round(ratio_db, SNR_DECIMALS) if math.isfinite(ratio_db) else None
