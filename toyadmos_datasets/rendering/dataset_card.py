"""The dataset card: front matter that `datasets` and the Hub read, and a page that people read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.damage import condition_text
from toyadmos_datasets.corpus.facts import (
    LICENSE_LIMITS,
    LICENSE_NAME,
    LICENSE_URL,
    PAPER_URL,
    RECORD_URL,
    what_is_odd_of,
)
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.escaping import markdown_text
from toyadmos_datasets.files.checked_json import front_matter
from toyadmos_datasets.options.render_options import Encoding, LogMel, RenderOptions
from toyadmos_datasets.rendering.card_health import health_text
from toyadmos_datasets.rendering.logmel_shards import features_text
from toyadmos_datasets.rendering.mixing_rules import is_stacked
from toyadmos_datasets.units import format_duration
from toyadmos_datasets.values.card_parts import (
    SIMULATED_WARNING,
    citation_text,
    config_entries,
    hub_facts,
    markdown_table,
    repeating_text,
)
from toyadmos_datasets.values.columns import features_of, logmel_features_of, parts_of
from toyadmos_datasets.values.manifest import Manifest, Shard
from toyadmos_datasets.values.recipe import Recipe

_COLUMNS = """\
## Columns

| column | content |
| --- | --- |
| `audio` | the clip: {container} bytes, {rate_hz} Hz, {bit_depth} bit, {channels} |
{stems}| `label` | 0 normal, 1 anomalous |
| `toy`, `case`, `channel` | the machine, its case, and the microphone (0: {channel_zero}) |
| `recording_type` | IND (one run, about {clip_s} s) or CNT (continuous) |
| `condition` | `normal`, or the damage pattern `ab01` and so on |
| `condition_text` | the same in words, with voltages and objects; `[inferred]` where the table had to be repaired |
| `damage_source` | whether the row of the damage table is `published` or `repaired`; null for normal |
| `damage` | the parts that are not normal, each with its state (`part`, `state`), in one form for every toy |
| `damaged_parts` | the parts that are not normal |
| {parts} | the state of each part{of_toy} |
| `take`, `event_id` | number of the take, and the event that several microphones recorded; never on two sides of a \
split |
| `draw` | number of the noise draw of the event, from 0 |
| `recording_ids`, `noise_recording_ids` | the recordings that were mixed |
| `target_start`, `noise_start`, `n_samples` | the beginning of clip and noise, and their length; samples at \
{rate_hz} Hz |
| `target_gain_db`, `noise_gain_db`, `headroom_db` | the applied gains; the headroom is the same for \
all clips{of_a_toy} |
| `snr_db` | the requested SNR; null for fixed gains and for clean |
| `reference_level_db` | the level that `snr_db` refers to, before headroom, dB re full scale |
| `snr_achieved_db`, `snr_active_db` | the SNR of the mixture{weighted}: all of it, and where the machine is active |
| `peak` | the largest magnitude, full scale 1 |
| `target_level_db`, `target_active_level_db` | level of the clip as recorded: all of it, and where the machine is \
active; before gain and headroom, dB re full scale; -inf for digital zeros |
| `noise_level_db` | level of its noise as recorded; null without noise |
| `health` | oddities of the clip's own stretch of its recordings, see [Health](#health) |
| `recording_hashes`, `noise_recording_hashes` | hashes of the recordings' content; the same for the same sound |
"""


_STEMS = """\
| `target`, `noise` | the parts as mixed{in_some}; their sum is `audio` to one step of the last bit; no `noise` in \
clean clips |
"""

_JOINT = """
{names} hold what the toys have under one name, one toy after the other; `toy` says whose a clip is.
"""

_LOADING_A_STACK = """
Each clip has {n_channels} channels, one per microphone. In plain `datasets`, `ds[0]["audio"]["array"]` is their mean;
its decoder returns all of them:

```python
ds[0]["audio"].get_all_samples().data  # a tensor of shape ({n_channels}, n_samples)
```
"""

_SOME_OF_FOUR = {2: "two of them", 3: "three of them", 4: "the four of them"}


def mixing_text(manifest: Manifest, recipe: Recipe, examples: pa.Table) -> str:
    """Tell which gains or SNRs there are, and where noise comes from."""
    lines = ["## How it is mixed\n"]
    for config in recipe.configs:
        row = examples.slice(pc.index(examples["config"], config).as_py(), 1).to_pylist()[0]
        lines.append(f"- `{config}`: {_mixture_text(row, recipe.parameters_of(config))}")
    lines.append(
        f"\n{_headroom_text(manifest)}; {sum(shard.n_clipped for shard in manifest.shards)} clips still exceed full "
        "scale and are clipped there."
    )
    if pc.max(pc.list_value_length(examples["noise_recording_ids"])).as_py():
        lines.append(
            "Noise comes from the same microphones (and case, where the corpus has it) as the clip; a stretch never "
            f"crosses recordings{_noise_text(recipe)}."
        )
    return "\n".join(lines) + "\n"


def _headroom_text(manifest: Manifest) -> str:
    headrooms_db = {config: manifest.headroom_of(config) for config in manifest.audio_configs}
    if len(set(headrooms_db.values())) == 1:
        headroom = f"{manifest.headroom_db:g} dB"
        return f"Every clip is attenuated by the same headroom, {headroom}, so that levels stay comparable"
    told = ", ".join(f"`{config}` by {headroom_db:g} dB" for config, headroom_db in headrooms_db.items())
    return (
        f"**Levels differ between configs**, which have different headrooms: {told}. Compare levels only after "
        "adding the column `headroom_db`; within a config all clips have the same"
    )


def _noise_text(recipe: Recipe) -> str:
    """Say in which configs train and test hear different noise."""
    sharing = [config for config in recipe.configs if recipe.parameters_of(config)["is_noise_shared"]]
    if len(sharing) == len(recipe.configs):
        return ""
    apart = ", and train and test use different recordings"
    return f"{apart} (not in {', '.join(f'`{one}`' for one in sharing)})" if sharing else apart


def _mixture_text(row: dict[str, Any], parameters: dict[str, Any]) -> str:
    if not row["noise_recording_ids"]:
        return "no noise."
    if row["snr_db"] is None:
        return f"target {row['target_gain_db']:+g} dB, noise {row['noise_gain_db']:+g} dB."
    relative_to = {
        "corpus": (
            "the mean level of the normal clips of the same case and channel, so that the noise does not tell the label"
        ),
        "clip": "the level of the clip",
        "active": "the level of the clip where the machine is active, where the noise is measured too",
    }[parameters["snr_reference"]]
    weighting = parameters.get("weighting")
    weighted = f" (all levels {weighting}-weighted)" if weighting else ""
    return f"noise at {row['snr_db']:g} dB SNR relative to {relative_to}{weighted}."


def _channels_of(config: str, recipe: Recipe) -> int:
    """Return how many channels the clips of a config have; features are of clips with one."""
    if not is_stacked(recipe.parameters_of(config)):
        return 1
    first = pc.index(recipe.examples["config"], config).as_py()
    return len(recipe.examples["recording_ids"][first])


def loading_text(manifest: Manifest, recipe: Recipe) -> str:
    """Tell how to load the folder, with this package and without."""
    config = next(iter(manifest.configs))
    n_channels = _channels_of(config, recipe)
    shape = "(n_samples,)" if n_channels == 1 else f"({n_channels}, n_samples)"
    text = f"""\
## How to load

```python
from datasets import load_dataset

ds = load_dataset("path/to/this/folder", "{config}")
```

Plain `datasets` decodes audio with torchcodec. Without it, the package that prepared this folder decodes with
soundfile, and neither torch nor FFmpeg is needed; it also opens a folder with `[`, `*`, `?` or `::` in its path, which
plain `datasets` takes for a pattern or for several addresses:

```python
from toyadmos_datasets import load_dataset

ds = load_dataset("path/to/this/folder", "{config}", split="train")
ds[0]["audio"]["array"]  # float32, shape {shape}
```
"""
    joint = (
        _JOINT.format(names=", ".join(f"`{one}`" for one in manifest.joint_configs)) if manifest.joint_configs else ""
    )
    return text + joint + (_LOADING_A_STACK.format(n_channels=n_channels) if n_channels > 1 else "")


def columns_text(manifest: Manifest, recipe: Recipe) -> str:
    """Tell what every column is."""
    toys, encoding = [toy_named(one) for one in manifest.toys], _options_of(manifest).encoding
    is_joint = manifest.schema_toy is None
    planned = [recipe.parameters_of(config) for config in recipe.configs]
    n_channels = sorted({_channels_of(config, recipe) for config in recipe.configs})
    weightings = dict.fromkeys(one["weighting"] for one in planned if one.get("weighting"))
    with_stems = [config for config in manifest.audio_configs if manifest.request_of(config).get("stems")]
    in_some = "" if len(with_stems) == len(manifest.audio_configs) else f" (in {', '.join(with_stems)})"
    return _COLUMNS.format(
        container=encoding.container.upper(),
        rate_hz=encoding.rate_hz,
        bit_depth=encoding.bit_depth,
        channels=" or ".join("mono" if n == 1 else f"{n} channels, one a microphone" for n in n_channels),
        stems=_STEMS.format(in_some=in_some) if with_stems else "",
        channel_zero=" or ".join(
            "the mean of the four" if n == 1 else f"{_SOME_OF_FOUR[n]}, in one clip, in the order of `recording_ids`"
            for n in n_channels
        ),
        clip_s=" or ".join(dict.fromkeys(f"{toy.clip_s:g}" for toy in toys)),
        parts=", ".join(f"`{part}`" for part in parts_of(manifest.schema_toy)),
        of_toy="; null where the toy has no such part" if is_joint else "",
        of_a_toy=" of a toy" if is_joint else "",
        weighted="".join(f", {one}-weighted" for one in weightings),
    )


def oddities_text(manifest: Manifest) -> str:
    """Tell what is odd about the corpus, so that nobody takes it for a fault of the dataset."""
    lines = "\n".join(f"- {one}" for one in what_is_odd_of(manifest.toys))
    return f"## What is odd about the corpus\n\n{lines}\n"


def licence_text(manifest: Manifest) -> str:
    """Tell what may be done with the audio."""
    if manifest.source["is_simulated"]:
        return "## Licence\n\nThe audio is synthesised; the licence of the ToyADMOS corpus does not apply to it.\n"
    limits = "\n".join(f"- {limit}" for limit in LICENSE_LIMITS)
    return (
        f"## Licence\n\nThe audio is under the [{LICENSE_NAME}]({LICENSE_URL}), which prevails over this summary:\n\n"
        f"{limits}\n\n**Do not publish this folder.** Share its recipe (`toyadmos recipe export`): with the official "
        "archives it gives the same bytes.\n"
    )


def card_of(manifest: Manifest, recipe: Recipe, examples: pa.Table) -> str:
    """Write the card of a prepared folder.

    Args:
        manifest: What the folder consists of.
        recipe: What it was made from.
        examples: The examples as rendered, with their lengths.

    Returns:
        Markdown with YAML front matter; the same for the same dataset.
    """
    sections = [
        front_matter(_front_matter(manifest)),
        f"# {markdown_text(_title(manifest))}\n",
        *([SIMULATED_WARNING] if manifest.source["is_simulated"] else []),
        _made_from(manifest, recipe),
        f"## How to repeat it\n\n{repeating_text(manifest.requests, manifest.versions)}",
        _counts(examples, manifest, _options_of(manifest).encoding),
        health_text(manifest),
        mixing_text(manifest, recipe, examples),
        loading_text(manifest, recipe),
        columns_text(manifest, recipe),
        *_features_texts(manifest),
        *([] if manifest.source["is_simulated"] else [oddities_text(manifest)]),
        licence_text(manifest),
        citation_text(),
    ]
    return "\n".join(sections)


def _options_of(manifest: Manifest, config: str | None = None) -> RenderOptions:
    """Return how a config was rendered; of no config, what all of a folder have in common."""
    return RenderOptions.of_request(manifest.request if config is None else manifest.request_of(config))


def _features_texts(manifest: Manifest) -> list[str]:
    """Say what features there are, once for all configs with the same settings."""
    names: dict[LogMel, list[str]] = {}
    for config in filter(manifest.has_features, manifest.configs):
        settings = _options_of(manifest, config).log_mel
        if settings is not None:
            names.setdefault(settings, []).append(config)
    return [features_text(settings, configs) for settings, configs in names.items()]


def _title(manifest: Manifest) -> str:
    simulated = " (simulated)" if manifest.source["is_simulated"] else ""
    return f"ToyADMOS {manifest.toys_text}{simulated}: {', '.join(manifest.configs)}"


def _front_matter(manifest: Manifest) -> dict[str, Any]:
    n_rows = sum(shard.n_rows for shard in manifest.audio_shards)
    return hub_facts(_title(manifest), is_simulated=bool(manifest.source["is_simulated"]), n_rows=n_rows) | {
        "configs": config_entries(
            {
                config: {split: f"data/{config}/{split}-*.parquet" for split in splits}
                for config, splits in manifest.configs.items()
            }
            | {
                name: {
                    split: [f"data/{one}/{split}-*.parquet" for one in _configs_of(shards)]
                    for split, shards in splits.items()
                }
                for name, splits in manifest.joint_configs.items()
            }
        ),
        "dataset_info": [
            _dataset_info(config, splits, _yaml_features(_features(manifest, config)))
            for config, splits in (manifest.configs | manifest.joint_configs).items()
        ],
    }


def _configs_of(shards: Iterable[Shard]) -> list[str]:
    """Return the configs that some shards belong to, in order."""
    return list(dict.fromkeys(shard.config for shard in shards))


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


def _features(manifest: Manifest, config: str) -> dict[str, Any]:
    options = _options_of(manifest, config)
    if options.log_mel is not None and manifest.has_features(config):
        return logmel_features_of(manifest.schema_toy, options.log_mel.n_mels)
    return features_of(manifest.schema_toy, options.encoding.rate_hz, stems=options.stems)


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


def _yaml_list(inner: dict[str, Any]) -> Any:  # noqa: ANN401  # a name, a mapping, or several
    if "_type" not in inner:
        return [{"name": name, "dtype": one["dtype"]} for name, one in inner.items()]
    if inner["_type"] == "List":
        return {"list": _yaml_list(inner["feature"]), "length": inner["length"]}
    return inner["dtype"]


def _made_from(manifest: Manifest, recipe: Recipe) -> str:
    toys = " and ".join(f"{toy} ({toy_named(toy).design})" for toy in manifest.toys)
    recordings = "simulated recordings" if manifest.source["is_simulated"] else f"[ToyADMOS]({RECORD_URL}) recordings"
    origin = (
        f"{toys}, {recordings}, prepared with `toyadmos prepare` ([paper]({PAPER_URL})). "
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


def _counts(examples: pa.Table, manifest: Manifest, encoding: Encoding) -> str:
    by_split = _group(examples, encoding, ["config", "split", "label", "case"])
    conditions = _group(
        examples.filter(pc.equal(examples["label"], "anomalous")), encoding, ["config", "split", "condition"]
    )
    lines = [
        "## Counts\n",
        *markdown_table(["config", "split", "label", "case", "clips", "events", "duration"], by_split),
    ]
    if conditions:
        lines += ["\n<details><summary>Anomalous clips by condition</summary>\n"]
        told = [[*row[:3], condition_text(manifest.toy_of(row[0]), row[2]), *row[3:]] for row in conditions]
        names = ["config", "split", "condition", "what it is", "clips", "events", "duration"]
        lines += [*markdown_table(names, told), "\n</details>"]
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
