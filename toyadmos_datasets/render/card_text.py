"""What the card tells people: how the dataset was mixed, how to load it, what its columns and its licence are."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.observations import what_is_odd
from toyadmos_datasets.corpus.paper import LICENSE_LIMITS, LICENSE_NAME, LICENSE_URL
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.escaping import markdown_text
from toyadmos_datasets.render.options import RenderOptions
from toyadmos_datasets.render.rules import is_stacked
from toyadmos_datasets.signal.levels import CLIPPED_FROM_N, DC_ABOVE, SILENT_BELOW_DB
from toyadmos_datasets.values.dataset import Manifest
from toyadmos_datasets.values.recipe import Recipe

_COLUMNS = """\
## Columns

| column | what it is |
| --- | --- |
| `audio` | the clip: {container} bytes, {rate_hz} Hz, {bit_depth} bit, {channels} |
{stems}| `label` | 0 normal, 1 anomalous |
| `toy`, `case`, `channel` | which machine, which of its cases, which microphone (0: {channel_zero}) |
| `recording_type` | IND (one run, about {clip_s:g} s) or CNT (continuous) |
| `condition` | `normal`, or the damage pattern `ab01` and so on |
| `condition_text` | the same in words, with voltages and objects; `[inferred]` where the table had to be repaired |
| `damage_source` | whether the damage table's row is as `published` or `repaired`; null for normal |
| `damaged_parts` | the parts that are not normal |
| {parts} | the state of each part |
| `take`, `event_id` | number of the take, and the event that several microphones heard; never on two sides of a split |
| `draw` | which of the noise draws of its event, from 0 |
| `recording_ids`, `noise_recording_ids` | the recordings that were mixed |
| `target_start`, `noise_start`, `n_samples` | where clip and noise begin, and their length; samples at {rate_hz} Hz |
| `target_gain_db`, `noise_gain_db`, `headroom_db` | the gains that were applied; all clips have the same headroom |
| `snr_db` | the SNR that was asked for; null for fixed gains and for clean |
| `reference_level_db` | the level that `snr_db` is relative to, before headroom, dB re full scale |
| `snr_achieved_db`, `snr_active_db` | the SNR of the mixture{weighted}: all of it, and where the machine is active |
| `peak` | the largest magnitude, full scale 1 |
| `target_level_db`, `target_active_level_db` | how loud the clip was recorded: all of it, and where the machine is \
active; before gain and headroom, dB re full scale; -inf for digital zeros |
| `noise_level_db` | how loud its noise was recorded; null without noise |
| `health` | what is odd about the clip's own stretch of its recordings, see [Health](#health) |
| `recording_hashes`, `noise_recording_hashes` | hashes of the recordings' content; the same for the same sound |
"""


_STEMS = """\
| `target`, `noise` | the parts as mixed, whose sum is `audio` to one step of the last bit; no `noise` in clean clips |
"""

_LOADING_A_STACK = """
Each clip has four channels, one a microphone. Plain `datasets` averages them away in `ds[0]["audio"]["array"]`; its
decoder gives them all:

```python
ds[0]["audio"].get_all_samples().data  # a tensor of shape (4, n_samples)
```
"""


def mixing_text(manifest: Manifest, recipe: Recipe, examples: pa.Table) -> str:
    """Tell which gains or SNRs there are, and where noise comes from."""
    lines = ["## How it is mixed\n"]
    for config in recipe.configs:
        row = examples.slice(pc.index(examples["config"], config).as_py(), 1).to_pylist()[0]
        lines.append(f"- `{config}`: {_mixture_text(row, recipe)}")
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


def _mixture_text(row: dict[str, Any], recipe: Recipe) -> str:
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
    }[recipe.parameters["snr_reference"]]
    weighting = recipe.parameters.get("weighting")
    weighted = f" (all levels {weighting}-weighted)" if weighting else ""
    return f"noise at {row['snr_db']:g} dB SNR relative to {relative_to}{weighted}."


_FLAGS = """\
<details><summary>What the flags mean</summary>

`silent`: digital zeros only. `near_silent`: RMS under 0.001 of full scale ({silent_below_db:g} dB); a machine at rest
is near -87 dB, a running one near -32. `clipped`: {clipped_from_n} samples or more at full scale as recorded. `dc`: a
mean further than {dc_above:g} from zero. `dropout`: an IND clip whose machine is active for less than half of the usual
time. `duplicate`: the same recording as an earlier event's, to the bit. `short`, `long`: another length than most of
its type, by more than 1 %. Several microphones share their flags.

</details>
"""


def health_text(manifest: Manifest) -> str:
    """Tell what is odd about the clips, by label and condition, and what would leave it out."""
    health = manifest.health
    lines = ["## Health\n"]
    if not health.counts:
        lines.append("Nothing is odd about any clip (column `health`).\n")
    else:
        lines += [
            "What is odd about the sound of the clips as recorded (column `health`):\n",
            "| flag | label | condition | events | clips |",
            "| --- | --- | --- | --- | --- |",
        ]
        for count in health.counts:
            flag = count.flag if count.part == "target" else f"{count.flag} noise"
            named = (markdown_text(one) for one in (flag, count.label, count.condition))
            lines.append(f"| {' | '.join(named)} | {count.n_events} | {count.n_clips} |")
        adding = (
            f"Adding `{','.join(health.flags)}` to `--exclude`" if health.n_left_out_events else f"`{health.option}`"
        )
        lines.append(
            f"\n{adding} leaves them out, {health.n_clips} of {health.n_clips_in_all} clips, and changes no "
            "other clip.\n"
        )
    if health.n_left_out_clips:
        lines.append(
            f"Left out already: {health.n_left_out_clips} clips of {health.n_left_out_events} events, marked in "
            "`recipe.parquet`. They count for reference levels and headroom as if they were here.\n"
        )
    flags = _FLAGS.format(silent_below_db=SILENT_BELOW_DB, clipped_from_n=CLIPPED_FROM_N, dc_above=DC_ABOVE)
    return "\n".join([*lines, flags])


def loading_text(manifest: Manifest, recipe: Recipe) -> str:
    """Tell how to load the folder, with this package and without."""
    config = next(iter(manifest.configs))
    shape = "(4, n_samples)" if is_stacked(recipe.parameters) else "(n_samples,)"
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
    return text + (_LOADING_A_STACK if is_stacked(recipe.parameters) else "")


def columns_text(manifest: Manifest, recipe: Recipe, options: RenderOptions) -> str:
    """Tell what every column is."""
    toy, encoding = toy_named(manifest.toy), options.encoding
    stacked = is_stacked(recipe.parameters)
    weighting = recipe.parameters.get("weighting")
    return _COLUMNS.format(
        container=encoding.container.upper(),
        rate_hz=encoding.rate_hz,
        bit_depth=encoding.bit_depth,
        channels="four channels, one a microphone" if stacked else "mono",
        stems=_STEMS if options.has_stems else "",
        channel_zero="the four of them, in one clip" if stacked else "the mean of the four",
        clip_s=toy.clip_s,
        parts=", ".join(f"`{part}`" for part in toy.parts),
        weighted=f", {weighting}-weighted" if weighting else "",
    )


def oddities_text(manifest: Manifest) -> str:
    """Tell what is odd about the corpus, so that nobody takes it for a fault of the dataset."""
    lines = "\n".join(f"- {one}" for one in what_is_odd(manifest.toy))
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
