"""What `prepare` would do: the same stages up to the plan, and arithmetic; nothing is written."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.tree.tree_source import tree_of
from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ, toy_named
from toyadmos_datasets.engine import usable_workers
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.files.cache_folder import Lease
from toyadmos_datasets.ingest import AsFound, as_found, index_source
from toyadmos_datasets.ingest.machine_activity import activity_of
from toyadmos_datasets.ingest.recordings import (
    Store,
    bytes_to_decode,
    bytes_to_store,
    missing_recordings,
    store_for,
)
from toyadmos_datasets.jobs.prepare import PrepareOptions
from toyadmos_datasets.jobs.sources import (
    require_outside,
    resolve_source,
    simulated_folder,
    simulated_size,
    written_in,
)
from toyadmos_datasets.planning import NONE_JOINED, find_joined, windowed_recordings
from toyadmos_datasets.planning.protocol_listing import SplitCount, count_examples
from toyadmos_datasets.rendering import OutputFolder, require_features_possible, summary_of
from toyadmos_datasets.rendering.example_health import known_of
from toyadmos_datasets.rendering.exclusion import reasons_of
from toyadmos_datasets.rendering.mixing_rules import is_stacked, values_a_sample
from toyadmos_datasets.rendering.shard_writer import ROWS_A_SHARD
from toyadmos_datasets.simulation import planned_tree
from toyadmos_datasets.units import Bytes, Seconds
from toyadmos_datasets.values.health import Exclusion, Health
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.recording_store import read_catalogue
from toyadmos_datasets.values.source import FetchEstimate, Source

ARCHIVE_BYTES_A_S = 28e6
"""WAV bytes out of LZMA and through the resampler in a second, one core of the machine of `benchmarks/`."""

TREE_BYTES_A_S = 250e6
"""The same from a tree, where nothing is decoded."""

SIMULATED_BYTES_A_S = 28e6
"""WAV bytes that are synthesised in a second by one core of the same machine."""

CLIPS_A_S = 180.0
"""Clips of 11 s that are mixed, encoded and written in a second by one core of the same machine."""

START_S: Seconds = 1.0
"""Time to start, and to start workers."""

BYTES_A_SAMPLE: Bytes = 2
"""Of the corpus's recordings."""

FLAC_SHARE = 0.6
"""Typical share of its PCM size that a FLAC of these recordings takes."""

SHARD_BYTES: Bytes = 10_000
"""What a shard takes beside its audio: schema, footer, the other columns."""


UNCHECKED = (
    "Whether some recordings carry the same sound under several names is not checked before the recordings are read. "
    "Where they do, prepare divides the splits anew, so that no sound is in two of them."
)
"""What a reader of a plan must know as long as not all of its recordings are in the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What `prepare` with the same options would do.

    Attributes:
        location: Where the source is.
        kind: ``tree`` or ``volumes``.
        counts: Examples by config, split and label.
        n_recordings: Recordings that the examples need.
        n_in_cache: How many of them are in the recording store.
        n_blocks: Blocks that are decoded.
        n_blocks_in_source: Blocks that there are.
        n_packed_bytes: Size of the decoded blocks in the source.
        n_decoded_bytes: Bytes that come out of the decoders.
        store: The recording store.
        n_store_bytes: How much it grows.
        out: Folder of the dataset.
        state: What is in it: ``new``, ``cut``, ``done`` or ``replace``.
        n_dataset_bytes: About how much is written there.
        n_shards: Number of shards.
        expected_s: About how long it takes.
        workers: With so many processes.
        fetch: What is fetched first; None for a source on the disk.
        n_simulated_bytes: What is synthesised first; 0 where the recordings are there.
        notes: What a reader of the dataset must know.
        health: What is odd about the clips that the recording store knows, without those that are left out.
        n_unmeasured_clips: Clips that it does not know.
        as_found: What the source holds beside what was published, and what is tolerated.
    """

    location: str
    kind: str
    counts: tuple[SplitCount, ...]
    n_recordings: int
    n_in_cache: int
    n_blocks: int
    n_blocks_in_source: int
    n_packed_bytes: Bytes
    n_decoded_bytes: Bytes
    store: str
    n_store_bytes: Bytes
    out: str
    state: str
    n_dataset_bytes: Bytes
    n_shards: int
    expected_s: Seconds
    workers: int
    fetch: FetchEstimate | None
    n_simulated_bytes: Bytes
    notes: tuple[str, ...]
    health: Health
    n_unmeasured_clips: int
    as_found: AsFound


def preview(options: PrepareOptions, progress: Progress | None = None) -> Preview:
    """Tell what `prepare` would read, decode and write, and about how long it would take.

    A simulated corpus that is not there yet is planned as it will be; it is not made.

    Args:
        options: What would be prepared.
        progress: Told about the reading of a header from the web, and about listening to recordings.

    Raises:
        ToyAdmosError: Any failure that this package knows; see `toyadmos_datasets.errors`.
    """
    with Lease(options.cache, toy_named(options.plan.toy).name):
        return _preview(options, progress or Quiet())


def _preview(options: PrepareOptions, progress: Progress) -> Preview:
    source, n_simulated_bytes = _source(options, progress)
    require_outside(source, options.out, *written_in(options.cache))
    indexed = index_source(source, strict=options.strict)
    index = indexed.table
    store = store_for(options.cache, source, options.render.encoding.rate_hz)
    recipe = _recipe(index, store, options, progress)
    wanted = index.filter(pc.is_in(index["recording_id"], value_set=pa.array(recipe.recording_ids, pa.string())))
    missing = missing_recordings(wanted, store)
    state = OutputFolder(path=options.out, request=options.request(source)).state(overwrite=options.overwrite)
    counts = count_examples(recipe.examples)
    n_shards = sum(-(-n // ROWS_A_SHARD) for n in _rows_by_split(counts).values())
    needed_blocks = set(missing["block"].to_pylist())
    decoded = bytes_to_decode(source, missing)
    n_clips = len(recipe.examples)
    health = _health(recipe, store, options.exclude)
    busy_s = decoded / (TREE_BYTES_A_S if source.kind == "tree" else ARCHIVE_BYTES_A_S) + n_clips / CLIPS_A_S
    busy_s += n_simulated_bytes / SIMULATED_BYTES_A_S
    workers = usable_workers(options.render.workers)
    return Preview(
        location=source.location,
        kind=source.kind,
        counts=counts,
        n_recordings=len(wanted),
        n_in_cache=len(wanted) - len(missing),
        n_blocks=len(needed_blocks),
        n_blocks_in_source=len(source.blocks()),
        n_packed_bytes=sum(block.n_packed_bytes for block in source.blocks() if block.number in needed_blocks),
        n_decoded_bytes=decoded,
        store=str(store.folder),
        n_store_bytes=bytes_to_store(missing, store),
        out=str(options.out),
        state=state,
        n_dataset_bytes=0 if state == "done" else n_shards * SHARD_BYTES + _audio_bytes(recipe, index, options),
        n_shards=n_shards,
        expected_s=0.0 if state == "done" else START_S + busy_s / workers,
        workers=workers,
        fetch=source.fetch_estimate(missing["member"].to_pylist()),
        n_simulated_bytes=n_simulated_bytes,
        notes=recipe.notes,
        health=health,
        n_unmeasured_clips=n_clips - health.n_clips_in_all - health.n_left_out_clips,
        as_found=as_found(indexed, source),
    )


def _health(recipe: Recipe, store: Store, exclusion: Exclusion) -> Health:
    """Count what is odd as far as the store knows it: whole recordings, and not the noise's stretches."""
    known = known_of(recipe.examples, read_catalogue(store.folder))
    reasons = reasons_of(known, exclusion, known["health"].combine_chunks())
    is_out = np.logical_or.reduce([np.zeros(len(known), dtype=np.bool_), *reasons.values()])
    return summary_of(known.filter(pa.array(~is_out)), known.filter(pa.array(is_out)))


def _recipe(index: pa.Table, store: Store, options: PrepareOptions, progress: Progress) -> Recipe:
    """Plan as `prepare` does, with what the store tells of the recordings that it has."""
    examples, examples_heard = options.examples(), options.examples_heard()
    catalogue, joined = read_catalogue(store.folder), NONE_JOINED

    @functools.lru_cache(maxsize=1)
    def listened(recording_ids: tuple[str, ...]) -> pa.Table:
        """Find where machines run, once for the same recordings."""
        workers = options.render.workers
        return activity_of(recording_ids, catalogue, rate_hz=store.rate_hz, workers=workers, progress=progress)

    while True:
        recipe = examples(index, joined)
        require_features_possible(recipe.parameters, options.render)
        windowed = windowed_recordings(recipe)
        if examples_heard is not None and windowed and _n_among(windowed, catalogue) == len(windowed):
            recipe = examples_heard(index, joined, listened(tuple(windowed)))
        found = find_joined(recipe.recording_ids, index, catalogue, so_far=joined)
        if found == joined:
            is_known = _n_among(recipe.recording_ids, catalogue) == len(recipe.recording_ids)
            return recipe if is_known else replace(recipe, notes=(*recipe.notes, UNCHECKED))
        joined = found


def _n_among(recording_ids: list[str], catalogue: pa.Table) -> int:
    """Count how many of some recordings are in the store."""
    is_there = pc.is_in(pa.array(recording_ids, pa.string()), value_set=catalogue["recording_id"])
    return pc.sum(is_there).as_py() or 0


def _source(options: PrepareOptions, progress: Progress) -> tuple[Source, Bytes]:
    """Return the source as `prepare` would find or make it, and how much is to be synthesised for it."""
    toy, size = options.plan.toy, simulated_size(options.source)
    if size is None:
        source = resolve_source(
            options.source, toy, options.cache, progress=progress, fetch=options.fetch, ignore=options.ignore
        )
        return source, 0
    tree = (simulated_folder(options.cache, toy, size) / "tree").absolute()
    if tree.exists():
        return open_source(tree, toy, ignore=options.ignore), 0
    planned = planned_tree(toy, size)
    planned_source = tree_of(tree / toy, toy, planned.recordings, marker=planned.marker)
    return planned_source, sum(planned_source.sizes)


def _rows_by_split(counts: tuple[SplitCount, ...]) -> dict[tuple[str, str], int]:
    rows: dict[tuple[str, str], int] = {}
    for count in counts:
        rows[count.config, count.split] = rows.get((count.config, count.split), 0) + count.n_clips
    return rows


def _audio_bytes(recipe: Recipe, index: pa.Table, options: PrepareOptions) -> Bytes:
    """Estimate the size of clips and features from windows, or the sizes of the first recording of every example."""
    examples, encoding = recipe.examples, options.render.encoding
    first = pc.list_element(examples["recording_ids"], 0)
    places = pc.index_in(first, value_set=index["recording_id"].combine_chunks())
    whole = pc.divide(index["n_bytes"].take(places), BYTES_A_SAMPLE)
    n_samples = pc.coalesce(examples["target_length"], whole).to_numpy()
    values = values_a_sample(examples, is_stacked=is_stacked(recipe.parameters), stems=options.render.stems)
    pcm = np.dot(values, n_samples) * encoding.rate_hz / CORPUS_RATE_HZ * encoding.bit_depth / 8
    features, log_mel = 0.0, options.render.log_mel
    if log_mel is not None:
        features = n_samples.sum() * encoding.rate_hz / CORPUS_RATE_HZ / log_mel.n_hop * log_mel.n_mels * 4
    return int(pcm * (FLAC_SHARE if encoding.container == "flac" else 1.0) + features)
