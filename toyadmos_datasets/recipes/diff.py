"""What differs between two recipes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toyadmos_datasets.recipes.opening import OpenedRecipe, open_recipe
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA

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


def diff_recipes(a: Path, b: Path) -> RecipeDiff:
    """Compare two recipes: shared files, plain recipes, or prepared folders.

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
