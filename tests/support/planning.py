"""Indexes of made-up sources, and ways to look at the recipes that are planned from them."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
from hypothesis import strategies as st
from tiny import TinyCorpus

from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.ingest import build_index
from toyadmos_datasets.planning import NONE_JOINED, EqualEvents, PlanOptions, plan
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.source import Member

BASIC = PlanOptions(toy="ToyTrain", protocols=("basic",), snrs_db=(6.0, -6.0))

CHANNEL_CHOICES = st.sampled_from(["1", "3", "mix", "3,1", "stack", "all"])
SEEDS = st.integers(0, 2**32)


def index_of(names: list[RecordingName], n_bytes: int = 100) -> pa.Table:
    members = [Member(path=name.member, n_bytes=n_bytes, crc32=None, block=block) for block, name in enumerate(names)]
    return build_index(members)


def index(**counts: object) -> pa.Table:
    return index_of(TinyCorpus(**counts).names())


def rows(recipe: Recipe, **wanted: object) -> list[dict]:
    return [row for row in recipe.examples.to_pylist() if all(row[name] == value for name, value in wanted.items())]


def events(recipe: Recipe, **wanted: object) -> set[str]:
    return {row["event_id"] for row in rows(recipe, **wanted)}


def noise_events(recipe: Recipe, **wanted: object) -> set[str]:
    """Noise recordings without digits and channel: what all microphones heard at once."""
    return {event_of(one) for row in rows(recipe, **wanted) for one in row["noise_recording_ids"]}


def event_of(recording_id: str) -> str:
    *words, _channel, take = recording_id.split("_")[1:]
    return "_".join([*words, take])


def channel_of(recording_id: str) -> int:
    return int(recording_id.split("_")[-2].removeprefix("ch"))


def without(*parts: str, **counts: object) -> pa.Table:
    """Index a source without the recordings whose path has all of these parts in it."""
    names = TinyCorpus(**counts).names()
    return index_of([name for name in names if not all(part in name.member for part in parts)])


def planned(
    corpus: pa.Table,
    *protocols: str,
    activity: pa.Table | None = None,
    joined: EqualEvents = NONE_JOINED,
    **options: object,
) -> Recipe:
    toy = corpus["toy"][0].as_py()
    return plan(corpus, PlanOptions(toy=toy, protocols=protocols, **options), activity=activity, joined=joined)


def counts(recipe: Recipe, config: str) -> dict[tuple[str, str], int]:
    return Counter((row["split"], row["label"]) for row in rows(recipe, config=config))
