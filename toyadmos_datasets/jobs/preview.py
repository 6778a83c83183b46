"""What `prepare` would do: the same stages up to the plan, and arithmetic; nothing is written."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.engine import usable_workers
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.files.cache_folder import Lease
from toyadmos_datasets.ingest import AsFound, as_found
from toyadmos_datasets.ingest.recordings import bytes_to_decode, bytes_to_store
from toyadmos_datasets.ingest.task_cuts import bytes_by_block, large_blocks
from toyadmos_datasets.jobs.preparation import Preparation
from toyadmos_datasets.jobs.prepare_options import PrepareOptions, preparations_of
from toyadmos_datasets.jobs.sources import foreseen_source, require_outside, written_in
from toyadmos_datasets.options.render_options import ENCODINGS
from toyadmos_datasets.planning.recipe_plan import SplitCount, count_examples
from toyadmos_datasets.rendering import PreparedFolder, summary_of
from toyadmos_datasets.rendering.example_health import stored_health
from toyadmos_datasets.rendering.exclusion import reasons_of
from toyadmos_datasets.rendering.mixing_rules import is_stacked, values_a_sample
from toyadmos_datasets.rendering.shard_writer import ROWS_A_SHARD
from toyadmos_datasets.units import Bytes, Seconds
from toyadmos_datasets.values.health import Exclusion, Health
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.report_display import DisplayedReport, Rows
from toyadmos_datasets.values.source import FetchEstimate, Source

ARCHIVE_BYTES_A_S = 28e6
"""WAV bytes out of LZMA and through the resampler in a second, one core of the machine of `benchmarks/`."""

TREE_BYTES_A_S = 250e6
"""The same from a tree, where nothing is decoded."""

SIMULATED_BYTES_A_S = 28e6
"""WAV bytes that are synthesised in a second by one core of the same machine."""

CLIPS_A_S = {"wav": 320.0, "flac": 180.0}
"""Clips of 11 s that are mixed, encoded and written in a second by one core of the same machine, by encoding.

WAV was measured at 1.4 to 1.9 times FLAC.
"""

START_S: Seconds = 1.0
"""Time to start, and to start workers."""

BYTES_A_SAMPLE: Bytes = 2
"""Of the corpus's recordings."""

SHARE_OF_PCM = {"wav": 1.0, "flac": 0.65}
"""Typical share of its PCM size that a clip takes; FLAC took 0.62 to 0.74 of recordings of real machines."""

SHARD_BYTES: Bytes = 10_000
"""What a shard takes beside its audio: schema, footer, the other columns."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Preview(DisplayedReport):
    """What `prepare` with the same options would do for one toy.

    Attributes:
        toy: ``ToyTrain``.
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
        state: What is in it: ``new``, ``cut``, ``done``, ``replace`` or ``add``; ``conflict`` where `prepare` would be
            refused.
        conflict: Why it would be refused; None where it would not.
        n_dataset_bytes: About how much is written there.
        n_bytes_encoded: About what the dataset takes in each encoding, whichever was asked for.
        n_shards: Number of shards.
        expected_s: About how long it takes, if several workers can decode a large block at once where that is possible.
        workers: With so many processes.
        n_unknown_blocks: Blocks of which that is not known yet: nobody has looked for parts in them.
        longest_s: About how long it takes if none of these can be shared.
        fetch: What is fetched first; None for a source on the disk.
        n_simulated_bytes: What is synthesised first; 0 where the recordings are there.
        notes: What a reader of the dataset must know.
        health: What is odd about the clips that the recording store knows, without those that are left out.
        n_unmeasured_clips: Clips that it does not know.
        as_found: What the source holds beside what was published, and what is tolerated.
    """

    displayed = ("out", "state", "n_recordings", "n_decoded_bytes", "n_dataset_bytes", "expected_s")

    toy: str
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
    n_bytes_encoded: dict[str, Bytes]
    n_shards: int
    expected_s: Seconds
    workers: int
    n_unknown_blocks: int
    longest_s: Seconds
    fetch: FetchEstimate | None
    n_simulated_bytes: Bytes
    conflict: str | None
    notes: tuple[str, ...]
    health: Health
    n_unmeasured_clips: int
    as_found: AsFound

    def display_rows(self) -> Rows:
        """Return a row for each split and label."""
        rows = [[one.config, one.split, one.label, one.n_events, one.n_clips] for one in self.counts]
        return ["config", "split", "label", "events", "clips"], rows


def preview(options: PrepareOptions, progress: Progress | None = None) -> Preview:
    """Tell what `prepare` of one toy would do; see `previews`.

    Raises:
        OptionError: Several toys are asked for.
    """
    if len(options.plan.each_toy()) > 1:
        raise OptionError(
            "A plan is of one toy.",
            where="toy",
            expected="one toy",
            actual=options.plan.toy,
            remedy="Plan each toy, or use the command, which tells of all: toyadmos plan --toy car,train",
        )
    return previews(options, progress)[0]


def previews(options: PrepareOptions, progress: Progress | None = None) -> tuple[Preview, ...]:
    """Tell what `prepare` would read, decode and write, toy by toy, and about how long it would take.

    A simulated corpus that is not there yet is planned as it will be; it is not made.

    Args:
        options: What would be prepared.
        progress: Told about the reading of a header from the web, and about listening to recordings.

    Raises:
        ToyAdmosError: Any failure that this package knows; see `toyadmos_datasets.errors`.
    """
    each, shown = options.each_toy(), progress or Quiet()
    with contextlib.ExitStack() as holding:
        for one in each:
            holding.enter_context(Lease(one.cache, one.plan.toy))
        foreseen = [_foreseen(one, shown) for one in each]
        preparations = preparations_of(each, [source for source, _ in foreseen])
        return tuple(
            _preview(one, preparation, shown, n_simulated_bytes)
            for one, preparation, (_, n_simulated_bytes) in zip(each, preparations, foreseen, strict=True)
        )


def _foreseen(options: PrepareOptions, progress: Progress) -> tuple[Source, Bytes]:
    """Return the source of a toy, and how much of it is to be synthesised."""
    return foreseen_source(
        options.source,
        options.plan.toy,
        options.cache,
        progress=progress,
        fetch=options.fetch,
        ignore=options.ignore,
    )


def _preview(
    options: PrepareOptions, preparation: Preparation, progress: Progress, n_simulated_bytes: Bytes
) -> Preview:
    source = preparation.source
    require_outside(source, options.out, *written_in(options.cache))
    indexed, store = preparation.index(), preparation.store
    planned = preparation.plan(indexed.table, progress)
    wanted, missing = planned.wanted, planned.missing
    state, conflict = _state_of(preparation, overwrite=options.overwrite)
    recipe = _to_render(planned.recipe, preparation, state)
    counts = count_examples(recipe.examples)
    n_shards = sum(-(-n // ROWS_A_SHARD) for n in _rows_by_split(counts).values())
    needed_blocks = set(missing["block"].to_pylist())
    decoded = bytes_to_decode(source, missing)
    n_clips = len(recipe.examples)
    health = _health(recipe, planned.catalogue, options.exclude)
    container = options.render.encoding.container
    n_bytes_encoded = _dataset_bytes(recipe, wanted, options, n_shards)
    bytes_a_s = TREE_BYTES_A_S if source.kind == "tree" else ARCHIVE_BYTES_A_S
    busy_s = decoded / bytes_a_s + n_clips / CLIPS_A_S[container]
    busy_s += n_simulated_bytes / SIMULATED_BYTES_A_S
    workers = usable_workers(options.render.workers)
    large, unknown = _largest_blocks(source, missing, workers)
    if_shared_s, if_not_s = (
        max(0.0, max(some, default=0) - decoded / workers) / bytes_a_s for some in (large, [*large, *unknown])
    )
    return Preview(
        toy=source.toy,
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
        n_dataset_bytes=0 if state == "done" else n_bytes_encoded[container],
        n_bytes_encoded=n_bytes_encoded,
        n_shards=n_shards,
        expected_s=0.0 if state == "done" else START_S + busy_s / workers + if_shared_s,
        workers=workers,
        n_unknown_blocks=0 if state == "done" else len(unknown),
        longest_s=0.0 if state == "done" else START_S + busy_s / workers + if_not_s,
        fetch=source.fetch_estimate(missing["member"].to_pylist()),
        n_simulated_bytes=n_simulated_bytes,
        conflict=conflict,
        notes=recipe.notes,
        health=health,
        n_unmeasured_clips=n_clips - health.n_clips_in_all - health.n_left_out_clips,
        as_found=as_found(indexed, source),
    )


def _largest_blocks(source: Source, missing: pa.Table, workers: int) -> tuple[list[Bytes], list[Bytes]]:
    """Return what is decoded of blocks that are more than one worker's share.

    Returns:
        Blocks that one worker decodes for certain; and those that may have parts, for which nobody has looked.
    """
    large = large_blocks(bytes_by_block(source, set(missing["member"].to_pylist())), workers)
    may_be_shared = {block.number for block in source.blocks() if block.may_be_shared}
    return (
        [n_bytes for block, n_bytes in large.items() if block not in may_be_shared],
        [n_bytes for block, n_bytes in large.items() if block in may_be_shared],
    )


def _state_of(preparation: Preparation, *, overwrite: bool) -> tuple[str, str | None]:
    """Return what is in the folder of the dataset, and why `prepare` would refuse it, if it would."""
    try:
        return preparation.output.state(overwrite=overwrite), None
    except (DatasetError, OutputConflictError) as error:
        return "conflict", str(error)


def _to_render(recipe: Recipe, preparation: Preparation, state: str) -> Recipe:
    """Return the examples that are rendered: all, or those that a folder does not have yet."""
    if state != "add":
        return recipe
    parts = preparation.parts_of(recipe, PreparedFolder.at(preparation.output.path))
    return parts[0].recipe if parts else recipe.only(())


def _health(recipe: Recipe, catalogue: pa.Table, exclusion: Exclusion) -> Health:
    """Count what is odd as far as the store knows it: whole recordings, and not the noise's stretches."""
    known = stored_health(recipe.examples, catalogue)
    reasons = reasons_of(known, exclusion, known["health"].combine_chunks())
    is_out = np.logical_or.reduce([np.zeros(len(known), dtype=np.bool_), *reasons.values()])
    return summary_of(known.filter(pa.array(~is_out)), known.filter(pa.array(is_out)))


def _rows_by_split(counts: tuple[SplitCount, ...]) -> dict[tuple[str, str], int]:
    rows: dict[tuple[str, str], int] = {}
    for count in counts:
        rows[count.config, count.split] = rows.get((count.config, count.split), 0) + count.n_clips
    return rows


def _dataset_bytes(recipe: Recipe, wanted: pa.Table, options: PrepareOptions, n_shards: int) -> dict[str, Bytes]:
    """Estimate the size of a dataset in each encoding.

    Lengths are those of windows, or of the first recording of every example.
    """
    examples, encoding = recipe.examples, options.render.encoding
    first = pc.list_element(examples["recording_ids"], 0)
    places = pc.index_in(first, value_set=wanted["recording_id"].combine_chunks())
    whole = pc.divide(wanted["n_bytes"].take(places), BYTES_A_SAMPLE)
    n_samples = pc.coalesce(examples["target_length"], whole).to_numpy()
    values = values_a_sample(examples, is_stacked=is_stacked(recipe.parameters), stems=options.render.stems)
    pcm = np.dot(values, n_samples) * encoding.rate_hz / CORPUS_RATE_HZ * encoding.bit_depth / 8
    features, log_mel = 0.0, options.render.log_mel
    if log_mel is not None:
        features = n_samples.sum() * encoding.rate_hz / CORPUS_RATE_HZ / log_mel.n_hop * log_mel.n_mels * 4
    rest = n_shards * SHARD_BYTES + features
    return {container: int(pcm * SHARE_OF_PCM[container] + rest) for container in ENCODINGS}
