"""The differences between two recipes, and the stage that changed if one recipe gave other bytes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from toyadmos_datasets.sharing.fingerprint import ShardPrint
from toyadmos_datasets.sharing.recipe_opening import OpenedRecipe, open_recipe
from toyadmos_datasets.values.manifest import Manifest
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA
from toyadmos_datasets.values.shared_recipe import SharedRecipe

_KEY = ("config", "event_id", "channel", "draw", "target_start")
_FREE = [name for name in RECIPE_SCHEMA.names if name not in (*_KEY, "split")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting that two recipes do not share.

    Attributes:
        name: Such as ``parameters.seed``.
        a: Its value in the first; None where it has none.
        b: Its value in the second.
    """

    name: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeDiff:
    """What differs between a first and a second recipe.

    Attributes:
        settings: Parameters, source and rendering.
        versions: Versions; recipes that differ in nothing else are the same.
        added: Examples that only the second has.
        removed: Examples that only the first has.
        moved: Examples that are in another split, with both.
        changed: Columns in which examples of both differ, and in how many.
        changed_examples: Those examples.
        n_compared_samples: Examples of both whose samples' hashes are known on both sides.
        other_samples: Those of them whose samples differ.
    """

    settings: tuple[Setting, ...]
    versions: tuple[Setting, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[str, ...]
    changed: dict[str, int]
    changed_examples: tuple[str, ...]
    n_compared_samples: int
    other_samples: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether nothing differs but versions."""
        found = (self.settings, self.added, self.removed, self.moved, self.changed, self.other_samples)
        return not any(found)


def diff_recipes(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> RecipeDiff:
    """Compare two recipes: shared files, plain recipes, prepared folders, or addresses of these.

    Examples are the same ones if config, event, channel, draw and window are.

    Raises:
        DatasetError: One of them cannot be read.
    """
    first, second = open_recipe(a), open_recipe(b)
    ours, theirs = _rows_of(first), _rows_of(second)
    both = [key for key in ours if key in theirs]
    changes = {key: [name for name in _FREE if ours[key][name] != theirs[key][name]] for key in both}
    settings = list(_settings(_flat(first), _flat(second)))
    hashed = [key for key in both if ours[key]["samples"] and theirs[key]["samples"]]
    return RecipeDiff(
        settings=tuple(one for one in settings if not one.name.startswith("versions.")),
        versions=tuple(one for one in settings if one.name.startswith("versions.")),
        added=tuple(_spell(key) for key in theirs if key not in ours),
        removed=tuple(_spell(key) for key in ours if key not in theirs),
        moved=tuple(
            f"{_spell(key)}: {ours[key]['split']} -> {theirs[key]['split']}"
            for key in both
            if ours[key]["split"] != theirs[key]["split"]
        ),
        changed=dict(Counter(name for names in changes.values() for name in names)),
        changed_examples=tuple(
            f"{_spell(key)}: " + ", ".join(f"{name} {ours[key][name]} -> {theirs[key][name]}" for name in names)
            for key, names in changes.items()
            if names
        ),
        n_compared_samples=len(hashed),
        other_samples=tuple(_spell(key) for key in hashed if ours[key]["samples"] != theirs[key]["samples"]),
    )


def _rows_of(opened: OpenedRecipe) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the examples by what makes them the same ones; those that share all of it are told apart by number."""
    rows = opened.recipe.examples.to_pylist()
    digests = opened.shared.digests.to_pylist() if opened.shared else [None] * len(rows)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    seen = Counter[tuple[Any, ...]]()
    for row, digest in zip(rows, digests, strict=True):
        key = tuple(row[name] for name in _KEY)
        found[*key, seen[key]] = row | {"samples": digest}
        seen[key] += 1
    return found


def _flat(opened: OpenedRecipe) -> dict[str, Any]:
    shared = opened.shared
    groups: dict[str, Mapping[str, Any]] = {"parameters": opened.recipe.parameters}
    groups |= {f"added {', '.join(one.configs)}": one.parameters for one in opened.recipe.added}
    if shared:
        own = {name: value for name, value in shared.request.items() if name not in opened.recipe.parameters}
        groups |= {"request": own, "source": _source(shared.source), "versions": shared.versions}
    flat = {f"{group}.{name}": value for group, values in groups.items() for name, value in values.items()}
    return flat | {"notes": list(opened.recipe.notes)} | ({"headroom_db": shared.headroom_db} if shared else {})


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a source is; whether a tree or volumes held its recordings does not matter where they are known."""
    unimportant = {"kind", "identity"} if source.get("recordings_sha256") else {"kind"}
    return {name: value for name, value in source.items() if name not in unimportant}


def _settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Setting]:
    """Yield what differs; groups that only one of the files can have are left out."""
    groups = {name.partition(".")[0] for name in a} & {name.partition(".")[0] for name in b}
    for name in dict.fromkeys([*a, *b]):
        if name.partition(".")[0] in groups and a.get(name) != b.get(name):
            yield Setting(name=name, a=a.get(name), b=b.get(name))


def _spell(key: tuple[Any, ...]) -> str:
    config, event_id, channel, draw, start, number = key
    more = [f"draw {draw}"] if draw else []
    more += [f"from {start}"] if start else []
    more += [f"number {number}"] if number else []
    return ", ".join([f"{config}: {event_id}, channel {channel}", *more])


Stage: TypeAlias = Literal["source", "resampling", "mixing", "sound", "encoding", "columns", "writing"]

_WHAT: dict[Stage, str] = {
    "source": "The source moved: its recordings are not the ones that the recipe was made from.",
    "resampling": "Resampling moved: the same recordings became other samples.",
    "mixing": "Mixing moved: the same resampled recordings were added up to other samples.",
    "sound": "Source, resampling or mixing moved: the file does not say what the recordings were, so which is unknown.",
    "encoding": "Encoding moved: the samples are the same, and the audio files that hold them are not.",
    "columns": "The columns moved: the audio is the same, and what is said beside it is not.",
    "writing": "Writing moved: audio and columns are the same, and the Parquet files that hold them are not.",
}
_DEPENDS_ON: dict[Stage, tuple[str, ...]] = {
    "source": (),
    "resampling": ("soxr",),
    "mixing": ("numpy", "toyadmos-datasets"),
    "sound": ("soxr", "numpy", "toyadmos-datasets"),
    "encoding": ("libsndfile",),
    "columns": ("toyadmos-datasets", "numpy"),
    "writing": ("pyarrow", "toyadmos-datasets"),
}
"""Whose version matters: libsndfile has libFLAC inside or beside it, and does not tell its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Where bytes began to differ.

    Attributes:
        stage: The first stage that gave something else.
        what: The same in a sentence.
        versions: What that stage depends on: name, version then, version now.
        n_examples: Examples whose samples differ.
        examples: Some of them: config, split, event and channel.
        shards: Shards whose bytes differ.
    """

    stage: Stage
    what: str
    versions: tuple[tuple[str, str, str], ...]
    n_examples: int
    examples: tuple[str, ...]
    shards: tuple[str, ...]


def differing_shards(shared: SharedRecipe, manifest: Manifest) -> list[str]:
    """Return the paths of shards whose hashes are not those of the shared recipe."""
    then = {shard.path: shard.sha256 for shard in shared.shards}
    now = {shard.path: shard.sha256 for shard in manifest.audio_shards}
    return [path for path in dict.fromkeys([*then, *now]) if then.get(path) != now.get(path)]


def what_moved(shared: SharedRecipe, manifest: Manifest, prints: Sequence[ShardPrint], digests: pa.Array) -> Moved:
    """Find the first stage whose result differs.

    Args:
        shared: What was made elsewhere.
        manifest: What was made here, from the same recipe.
        prints: The hashes of what was made here.
        digests: Its samples' hashes, in the order of the recipe's rows.
    """
    rows = [
        number
        for number, pair in enumerate(zip(shared.digests.to_pylist(), digests.to_pylist(), strict=True))
        if pair[0] != pair[1]
    ]
    stage = _sound_stage(shared, manifest) if rows else _file_stage(shared, prints)
    shown = shared.recipe.examples.take(pa.array(rows[:20], pa.int64())).to_pylist()
    examples = [f"{one['config']}/{one['split']}: {one['event_id']}, channel {one['channel']}" for one in shown]
    return Moved(
        stage=stage,
        what=_WHAT[stage],
        versions=tuple((name, _versions_of(shared, name), _versions_of(manifest, name)) for name in _DEPENDS_ON[stage]),
        n_examples=len(rows),
        examples=tuple(examples),
        shards=tuple(differing_shards(shared, manifest)),
    )


def _versions_of(made: SharedRecipe | Manifest, name: str) -> str:
    """Return the versions of a library that a dataset was made with: of its first configs, and of what was added."""
    versions = [made.versions, *(one.versions for one in made.additions)]
    return " and ".join(dict.fromkeys(one.get(name, "unknown") for one in versions))


def _sound_stage(shared: SharedRecipe, manifest: Manifest) -> Stage:
    names = ("recordings_sha256", "resampled_sha256")
    pairs = [(_hashes_of(shared, name), _hashes_of(manifest, name)) for name in names]
    if any(None in hashes for pair in pairs for hashes in pair):
        return "sound"
    if pairs[0][0] != pairs[0][1]:
        return "source"
    return "resampling" if pairs[1][0] != pairs[1][1] else "mixing"


def _hashes_of(made: SharedRecipe | Manifest, name: str) -> list[str | None]:
    return [made.source.get(name), *(one.source.get(name) for one in made.additions)]


def _file_stage(shared: SharedRecipe, prints: Sequence[ShardPrint]) -> Stage:
    if [(shard.path, shard.n_rows) for shard in shared.shards] != [
        (one.shard.path, one.shard.n_rows) for one in prints
    ]:
        return "writing"
    if [shard.audio_sha256 for shard in shared.shards] != [one.audio_sha256 for one in prints]:
        return "encoding"
    if [shard.columns_sha256 for shard in shared.shards] != [one.columns_sha256 for one in prints]:
        return "columns"
    return "writing"
