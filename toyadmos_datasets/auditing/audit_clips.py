"""What an audit looks at: a table with a row for every clip, and where its clips come from.

Whatever clips are in, they are read as `StoredClip`, decoded and measured in workers by `measure_clips`, and heard
again by their place. A prepared folder is read here; `foreign_clips` adapts folders that others made.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.damage import damage_of, has_condition
from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ, toy_named
from toyadmos_datasets.engine import Watch, run_tasks
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import WavError
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.options.channel_choices import stacked_channels
from toyadmos_datasets.signal.clip_codec import Pcm, decode_pcm
from toyadmos_datasets.signal.landmarks import sketch_of
from toyadmos_datasets.signal.levels import active_frames, energies_of
from toyadmos_datasets.units import Decibels, Seconds
from toyadmos_datasets.values.columns import LABELS, STEMS
from toyadmos_datasets.values.manifest import Manifest, Shard, check_shard_sizes
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.shards import clip_rows, row_of_shard
from toyadmos_datasets.values.shared_recipe import SharedRecipe

FLOOR_DB: Decibels = -200.0
"""Level that digital silence is given, so that levels can be put in order."""

TEST = "test"
"""The split that systems are judged on; all others are learnt from."""

WHOLE = "all"
"""Split of clips that lie in no folder named like one."""

CLIPS_SCHEMA = pa.schema(
    [
        pa.field("place", pa.string(), nullable=False),
        pa.field("config", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("toy", pa.string()),
        pa.field("case", pa.int64()),
        pa.field("channel", pa.int64()),
        pa.field("recording_type", pa.string()),
        pa.field("condition", pa.string()),
        pa.field("take", pa.int64()),
        pa.field("event_id", pa.string()),
        pa.field("draw", pa.int64()),
        pa.field("recording_ids", pa.list_(pa.string())),
        pa.field("target_start", pa.int64()),
        pa.field("noise_recording_ids", pa.list_(pa.string())),
        pa.field("noise_start", pa.int64()),
        pa.field("noise_position", pa.float64()),
        pa.field("snr_db", pa.float64()),
        pa.field("reference_level_db", pa.float64()),
        pa.field("snr_achieved_db", pa.float64()),
        pa.field("snr_active_db", pa.float64()),
        pa.field("n_samples", pa.int64()),
        pa.field("duration_s", pa.float64()),
        pa.field("rate_hz", pa.int64()),
        pa.field("digest", pa.string()),
        pa.field("level_db", pa.float64()),
        pa.field("active_level_db", pa.float64()),
        pa.field("peak", pa.float64()),
        pa.field("flags", pa.list_(pa.string())),
        pa.field("fault", pa.string()),
        pa.field("damage_fault", pa.string()),
        pa.field("recording_hashes", pa.list_(pa.string())),
        pa.field("noise_recording_hashes", pa.list_(pa.string())),
        pa.field("health", pa.list_(pa.string())),
        pa.field("target_level_db", pa.float64()),
        pa.field("target_active_level_db", pa.float64()),
        pa.field("noise_level_db", pa.float64()),
        pa.field("target_gain_db", pa.float64()),
        pa.field("noise_gain_db", pa.float64()),
        pa.field("headroom_db", pa.float64()),
        pa.field("compared_target_db", pa.float64()),
        pa.field("compared_noise_db", pa.float64()),
        pa.field("heard_target_db", pa.float64()),
        pa.field("heard_target_active_db", pa.float64()),
        pa.field("heard_noise_db", pa.float64()),
        pa.field("stem_error", pa.int64()),
        pa.field("target_marks", pa.list_(pa.int64())),
        pa.field("target_places", pa.list_(pa.int32())),
        pa.field("noise_marks", pa.list_(pa.int64())),
        pa.field("noise_places", pa.list_(pa.int32())),
    ]
)
"""Columns of the clips; null where the names, the recipe or the samples do not tell.

place is where a person finds the clip. label is ``normal`` or ``anomalous``. digest is the hash of the decoded
samples, level_db, active_level_db and peak what was measured of them, flags what is odd about them, fault why they
could not be decoded, damage_fault what is said of the parts and is not in the damage table. From recording_hashes to
headroom_db stands what a dataset says of its recordings: their levels are those before gain and headroom.

The others are heard. compared_* are the levels of the stems that the SNR compares, heard_* those of the stems as they
are, of all frequencies alike; null for a stem that reaches full scale. stem_error is the largest difference between
the sum of the stems and the clip, in steps of the clip's width. The marks and their places are the sketches of the
stems (`signal.landmarks`); a clip without noise is its own target.
"""

_OF_NOISE = re.compile(r"(.*?)_?(?:clean|snr_(?:minus_)?[0-9_]+db)")


def family_of(config: str) -> str:
    """Return what configs have in common that differ in noise alone: their name without ``clean`` or the SNR.

    Such configs share their splits: a system trained on ``clean`` and tested on ``snr_6db`` must find no clip in both.
    """
    match = _OF_NOISE.fullmatch(config)
    return match[1] if match else config


def with_families(clips: pa.Table) -> pa.Table:
    """Append the column ``family``, see `family_of`."""
    families = [family_of(one) for one in clips["config"].to_pylist()]
    return clips.append_column("family", pa.array(families, pa.string()))


def floats(clips: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """Return a column of numbers, NaN for null."""
    return clips[name].cast(pa.float64()).to_numpy()  # type: ignore[no-any-return]  # pyarrow has no annotations


def located(clip: Mapping[str, Any], said: object) -> str:
    """Return what is said of a clip, after its config and its place."""
    return f"{clip['config']}, {clip['place']}: {said}"


def clips_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Make the table; what a row does not have is null."""
    return pa.Table.from_pylist(list(rows), schema=CLIPS_SCHEMA)


Opener: TypeAlias = Callable[[], BinaryIO]
"""Opens the bytes of a FLAC or WAV file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredClip:
    """A clip before it is decoded.

    Attributes:
        facts: The columns of `CLIPS_SCHEMA` that are known without its samples.
        name: What to call it in an error.
        audio: Opens its audio.
        parts: Open its ``target`` and its ``noise``, as far as they are stored; `audio` itself for the part that the
            clip is alone.
    """

    facts: Mapping[str, Any]
    name: str
    audio: Opener
    parts: Mapping[str, Opener]


class ClipShare(Protocol):
    """Clips that one worker reads: small, and picklable."""

    @property
    def n_clips(self) -> int:
        """How many clips these are."""

    def stored(self) -> Iterator[StoredClip]:
        """Read them one after the other."""


def measure_clips(
    shares: Sequence[ClipShare],
    root: Path,
    progress: Progress,
    *,
    workers: int,
    planned: Mapping[str, Mapping[str, Any]] | None = None,
) -> pa.Table:
    """Decode and measure clips in workers.

    Args:
        shares: What a worker reads at once.
        root: The folder that all of them are in.
        progress: Told about the work.
        workers: Number of processes.
        planned: The recipe's parameters of each config, where there is one; they say which levels its SNRs compare.

    Returns:
        Table with `CLIPS_SCHEMA`, in the order of the shares.
    """
    total = sum(share.n_clips for share in shares)
    with progress.stage(f"Listening to {root.name}", total, "clips") as on_progress:
        measure = partial(_measure_share, planned=planned or {})
        tables = dict(run_tasks(measure, list(enumerate(shares)), workers=workers, on_progress=on_progress))
    return pa.concat_tables([CLIPS_SCHEMA.empty_table(), *(tables[number] for number in range(len(shares)))])


def _measure_share(
    task: tuple[int, ClipShare], watch: Watch, *, planned: Mapping[str, Mapping[str, Any]]
) -> tuple[int, pa.Table]:
    number, share = task
    rows = []
    for clip in share.stored():
        watch.advance(1, at=clip.name)
        parameters = planned.get(clip.facts.get("config", ""), {})
        rows.append({**clip.facts, **_measured(clip, parameters)})
    return number, clips_table(rows)


def _measured(clip: StoredClip, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that follow from a clip's samples; a clip that is damaged has a fault."""
    found: dict[str, Any] = {}
    try:
        whole = _decoded(clip.audio, clip.name)
        found = _measured_whole(whole)
        parts = {
            name: whole if audio is clip.audio else _decoded(audio, f"{clip.name}, {name}")
            for name, audio in clip.parts.items()
        }
    except WavError as error:
        return found | {"fault": error.actual}
    except OSError as error:
        raise_shortage(error, clip.name)
        return found | {"fault": str(error)}
    for name, part in parts.items():
        sketch = sketch_of(part.samples[:, 0])  # of a stack the first channel's
        found |= {f"{name}_marks": sketch.marks, f"{name}_places": sketch.places}
    if parts.get("target") is whole and whole.n_channels == 1:  # measured as the clip
        levels = {"heard_target_db": found["level_db"], "heard_target_active_db": found["active_level_db"]}
        return found | ({} if _reaches_full_scale(whole) else levels)
    return found | _levels(parts, parameters) | {"stem_error": _stem_error(whole, parts)}


def _decoded(audio: Opener, name: str) -> Pcm:
    with audio() as file:
        return decode_pcm(file, name=name)


def _measured_whole(pcm: Pcm) -> dict[str, Any]:
    levels = pcm.measured()
    return {
        "n_samples": len(pcm.samples),
        "duration_s": len(pcm.samples) / pcm.rate_hz,
        "rate_hz": pcm.rate_hz,
        "digest": pcm.digest.hex(),
        "level_db": max(levels.level_db, FLOOR_DB),
        "active_level_db": max(levels.active_level_db, FLOOR_DB),
        "peak": levels.peak,
        "flags": pcm.flags(levels),
    }


def _levels(stems: Mapping[str, Pcm], parameters: Mapping[str, Any]) -> dict[str, Decibels | None]:
    """Return the levels of the stems: those that the SNR compares where there are two, and those of all frequencies."""
    found: dict[str, Decibels | None] = {}
    plains = {name: energies_of(stem.samples.T, stem.rate_hz) for name, stem in stems.items()}
    active = active_frames(plains["target"].by_frame) if "target" in plains else None
    for name, stem in stems.items():
        plain = plains[name]
        if not _reaches_full_scale(stem):
            found[f"heard_{name}_db"] = max(plain.level_db(stem.full_scale), FLOOR_DB)
            if name == "target" and active is not None:
                found["heard_target_active_db"] = max(plain.level_over_db(active, stem.full_scale), FLOOR_DB)
        if len(stems) == len(STEMS):
            weighting = parameters.get("weighting")
            energies = energies_of(stem.samples.T, stem.rate_hz, weighting) if weighting else plain
            level_db = (
                energies.level_over_db(active, stem.full_scale)
                if active is not None and parameters.get("snr_reference") == "active"
                else energies.level_db(stem.full_scale)
            )
            found[f"compared_{name}_db"] = max(level_db, FLOOR_DB)
    return found


def _reaches_full_scale(stem: Pcm) -> bool:
    return bool(stem.samples.max() >= stem.full_scale - 1 or stem.samples.min() <= -stem.full_scale)


def _stem_error(clip: Pcm, stems: Mapping[str, Pcm]) -> int | None:
    """Return how far the sum of the stems is from the clip; where that stands at full scale it may well be."""
    if stems.get("target") is None or stems["target"] is clip:
        return None
    if any(stem.samples.shape != clip.samples.shape for stem in stems.values()):
        return clip.full_scale
    whole = clip.samples.astype(np.int64)
    inside = (whole > -clip.full_scale) & (whole < clip.full_scale - 1)
    apart = whole - sum(stem.samples.astype(np.int64) for stem in stems.values())
    return int(np.abs(apart)[inside].max(initial=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _ShardClips:
    """The clips of one shard of a prepared folder; a `ClipShare`."""

    folder: Path
    shard: Shard
    toy: str

    @property
    def n_clips(self) -> int:
        return self.shard.n_rows

    def stored(self) -> Iterator[StoredClip]:
        """Yield the clips of the shard as they are stored, with what its rows say of them."""
        known = [name for name in CLIPS_SCHEMA.names if name not in {"place", "config", "split"}]
        wanted = {*known, "audio", "damage", *STEMS, *toy_named(self.toy).parts}
        for number, row in enumerate(clip_rows(self.folder, [self.shard], is_wanted=wanted.__contains__)):
            place = f"{self.shard.path}, row {number}"
            fixed = {
                "place": place,
                "config": self.shard.config,
                "split": self.shard.split,
                "label": LABELS[row["label"]],
                "damage_fault": _damage_fault(row, self.toy),
            }
            facts = {name: row.get(name) for name in known} | fixed
            audio, parts = _opened(row)
            yield StoredClip(facts=facts, name=place, audio=audio, parts=parts)


def _opened(row: Mapping[str, Any]) -> tuple[Opener, dict[str, Opener]]:
    """Return what opens the audio of a row, and its parts; a clip without noise is its own target."""
    content = row["audio"]["bytes"]
    audio = partial(io.BytesIO, content)
    parts: dict[str, Opener] = {} if row.get("noise_recording_ids") else {"target": audio}
    for name in STEMS:
        if row.get(name) is not None and not (name in parts and row[name]["bytes"] == content):
            parts[name] = partial(io.BytesIO, row[name]["bytes"])
    return audio, parts


def _damage_fault(row: Mapping[str, Any], toy: str) -> str | None:
    """Say which part has another state than the damage table gives it for the clip's condition."""
    if not has_condition(toy, row["condition"]):
        return f"there is no condition {row['condition']}"
    states = damage_of(toy, row["condition"]).by_part
    wrong = [f"{part} is {row[part]} and not {state}" for part, state in states.items() if row.get(part) != state]
    listed = {one["part"]: one["state"] for one in row.get("damage") or ()}
    if listed != {part: states[part] for part in damage_of(toy, row["condition"]).damaged_parts}:
        wrong.append(f"damage is {listed}")
    return "; ".join(wrong) or None


def clips_of_dataset(folder: Path, manifest: Manifest, recipe: Recipe, progress: Progress, *, workers: int) -> pa.Table:
    """Decode and measure every clip of a prepared folder.

    Args:
        folder: The folder.
        manifest: What is in it.
        recipe: Its parameters say which levels the SNRs of a config compare.
        progress: Told about the work.
        workers: Number of processes.

    Returns:
        Table with `CLIPS_SCHEMA`, in the order of the manifest.

    Raises:
        DatasetError: A shard is missing, was changed, or cannot be read.
    """
    check_shard_sizes(folder, manifest.audio_shards)
    shares = [
        _ShardClips(folder=folder, shard=shard, toy=manifest.toy_of(shard.config)) for shard in manifest.audio_shards
    ]
    planned = {config: recipe.parameters_of(config) for config in recipe.configs}
    return measure_clips(shares, folder, progress, workers=workers, planned=planned)


def open_in_dataset(folder: Path, place: str, part: str) -> BinaryIO | None:
    """Open a part of a clip of a prepared folder, by the clip's place; None where the clip has no such part."""
    path, _, number = place.rpartition(", row ")
    row = row_of_shard(folder / path, int(number), (part, "audio"))
    sound = row.get(part) or (row["audio"] if part == "target" else None)
    return io.BytesIO(sound["bytes"]) if sound else None


Listen: TypeAlias = Callable[[int], npt.NDArray[np.integer] | None]
"""Gives the sound of a clip by its row, mono, or None where it cannot be had again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Decodes a part of a clip, by the clip's place.

    Attributes:
        root: What the places are in.
        reopen: Opens a part, given the root, the place and the part's name.
    """

    root: Path
    reopen: Callable[[Path, str, str], BinaryIO | None]

    def part(self, clips: pa.Table, part: str) -> Listen:
        """Return what gives the first channel of ``target`` or ``noise``, by the clip's row in a table."""
        places = clips["place"]

        def listen(row: int) -> npt.NDArray[np.integer] | None:
            """Decode one clip; None where it is no longer there."""
            place = places[row].as_py()
            try:
                with self.reopen(self.root, place, part) or contextlib.nullcontext() as file:
                    return None if file is None else decode_pcm(file, name=place).samples[:, 0]
            except (WavError, OSError) as error:
                raise_shortage(error, self.root)
                return None

        return listen


def clips_of_recipe(recipe: Recipe) -> pa.Table:
    """Return what a recipe says of each example.

    Returns:
        Table with `CLIPS_SCHEMA`; what only the recordings tell is null.
    """
    n_rows = len(recipe.examples)
    columns = {name: recipe.examples[name] for name in recipe.examples.column_names}
    columns |= {
        "place": pa.array([f"row {number}" for number in range(n_rows)], pa.string()),
        # in samples at 48 kHz there, and of the dataset here
        "target_start": pa.nulls(n_rows, pa.int64()),
    }
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(n_rows, field.type)
        for field in CLIPS_SCHEMA
    ]
    return pa.table(arrays, schema=CLIPS_SCHEMA)


def clips_of_shared_recipe(shared: SharedRecipe) -> pa.Table:
    """Return the same of a recipe that was shared, with the hash of the samples of each example.

    Digital silence of the usual length is known by its hash, and gets the peak that it has.
    """
    clips = clips_of_recipe(shared.recipe)
    n_channels = {n for part in shared.recipe.parts for n in _channel_counts(part)}
    silences = {_digest_of_zeros(shared, length_s, n) for length_s in _lengths_s(shared) for n in n_channels}
    digests = shared.digests.to_pylist()
    peaks = [0.0 if one in silences else None for one in digests]
    known = {"digest": pa.array([one.hex() for one in digests], pa.string()), "peak": pa.array(peaks, pa.float64())}
    for name, column in known.items():
        clips = clips.set_column(CLIPS_SCHEMA.get_field_index(name), CLIPS_SCHEMA.field(name), column)
    return clips


def _lengths_s(shared: SharedRecipe) -> set[Seconds]:
    """Return the lengths that clips have: that of an IND recording, and of the windows that are asked for."""
    windows = pc.unique(shared.recipe.examples["target_length"]).drop_null().to_pylist()
    return {*(toy_named(one).clip_s for one in shared.toys), *(one / CORPUS_RATE_HZ for one in windows)}


def _channel_counts(recipe: Recipe) -> list[int]:
    """Return how many channels clips of one plan have."""
    if not stacked_channels(recipe.parameters.get("channels")):
        return [1]
    counts: list[int] = pc.unique(pc.list_value_length(recipe.examples["recording_ids"])).to_pylist()
    return counts


def _digest_of_zeros(shared: SharedRecipe, length_s: Seconds, n_channels: int) -> bytes:
    rate_hz, bit_depth = int(shared.request.get("rate_hz", 16_000)), int(shared.request.get("bit_depth", 16))
    zeros = np.zeros((int(length_s * rate_hz), n_channels), np.int16 if bit_depth == 16 else np.int32)
    return Pcm(samples=zeros, rate_hz=rate_hz, bit_depth=bit_depth).digest
