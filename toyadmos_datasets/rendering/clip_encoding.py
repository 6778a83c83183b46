"""From integers to the bytes of an audio file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.signal.clip_codec import write_clip
from toyadmos_datasets.units import Hertz

ENCODINGS = ("flac", "wav")
BIT_DEPTHS = (16, 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How examples are stored.

    Attributes:
        container: ``flac`` (lossless, smaller) or ``wav``.
        bit_depth: 16, or 24.
        rate_hz: Sampling rate.
    """

    container: str = "flac"
    bit_depth: int = 16
    rate_hz: Hertz = 16_000

    def __post_init__(self) -> None:
        for option, value, choices in (
            ("--encoding", self.container, ENCODINGS),
            ("--bit-depth", self.bit_depth, BIT_DEPTHS),
        ):
            if value not in choices:
                raise OptionError(
                    "An option has a value that cannot be used.",
                    where=option,
                    expected=" or ".join(map(str, choices)),
                    actual=value,
                    remedy="toyadmos prepare --help",
                )

    def encode(self, samples: npt.NDArray[np.int32]) -> bytes:
        """Return the bytes of an audio file.

        Args:
            samples: Integers of `bit_depth` bits, shape (n_samples,) or (n_channels, n_samples).
        """
        # libsndfile takes 24-bit samples as the upper bits of 32.
        whole = samples.astype(np.int16) if self.bit_depth == 16 else samples << 8
        return write_clip(whole, self.rate_hz, self.container.upper(), f"PCM_{self.bit_depth}")
