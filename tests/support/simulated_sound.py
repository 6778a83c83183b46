"""Ways to look at synthesised recordings, for the tests of the simulator."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.corpus.toys import CHANNELS
from toyadmos_datasets.simulation.simulated_events import Event
from toyadmos_datasets.simulation.synthesiser import synthesise

RATE_HZ = 48_000
FRAME = 480


def event(toy, condition="normal", *, case=1, take=1, recording_type="IND", duration_s=5.0, is_at_rest=False):
    names = tuple(
        RecordingName(
            toy=toy, case=case, condition=condition, recording_type=recording_type, channel=channel, take=take
        )
        for channel in CHANNELS
    )
    return Event(names=names, duration_s=duration_s, is_at_rest=is_at_rest)


def hear(toy, condition="normal", *, seed=0, **what):
    """Four channels, float64, full scale 1, shape (4, n_samples)."""
    return np.stack(synthesise(event(toy, condition, **what), seed=seed)) / 32768


def levels_db(mono, frame=FRAME):
    """RMS of consecutive frames, dB re full scale."""
    frames = mono[: len(mono) // frame * frame].reshape(-1, frame)
    return 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)


def spectrum_db(mono):
    """Frequencies and power spectrum of the middle of a clip, dB."""
    middle = mono[int(0.3 * len(mono)) : int(0.8 * len(mono))]
    power = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) ** 2
    return np.fft.rfftfreq(len(middle), 1 / RATE_HZ), 10 * np.log10(power + 1e-12)


def band_levels_db(mono, edges_hz, frame=FRAME):
    """Level of each band in consecutive frames, dB, shape (n_bands, n_frames)."""
    frames = mono[: len(mono) // frame * frame].reshape(-1, frame) * np.hanning(frame)
    power = np.abs(np.fft.rfft(frames)) ** 2
    bins_hz = np.fft.rfftfreq(frame, 1 / RATE_HZ)
    bands = [power[:, (bins_hz >= low) & (bins_hz < high)].mean(axis=1) for low, high in pairwise(edges_hz)]
    return 10 * np.log10(np.array(bands) + 1e-12)
