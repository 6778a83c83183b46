"""Energy of a signal, over all of it and where the machine runs: what levels and ratios are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.signal.levels import frame_energies, frame_length, power_to_db
from toyadmos_datasets.signal.weighting import a_weighted
from toyadmos_datasets.units import Decibels, Hertz

Frames = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Energies:
    """Sums of squares of a signal; exact where the signal is not weighted.

    Attributes:
        whole: Over all samples of all channels.
        by_frame: Over each whole frame, shape (n_frames,).
        n_values: Samples of all channels.
        n_frame_values: The same of one frame.
    """

    whole: int | float
    by_frame: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    n_values: int
    n_frame_values: int

    def level_db(self, full_scale: int) -> Decibels:
        """Return the level over all of it, dB re full scale; -inf for silence."""
        return power_to_db(self.whole / self.n_values / full_scale**2)

    def level_over_db(self, frames: Frames, full_scale: int) -> Decibels:
        """Return the level over some frames, dB re full scale; -inf for silence, and for no frames."""
        if not frames.any():
            return power_to_db(0)
        return power_to_db(float(self.by_frame[frames].mean()) / self.n_frame_values / full_scale**2)


def energies_of(samples: npt.NDArray[np.integer], rate_hz: Hertz, weighting: str | None = None) -> Energies:
    """Measure the energies of a signal.

    Args:
        samples: Integers, shape (n_samples,) or (n_channels, n_samples); the energies of channels are added up.
        rate_hz: Their rate.
        weighting: ``A``, or None to take all frequencies alike.
    """
    signal = samples if weighting is None else a_weighted(samples, rate_hz)
    n_samples = samples.shape[-1]
    n_channels = samples.size // max(n_samples, 1)
    frame_n = min(frame_length(rate_hz), max(n_samples, 1))
    by_frame = frame_energies(signal, rate_hz)
    tail = signal[..., len(by_frame) * frame_n :]
    of_tail = np.square(tail if weighting else tail.astype(np.int64)).sum()
    return Energies(
        whole=(by_frame.sum() + of_tail).item(),
        by_frame=by_frame,
        n_values=samples.size,
        n_frame_values=frame_n * n_channels,
    )
