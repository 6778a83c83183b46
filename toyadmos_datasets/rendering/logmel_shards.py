"""Configs of log-mel features: each shard of clips becomes a shard of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toyadmos_datasets.engine import Engine, Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.atomic import needing_room, require_room, write_file
from toyadmos_datasets.files.checked_json import write_json
from toyadmos_datasets.files.reading import sha256_of
from toyadmos_datasets.options.render_options import LogMel, RenderOptions
from toyadmos_datasets.rendering.mixing_rules import is_stacked
from toyadmos_datasets.rendering.output_folder import OutputFolder
from toyadmos_datasets.signal.clip_codec import decode_clip
from toyadmos_datasets.signal.logmel import log_mel
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.columns import FEATURES_COLUMN, logmel_schema
from toyadmos_datasets.values.manifest import FEATURES_SUFFIX, Shard
from toyadmos_datasets.values.shards import row_groups

_BYTES_A_VALUE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    folder: Path
    clips_folder: Path
    clips: Shard
    path: str
    toy: str | None
    settings: LogMel
    note: Path


def require_features_possible(parameters: dict[str, Any], options: RenderOptions) -> None:
    """Raise before work begins if clips have several channels: a spectrogram is of one.

    Raises:
        OptionError: They have.
    """
    if options.log_mel is not None and is_stacked(parameters):
        raise OptionError(
            "Features are made of clips of one channel.",
            where="--features",
            expected="single microphones or their mean",
            actual=f"--channels {parameters['channels']}",
            remedy="Leave --features out, or choose --channels mix, 1 or all.",
        )


def feature_shards(
    shards: Sequence[tuple[Path, Shard]],
    finished: dict[str, Shard],
    *,
    toy: str | None,
    output: OutputFolder,
    options: RenderOptions,
    engine: Engine | None = None,
    progress: Progress,
) -> list[Shard]:
    """Make the features of every clip, shard by shard, unless a cut run has finished them.

    Args:
        shards: The shards of clips, which are finished, each with the folder that it is in.
        finished: Shards that a cut run has finished, by path.
        toy: The toy whose parts are columns; None for those of every toy.
        output: The folder.
        options: With the settings of the features.
        engine: Where tasks run; None for this machine.
        progress: Told about the work.

    Raises:
        OptionError: A clip is shorter than a frame.
        DiskFullError: There is no room; what is finished is kept for the next run.
    """
    if options.log_mel is None:
        return []
    tasks, kept = [], []
    for folder, shard in shards:
        path = f"data/{shard.config}{FEATURES_SUFFIX}/{Path(shard.path).name}"
        if path in finished:
            kept.append(finished[path])
            continue
        note = output.note_for(path)
        tasks.append(
            _Task(
                folder=output.partial,
                clips_folder=folder,
                clips=shard,
                path=path,
                toy=toy,
                settings=options.log_mel,
                note=note,
            )
        )
    n_bytes = sum(_size_of(task) for task in tasks)
    require_room(output.path, n_bytes, purpose="the features")
    total = sum(task.clips.n_rows for task in tasks)
    with progress.stage("Making features", total, "clips") as on_progress, needing_room(n_bytes):
        made = run_tasks(make_features, tasks, workers=options.workers, engine=engine, on_progress=on_progress)
        return [*kept, *made]


def make_features(task: _Task, watch: Watch) -> Shard:
    """Write the features of a shard's clips and return the new shard's facts."""
    path = task.folder / task.path
    schema = logmel_schema(task.toy, task.settings.n_mels)
    with write_file(path) as file, pq.ParquetWriter(file, schema, compression="none", use_dictionary=False) as writer:
        for clips in row_groups(task.clips_folder, task.clips):
            spectra = []
            for clip, event_id in zip(clips["audio"].to_pylist(), clips["event_id"].to_pylist(), strict=True):
                watch.advance(1, at=event_id)
                mono, _ = decode_clip(clip["bytes"], event_id)
                spectra.append(log_mel(mono, task.settings))
            known = clips.select(schema.names[1:]).columns
            writer.write_table(pa.Table.from_arrays([_column(spectra, schema), *known], schema=schema))
    shard = replace(
        task.clips,
        path=task.path,
        config=f"{task.clips.config}{FEATURES_SUFFIX}",
        n_bytes=path.stat().st_size,
        sha256=sha256_of(path),
    )
    write_json(task.note, {name: getattr(shard, name) for name in Shard.__slots__})
    return shard


def features_text(settings: LogMel, names: Sequence[str]) -> str:
    """Say in the card what the features of some configs are.

    Args:
        settings: How they were made.
        names: The configs that hold them.
    """
    scale = f"dB: {20 // settings.power} log10" if settings.scale == "dB" else "ln"
    rows = "".join(f"| `{name}` | {value} |\n" for name, value in settings.as_parameters().items())
    listed = ", ".join(f"`{name}`" for name in names)
    return (
        f"## Log-mel features\n\n{listed} hold, in place of the clip, `{FEATURES_COLUMN}`: float32 of shape "
        f"(n_frames, {settings.n_mels}), {scale} of the mel spectrogram plus the floor, as librosa makes it; every "
        f"other column is that of the clip.\n\n| setting | value |\n| --- | --- |\n{rows}\n```python\n"
        f'ds = load_dataset("path/to/this/folder", "{names[0]}", split="train")\n'
        f'ds.with_format("numpy")[0]["{FEATURES_COLUMN}"]  # shape (n_frames, {settings.n_mels})\n```\n'
    )


def _size_of(task: _Task) -> Bytes:
    path = task.clips_folder / task.clips.path
    with path.open("rb") as file:  # Arrow itself opens no path with bytes that are no UTF-8
        lengths = pq.read_table(file, columns=["n_samples"])["n_samples"].to_pylist()
    return sum(task.settings.n_frames(n) for n in lengths) * task.settings.n_mels * _BYTES_A_VALUE


def _column(spectra: Sequence[np.ndarray], schema: pa.Schema) -> pa.Array:
    kind = schema.field(FEATURES_COLUMN).type
    values = pa.array(np.concatenate([one.ravel() for one in spectra]), pa.float32())
    frames = pa.FixedSizeListArray.from_arrays(values, type=kind.value_type)
    offsets = np.cumsum([0, *(len(one) for one in spectra)], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, frames, type=kind)
