"""Noise reduction: its scores against known values, the reference methods, and `evaluate --enhanced`."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from baselines import NO_TORCH
from hypothesis import given, settings
from hypothesis import strategies as st
from preparing import options, toyadmos
from wording import refused

from toyadmos_datasets import evaluate, score_enhancement, train
from toyadmos_datasets.errors import OptionError, SilentSignalError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.scores.enhancement_scores import log_spectral_distance_db, sdr_db, si_sdr_db
from toyadmos_datasets.signal.clip_codec import decode_clip
from toyadmos_datasets.signal.noise_reduction import delay_and_sum, delay_of, noise_power, reduce_noise
from toyadmos_datasets.values.shards import open_split

RATE_HZ = 16_000


def noise_of(seed: int, n: int = 16_000) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize(
    ("estimate", "target", "expected_db"),
    [
        ([1, 1], [1, 0], 0.0),  # as much along the target as across
        ([2, 1], [1, 0], 20 * math.log10(2)),
        ([2, 1], [10, 0], 20 * math.log10(2)),  # the target's scale does not matter
        ([-1, 0.1], [1, 0], 20.0),  # nor its sign
        ([3, 0], [1, 0], math.inf),
        ([0, 1], [1, 0], -math.inf),
        # torchmetrics 1.x, functional/audio/sdr.py, the example in its docstring, with zero_mean=False
        ([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0], 18.4030),
    ],
)
def test_si_sdr_is_the_known_one(estimate, target, expected_db):
    assert si_sdr_db(np.array(estimate), np.array(target)) == pytest.approx(expected_db, abs=5e-5)


@pytest.mark.parametrize(
    ("estimate", "target", "expected_db"),
    [
        ([1, 1], [1, 0], 0.0),
        ([2, 0], [1, 0], 0.0),  # a wrong scale is a distortion
        ([1.1, 0], [1, 0], 20.0),
        # torchmetrics 1.x, functional/audio/snr.py, the example in its docstring, with zero_mean=False
        ([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0], 16.1805),
    ],
)
def test_sdr_is_the_known_one(estimate, target, expected_db):
    assert sdr_db(np.array(estimate), np.array(target)) == pytest.approx(expected_db, abs=5e-5)


@settings(max_examples=10)
@given(gain_db=st.floats(-20, 20))
def test_a_louder_sound_is_as_far_away_as_it_is_louder(gain_db):
    target = noise_of(0, 4000)

    assert log_spectral_distance_db(target * 10 ** (gain_db / 20), target) == pytest.approx(abs(gain_db), abs=0.2)
    assert si_sdr_db(target * 10 ** (gain_db / 20), target) > 250


def test_improvements_are_over_the_mixture():
    target, noise = noise_of(1), noise_of(2)
    found = score_enhancement(target + 0.1 * noise, target, noise)

    assert found.sdr_mixture_db == pytest.approx(0, abs=0.2)
    assert found.sdr_improvement_db == pytest.approx(20)
    assert found.si_sdr_improvement_db == pytest.approx(20, abs=0.3)
    assert found.lsd_db < found.lsd_mixture_db
    untouched = score_enhancement(target + noise, target, noise)
    assert untouched.si_sdr_improvement_db == untouched.sdr_improvement_db == 0


def test_of_several_channels_the_scores_are_means_and_one_is_compared_with_the_first():
    target, noise = np.stack([noise_of(1), noise_of(3)]), np.stack([noise_of(2), noise_of(4)])
    estimate = target + noise * [[0.1], [0.01]]
    both = score_enhancement(estimate, target, noise)
    first, second = (score_enhancement(*one) for one in zip(estimate, target, noise, strict=True))

    assert both.sdr_db == pytest.approx((first.sdr_db + second.sdr_db) / 2)
    assert score_enhancement(estimate[0], target, noise) == first


def test_sounds_that_do_not_fit_or_are_silent_are_refused():
    with refused(OptionError):
        score_enhancement(noise_of(0, 10), noise_of(1, 11), noise_of(2, 11))
    with refused(SilentSignalError):
        score_enhancement(noise_of(0, 10), np.zeros(10), noise_of(2, 10))


@pytest.mark.parametrize("method", ["wiener", "subtraction"])
def test_a_tone_comes_out_of_noise(method):
    seconds = np.arange(2 * RATE_HZ) / RATE_HZ
    target, noise = 0.5 * np.sin(2 * np.pi * 440 * seconds), 0.5 * noise_of(5, 2 * RATE_HZ)
    estimate = reduce_noise(target + noise, noise_power(0.5 * noise_of(6, 3 * RATE_HZ)), method=method)
    found = score_enhancement(estimate, target, noise)

    assert estimate.shape == target.shape
    assert found.si_sdr_improvement_db > 6


def test_without_noise_nothing_is_taken_away():
    target = noise_of(7)

    assert np.allclose(reduce_noise(target, np.zeros(257)), target, atol=1e-5)
    with refused(OptionError):
        reduce_noise(target, np.zeros(257), method="magic")


@settings(max_examples=20)
@given(delays=st.lists(st.integers(-100, 100), min_size=3, max_size=3))
def test_delays_are_found_and_taken_back(delays):
    sound = noise_of(8, 4000)
    clip = np.stack([sound, *(np.roll(sound, delay) for delay in delays)])

    assert [delay_of(one, sound, limit=160) for one in clip] == [0, *delays]
    assert np.allclose(delay_and_sum(clip, RATE_HZ)[200:-200], sound[200:-200], atol=1e-6)


def test_microphones_with_noise_of_their_own_gain_by_being_added_up():
    target = noise_of(9)
    noises = [noise_of(10 + number) for number in range(4)]
    clip = np.stack([np.roll(target, 7 * number) + noise for number, noise in enumerate(noises)])

    gained_db = score_enhancement(delay_and_sum(clip, RATE_HZ), target, noises[0]).si_sdr_improvement_db
    assert gained_db == pytest.approx(10 * math.log10(4), abs=0.4)


@pytest.fixture(scope="module")
def noisy(prepared, tmp_path_factory) -> Path:
    """A dataset with stems, of the source of `prepared`."""
    place = tmp_path_factory.mktemp("noisy")
    source, cache = prepared.parent / "source", prepared.parent / "cache"
    return prepare(options(source, place, protocols=("basic",), snrs_db=(0.0,), stems=True, cache=cache)).out


@pytest.fixture(scope="module")
def rows(noisy) -> list[dict[str, object]]:
    return list(open_split(noisy, "snr_0db", "test").rows())


def write_enhanced(rows, folder: Path, *, share: float) -> Path:
    """Write clips with a share of their noise, as files in folders."""
    for row in rows:
        target, noise = (decode_clip(row[name]["bytes"], None)[0] for name in ("target", "noise"))
        path = folder / str(row["label"]) / row["audio"]["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, target + share * noise, RATE_HZ, subtype="FLOAT")
    return folder


@pytest.fixture
def enhanced(rows, tmp_path) -> Path:
    """The test clips with a tenth of their noise."""
    return write_enhanced(rows, tmp_path / "quieter", share=0.1)


def test_a_folder_of_enhanced_clips_is_scored_by_group(noisy, rows, enhanced, tmp_path, capsys):
    arguments = ["--enhanced", enhanced, "--dataset", noisy, "--config", "snr_0db"]
    ran = toyadmos(capsys, "evaluate", tmp_path / "run", *arguments)
    found = json.loads((tmp_path / "run" / "enhancements" / "snr_0db+quieter" / "scores.json").read_text())
    every, *groups = found["groups"]

    assert ran.status == 0
    assert "SI-SDR" in ran.out
    assert every["n_clips"] == len(rows)
    assert every["sdr_improvement_db"]["value"] == pytest.approx(20, abs=0.1)
    assert {(one["by"], one["name"]) for one in groups} >= {
        ("snr_db", "0"),
        ("case", "1"),
        ("channel", "1"),
        *{("condition", row["condition"]) for row in rows},
    }
    assert found["detection"] is None
    again = toyadmos(capsys, "evaluate", tmp_path / "run", *arguments)
    assert again.status != 0
    assert "--overwrite" in again.err


def test_a_parquet_file_of_enhanced_clips_has_the_same_scores(noisy, rows, enhanced, tmp_path):
    clips = [
        {"event_id": row["event_id"], "channel": row["channel"], "audio": {"bytes": path.read_bytes(), "path": None}}
        for row in reversed(rows)
        for path in enhanced.rglob(row["audio"]["path"])
    ]
    pq.write_table(pa.Table.from_pylist(clips), tmp_path / "quieter.parquet")
    one, other = (
        evaluate(tmp_path / "run", enhanced=path, dataset=noisy, config="snr_0db")[0]
        for path in (enhanced, tmp_path / "quieter.parquet")
    )

    assert one.groups == other.groups
    assert one.folder != other.folder


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (lambda folder, path: path.unlink(), "no such file"),
        (lambda folder, path: shutil.copy(path, folder / path.name), "two"),
        (lambda folder, path: soundfile.write(path, np.zeros(10), RATE_HZ), "10 samples"),
        (lambda folder, path: soundfile.write(path, soundfile.read(path)[0], 8000), "8000 Hz"),
    ],
)
def test_clips_that_are_not_those_of_the_split_are_refused(noisy, enhanced, tmp_path, damage, part):
    damage(enhanced, min(enhanced.rglob("*.wav")))

    with pytest.raises(OptionError, match=part):
        evaluate(tmp_path / "run", enhanced=enhanced, dataset=noisy, config="snr_0db")


@pytest.mark.parametrize(
    ("changes", "where"),
    [({"config": "clean"}, "clean"), ({"dataset": None}, "dataset="), ({"scores": "mine.csv"}, "enhanced=")],
)
def test_what_cannot_be_scored_is_refused(noisy, enhanced, tmp_path, changes, where):
    with pytest.raises(OptionError) as caught:
        evaluate(tmp_path / "run", **{"enhanced": enhanced, "dataset": noisy, "config": "snr_0db"} | changes)

    assert caught.value.where == where


@pytest.mark.usefixtures("baseline_cache")
def test_a_trained_run_tells_whether_it_gains(noisy, rows, tmp_path):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    torch.set_num_threads(1)
    small = ["offsets=[-1,0,1]", "n_units=16", "n_hidden=1", "n_code=4", "epochs=3"]
    train(noisy, out=tmp_path / "run", config="clean", set=small, device="cpu")
    without, with_noise = (
        evaluate(
            tmp_path / "run",
            enhanced=write_enhanced(rows, tmp_path / f"share{share}", share=share),
            config="snr_0db",
            device="cpu",
        )[0].detection
        for share in (0.0, 1.0)
    )

    assert without.auc_enhanced == without.auc_target
    assert with_noise.auc_enhanced.value == pytest.approx(with_noise.auc_mixture.value, abs=0.05)  # but for rounding
    assert without.gain.value == pytest.approx(without.auc_target.value - without.auc_mixture.value)
