"""The content of a rendered folder: manifest, recipe, and the rows for its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from toyadmos_datasets.rendering.example_health import summary_of
from toyadmos_datasets.rendering.growth import CARD_COLUMNS, Part, PreparedFolder
from toyadmos_datasets.rendering.mixing_values import RESOLVED_SCHEMA, Resolved
from toyadmos_datasets.values.manifest import Addition, Manifest, Shard
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.recording_store import crc32s_sha256
from toyadmos_datasets.values.source import Oddity, Source

_OF_RECIPE = ("config", "split", "label", "case", "condition", "event_id", "target_length", "noise_recording_ids")
_OF_MIXING = ("target_gain_db", "noise_gain_db", "snr_db")
_TOLD_SCHEMA = pa.schema([RESOLVED_SCHEMA.field(name) for name in (*_OF_RECIPE, *_OF_MIXING, *CARD_COLUMNS)])


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPart:
    """A part that is rendered.

    Attributes:
        part: The part.
        catalogue: The recordings that its examples need.
        resolved: Its examples.
        shards: Its shards, in order, those of features after those of clips.
    """

    part: Part
    catalogue: pa.Table
    resolved: Resolved
    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a folder is to show.

    Attributes:
        manifest: What it consists of.
        recipe: What it is made from.
        rows: Its examples, as far as the card tells of them.
        added: The configs that are new beside those that are there; none where nothing is.
    """

    manifest: Manifest
    recipe: Recipe
    rows: pa.Table
    added: tuple[str, ...]


def content_of(
    made: Sequence[RenderedPart],
    sources: Mapping[str, Source],
    versions: Mapping[str, str],
    *,
    there: PreparedFolder | None,
) -> Content:
    """Put parts together.

    Args:
        made: The parts, in order.
        sources: Where their recordings are from, by toy.
        versions: Versions of what their bytes depend on.
        there: The dataset that they are added to; None for a new one, whose first part is the first of them.
    """
    parts = list(made)
    if there is None:
        first = parts.pop(0)
        recipe, rows = first.resolved.recipe, first.resolved.examples
        manifest = _first_manifest(first, sources, versions)
    else:
        recipe, rows, manifest = there.recipe, there.rendered_rows(), there.manifest
    rows = _told(rows)
    for one in parts:
        if len(one.resolved.examples):
            recipe = recipe.joined_by(one.resolved.recipe)
            rows = pa.concat_tables([rows, _told(one.resolved.examples)])
    manifest = replace(
        manifest,
        recipe_sha256=recipe.sha256,
        shards=manifest.shards + tuple(shard for one in parts for shard in one.shards),
        health=summary_of(rows, recipe.excluded),
        additions=manifest.additions + tuple(_addition(one, sources, versions) for one in parts),
    )
    added = dict.fromkeys(shard.config for one in parts for shard in one.shards) if there else {}
    return Content(manifest=manifest, recipe=recipe, rows=rows, added=tuple(added))


def largest_of(some: Sequence[Oddity], others: Sequence[Oddity]) -> tuple[Oddity, ...]:
    """Return the oddities of both; of those of one kind, what is true of more files."""
    found = {one.code: one for one in some}
    for one in others:
        if one.code not in found or one.n > found[one.code].n:
            found[one.code] = one
    return tuple(found.values())


def _first_manifest(one: RenderedPart, sources: Mapping[str, Source], versions: Mapping[str, str]) -> Manifest:
    return Manifest(
        toy=one.part.toy,
        request=one.part.request,
        source=_facts_of(one, sources),
        versions=dict(versions),
        recipe_sha256=one.resolved.recipe.sha256,
        headroom_db=one.resolved.headroom_db,
        shards=one.shards,
    )


def _addition(one: RenderedPart, sources: Mapping[str, Source], versions: Mapping[str, str]) -> Addition:
    clips = tuple(one.resolved.recipe.configs)
    return Addition(
        toy=one.part.toy,
        request=one.part.request,
        configs=clips,
        feature_configs=tuple(dict.fromkeys(shard.config for shard in one.shards if shard.config not in clips)),
        headroom_db=one.resolved.headroom_db,
        versions=dict(versions),
        source=_facts_of(one, sources),
    )


def _facts_of(one: RenderedPart, sources: Mapping[str, Source]) -> dict[str, Any]:
    """Return what a manifest keeps of the source of a part, and the hashes of the recordings that it needs."""
    source = sources[one.part.toy]
    return {
        "kind": source.kind,
        "identity": source.identity,
        "is_simulated": source.is_simulated,
        "recordings_sha256": crc32s_sha256(one.catalogue, "source_crc32"),
        "resampled_sha256": crc32s_sha256(one.catalogue, "samples_crc32"),
    }


def _told(rows: pa.Table) -> pa.Table:
    return rows.select(_TOLD_SCHEMA.names).cast(_TOLD_SCHEMA)
