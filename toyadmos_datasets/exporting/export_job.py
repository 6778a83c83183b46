"""Exports a prepared folder for other tools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.exporting.export_layouts import (
    DCASE,
    ROOT,
    SUPPLEMENTAL,
    WITH_ATTRIBUTES,
    Clip,
    Namer,
    Placed,
    attributes_csv,
    clips_of,
    has_place,
    labels_csv,
    lengths_of,
    manifests,
    packed_name,
    require_layout,
    target_cases_of,
    write_tar,
)
from toyadmos_datasets.files.atomic import needing_room, require_room
from toyadmos_datasets.files.checked_json import write_json
from toyadmos_datasets.files.job_folder import JobFolder
from toyadmos_datasets.options.channel_choices import stacked_channels
from toyadmos_datasets.signal.clip_codec import clip_format, rewrite_as_wav
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.columns import STEMS
from toyadmos_datasets.values.manifest import Manifest, Shard, check_shard_sizes, read_manifest
from toyadmos_datasets.values.report_display import DisplayedReport
from toyadmos_datasets.values.shards import check_shards, row_groups

EXPORT_VERSION = 3
LABELS_NAME = "labels.csv"
DONE_NAME = "export.json"
"""Says what was exported; shown last."""

_CHANNELS = {"dcase2020": (1,), "dcase2023": (1, 2, 3, 4), "dcase2026": (2,)}
"""How many channels the clips of a challenge's layout may have."""

_SHORTEST_SHARE = 0.9
"""A clip that is shorter than this share of the longest is no matter of a few samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What to export, how, and to where.

    Attributes:
        folder: The prepared dataset.
        layout: One of `LAYOUTS`.
        out: Folder of the export.
        config: Which config; None for the first.
    """

    folder: Path
    layout: str
    out: Path
    config: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExportReport(DisplayedReport):
    """What was exported.

    Attributes:
        out: Where it is.
        layout: Whose names.
        config: Which config.
        was_done: Whether it was there before.
        n_clips: Clips by split, as the dataset has them.
        n_samples: Length that all clips were cut to; None where they were left as they are.
        left_out: Clips by split that the layout has no place for.
    """

    displayed = ("out", "layout", "config", "n_clips", "was_done")

    out: Path
    layout: str
    config: str
    was_done: bool
    n_clips: dict[str, int]
    n_samples: int | None
    left_out: dict[str, int]


def export_dataset(options: ExportOptions, progress: Progress | None = None) -> ExportReport:
    """Write a config of a prepared dataset as the files and names that others' tools expect.

    A run that was cut goes on; the same export again finds everything done.

    Raises:
        OptionError: The layout or the config is invalid, or the layout takes no such clips.
        OutputConflictError: The folder holds something else.
        DatasetError: The dataset is damaged.
        DiskFullError: No room; what is finished is kept for the next run.
    """
    layout = require_layout(options.layout)
    manifest = read_manifest(options.folder)
    config = _config(manifest, options.config)
    splits = (manifest.configs | manifest.joint_configs)[config]
    shards = [shard for shards in splits.values() for shard in shards]
    check_shard_sizes(options.folder, shards)
    n_samples = _common_length(options.folder, shards, manifest, layout) if layout in DCASE else None
    request: dict[str, Any] = {
        "version": EXPORT_VERSION,
        "layout": layout,
        "config": config,
        "shards": [shard.sha256 for shard in shards],
    }
    folder = export_folder(options.out, request)
    asked = manifest.request_of(config)
    has_stems = bool(asked.get("stems"))
    left_out = {
        split: sum(shard.n_rows for shard in some)
        for split, some in splits.items()
        if not has_place(layout, split, has_stems=has_stems)
    }
    counts = Counter[str]()
    for shard in shards:
        counts[shard.split] += shard.n_rows if shard.split not in left_out else 0
    was_done = folder.state() == "done"
    if not was_done:
        check_shards(options.folder, shards)  # all of them, before anything is written
        namer = Namer(
            layout=layout,
            config=config,
            target_cases=target_cases_of(options.folder, splits) if layout in WITH_ATTRIBUTES else frozenset(),
            is_stacked=bool(stacked_channels(asked.get("channels"))),
            has_stems=has_stems,
        )
        work = _Work(source=options.folder, shards=shards, folder=folder, namer=namer, n_samples=n_samples)
        _write(work, _room([one for one in shards if one.split not in left_out], manifest, layout), progress or Quiet())
    return ExportReport(
        out=options.out,
        layout=layout,
        config=config,
        was_done=was_done,
        n_clips={split: n for split, n in counts.items() if n},
        n_samples=n_samples,
        left_out=left_out,
    )


def export_folder(path: Path, request: dict[str, Any]) -> JobFolder:
    """Return the folder of an export."""
    clips = ROOT if request["layout"] in DCASE else request["config"]
    return JobFolder(
        path=path,
        request=request,
        parts=(clips, LABELS_NAME, DONE_NAME),
        maker="export",
        other="The folder holds another export, or a part of one.",
        remedy="Choose another folder with --out, or delete this one; nothing was touched.",
    )


def _config(manifest: Manifest, asked: str | None) -> str:
    config = next(iter(manifest.audio_configs)) if asked is None else asked
    joint = [one for one in manifest.joint_configs if not manifest.has_features(one)]
    if config not in [*manifest.audio_configs, *joint]:
        raise OptionError(
            "The dataset has no such config of clips.",
            where="--config",
            expected=", ".join([*manifest.audio_configs, *joint]),
            actual=config,
            remedy="Choose one that it has.",
        )
    return config


def _require_channels(folder: Path, shards: list[Shard], channels: str | None, layout: str) -> None:
    """Raise unless clips have as many channels as those of the challenge's year."""
    n_channels = 1
    if stacked_channels(channels):
        n_channels = len(next(row_groups(folder, shards[0], ["recording_ids"]))["recording_ids"][0])
    if n_channels not in _CHANNELS[layout]:
        is_mono = layout == "dcase2020"
        raise OptionError(
            "The challenge's clips of that year have another number of channels.",
            where=f"--layout {layout}",
            expected="clips of one channel" if is_mono else "clips of two channels, near and far",
            actual=f"--channels {channels}" if n_channels > 1 else "clips of one channel",
            remedy="Prepare a dataset with --channels mix, 1 or all; or export with --layout wav."
            if is_mono
            else "Prepare one with --protocol noise-aware, or with --channels 1,3.",
        )


def _common_length(folder: Path, shards: list[Shard], manifest: Manifest, layout: str) -> int:
    """Return the length of the shortest clip: the challenges' baselines take clips of one length only."""
    _require_channels(folder, shards, manifest.request_of(shards[0].config).get("channels"), layout)
    shortest, longest = lengths_of(folder, shards)
    if shortest < _SHORTEST_SHARE * longest:
        raise OptionError(
            "The challenges' layouts hold clips of one length.",
            where="--layout",
            expected="lengths that differ by little, to be cut to the shortest",
            actual=f"{shortest} to {longest} samples",
            remedy="Choose a config of IND clips or of windows, or export with --layout wav.",
        )
    return shortest


_MOST_TIMES_FLAC = 5
"""WAV takes at most about so many times what FLAC takes."""

_ENTRY_BYTES = 4096
"""What a clip takes at most beside its sound: its columns, and what a file system or tar adds."""


def _room(shards: list[Shard], manifest: Manifest, layout: str) -> tuple[Bytes, Bytes]:
    """Return how many bytes the exported clips take at least, and at most."""
    n_bytes = sum(shard.n_bytes for shard in shards)
    least = n_bytes * (_SHORTEST_SHARE if layout in DCASE else 1.0)
    if manifest.request.get("stems"):
        least /= 1 + len(STEMS)
    is_unpacked = layout != "webdataset" and manifest.request.get("encoding") != "wav"
    most = n_bytes * (_MOST_TIMES_FLAC if is_unpacked else 1)
    return int(least), most + _ENTRY_BYTES * sum(shard.n_rows for shard in shards)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is written.

    Attributes:
        source: The prepared folder.
        shards: Its shards of the config.
        folder: Where to.
        namer: Gives the names.
        n_samples: Length that all clips are cut to; None to leave them.
    """

    source: Path
    shards: list[Shard]
    folder: JobFolder
    namer: Namer
    n_samples: int | None


def _write(work: _Work, room: tuple[Bytes, Bytes], progress: Progress) -> None:
    least, most = room
    require_room(work.folder.path, least - work.folder.n_bytes_done(), purpose="the export")
    total = sum(shard.n_rows for shard in work.shards)
    with work.folder.held(), needing_room(most), progress.stage("Exporting", total, "clips") as on_progress:
        work.folder.resume()
        placed: list[Placed] = []
        for n_done, one in enumerate(_packed(work) if work.namer.layout == "webdataset" else _files(work), start=1):
            if one is not None:
                placed.append(one)
            on_progress(n_done)
        for path, content in _tables(placed, work.namer).items():
            work.folder.put(path, content)
        write_json(work.folder.place(DONE_NAME), {"request": work.folder.request})
        work.folder.put_in_place()


def _files(work: _Work) -> Iterator[Placed | None]:
    """Write each clip as a WAV file; None for one that the layout has no place for."""
    taken: set[str] = set()
    noise_of = {SUPPLEMENTAL} if work.namer.layout == "dcase2026" and work.namer.has_stems else ()
    for clip in clips_of(work.source, work.shards, noise_of=noise_of):
        named = work.namer.name(clip)
        if named is None:
            yield None
            continue
        path, attributes = named
        _require_free(path, taken)
        wav, n_samples = rewrite_as_wav(clip.content, clip.name, work.n_samples)
        work.folder.put(path, wav)
        yield _placed(path, clip, n_samples, wav, attributes)


def _packed(work: _Work) -> Iterator[Placed]:
    """Write the clips of each shard as a tar file, as they are; one that is finished stays."""
    taken: set[str] = set()
    for shard in work.shards:
        path = f"{work.namer.config}/{Path(shard.path).stem}.tar"
        if not work.folder.has(path):
            write_tar(work.folder.place(path), clips_of(work.source, [shard]))
        for clip in clips_of(work.source, [shard]):  # read twice, so that memory holds a row group and no shard
            place = f"{path}/{packed_name(clip)}"
            _require_free(place, taken)
            yield _placed(place, clip, clip.columns["n_samples"], clip.content, {})


def _placed(path: str, clip: Clip, n_samples: int, content: bytes, attributes: dict[str, str]) -> Placed:
    rate_hz, n_channels = clip_format(content, path)
    return Placed(
        path=path,
        columns=clip.columns,
        n_samples=n_samples,
        n_channels=n_channels,
        rate_hz=rate_hz,
        attributes=attributes,
    )


def _tables(placed: list[Placed], namer: Namer) -> dict[str, bytes]:
    tables = {LABELS_NAME: labels_csv(placed)}
    if namer.layout in WITH_ATTRIBUTES and placed:
        for toy in dict.fromkeys(one.columns["toy"] for one in placed):
            mine = [one for one in placed if one.columns["toy"] == toy]
            tables[f"{ROOT}/raw/{toy}/attributes_00.csv"] = attributes_csv(mine)
    if namer.layout == "lhotse":
        tables |= manifests(placed, namer.config)
    return tables


def _require_free(path: str, taken: set[str]) -> None:
    if path in taken:
        raise DatasetError(
            "Two clips have one name.",
            where=path,
            expected="names that are unique within a config, split and label",
            actual="one twice",
            remedy="Prepare the dataset again with this version, and export that.",
        )
    taken.add(path)
