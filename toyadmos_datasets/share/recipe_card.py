"""The card of a recipe that is shared without audio."""

from __future__ import annotations

from typing import Any

from toyadmos_datasets.corpus.paper import CITATION, LICENSE_NAME, LICENSE_URL, RECORD_URL
from toyadmos_datasets.escaping import escaped, markdown_code, markdown_text, shell_word
from toyadmos_datasets.files.front_matter import front_matter
from toyadmos_datasets.values.shared_recipe import SharedRecipe


def recipe_card(shared: SharedRecipe, file_name: str) -> str:
    """Write the page that says what the recipe is of and how the dataset is made of it; the same for the same one."""
    is_simulated = bool(shared.source["is_simulated"])
    configs = ", ".join(shared.recipe.configs)
    title = f"ToyADMOS {shared.toy}{' (simulated)' if is_simulated else ''}: recipe of {configs}"
    front: dict[str, Any] = {
        "pretty_name": title,
        "license": "other",
        "license_name": "toyadmos-evaluation",
        "license_link": LICENSE_URL,
        "tags": ["anomalous-sound-detection", "ToyADMOS", "recipe", *(["simulated"] if is_simulated else [])],
        "viewer": False,
    }
    sections = [front_matter(front), f"# {markdown_text(title)}\n", _what(shared, file_name, is_simulated=is_simulated)]
    return "\n".join([*sections, _rebuilding(shared, file_name), _counts(shared), _end(is_simulated=is_simulated)])


def _what(shared: SharedRecipe, file_name: str, *, is_simulated: bool) -> str:
    corpus = "a simulated corpus" if is_simulated else f"[ToyADMOS]({RECORD_URL})"
    return (
        f"This holds **no audio**. {markdown_code(file_name)} says which recordings of {corpus}, which stretches of "
        "noise and which levels make up a dataset, with the hash of every clip and of every shard that comes of it, so "
        f"that whoever has the recordings makes the same bytes. Recipe `{shared.recipe.sha256}`.\n"
    )


def _rebuilding(shared: SharedRecipe, file_name: str) -> str:
    request = "\n".join(
        f"| {markdown_code(name)} | {markdown_code(shared.request[name])} |" for name in sorted(shared.request)
    )
    versions = ", ".join(markdown_text(f"{name} {version}") for name, version in sorted(shared.versions.items()))
    notes = "".join(f"- {markdown_text(note)}\n" for note in shared.recipe.notes)
    typed = escaped(shell_word(file_name))
    return (
        "## How to make the dataset\n\n"
        "    pip install toyadmos-datasets\n"
        f"    toyadmos fetch-recipe hf://datasets/USER/NAME -o {typed}\n"
        f"    toyadmos recipe show {typed}\n"
        f"    toyadmos recipe rebuild {typed} --out data/rebuilt\n\n"
        "The second line takes the recipe from wherever it is shared. The recordings come from the official record or, "
        "with `--source`, from a copy; the last line compares what it made with the hashes, and says which stage moved "
        f"if other versions gave other bytes. It was made with {versions}.\n\n"
        f"{notes}\nIt was prepared with:\n\n| option | value |\n| --- | --- |\n{request}\n"
    )


def _counts(shared: SharedRecipe) -> str:
    kinds = dict.fromkeys((shard.config, shard.split) for shard in shared.shards)
    rows = []
    for config, split in kinds:
        mine = [shard for shard in shared.shards if (shard.config, shard.split) == (config, split)]
        n_bytes = sum(shard.n_bytes for shard in mine)
        rows.append(f"| `{config}` | {split} | {sum(shard.n_rows for shard in mine)} | {len(mine)} | {n_bytes} |")
    header = "| config | split | clips | shards | bytes |\n| --- | --- | --- | --- | --- |\n"
    return "## Counts\n\n" + header + "\n".join(rows) + "\n"


def _end(*, is_simulated: bool) -> str:
    what = (
        "The recordings were synthesised: do not report results on them as results on ToyADMOS."
        if is_simulated
        else f"The recordings are under the [{LICENSE_NAME}]({LICENSE_URL}), which forbids passing them on."
    )
    return f"## Licence\n\n{what}\n\n## Citation\n\n```bibtex\n{CITATION}```\n"
