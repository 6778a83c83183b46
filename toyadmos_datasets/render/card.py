"""The dataset card: front matter that `datasets` and the Hub read, and a page that people read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from toyadmos_datasets.corpus.paper import CITATION, LICENSE_LIMITS, LICENSE_NAME, LICENSE_URL, PAPER_URL, RECORD_URL
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.render.encoding import Encoding
from toyadmos_datasets.units import format_duration
from toyadmos_datasets.values.dataset import Manifest, Shard, features_of
from toyadmos_datasets.values.recipe import Recipe

SIMULATED_LICENSE_URL = "https://www.apache.org/licenses/LICENSE-2.0"

_COLUMNS = """\
| column | what it is |
| --- | --- |
| `audio` | the clip: {container} bytes, {rate_hz} Hz, {bit_depth} bit, mono |
| `label` | 0 normal, 1 anomalous |
| `toy`, `case`, `channel` | which machine, which of its cases, which microphone (0: the mean of the four) |
| `recording_type` | IND (one run, about {clip_s:g} s) or CNT (continuous) |
| `condition` | `normal`, or the damage pattern `ab01` and so on |
| `damage_source` | whether the damage table's row is as `published` or `repaired`; null for normal |
| `damaged_parts` | the parts that are not normal |
| {parts} | the state of each part |
| `take`, `event_id` | number of the take, and the event that several microphones heard; never on two sides of a split |
| `draw` | which of the noise draws of its event, from 0 |
| `recording_ids`, `noise_recording_ids` | the recordings that were mixed |
| `target_start`, `noise_start`, `n_samples` | where clip and noise begin, and their length; samples at {rate_hz} Hz |
| `target_gain_db`, `noise_gain_db`, `headroom_db` | the gains that were applied; all clips have the same headroom |
| `snr_db` | the SNR that was asked for; null for fixed gains and for clean |
| `snr_achieved_db`, `snr_active_db` | the SNR of the mixture, over the whole clip and where the machine is active |
| `peak` | the largest magnitude, full scale 1 |
"""


def card_of(manifest: Manifest, recipe: Recipe, examples: pa.Table, encoding: Encoding) -> str:
    """Write the card of a prepared folder.

    Args:
        manifest: What the folder consists of.
        recipe: What it was made from.
        examples: The examples as rendered, with their lengths.
        encoding: How audio is stored.

    Returns:
        Markdown with YAML front matter; the same for the same dataset.
    """
    front = yaml.safe_dump(_front_matter(manifest, encoding), sort_keys=False, allow_unicode=True, width=120)
    sections = [
        f"---\n{front}---\n",
        f"# {_title(manifest)}\n",
        *([_simulated_warning()] if manifest.source["is_simulated"] else []),
        _made_from(manifest, recipe),
        _counts(examples, encoding),
        _mixing(manifest, recipe, examples),
        _loading(manifest),
        "## Columns\n\n" + _columns(manifest, encoding),
        _licence(manifest),
        f"## Citation\n\n```bibtex\n{CITATION}```\n",
    ]
    return "\n".join(sections)


def _title(manifest: Manifest) -> str:
    simulated = " (simulated)" if manifest.source["is_simulated"] else ""
    return f"ToyADMOS {manifest.toy}{simulated}: {', '.join(manifest.configs)}"


def _front_matter(manifest: Manifest, encoding: Encoding) -> dict[str, Any]:
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
            _dataset_info(config, splits, _yaml_features(manifest.toy, encoding))
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


def _yaml_features(toy: str, encoding: Encoding) -> list[dict[str, Any]]:
    """Return the features as cards spell them.

    Source:
        datasets 4 and 5: `Features._to_yaml_list`.
    """
    spelled = []
    for name, feature in features_of(toy, encoding.rate_hz).items():
        entry: dict[str, Any] = {"name": name}
        if feature["_type"] == "Audio":
            entry["dtype"] = {"audio": {"sampling_rate": feature["sampling_rate"]}}
        elif feature["_type"] == "ClassLabel":
            entry["dtype"] = {"class_label": {"names": {str(i): label for i, label in enumerate(feature["names"])}}}
        elif feature["_type"] == "List":
            entry["list"] = feature["feature"]["dtype"]
        else:
            entry["dtype"] = feature["dtype"]
        spelled.append(entry)
    return spelled


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
        f"Recipe `{manifest.recipe_sha256[:16]}`, seed {recipe.parameters['seed']}; the same recipe and source give "
        "the same bytes anywhere.\n"
    )
    lines = ["## What it is made from\n", origin]
    lines += [f"- {note}" for note in recipe.notes]
    if manifest.skipped:
        n = len(manifest.skipped)
        skipped = "1 recording could not be read and was" if n == 1 else f"{n} recordings could not be read and were"
        lines.append(f"- {skipped} skipped; see `manifest.json`.")
    return "\n".join(lines) + "\n"


def _counts(examples: pa.Table, encoding: Encoding) -> str:
    by_split = _group(examples, encoding, ["config", "split", "label", "case"])
    conditions = _group(
        examples.filter(pc.equal(examples["label"], "anomalous")), encoding, ["config", "split", "condition"]
    )
    lines = ["## Counts\n", *_table(["config", "split", "label", "case", "clips", "events", "duration"], by_split)]
    if conditions:
        lines += ["\n<details><summary>Anomalous clips by condition</summary>\n"]
        lines += [*_table(["config", "split", "condition", "clips", "events", "duration"], conditions), "\n</details>"]
    return "\n".join(lines) + "\n"


def _group(examples: pa.Table, encoding: Encoding, keys: list[str]) -> list[list[Any]]:
    grouped = examples.group_by(keys).aggregate(
        [("event_id", "count"), ("event_id", "count_distinct"), ("n_samples", "sum")]
    )
    grouped = grouped.sort_by([(key, "ascending" if key != "split" else "descending") for key in keys])
    return [
        [
            *(row[key] for key in keys),
            row["event_id_count"],
            row["event_id_count_distinct"],
            format_duration(row["n_samples_sum"] / encoding.rate_hz),
        ]
        for row in grouped.to_pylist()
    ]


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    return lines + [f"| {' | '.join(map(str, row))} |" for row in rows]


def _mixing(manifest: Manifest, recipe: Recipe, examples: pa.Table) -> str:
    lines = ["## How it is mixed\n"]
    for config in recipe.configs:
        row = examples.slice(pc.index(examples["config"], config).as_py(), 1).to_pylist()[0]
        lines.append(f"- `{config}`: {_mixture_text(row, recipe.parameters['snr_reference'])}")
    lines.append(
        f"\nEvery clip is attenuated by the same headroom, {manifest.headroom_db:g} dB, so that levels stay "
        f"comparable; {sum(shard.n_clipped for shard in manifest.shards)} clips exceed full scale all the same and "
        "stand at full scale there."
    )
    if pc.max(pc.list_value_length(examples["noise_recording_ids"])).as_py():
        lines.append(
            "Noise comes from the same microphones (and case, where the corpus has it) as the clip; a stretch never "
            "crosses recordings"
            + ("." if recipe.parameters["is_noise_shared"] else ", and train and test hear different recordings.")
        )
    return "\n".join(lines) + "\n"


def _mixture_text(row: dict[str, Any], reference: str) -> str:
    if not row["noise_recording_ids"]:
        return "no noise."
    if row["snr_db"] is None:
        return f"target {row['target_gain_db']:+g} dB, noise {row['noise_gain_db']:+g} dB."
    relative_to = {
        "corpus": (
            "the mean level of the normal clips of the same case and channel, so that the noise does not tell the label"
        ),
        "clip": "the level of the clip",
        "active": "the level of the clip where the machine is active (the noise is measured over the whole clip)",
    }[reference]
    return f"noise at {row['snr_db']:g} dB SNR relative to {relative_to}."


def _loading(manifest: Manifest) -> str:
    config = next(iter(manifest.configs))
    return f"""\
## How to load

```python
from datasets import load_dataset

ds = load_dataset("path/to/this/folder", "{config}")
```

Plain `datasets` decodes audio with torchcodec. Without it, the package that prepared this folder decodes with
soundfile, and neither torch nor FFmpeg is needed:

```python
from toyadmos_datasets import load_dataset

ds = load_dataset("path/to/this/folder", "{config}", split="train")
ds[0]["audio"]["array"]  # float32, shape (n_samples,)
```
"""


def _columns(manifest: Manifest, encoding: Encoding) -> str:
    toy = toy_named(manifest.toy)
    return _COLUMNS.format(
        container=encoding.container.upper(),
        rate_hz=encoding.rate_hz,
        bit_depth=encoding.bit_depth,
        clip_s=toy.clip_s,
        parts=", ".join(f"`{part}`" for part in toy.parts),
    )


def _licence(manifest: Manifest) -> str:
    if manifest.source["is_simulated"]:
        return "## Licence\n\nThe audio is synthesised; the licence of the ToyADMOS corpus does not apply to it.\n"
    limits = "\n".join(f"- {limit}" for limit in LICENSE_LIMITS)
    return (
        f"## Licence\n\nThe audio is under the [{LICENSE_NAME}]({LICENSE_URL}), which prevails over this summary:\n\n"
        f"{limits}\n\n**Do not publish this folder.** Share `recipe.parquet` instead: with the official archives "
        "it gives the same bytes.\n"
    )
