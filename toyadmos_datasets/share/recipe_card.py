"""The card of a recipe that is shared without audio."""

from __future__ import annotations

from typing import Any

import yaml

from toyadmos_datasets.corpus.paper import CITATION, LICENSE_NAME, LICENSE_URL, RECORD_URL
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.values.dataset import Manifest
from toyadmos_datasets.values.recipe import Recipe


def recipe_card(manifest: Manifest, recipe: Recipe) -> str:
    """Write the page that says what the recipe is of and how the dataset is made of it; the same for the same one."""
    is_simulated = manifest.source["is_simulated"]
    title = f"ToyADMOS {manifest.toy}{' (simulated)' if is_simulated else ''}: recipe of {', '.join(manifest.configs)}"
    front: dict[str, Any] = {
        "pretty_name": title,
        "license": "other",
        "license_name": "toyadmos-evaluation",
        "license_link": LICENSE_URL,
        "tags": ["anomalous-sound-detection", "ToyADMOS", "recipe", *(["simulated"] if is_simulated else [])],
        "viewer": False,
    }
    spelled = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=120)
    sections = [f"---\n{spelled}---\n", f"# {title}\n", _what(manifest, is_simulated=is_simulated)]
    return "\n".join([*sections, _rebuilding(manifest, recipe), _counts(manifest), _end(is_simulated=is_simulated)])


def _what(manifest: Manifest, *, is_simulated: bool) -> str:
    corpus = "a simulated corpus" if is_simulated else f"[ToyADMOS]({RECORD_URL})"
    return (
        f"This repository holds **no audio**. It says which recordings of {corpus}, which stretches of noise and "
        "which levels make up a dataset, so that whoever has the recordings makes the same bytes.\n\n"
        "| file | what it is |\n| --- | --- |\n"
        "| `recipe.parquet` | a row an example: split, label, recordings, noise and its place, gain or SNR |\n"
        "| `expected.json` | what comes of it: every shard with its rows, size and SHA-256 |\n\n"
        f"Recipe `{manifest.recipe_sha256}`.\n"
    )


def _rebuilding(manifest: Manifest, recipe: Recipe) -> str:
    request = "\n".join(f"| `{name}` | `{manifest.request[name]}` |" for name in sorted(manifest.request))
    versions = ", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items()))
    notes = "".join(f"- {note}\n" for note in recipe.notes)
    return (
        "## How to make the dataset\n\n"
        "    pip install toyadmos-datasets\n"
        "    toyadmos fetch-recipe hf://datasets/USER/NAME -o recipe.parquet\n"
        f"    toyadmos prepare --toy {toy_named(manifest.toy).short} --recipe recipe.parquet --out data/rebuilt\n\n"
        "The second line takes this recipe from wherever it is shared, and compares it with its hash. The recordings "
        "come from the official record or, with `--source`, from a copy. The SHA-256 of the shards are those in "
        f"`expected.json` where the same versions are installed: {versions}; others may pack the same samples "
        "differently.\n\n"
        f"{notes}\nIt was prepared with:\n\n| option | value |\n| --- | --- |\n{request}\n"
    )


def _counts(manifest: Manifest) -> str:
    rows = "\n".join(
        f"| `{config}` | {split} | {sum(one.n_rows for one in shards)} | {sum(one.n_bytes for one in shards)} |"
        for config, splits in manifest.configs.items()
        for split, shards in splits.items()
    )
    return f"## Counts\n\n| config | split | clips | bytes |\n| --- | --- | --- | --- |\n{rows}\n"


def _end(*, is_simulated: bool) -> str:
    what = (
        "The recordings were synthesised: do not report results on them as results on ToyADMOS."
        if is_simulated
        else f"The recordings are under the [{LICENSE_NAME}]({LICENSE_URL}), which forbids passing them on."
    )
    return f"## Licence\n\n{what}\n\n## Citation\n\n```bibtex\n{CITATION}```\n"
