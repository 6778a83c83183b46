"""Log-mel spectrograms as a preset has them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.baseline.presets import PAPER, Preset
from toyadmos_datasets.signal import logmel
from toyadmos_datasets.signal.logmel import FloatArray


def log_mel(mono: npt.NDArray[np.floating], preset: Preset = PAPER) -> FloatArray:
    """Return the log-mel spectrogram of a clip, shape (n_frames, n_mels).

    Args:
        mono: Shape (n_samples,), full scale +-1, at the preset's rate.
        preset: Which frames, bands and logarithm.

    Raises:
        OptionError: The clip is shorter than a frame, or has more than one channel.
    """
    return logmel.log_mel(mono, preset.log_mel)
