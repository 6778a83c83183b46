"""What `health` and the levels say of an example: of its own stretch, as recorded, microphone by microphone."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from test_resolve import RATE_HZ, active_power, in_db, power, random_sound, recipe, row

from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.rendering.example_health import summary_of
from toyadmos_datasets.rendering.mixing_values import Resolved, resolve
from toyadmos_datasets.signal.levels import health_flags, measure
from toyadmos_datasets.values.health import HEALTH_FLAGS, Health, HealthCount
from toyadmos_datasets.values.recording_store import SegmentWriter, read_catalogue

CLIP_S = 11
RANDOM = np.random.default_rng(5)
HUM = RANDOM.normal(0, 800, CLIP_S * RATE_HZ)
"""As loud as a machine that runs, -32 dB re full scale."""

REST = RANDOM.normal(0, 1.5, CLIP_S * RATE_HZ)
"""A machine at rest, -87 dB."""

FIXED = {"target_gain_db": 0.0, "noise_gain_db": 0.0, "snr_db": None}


def kept(folder: Path, sounds: dict[str, np.ndarray], n_full_scale: int = 0, source_crc32: int | None = 7) -> pa.Table:
    """Ingest recordings as `ingest` does; the same `source_crc32` for all, or one each."""
    writer = SegmentWriter(folder)
    for number, (recording_id, sound) in enumerate(sounds.items()):
        samples = np.rint(sound).astype(np.int16)
        levels = measure(samples, RATE_HZ)
        known = asdict(levels)
        del known["mean"]
        crc32 = number if source_crc32 is None else source_crc32
        flags = health_flags(levels, n_full_scale)
        writer.add(samples, recording_id=recording_id, source_crc32=crc32, flags=flags, **known)
    writer.commit()
    return read_catalogue(folder)


def resolved(catalogue: pa.Table, *rows: dict[str, object], **parameters: object) -> Resolved:
    asked = recipe(*rows)
    asked.parameters.update(parameters)
    return resolve(asked, catalogue, rate_hz=RATE_HZ, progress=Quiet())


def health(catalogue: pa.Table, *rows: dict[str, object], **parameters: object) -> list[list[str]]:
    return resolved(catalogue, *rows, **parameters).examples["health"].to_pylist()


@pytest.mark.parametrize(
    ("sound", "flags"),
    [
        (HUM, []),
        (np.zeros(CLIP_S * RATE_HZ), ["silent"]),
        (REST, ["near_silent"]),
        (np.full(CLIP_S * RATE_HZ, 32.0) * (-1) ** np.arange(CLIP_S * RATE_HZ), ["near_silent"]),
        (np.full(CLIP_S * RATE_HZ, 33.0) * (-1) ** np.arange(CLIP_S * RATE_HZ), []),
        (HUM + 400, ["dc"]),
        (np.where(np.arange(len(HUM)) < 0.43 * len(HUM), HUM, REST), ["dropout"]),
        (np.where(np.arange(len(HUM)) < 0.46 * len(HUM), HUM, REST), []),
    ],
    ids=["running", "zeros", "rest", "under 0.001", "over 0.001", "offset", "half a run", "nearly half a run"],
)
def test_a_clip_has_the_flags_of_its_sound(tmp_path, sound, flags):
    assert health(kept(tmp_path, {"t": sound}), row("t")) == [flags]


@pytest.mark.parametrize(("n_full_scale", "flags"), [(2, []), (3, ["clipped"])])
def test_a_recording_is_clipped_from_three_samples_at_full_scale_on_whatever_resampling_made_of_them(
    tmp_path, n_full_scale, flags
):
    assert health(kept(tmp_path, {"t": HUM}, n_full_scale), row("t")) == [flags]


def test_health_is_that_of_the_window_and_not_of_the_recording(tmp_path):
    loud = HUM.copy()
    loud[1000] = 32767
    catalogue = kept(tmp_path, {"t": np.concatenate([loud, REST, np.zeros(CLIP_S * RATE_HZ)])}, n_full_scale=3)
    windows = [
        row("t", recording_type="CNT", target_start=3 * start * CLIP_S * RATE_HZ, target_length=3 * CLIP_S * RATE_HZ)
        for start in range(3)
    ]

    assert health(catalogue, row("t", recording_type="CNT"), *windows) == [
        ["clipped"],
        ["clipped"],
        ["near_silent"],
        ["silent"],
    ]


def test_a_continuous_recording_that_rests_half_the_time_has_no_dropout(tmp_path):
    sound = np.concatenate([HUM, REST, REST, REST])

    assert health(kept(tmp_path, {"t": sound}), row("t", recording_type="CNT")) == [[]]


@pytest.mark.parametrize("channels", ["mix", "stack"])
def test_an_example_of_several_microphones_has_the_flags_of_all_of_them(tmp_path, channels):
    sounds = {"t1": HUM, "t2": REST, "t3": HUM[::-1], "t4": HUM + 400}
    catalogue = kept(tmp_path, sounds, source_crc32=None)
    window = row(list(sounds), target_start=3000, target_length=3 * RATE_HZ)

    assert health(catalogue, row(list(sounds)), window, channels=channels) == [["near_silent", "dc"]] * 2


def test_the_same_recording_is_a_duplicate_of_the_event_that_comes_first_by_name(tmp_path):
    catalogue = kept(tmp_path, {"a": HUM, "b": HUM, "c": HUM[::-1], "d": HUM})
    rows = [row(one, event_id=f"event {one}") for one in "dcba"]

    assert health(catalogue, *rows) == [["duplicate"], [], ["duplicate"], []]


def test_the_same_samples_of_another_file_are_no_duplicate_and_neither_are_two_microphones_of_one_event(tmp_path):
    of_other_files = kept(tmp_path / "files", {"a": HUM, "b": HUM}, source_crc32=None)
    of_one_event = kept(tmp_path / "event", {"a": HUM, "b": HUM})

    assert health(of_other_files, row("a"), row("b")) == [[], []]
    assert health(of_one_event, row("a", event_id="one"), row("b", event_id="one", channel=2)) == [[], []]


def test_equal_zeros_are_no_duplicates(tmp_path):
    zeros = np.zeros(CLIP_S * RATE_HZ)
    sounds = {"a": zeros, "b": zeros, "c": HUM, "d": HUM}
    silent_part = np.concatenate([zeros, HUM])
    catalogue = kept(tmp_path, sounds | {"x": silent_part, "y": silent_part})
    windows = [row(one, recording_type="CNT", target_start=0, target_length=3 * RATE_HZ) for one in "xy"]

    found = health(catalogue, *(row(one) for one in "abcd"), *windows)

    assert found == [["silent"], ["silent"], [], ["duplicate"], ["silent"], ["silent"]]


def test_lengths_are_odd_beyond_one_percent_of_the_usual_one_of_their_type(tmp_path):
    lengths = {"a": 1000, "b": 1000, "c": 989, "d": 991, "e": 1009, "f": 1011}
    sounds = {name: HUM[: n * 100] for name, n in lengths.items()} | {"cnt": np.tile(HUM, 2)}
    catalogue = kept(tmp_path, sounds, source_crc32=None)

    found = health(catalogue, *(row(one) for one in lengths), row("cnt", recording_type="CNT"))

    assert found == [[], [], ["short"], [], [], ["long"], []]


def test_a_recording_of_many_rows_counts_once_for_the_usual_length(tmp_path):
    sounds = {"a": HUM[:1000], "b": HUM[500:1500], "c": HUM[:2000]}
    rows = [row("a"), row("b"), *(row("c", draw=number) for number in range(5))]

    assert health(kept(tmp_path, sounds, source_crc32=None), *rows) == [[], [], *[["long"]] * 5]


@pytest.mark.parametrize("weighting", [None, "A"])
def test_levels_are_those_of_the_recordings_before_gain_and_headroom_and_never_weighted(tmp_path, weighting):
    sounds = {"t": random_sound(1, 3000), "n": random_sound(2, 9000)}
    catalogue = kept(tmp_path, sounds)
    noisy = row("t", "n", noise_position=0.5, target_gain_db=12.0, noise_gain_db=-3.0, snr_db=None)

    clean, mixed = resolved(catalogue, row("t"), noisy, weighting=weighting).examples.to_pylist()

    stretch = sounds["n"][mixed["noise_start"] :][:3000]
    assert mixed["target_level_db"] == pytest.approx(in_db(power(sounds["t"] / 32768)), abs=1e-5)
    assert mixed["noise_level_db"] == pytest.approx(in_db(power(stretch / 32768)), abs=1e-5)
    assert mixed["target_active_level_db"] == pytest.approx(in_db(active_power(sounds["t"] / 32768)), abs=1e-5)
    assert clean["noise_level_db"] is None
    assert clean["target_level_db"] == mixed["target_level_db"]


def test_digital_zeros_have_a_level_of_minus_infinity(tmp_path):
    zeros = np.zeros(9000)
    catalogue = kept(tmp_path, {"t": zeros[:3000], "n": zeros})

    (found,) = resolved(catalogue, row("t", "n", **FIXED)).examples.to_pylist()

    names = ("target_level_db", "target_active_level_db", "noise_level_db")
    assert [found[name] for name in names] == [-math.inf] * 3


def test_every_recording_has_its_hash_beside_its_id(tmp_path):
    sounds = {"t1": HUM, "t2": HUM, "n1": HUM[::-1], "n2": HUM}
    catalogue = kept(tmp_path, sounds)

    found, clean = resolved(catalogue, row(["t1", "t2"], ["n1", "n2"], **FIXED), row("t2")).examples.to_pylist()

    known = dict(zip(catalogue["recording_id"].to_pylist(), catalogue.to_pylist(), strict=True))
    said = {key: f"00000007{one['samples_crc32']:08x}{len(HUM):x}" for key, one in known.items()}
    assert found["recording_hashes"] == [said["t1"], said["t2"]]
    assert found["noise_recording_hashes"] == [said["n1"], said["n2"]]
    assert said["t1"] == said["n2"] != said["n1"]
    assert (clean["recording_hashes"], clean["noise_recording_hashes"]) == ([said["t2"]], [])


def test_flags_are_counted_by_label_and_condition_and_an_event_of_several_once(tmp_path):
    zeros = np.zeros(CLIP_S * RATE_HZ)
    catalogue = kept(tmp_path, {"a": REST, "b": REST + 400, "c": HUM, "z": zeros}, source_crc32=None)
    bad = {"label": "anomalous", "condition": "ab01"}
    rows = [row("a"), row("a", draw=1), row("b", **bad), row("c"), row("c", "z", draw=1, **FIXED)]

    found = summary_of(resolved(catalogue, *rows).examples)

    odd = [("silent", "noise", "normal", 1), ("near_silent", "target", "normal", 2), ("dc", "target", "ab01", 1)]
    assert found == Health(
        counts=tuple(
            HealthCount(
                flag=flag,
                part=part,
                label="normal" if condition == "normal" else "anomalous",
                condition=condition,
                n_events=1,
                n_clips=n_clips,
            )
            for flag, part, condition, n_clips in odd
        ),
        n_events=3,
        n_clips=5,
        n_clips_in_all=5,
    )
    assert found.option == "--exclude silent,near_silent,dc"
    assert set(found.flags) < set(HEALTH_FLAGS)
