"""Rendering: what is in an example's audio and columns, what clipping does, what never changes a byte."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_resolve import active_power, in_db, power, random_sound, row, store
from tiny import TinyCorpus, write_tree, write_volumes
from wording import refused

from toyadmos_datasets.engine import Watch, run_tasks
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import ClippingError, DatasetError, OptionError, WorkerError
from toyadmos_datasets.files.checked_json import read_json
from toyadmos_datasets.options.render_options import Encoding
from toyadmos_datasets.rendering.mixing_rules import MixingRules
from toyadmos_datasets.rendering.mixing_values import RESOLVED_SCHEMA, resolve
from toyadmos_datasets.rendering.shard_writer import ShardTask, render_shard
from toyadmos_datasets.signal.clip_codec import encode_stored
from toyadmos_datasets.values.manifest import Shard
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe

RATE_HZ = 16_000

PREPARE = """
import json, sys
from pathlib import Path
from toyadmos_datasets.planning import PlanOptions
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.rendering import RenderOptions

source, out, workers = sys.argv[1:]
if __name__ == "__main__":
    plan = PlanOptions(toy="ToyTrain", protocols=("waspaa2019", "basic"), snrs_db=(6.0,))
    report = prepare(
        PrepareOptions(
            plan=plan,
            render=RenderOptions(workers=int(workers)),
            source=source,
            out=Path(out),
            cache=Path(out + "-cache"),
        )
    )
    shards = [(shard.path, shard.sha256, shard.n_rows) for shard in report.manifest.shards]
    print(json.dumps([report.manifest.recipe_sha256, shards]))
"""

encodings = st.builds(Encoding, container=st.sampled_from(["flac", "wav"]), bit_depth=st.sampled_from([16, 24]))


def task(folder: Path, catalogue: pa.Table, examples: list[dict], **changes: object) -> ShardTask:
    return ShardTask(
        **{
            "folder": folder / "out",
            "path": "data/some/test-00000-of-00001.parquet",
            "config": "some",
            "split": "test",
            "examples": pa.Table.from_pylist(examples, schema=RESOLVED_SCHEMA),
            "catalogue": catalogue,
            "toy": "ToyTrain",
            "schema_toy": "ToyTrain",
            "encoding": Encoding(),
            "rules": MixingRules(rate_hz=RATE_HZ),
            "stems": False,
            "headroom_db": 0.0,
            "is_clipping_error": True,
            "note": folder / "note.json",
        }
        | changes
    )


def example(target: str | list[str], noise: str | list[str] | None = None, **changes: object) -> dict[str, object]:
    """An example with every number that rendering needs."""
    gains = {"target_gain_db": 0.0, "noise_gain_db": 0.0 if noise else None, "snr_db": None}
    return (
        row(target, noise)
        | {"n_samples": 1000, "target_start": 0, "noise_start": 0 if noise else None, "reference_level_db": None}
        | gains
        | changes
    )


def rendered(folder: Path, catalogue: pa.Table, *examples: dict, **changes: object) -> list[dict]:
    some = task(folder, catalogue, list(examples), **changes)
    render_shard(some, Watch())
    return pq.read_table(some.folder / some.path).to_pylist()


def decoded(found: dict, bit_depth: int = 16) -> np.ndarray:
    """The integers of an example's audio, decoded by soundfile."""
    samples, rate_hz = soundfile.read(io.BytesIO(found["audio"]["bytes"]), dtype="int32")
    assert rate_hz == RATE_HZ
    return samples >> (32 - bit_depth)


# --- encodings


@settings(max_examples=40)
@given(st.data(), encodings)
def test_every_integer_survives_every_encoding(data, encoding):
    full_scale = 2 ** (encoding.bit_depth - 1)
    samples = data.draw(arrays(np.int32, st.integers(1, 3000), elements=st.integers(-full_scale, full_scale - 1)))

    content = b"".join(encode_stored(samples, encoding))

    facts = soundfile.info(io.BytesIO(content))
    assert (facts.format, facts.subtype) == (encoding.container.upper(), f"PCM_{encoding.bit_depth}")
    assert (facts.channels, facts.samplerate) == (1, RATE_HZ)
    np.testing.assert_array_equal(decoded({"audio": {"bytes": content}}, encoding.bit_depth), samples)


@pytest.mark.parametrize("shape", [(1000,), (1,), (4, 777)], ids=str)
def test_a_wav_of_16_bits_has_the_bytes_that_libsndfile_writes(shape):
    samples = np.arange(np.prod(shape), dtype=np.int16).reshape(shape) - 500
    file = io.BytesIO()
    soundfile.write(file, samples.T, RATE_HZ, format="WAV", subtype="PCM_16")

    assert b"".join(encode_stored(samples, Encoding(container="wav", rate_hz=RATE_HZ))) == file.getvalue()


@pytest.mark.parametrize(
    ("changes", "option", "expected"),
    [({"container": "mp3"}, "--encoding", "wav or flac"), ({"bit_depth": 8}, "--bit-depth", "16 or 24")],
)
def test_an_encoding_that_there_is_not_is_refused(changes, option, expected):
    with pytest.raises(OptionError) as caught:
        Encoding(**changes)

    assert (caught.value.where, caught.value.expected) == (option, expected)


# --- audio


@pytest.mark.parametrize("container", ["flac", "wav"])
@pytest.mark.parametrize("bit_depth", [16, 24])
@pytest.mark.parametrize("n_channels", [1, 4])
def test_clean_without_headroom_is_the_store_bit_for_bit(tmp_path, container, bit_depth, n_channels):
    whole = np.append(np.random.default_rng(0).integers(-32768, 32767, 998, endpoint=True), [-32768, 32767])
    catalogue = store(tmp_path, {f"t{channel}": whole for channel in range(n_channels)})
    encoding = Encoding(container=container, bit_depth=bit_depth)

    (found,) = rendered(tmp_path, catalogue, example([f"t{c}" for c in range(n_channels)]), encoding=encoding)

    np.testing.assert_array_equal(decoded(found, bit_depth), whole << (bit_depth - 16))
    assert found["peak"] == 1.0


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    gains_db=st.tuples(st.floats(-60, 30), st.floats(-60, 30)),
    headroom_db=st.integers(0, 30).map(float),
    bit_depth=st.sampled_from([16, 24]),
    n_channels=st.sampled_from([1, 4]),
    start=st.integers(0, 500),
)
def test_a_mixture_is_the_rounded_sum_of_its_stems_and_never_wraps(
    tmp_path_factory, *, seed, gains_db, headroom_db, bit_depth, n_channels, start
):
    folder = tmp_path_factory.mktemp("shard")
    sounds = {f"{kind}{c}": random_sound(seed + c, 1500, 12_000) for c in range(n_channels) for kind in "tn"}
    catalogue = store(folder, sounds)
    ids = [[f"{kind}{channel}" for channel in range(n_channels)] for kind in "tn"]
    gains = {"target_gain_db": gains_db[0], "noise_gain_db": gains_db[1], "noise_start": start}
    some = task(
        folder,
        catalogue,
        [example(*ids, **gains)],
        encoding=Encoding(bit_depth=bit_depth),
        headroom_db=headroom_db,
        is_clipping_error=False,
    )

    shard = render_shard(some, Watch())

    (found,) = pq.read_table(some.folder / some.path).to_pylist()
    target, noise = (np.mean([sounds[one] for one in some_ids], axis=0) / 32768 for some_ids in ids)
    gains = [10 ** ((gain_db - headroom_db) / 20) for gain_db in gains_db]
    full_scale = 2 ** (bit_depth - 1)
    ideal = (target[:1000] * gains[0] + noise[start : start + 1000] * gains[1]) * full_scale
    limited = np.clip(ideal, -full_scale, full_scale - 1)
    assert np.abs(decoded(found, bit_depth) - limited).max() <= 0.5 + 1e-6
    rounded = np.rint(ideal)
    assert shard.n_clipped == bool(np.any((rounded < -full_scale) | (rounded > full_scale - 1)))
    assert found["peak"] == np.abs(decoded(found, bit_depth)).max() / full_scale


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(-3000, 3000), st.sampled_from(["clip", "active"]), st.floats(0, 0.99))
def test_the_audio_that_comes_out_has_the_snr_that_its_columns_tell(
    tmp_path_factory, seed, hundredths, reference, position
):
    folder = tmp_path_factory.mktemp("shard")
    snr_db = hundredths / 100
    sounds = {"t": random_sound(seed, 4096, 4000), "n": random_sound(seed + 1, 9000, 4000)}
    catalogue = store(folder, sounds)
    examples = pa.Table.from_pylist([row("t", "n", snr_db=snr_db, noise_position=position)], schema=RECIPE_SCHEMA)
    recipe = Recipe(examples=examples, parameters={"snr_reference": reference})
    resolved = resolve(recipe, catalogue, rate_hz=RATE_HZ, bit_depth=24, progress=Quiet())

    (found,) = rendered(
        folder,
        catalogue,
        *resolved.examples.to_pylist(),
        headroom_db=resolved.headroom_db,
        encoding=Encoding(bit_depth=24),
        rules=MixingRules(rate_hz=RATE_HZ, snr_reference=reference),
    )

    # What is left when the target is taken out of the audio is the noise that was mixed in.
    gain = 10 ** ((found["target_gain_db"] - found["headroom_db"]) / 20)
    target = sounds["t"] / 32768 * gain
    noise = decoded(found, 24) / 2**23 - target
    achieved_db = in_db(power(target) / power(noise))
    assert found["snr_achieved_db"] == pytest.approx(achieved_db, abs=0.01)
    assert found["snr_active_db"] == pytest.approx(in_db(*_active_ratio(target, noise)), abs=0.01)
    said_db = found["snr_achieved_db"] if reference == "clip" else found["snr_active_db"]
    assert found["snr_db"] == snr_db == pytest.approx(said_db, abs=0.01)
    level_db = found["reference_level_db"] - found["headroom_db"]
    referred = power(target) if reference == "clip" else active_power(target)
    assert in_db(referred) == pytest.approx(level_db, abs=0.01)


def _active_ratio(target: np.ndarray, noise: np.ndarray) -> tuple[float]:
    frames = [mono[: len(mono) // 512 * 512].reshape(-1, 512) for mono in (target, noise)]
    powers = [np.mean(frame**2, axis=1) for frame in frames]
    active = powers[0] >= powers[0].max() / 1000
    return (float(powers[0][active].mean() / powers[1][active].mean()),)


@pytest.mark.parametrize("reference", ["corpus", "clip", "active"])
def test_noise_that_has_changed_since_it_was_measured_is_an_error_that_tells_what_the_snr_would_be(tmp_path, reference):
    sounds = {"t": random_sound(1, 4096, 4000), "n": random_sound(2, 9000, 4000)}
    asked = row("t", "n", snr_db=6.0, noise_position=0.5)
    recipe = Recipe(
        examples=pa.Table.from_pylist([asked], schema=RECIPE_SCHEMA), parameters={"snr_reference": reference}
    )
    measured = resolve(recipe, store(tmp_path / "then", sounds), rate_hz=RATE_HZ, progress=Quiet())
    changed = store(tmp_path / "now", sounds | {"n": np.rint(sounds["n"] / 2)})
    rules = MixingRules(rate_hz=RATE_HZ, snr_reference=reference)

    with refused(DatasetError) as caught:
        rendered(tmp_path, changed, *measured.examples.to_pylist(), headroom_db=measured.headroom_db, rules=rules)

    assert caught.value.where == "event of t, noise n"
    assert caught.value.expected == "6 dB, to 0.01 dB"
    assert float(caught.value.actual.removesuffix(" dB")) == pytest.approx(6 + 20 * math.log10(2), abs=0.02)
    assert "toyadmos cache --toy train --kind recordings --clean" in caught.value.remedy
    assert not (tmp_path / "note.json").exists()


# --- clipping


def test_an_example_past_full_scale_is_an_error_that_names_it_and_leaves_nothing(tmp_path):
    catalogue = store(tmp_path, {"fine": np.full(1000, 100), "loud": np.full(1000, 30_000)})
    some = task(tmp_path, catalogue, [example("fine"), example("loud", "loud", channel=3)])

    with refused(ClippingError) as caught:
        render_shard(some, Watch())

    assert caught.value.where == "event of loud, channel 3, config some"
    assert (caught.value.expected, caught.value.actual) == (
        "every sample within full scale at a headroom of 0 dB",
        "1000 samples past it",
    )
    assert "--on-clip count" in caught.value.remedy
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []
    assert not some.note.exists()


def test_examples_past_full_scale_are_counted_and_stand_at_full_scale(tmp_path):
    catalogue = store(tmp_path, {"up": np.full(1000, 30_000), "down": np.full(1000, -30_000)})
    examples = [example("up", "up"), example("up"), example("down", "down"), example("up", "down")]
    some = task(tmp_path, catalogue, examples, is_clipping_error=False)

    shard = render_shard(some, Watch())

    rows = pq.read_table(some.folder / some.path).to_pylist()
    assert shard.n_clipped == 2
    assert [set(decoded(one).tolist()) for one in rows] == [{32767}, {30_000}, {-32768}, {0}]


# --- columns


def test_a_shard_is_noted_with_its_hash_when_it_is_there(tmp_path):
    catalogue = store(tmp_path, {"t": random_sound(1, 1000)})
    some = task(tmp_path, catalogue, [example("t")] * 3)

    shard = render_shard(some, Watch())

    path = some.folder / some.path
    assert shard.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (shard.n_bytes, shard.n_rows, shard.n_clipped) == (path.stat().st_size, 3, 0)
    assert Shard(**read_json(some.note)) == shard


def test_row_groups_are_small_enough_to_stream(tmp_path):
    catalogue = store(tmp_path, {"t": random_sound(1, 1000)})
    some = task(tmp_path, catalogue, [example("t")] * 70)

    render_shard(some, Watch())

    facts = pq.ParquetFile(some.folder / some.path).metadata
    assert [facts.row_group(number).num_rows for number in range(facts.num_row_groups)] == [32, 32, 6]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadly(Encoding):
    """An encoding that kills the worker that encodes by it, once."""

    mark: Path
    driver: int = field(default_factory=os.getpid)

    def __getattribute__(self, name: str) -> object:
        if name == "container" and os.getpid() != self.driver and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super(Deadly, self).__getattribute__(name)


def test_a_worker_that_is_killed_is_named_with_its_event_and_the_next_run_gives_the_same_shards(tmp_path):
    catalogue = store(tmp_path, {f"t{number}": np.full(1000, number) for number in range(6)})
    encodings_used = {"whole": Encoding(), "killed": Deadly(mark=tmp_path / "mark")}
    tasks = {
        name: [
            task(
                tmp_path / name,
                catalogue,
                [example(f"t{number}")],
                path=f"data/some/{number}.parquet",
                note=tmp_path / name / f"{number}.json",
                encoding=encoding if number == 3 else Encoding(),
            )
            for number in range(6)
        ]
        for name, encoding in encodings_used.items()
    }
    expected = sorted(run_tasks(render_shard, tasks["whole"]), key=lambda shard: shard.path)

    with pytest.raises(WorkerError) as caught:
        list(run_tasks(render_shard, tasks["killed"], workers=2))

    assert "event of t3" in caught.value.where
    assert not (tmp_path / "killed" / "out" / "data" / "some" / "3.parquet").exists()
    again = run_tasks(render_shard, tasks["killed"], workers=2)
    assert sorted(again, key=lambda shard: shard.path) == expected


# --- what changes no byte


def test_workers_listing_order_container_and_hash_seed_change_no_byte(tmp_path):
    files = TinyCorpus(n_normal=4, conditions=("ab01",), n_noise=2, clip_s=0.1, noise_s=0.2).files()
    shuffled = list(files.items())
    random.Random(5).shuffle(shuffled)  # noqa: S311  # any other order will do
    sources = [
        write_tree(files, tmp_path / "tree"),
        write_volumes(files, tmp_path / "in-order", n_blocks=2),
        write_volumes(dict(shuffled), tmp_path / "shuffled", n_blocks=5, n_volumes=3),
    ]
    runs = [(sources[0], 1, "0"), (sources[0], 2, "1"), (sources[1], 1, "2"), (sources[2], 2, "3")]

    found = [_prepare(tmp_path, number, *run) for number, run in enumerate(runs)]

    assert len(found[0][1]) == 6
    assert all(one == found[0] for one in found[1:])


def _prepare(folder: Path, number: int, source: Path, workers: int, hash_seed: str) -> list:
    """Prepare in a process of its own; return the recipe's hash and the shards' paths and hashes."""
    script = folder / "prepare.py"
    script.write_text(PREPARE)
    printed = subprocess.run(
        [sys.executable, str(script), str(source), str(folder / f"out{number}"), str(workers)],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(printed)
