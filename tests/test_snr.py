"""The SNR that is asked for is the SNR that is there: on any signals, by every reference, weighted or not."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_resolve import FRAME_N, RATE_HZ, row, store

from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import SilentSignalError
from toyadmos_datasets.rendering.mixing_values import resolve
from toyadmos_datasets.signal.levels import a_weighting
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe
from toyadmos_datasets.values.recording_store import RecordingReader

ODDITIES = ("silent ends", "dc", "clipped", "quiet", "sparse")


def odd_sound(seed: int, n_samples: int, oddity: str) -> np.ndarray:
    """A random signal with something odd about it."""
    random = np.random.default_rng(seed)
    sound = random.normal(0, random.uniform(50, 4000), n_samples)
    if oddity == "silent ends":
        sound[: n_samples // 3] = sound[n_samples - n_samples // 4 :] = 0
    elif oddity == "dc":
        sound += random.uniform(-20_000, 20_000)
    elif oddity == "clipped":
        sound *= 30
    elif oddity == "quiet":
        sound = np.sign(sound) * (np.abs(sound) > np.median(np.abs(sound)))
    elif oddity == "sparse":
        sound *= random.random(n_samples) > 0.98
    return np.clip(np.rint(sound), -32768, 32767)


def weighted(mono: np.ndarray) -> np.ndarray:
    """A signal through the A-weighting, by a transform written out for all of it."""
    spectrum = np.fft.fft(mono)
    frequencies_hz = np.abs(np.fft.fftfreq(len(mono), 1 / RATE_HZ))
    return np.fft.ifft(spectrum * a_weighting(frequencies_hz)).real


def powers(target: np.ndarray, noise: np.ndarray, reference: str, weighting: str | None) -> tuple[float, float]:
    """Mean power of target and noise, shape (n_channels, n_samples), by the definition of the reference."""
    heard = [np.array([weighted(mono) for mono in stem]) if weighting else stem for stem in (target, noise)]
    if reference == "clip":
        return float(np.mean(heard[0] ** 2)), float(np.mean(heard[1] ** 2))
    frame_n = min(FRAME_N, target.shape[1])
    n_frames = target.shape[1] // frame_n
    by_frame = [
        (stem[:, : n_frames * frame_n] ** 2).reshape(len(stem), n_frames, frame_n).mean(axis=(0, 2))
        for stem in (target, *heard)
    ]
    assume(not np.any(np.abs(by_frame[0] / max(by_frame[0].max(), 1e-30) * 1000 - 1) < 1e-9))
    active = (by_frame[0] >= by_frame[0].max() / 1000) & (by_frame[0] > 0)
    return tuple(float(one[active].mean()) if active.any() else 0.0 for one in by_frame[1:])


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    oddities=st.tuples(st.sampled_from(ODDITIES), st.sampled_from(ODDITIES)),
    n_samples=st.sampled_from([1, 2, 30, 511, 512, 513, 3000]),
    snr_db=st.integers(-4000, 4000).map(lambda hundredths: hundredths / 100),
    reference=st.sampled_from(["clip", "active"]),
    weighting=st.sampled_from([None, "A"]),
    channels=st.sampled_from(["1", "stack"]),
)
def test_the_snr_from_stems_is_what_was_asked_for_or_a_silence_is_named(
    tmp_path_factory, *, seed, oddities, n_samples, snr_db, reference, weighting, channels
):
    n_channels = 4 if channels == "stack" else 1
    sounds = {f"t{c}": odd_sound(seed + c, n_samples, oddities[0]) for c in range(n_channels)}
    sounds |= {f"n{c}": odd_sound(seed + c + 9, n_samples + 500, oddities[1]) for c in range(n_channels)}
    catalogue = store(tmp_path_factory.mktemp("store"), sounds)
    ids = [[f"{kind}{channel}" for channel in range(n_channels)] for kind in "tn"]
    asked = row(*ids, snr_db=snr_db, noise_position=0.37)
    recipe = Recipe(
        examples=pa.Table.from_pylist([asked], schema=RECIPE_SCHEMA),
        parameters={"snr_reference": reference, "weighting": weighting, "channels": channels},
    )
    start = math.floor(0.37 * 501)
    reader = RecordingReader(catalogue)
    target = np.array([reader.samples(one) for one in ids[0]]) / 32768
    noise = np.array([reader.samples(one)[start : start + n_samples] for one in ids[1]]) / 32768
    ideal = powers(target, noise, reference, weighting)

    if min(ideal) < 1e-20:
        with pytest.raises(SilentSignalError) as caught:
            resolve(recipe, catalogue, rate_hz=RATE_HZ, progress=Quiet())
        assert caught.value.where.startswith(("t0, ", "n0, "))
        return
    (found,) = resolve(recipe, catalogue, rate_hz=RATE_HZ, progress=Quiet()).examples.to_pylist()

    achieved_db = 10 * math.log10(ideal[0] / ideal[1]) - found["noise_gain_db"]
    assert achieved_db == pytest.approx(snr_db, abs=0.01)
    assert found["reference_level_db"] == pytest.approx(10 * math.log10(ideal[0]), abs=1e-4)
