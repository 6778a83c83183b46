"""The page beside a recipe that is shared without audio."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from toyadmos_datasets.corpus.damage import condition_text, has_condition
from toyadmos_datasets.corpus.facts import LICENSE_LIMITS, LICENSE_NAME, LICENSE_URL, RECORD_URL, what_is_odd_of
from toyadmos_datasets.escaping import escaped, markdown_text, python_text, shell_line
from toyadmos_datasets.files.checked_json import front_matter
from toyadmos_datasets.sharing.row_files import DIGEST_COLUMN, rows_path
from toyadmos_datasets.values.card_parts import (
    SIMULATED_WARNING,
    citation_text,
    config_entries,
    hub_facts,
    markdown_table,
    repeating_text,
)
from toyadmos_datasets.values.manifest import joint_names, schema_toy_of
from toyadmos_datasets.values.shared_recipe import SharedRecipe

_ON_THE_HUB = "hf://datasets/"


def recipe_card(shared: SharedRecipe, address: str) -> str:
    """Write the page that says what is shared and how the dataset is made of it; the same for the same dataset.

    Args:
        shared: The recipe.
        address: Where it is shared, without secrets.

    Returns:
        Markdown with YAML front matter, which names the Parquet files of every config.
    """
    is_simulated = bool(shared.source["is_simulated"])
    title = (
        f"ToyADMOS {', '.join(shared.toys)}{' (simulated)' if is_simulated else ''}: {', '.join(shared.recipe.configs)}"
    )
    facts = hub_facts(title, is_simulated=is_simulated, n_rows=len(shared.digests), tags=["recipe"])
    sections = [
        front_matter(facts | {"configs": config_entries(_row_files(shared))}),
        f"# {markdown_text(title)}\n",
        *([SIMULATED_WARNING] if is_simulated else []),
        _what(shared, is_simulated=is_simulated),
        _filling(shared, address),
        _preparing(shared),
        _counts(shared),
        _conditions(shared),
        _COLUMNS,
        _limits(shared, is_simulated=is_simulated),
        citation_text(),
    ]
    return "\n".join(sections)


def _row_files(shared: SharedRecipe) -> dict[str, dict[str, str | list[str]]]:
    """Return the files of each split of each config, and of what several toys have under one name."""
    alone: dict[str, dict[str, str]] = {}
    for shard in shared.shards:
        alone.setdefault(shard.config, {})[shard.split] = rows_path(shard.config, shard.split)
    found: dict[str, dict[str, str | list[str]]] = {config: dict(splits) for config, splits in alone.items()}
    if schema_toy_of(shared.request, shared.toy) is not None:
        return found
    for name, configs in joint_names({config: shared.toy_of(config) for config in alone}).items():
        names = dict.fromkeys(split for config in configs for split in alone[config])
        found[name] = {split: [alone[config][split] for config in configs if split in alone[config]] for split in names}
    return found


_COLUMNS = f"""\
## Columns

The rows have every column of the dataset but those of sound. `label` is 0 for normal and 1 for anomalous; `condition`
names the damage and `condition_text` says it in words; `snr_db` is the SNR that was asked for and `snr_achieved_db` the
one of the mixture; `recording_ids` and `noise_recording_ids` are the recordings that are mixed, `target_start` and
`noise_start` where. `{DIGEST_COLUMN}` is 128 bits of BLAKE2b over the samples of the clip. The card of the rebuilt
dataset explains all of them.
"""


def _what(shared: SharedRecipe, *, is_simulated: bool) -> str:
    corpus = "a simulated corpus" if is_simulated else f"[ToyADMOS]({RECORD_URL})"
    return (
        f"This holds **no audio**. Its rows say which recordings of {corpus}, which stretches of noise and which "
        "levels make up a dataset. With the recordings you make the same clips from it, compared by hash. Recipe "
        f"`{shared.recipe.sha256}`.\n"
    )


def _filling(shared: SharedRecipe, address: str) -> str:
    config = python_text(next(iter(shared.recipe.configs), ""))
    plain = address.removeprefix(_ON_THE_HUB) if address.startswith(_ON_THE_HUB) else "path/to/a/copy"
    rebuilding = escaped(shell_line("toyadmos", "recipe", "rebuild", address, "--out", "data/rebuilt"))
    return f"""\
## How to use it

```python
from toyadmos_datasets import load_dataset  # pip install toyadmos-datasets

ds = load_dataset({python_text(address)}, {config}, source="/data/ToyADMOS")
ds["train"][0]["audio"]["array"]
```

fills the audio in from your copy of the archives, or with `source="record"` from the official record. The same as a
folder:

    {rebuilding}

It compares what it made with the hashes, and says which stage moved if other versions gave other bytes. The rows alone,
without this package:

```python
from datasets import load_dataset

rows = load_dataset({python_text(plain)}, {config})
```
"""


def _preparing(shared: SharedRecipe) -> str:
    notes = "".join(f"- {markdown_text(note)}\n" for note in shared.recipe.notes)
    return f"## How it was prepared\n\n{repeating_text(shared.requests, shared.versions)}{notes and chr(10)}{notes}"


def _counts(shared: SharedRecipe) -> str:
    counted = shared.recipe.examples.group_by(["config", "split", "label"], use_threads=False).aggregate(
        [("event_id", "count"), ("event_id", "count_distinct")]
    )
    rows = [
        [
            *(markdown_text(row[name]) for name in ("config", "split", "label")),
            row["event_id_count"],
            row["event_id_count_distinct"],
        ]
        for row in counted.to_pylist()
    ]
    return "\n".join(["## Counts\n", *markdown_table(["config", "split", "label", "clips", "events"], rows), ""])


def _conditions(shared: SharedRecipe) -> str:
    return "\n".join(
        [
            "## Conditions\n",
            *markdown_table(["condition", "what it is", "events", "clips"], list(_condition_rows(shared))),
            "\n`[inferred]`: the row of the published table had to be repaired.\n",
        ]
    )


def _condition_rows(shared: SharedRecipe) -> Iterator[list[object]]:
    counted = shared.recipe.examples.group_by(["toy", "condition"], use_threads=False).aggregate(
        [("event_id", "count"), ("event_id", "count_distinct")]
    )
    for row in counted.take(pc.sort_indices(counted["condition"])).to_pylist():
        toy, condition = row["toy"], row["condition"]
        meaning = condition_text(toy, condition) if has_condition(toy, condition) else "not in the published table"
        yield [
            markdown_text(condition),
            markdown_text(meaning),
            row["event_id_count_distinct"],
            row["event_id_count"],
        ]


def _limits(shared: SharedRecipe, *, is_simulated: bool) -> str:
    if is_simulated:
        return "## Limits and licence\n\nThe recordings were synthesised: no result on them is one on ToyADMOS.\n"
    odd = "\n".join(f"- {one}" for one in what_is_odd_of(shared.toys))
    limits = "\n".join(f"- {one}" for one in LICENSE_LIMITS)
    return (
        f"## Limits and licence\n\n{odd}\n\nThe recordings are under the [{LICENSE_NAME}]({LICENSE_URL}), which "
        f"prevails over this summary:\n\n{limits}\n"
    )
