"""Resolving: where noise begins, which gains follow from an SNR, how much headroom there is for all."""

from __future__ import annotations

import math
import pickle
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.engine import run_tasks
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import DatasetError, PlanError, SilentSignalError
from toyadmos_datasets.rendering import stretches
from toyadmos_datasets.rendering.mixing_values import Resolved, resolve
from toyadmos_datasets.signal.levels import measure
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe
from toyadmos_datasets.values.recording_store import RecordingReader, SegmentWriter, read_catalogue

RATE_HZ = 16_000
FRAME_N = 512


def store(folder: Path, recordings: dict[str, np.ndarray]) -> pa.Table:
    """Put recordings into a store and return its catalogue."""
    writer = SegmentWriter(folder)
    for recording_id, sound in recordings.items():
        samples = np.asarray(sound, dtype=np.int16)
        levels = asdict(measure(samples, RATE_HZ))
        del levels["mean"]
        writer.add(samples, recording_id=recording_id, source_crc32=0, flags=[], **levels)
    writer.commit()
    return read_catalogue(folder)


def row(target: str | list[str], noise: str | list[str] | None = None, **changes: object) -> dict[str, object]:
    """An example of the given recordings, at 0 dB SNR if there is noise."""
    targets = [target] if isinstance(target, str) else target
    noises = [] if noise is None else [noise] if isinstance(noise, str) else noise
    return {
        "config": "some",
        "split": "test",
        "label": "normal",
        "toy": "ToyTrain",
        "case": 1,
        "channel": 1 if len(targets) == 1 else 0,
        "recording_type": "IND",
        "condition": "normal",
        "take": 1,
        "event_id": f"event of {targets[0]}",
        "draw": 0,
        "recording_ids": targets,
        "target_start": None,
        "target_length": None,
        "noise_recording_ids": noises,
        "noise_position": 0.0 if noises else None,
        "target_gain_db": None if noises else 0.0,
        "noise_gain_db": None,
        "snr_db": 0.0 if noises else None,
    } | changes


def recipe(*rows: dict[str, object], reference: str = "clip") -> Recipe:
    return Recipe(
        examples=pa.Table.from_pylist(list(rows), schema=RECIPE_SCHEMA), parameters={"snr_reference": reference}
    )


def resolved(catalogue: pa.Table, *rows: dict[str, object], reference: str = "clip", **options: object) -> Resolved:
    return resolve(recipe(*rows, reference=reference), catalogue, rate_hz=RATE_HZ, progress=Quiet(), **options)


def random_sound(seed: int, n_samples: int, scale: float = 3000.0) -> np.ndarray:
    """Noise that swells and fades, so that whole and active level differ."""
    random = np.random.default_rng(seed)
    envelope = np.abs(np.sin(np.linspace(0, random.uniform(1, 9), n_samples))) ** 3
    return np.clip(np.rint(random.normal(0, scale, n_samples) * envelope), -32768, 32767)


def power(mono: np.ndarray) -> float:
    return float(np.mean(mono**2))


def active_power(machine: np.ndarray, mono: np.ndarray | None = None) -> float:
    """Mean power of a sound over the frames within 30 dB of the machine's loudest, by definition, in float64."""
    powers, of_machine = (
        np.mean(one[: len(one) // FRAME_N * FRAME_N].reshape(-1, FRAME_N) ** 2, axis=1)
        for one in (machine if mono is None else mono, machine)
    )
    return float(powers[of_machine >= of_machine.max() / 1000].mean())


def stem(catalogue: pa.Table, ids: list[str], gain_db: float, start: int, n_samples: int) -> np.ndarray:
    """The mean of some recordings with its gain, full scale 1, float64."""
    reader = RecordingReader(catalogue)
    parts = [reader.samples(one)[start : start + n_samples] / 32768.0 for one in ids]
    return np.mean(parts, axis=0) * 10 ** (gain_db / 20)


def stems(catalogue: pa.Table, found: dict[str, object]) -> tuple[np.ndarray, np.ndarray]:
    n_samples = found["n_samples"]
    target = stem(catalogue, found["recording_ids"], found["target_gain_db"], 0, n_samples)
    noise = stem(catalogue, found["noise_recording_ids"], found["noise_gain_db"], found["noise_start"], n_samples)
    return target, noise


def in_db(ratio: float) -> float:
    return 10 * math.log10(ratio)


asked = st.integers(-6000, 6000).map(lambda hundredths: hundredths / 100)
positions = st.floats(0, 1, exclude_max=True)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    snr_db=asked,
    position=positions,
    n_channels=st.sampled_from([1, 4]),
    reference=st.sampled_from(["clip", "active"]),
    scale=st.integers(20, 9000),
)
def test_the_snr_is_what_was_asked_for(tmp_path_factory, *, seed, snr_db, position, n_channels, reference, scale):
    sounds = {f"t{channel}": random_sound(seed + channel, 4000, scale) for channel in range(n_channels)}
    sounds |= {f"n{channel}": random_sound(seed + 10 + channel, 9000) for channel in range(n_channels)}
    catalogue = store(tmp_path_factory.mktemp("store"), sounds)
    ids = [[f"{kind}{channel}" for channel in range(n_channels)] for kind in "tn"]

    found = resolved(catalogue, row(*ids, snr_db=snr_db, noise_position=position), reference=reference)

    target, noise = stems(catalogue, found.examples.to_pylist()[0])
    powers = power(target), power(noise)
    if reference == "active":
        powers = active_power(target), active_power(target, noise)
    assert in_db(powers[0] / powers[1]) == pytest.approx(snr_db, abs=0.01)
    assert found.examples["reference_level_db"][0].as_py() == pytest.approx(in_db(powers[0]), abs=1e-5)


@settings(max_examples=25)
@given(st.integers(0, 2**32), asked, st.integers(1, 4))
def test_the_snr_of_a_corpus_is_relative_to_the_mean_of_its_normal_clips(tmp_path_factory, seed, snr_db, n_normal):
    scales = np.random.default_rng(seed).uniform(100, 9000, n_normal + 1)
    sounds = {f"t{number}": random_sound(seed + number, 3000, scale) for number, scale in enumerate(scales)}
    catalogue = store(tmp_path_factory.mktemp("store"), sounds | {"n": random_sound(seed + 99, 20_000)})
    labels = ["normal"] * n_normal + ["anomalous"]
    rows = [
        row(f"t{number}", "n", label=label, snr_db=snr_db, noise_position=number / 7)
        for number, label in enumerate(labels)
    ]

    found = resolved(catalogue, *rows, reference="corpus").examples.to_pylist()

    mixed = [stems(catalogue, one) for one in found]
    mean_power = np.mean([power(target) for target, _ in mixed[:n_normal]])
    for _, noise in mixed:  # the noise of the damaged clip too: its level must not tell the label
        assert in_db(mean_power / power(noise)) == pytest.approx(snr_db, abs=0.01)


def test_the_mean_level_is_that_of_the_same_config_case_and_channel(tmp_path):
    sounds = {"soft": random_sound(1, 3000, 300), "loud": random_sound(2, 3000, 6000), "n": random_sound(3, 3000)}
    catalogue = store(tmp_path, sounds)
    groups = [{"case": 2}, {"channel": 3}, {"config": "other"}]

    for group in groups:
        rows = [row("soft", "n"), row("loud", "n", **group)]
        for one in resolved(catalogue, *rows, reference="corpus").examples.to_pylist():
            target, noise = stems(catalogue, one)
            assert in_db(power(target) / power(noise)) == pytest.approx(0, abs=0.01)


def test_where_a_config_has_no_normal_ind_clip_its_other_normal_clips_are_the_reference(tmp_path):
    sounds = {"ind": random_sound(1, 3000, 300), "cnt": random_sound(2, 3000, 6000), "n": random_sound(3, 3000)}
    catalogue = store(tmp_path, sounds)
    continuous = row("cnt", "n", recording_type="CNT")

    both = resolved(catalogue, row("ind", "n"), continuous, reference="corpus").examples.to_pylist()
    (alone,) = resolved(catalogue, continuous, reference="corpus").examples.to_pylist()

    assert both[0]["noise_gain_db"] == both[1]["noise_gain_db"] < alone["noise_gain_db"]
    target, noise = stems(catalogue, alone)
    assert in_db(power(target) / power(noise)) == pytest.approx(0, abs=0.01)


def test_a_mean_level_without_normal_clips_is_an_error_that_names_another_reference(tmp_path):
    catalogue = store(tmp_path, {"t": random_sound(1, 3000), "n": random_sound(2, 3000)})

    with refused(PlanError) as caught:
        resolved(catalogue, row("t", "n", label="anomalous"), reference="corpus")

    assert caught.value.where == "config some, case 1, channel 1"
    assert caught.value.remedy.endswith("--snr-reference clip")


def test_fixed_gains_stay_as_they_are(tmp_path):
    catalogue = store(tmp_path, {"t": random_sound(1, 3000), "n": random_sound(2, 3000)})

    (found,) = resolved(
        catalogue, row("t", "n", target_gain_db=10.0, noise_gain_db=0.0, snr_db=None)
    ).examples.to_pylist()

    assert (found["target_gain_db"], found["noise_gain_db"]) == (10.0, 0.0)


def test_a_clean_example_has_no_noise_gain(tmp_path):
    catalogue = store(tmp_path, {"t": random_sound(1, 3000)})

    (found,) = resolved(catalogue, row("t")).examples.to_pylist()

    assert (found["target_gain_db"], found["noise_gain_db"], found["noise_start"]) == (0.0, None, None)
    assert found["n_samples"] == 3000


@given(positions, st.integers(0, 40))
def test_noise_begins_somewhere_from_which_it_lasts(tmp_path_factory, position, n_more):
    sounds = {"t": np.ones(100), "n": np.ones(100 + n_more)}
    catalogue = store(tmp_path_factory.mktemp("store"), sounds)

    (found,) = resolved(catalogue, row("t", "n", noise_position=position)).examples.to_pylist()

    assert 0 <= found["noise_start"] <= n_more
    assert found["noise_start"] == math.floor(position * (n_more + 1))


def test_every_place_that_noise_can_begin_at_is_as_likely(tmp_path):
    catalogue = store(tmp_path, {"t": np.ones(10), "n": np.ones(14)})
    rows = [row("t", "n", noise_position=number / 1000) for number in range(1000)]

    starts = [one["noise_start"] for one in resolved(catalogue, *rows).examples.to_pylist()]

    assert [starts.count(start) for start in range(5)] == [200] * 5


def test_the_shortest_microphone_of_a_take_decides(tmp_path):
    sounds = {"t1": np.ones(100), "t2": np.ones(98), "n1": np.ones(200), "n2": np.ones(99)}
    catalogue = store(tmp_path, sounds)

    (found,) = resolved(catalogue, row(["t1", "t2"], ["n1", "n2"], noise_position=0.999)).examples.to_pylist()

    assert (found["n_samples"], found["noise_start"]) == (98, 1)


def test_noise_that_is_shorter_than_the_clip_is_an_error(tmp_path):
    catalogue = store(tmp_path, {"t": np.ones(100), "n": np.ones(99)})

    with refused(PlanError) as caught:
        resolved(catalogue, row("t", "n"))

    assert (caught.value.where, caught.value.actual) == ("n", "99 samples")
    assert caught.value.expected == "at least 100 samples, as long as t"
    assert caught.value.remedy == "Use longer noise recordings, or prepare without noise: --protocol basic"


@pytest.mark.parametrize(
    ("silent", "what", "reference"),
    [
        ("t", "target", "clip"),
        ("t", "target", "active"),
        ("n", "noise", "clip"),
        ("n", "noise", "active"),
        ("n", "noise", "corpus"),
    ],
)
def test_silence_on_one_side_of_an_snr_is_an_error_that_says_what_leaves_it_out(tmp_path, silent, what, reference):
    sounds = {"t": random_sound(1, 3000), "n": random_sound(2, 5000)} | {silent: np.zeros(4000)}
    catalogue = store(tmp_path, sounds | {"other": random_sound(3, 3000)})

    with refused(SilentSignalError) as caught:
        resolved(catalogue, row("other", "other"), row("t", "n"), reference=reference)

    assert caught.value.where.startswith(f"{silent}, ")
    assert "--exclude silent" in caught.value.remedy
    assert "--skip-bad" in caught.value.remedy


@pytest.mark.parametrize("silent", ["t", "n"])
@pytest.mark.parametrize("reference", ["clip", "active", "corpus"])
def test_silence_is_mixed_with_fixed_gains_like_any_other_sound(tmp_path, silent, reference):
    sounds = {"t": random_sound(1, 3000), "n": random_sound(2, 5000)} | {silent: np.zeros(4000)}
    catalogue = store(tmp_path, sounds)
    gains = {"target_gain_db": 0.0, "noise_gain_db": 10.0, "snr_db": None}

    (found,) = resolved(catalogue, row("t", "n", **gains), reference=reference).examples.to_pylist()

    assert (found["target_gain_db"], found["noise_gain_db"]) == (0.0, 10.0)
    assert found["target_level_db" if silent == "t" else "noise_level_db"] == -math.inf


def test_a_silent_clip_has_an_snr_relative_to_the_mean_of_the_corpus(tmp_path):
    catalogue = store(tmp_path, {"t": random_sound(1, 3000), "zeros": np.zeros(3000), "n": random_sound(2, 5000)})

    found = resolved(catalogue, row("t", "n"), row("zeros", "n"), reference="corpus").examples.to_pylist()

    assert found[0]["reference_level_db"] == found[1]["reference_level_db"]
    assert found[0]["noise_gain_db"] == found[1]["noise_gain_db"]


def test_a_mean_of_silent_clips_is_an_error_that_names_the_group(tmp_path):
    catalogue = store(tmp_path, {"zeros": np.zeros(3000), "n": random_sound(2, 5000)})

    with refused(SilentSignalError) as caught:
        resolved(catalogue, row("zeros", "n"), reference="corpus")

    assert caught.value.where == "config some, case 1, channel 1"
    assert "--exclude silent" in caught.value.remedy


@settings(max_examples=30)
@given(st.integers(0, 5000), st.integers(1, 4000))
def test_noise_is_silence_where_its_stretch_is_whatever_the_rest_of_it_sounds_like(tmp_path_factory, start, n_zeros):
    sound = np.full(9000, 500)
    sound[start : start + n_zeros] = 0
    catalogue = store(tmp_path_factory.mktemp("store"), {"t": np.full(1000, 100), "n": sound})
    position = start / 8001
    begins = math.floor(position * 8001)
    assume(begins + 1000 <= 9000)
    is_silent = not sound[begins : begins + 1000].any()

    if is_silent:
        with pytest.raises(SilentSignalError) as caught:
            resolved(catalogue, row("t", "n", noise_position=position))
        assert caught.value.where.startswith("n, ")
    else:
        resolved(catalogue, row("t", "n", noise_position=position))


def test_silence_alone_is_an_example_like_any_other(tmp_path):
    catalogue = store(tmp_path, {"t": np.zeros(3000)})

    assert resolved(catalogue, row("t")).headroom_db == 0


def test_a_recording_that_the_store_lacks_is_an_error(tmp_path):
    catalogue = store(tmp_path, {"t": np.ones(10)})

    with refused(DatasetError) as caught:
        resolved(catalogue, row("t", "elsewhere"))

    assert caught.value.where == "elsewhere"


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.lists(asked, min_size=1, max_size=4), st.sampled_from([16, 24]))
def test_the_headroom_is_whole_one_for_all_and_lets_nothing_past_full_scale(tmp_path_factory, seed, snrs_db, bit_depth):
    sounds = {"t": random_sound(seed, 2000, 9000), "n": random_sound(seed + 1, 6000, 9000)}
    catalogue = store(tmp_path_factory.mktemp("store"), sounds)
    rows = [row("t", "n", snr_db=snr_db, noise_position=place / 5) for place, snr_db in enumerate(snrs_db)]

    found = resolved(catalogue, row("t"), *rows, bit_depth=bit_depth)

    peaks = [np.abs(sum(stems(catalogue, one))).max() for one in found.examples.to_pylist()[1:]]
    assert found.headroom_db == int(found.headroom_db) >= 0
    assert max(peaks) * 10 ** (-found.headroom_db / 20) <= 1 - 2.0 ** (1 - bit_depth) + 1e-12


def test_headroom_is_found_only_where_it_is_needed(tmp_path):
    catalogue = store(tmp_path, {"soft": np.full(600, 8000), "loud": np.full(600, 32767), "lowest": [-32768]})
    gains = {"target_gain_db": 0.0, "noise_gain_db": 0.0, "snr_db": None}

    assert resolved(catalogue, row("loud")).headroom_db == 0
    assert resolved(catalogue, row("lowest")).headroom_db == 0
    assert resolved(catalogue, row("soft", "soft", **gains)).headroom_db == 0
    assert resolved(catalogue, row("loud", "loud", **gains)).headroom_db == 7


@pytest.mark.parametrize("headroom_db", [0.0, 3.5, 20.0])
def test_a_headroom_of_the_users_choice_is_kept(tmp_path, headroom_db):
    catalogue = store(tmp_path, {"t": np.full(600, 32767)})
    gains = {"target_gain_db": 0.0, "noise_gain_db": 20.0, "snr_db": None}

    assert resolved(catalogue, row("t", "t", **gains), headroom_db=headroom_db).headroom_db == headroom_db


def test_the_number_of_workers_and_the_size_of_tasks_change_nothing(tmp_path, monkeypatch):
    sounds = {f"t{number}": random_sound(number, 1000) for number in range(6)} | {"n": random_sound(9, 4000)}
    catalogue = store(tmp_path, sounds)
    rows = [row(f"t{number}", "n", snr_db=3.0, noise_position=number / 6) for number in range(6)]
    expected = resolved(catalogue, *rows, reference="corpus")
    monkeypatch.setattr(stretches, "STRETCHES_A_TASK", 2)

    for workers in (1, 2):
        found = resolved(catalogue, *rows, reference="corpus", workers=workers)
        assert found.examples.equals(expected.examples)
        assert found.headroom_db == expected.headroom_db


def test_a_task_carries_what_it_measures_and_not_the_rest_of_the_corpus(tmp_path, monkeypatch):
    sounds = {f"t{number:03d}": np.ones(60) for number in range(400)} | {"n": np.ones(90)}
    catalogue = store(tmp_path, sounds)
    rows = [row(recording_id, "n", noise_position=0.5) for recording_id in sorted(sounds)[1:]]
    monkeypatch.setattr(stretches, "STRETCHES_A_TASK", 10)
    sizes: dict[int, int] = {}

    def spy(function, tasks, **options):
        sizes[len(tasks)] = max(len(pickle.dumps(task)) for task in tasks)
        return run_tasks(function, tasks, **options)

    monkeypatch.setattr(stretches, "run_tasks", spy)
    for n_rows in (40, 400):
        resolved(catalogue, *(row([one["recording_ids"][0], "n"], "n") for one in rows[:n_rows]))

    (few, size_of_few), (many, size_of_many) = sorted(sizes.items())
    assert many >= 8 * few
    assert size_of_many < 1.1 * size_of_few


def test_a_window_is_cut_from_its_recording_at_the_output_rate(tmp_path):
    catalogue = store(tmp_path, {"t": np.arange(1, 1001)})

    window = row("t", target_start=300, target_length=600)
    found = resolved(catalogue, window).examples.to_pylist()[0]

    assert (found["target_start"], found["n_samples"]) == (100, 200)


def test_a_window_past_the_end_of_its_recording_is_an_error(tmp_path):
    catalogue = store(tmp_path, {"t": np.arange(1, 1001)})

    with refused(PlanError):
        resolved(catalogue, row("t", target_start=3 * 900, target_length=600))
