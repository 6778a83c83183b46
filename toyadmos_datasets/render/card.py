"""The dataset card: front matter that `datasets` and the Hub read, and a page that people read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.condition_text import condition_text
from toyadmos_datasets.corpus.paper import CITATION, LICENSE_URL, PAPER_URL, RECORD_URL
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.escaping import markdown_text
from toyadmos_datasets.files.front_matter import front_matter
from toyadmos_datasets.render.card_text import (
    columns_text,
    health_text,
    licence_text,
    loading_text,
    mixing_text,
    oddities_text,
)
from toyadmos_datasets.render.encoding import Encoding
from toyadmos_datasets.render.features import features_text
from toyadmos_datasets.render.options import RenderOptions
from toyadmos_datasets.units import format_duration
from toyadmos_datasets.values.dataset import Manifest, Shard, features_of, logmel_features_of
from toyadmos_datasets.values.recipe import Recipe

SIMULATED_LICENSE_URL = "https://www.apache.org/licenses/LICENSE-2.0"


def card_of(manifest: Manifest, recipe: Recipe, examples: pa.Table, options: RenderOptions) -> str:
    """Write the card of a prepared folder.

    Args:
        manifest: What the folder consists of.
        recipe: What it was made from.
        examples: The examples as rendered, with their lengths.
        options: How they were rendered.

    Returns:
        Markdown with YAML front matter; the same for the same dataset.
    """
    sections = [
        front_matter(_front_matter(manifest, options)),
        f"# {markdown_text(_title(manifest))}\n",
        *([_simulated_warning()] if manifest.source["is_simulated"] else []),
        _made_from(manifest, recipe),
        _counts(examples, manifest.toy, options.encoding),
        health_text(manifest),
        mixing_text(manifest, recipe, examples),
        loading_text(manifest, recipe),
        columns_text(manifest, recipe, options),
        *([features_text(options, recipe.configs)] if options.log_mel else []),
        *([] if manifest.source["is_simulated"] else [oddities_text(manifest)]),
        licence_text(manifest),
        f"## Citation\n\n```bibtex\n{CITATION}```\n",
    ]
    return "\n".join(sections)


def _title(manifest: Manifest) -> str:
    simulated = " (simulated)" if manifest.source["is_simulated"] else ""
    return f"ToyADMOS {manifest.toy}{simulated}: {', '.join(manifest.configs)}"


def _front_matter(manifest: Manifest, options: RenderOptions) -> dict[str, Any]:
    is_simulated = manifest.source["is_simulated"]
    return {
        "pretty_name": _title(manifest),
        "license": "other",
        "license_name": "simulated-audio" if is_simulated else "toyadmos-evaluation",
        "license_link": SIMULATED_LICENSE_URL if is_simulated else LICENSE_URL,
        "task_categories": ["audio-classification"],
        "tags": ["audio", "anomalous-sound-detection", "ToyADMOS", *(["simulated"] if is_simulated else [])],
        "configs": [
            {
                "config_name": config,
                **({"default": True} if number == 0 else {}),
                "data_files": [{"split": split, "path": f"data/{config}/{split}-*.parquet"} for split in splits],
            }
            for number, (config, splits) in enumerate(manifest.configs.items())
        ],
        "dataset_info": [
            _dataset_info(config, splits, _yaml_features(_features(manifest, config, options)))
            for config, splits in manifest.configs.items()
        ],
    }


def _dataset_info(config: str, splits: dict[str, list[Shard]], features: list[dict[str, Any]]) -> dict[str, Any]:
    n_bytes = sum(shard.n_bytes for shards in splits.values() for shard in shards)
    return {
        "config_name": config,
        "features": features,
        "splits": [
            {
                "name": split,
                "num_bytes": sum(shard.n_bytes for shard in shards),
                "num_examples": sum(shard.n_rows for shard in shards),
            }
            for split, shards in splits.items()
        ],
        "download_size": n_bytes,
        "dataset_size": n_bytes,
    }


def _features(manifest: Manifest, config: str, options: RenderOptions) -> dict[str, Any]:
    if options.log_mel is not None and manifest.has_features(config):
        return logmel_features_of(manifest.toy, options.log_mel.n_mels)
    return features_of(manifest.toy, options.encoding.rate_hz, has_stems=options.has_stems)


def _yaml_features(features: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the features as cards spell them.

    Source:
        datasets 4 and 5: `Features._to_yaml_list`.
    """
    spelled = []
    for name, feature in features.items():
        entry: dict[str, Any] = {"name": name}
        if feature["_type"] == "Audio":
            entry["dtype"] = {"audio": {"sampling_rate": feature["sampling_rate"]}}
        elif feature["_type"] == "ClassLabel":
            entry["dtype"] = {"class_label": {"names": {str(i): label for i, label in enumerate(feature["names"])}}}
        elif feature["_type"] == "List":
            entry["list"] = _yaml_list(feature["feature"])
        else:
            entry["dtype"] = feature["dtype"]
        spelled.append(entry)
    return spelled


def _yaml_list(inner: dict[str, Any]) -> Any:  # noqa: ANN401  # a name, or a mapping
    if inner["_type"] == "List":
        return {"list": _yaml_list(inner["feature"]), "length": inner["length"]}
    return inner["dtype"]


def _simulated_warning() -> str:
    return (
        "> **This is a SIMULATED corpus.** Every sound in it was synthesised by `toyadmos simulate`. It has the "
        "layout, names and damage patterns of ToyADMOS and none of its recordings: do not report results on it "
        "as results on ToyADMOS.\n"
    )


def _made_from(manifest: Manifest, recipe: Recipe) -> str:
    toy = toy_named(manifest.toy)
    recordings = "simulated recordings" if manifest.source["is_simulated"] else f"[ToyADMOS]({RECORD_URL}) recordings"
    origin = (
        f"{manifest.toy} ({toy.design}), {recordings}, prepared with `toyadmos prepare` ([paper]({PAPER_URL})). "
        f"Recipe `{manifest.recipe_sha256[:16]}`, seed {markdown_text(recipe.parameters['seed'])}; the same recipe "
        "and source give the same bytes anywhere.\n"
    )
    lines = ["## What it is made from\n", origin]
    lines += [f"- {markdown_text(note)}" for note in recipe.notes]
    if manifest.skipped:
        n = len(manifest.skipped)
        skipped = "1 recording could not be used and was" if n == 1 else f"{n} recordings could not be used and were"
        lines.append(f"- {skipped} skipped; see `manifest.json`.")
    return "\n".join(lines) + "\n"


def _counts(examples: pa.Table, toy: str, encoding: Encoding) -> str:
    by_split = _group(examples, encoding, ["config", "split", "label", "case"])
    conditions = _group(
        examples.filter(pc.equal(examples["label"], "anomalous")), encoding, ["config", "split", "condition"]
    )
    lines = ["## Counts\n", *_table(["config", "split", "label", "case", "clips", "events", "duration"], by_split)]
    if conditions:
        lines += ["\n<details><summary>Anomalous clips by condition</summary>\n"]
        told = [[*row[:3], condition_text(toy, row[2]), *row[3:]] for row in conditions]
        names = ["config", "split", "condition", "what it is", "clips", "events", "duration"]
        lines += [*_table(names, told), "\n</details>"]
    return "\n".join(lines) + "\n"


def _group(examples: pa.Table, encoding: Encoding, keys: list[str]) -> list[list[Any]]:
    grouped = examples.group_by(keys).aggregate(
        [("event_id", "count"), ("event_id", "count_distinct"), ("n_samples", "sum")]
    )
    grouped = grouped.sort_by([(key, "ascending" if key != "split" else "descending") for key in keys])
    return [
        [
            *(markdown_text(row[key]) for key in keys),
            row["event_id_count"],
            row["event_id_count_distinct"],
            format_duration(row["n_samples_sum"] / encoding.rate_hz),
        ]
        for row in grouped.to_pylist()
    ]


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    return lines + [f"| {' | '.join(map(str, row))} |" for row in rows]
