"""From the corpus's 48 kHz to the rate asked for, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import soxr

from toyadmos_datasets.signal.levels import FULL_SCALE
from toyadmos_datasets.units import Hertz

QUALITY = "HQ"
"""soxr's 20-bit preset: pass-band to 0.91 of the new Nyquist frequency, aliases below 16-bit noise."""


def resampler_name(from_hz: Hertz, to_hz: Hertz) -> str:
    """Name what turns one rate into the other, with the version of the library whose arithmetic it is."""
    if from_hz == to_hz:
        return "none"
    return f"soxr-{QUALITY.lower()}-{soxr.__libsoxr_version__}"


def resample_chunks(
    chunks: Iterable[npt.NDArray[np.int16]], from_hz: Hertz, to_hz: Hertz
) -> Iterator[npt.NDArray[np.int16]]:
    """Yield a recording at another rate; the result does not depend on where it is cut into chunks.

    The arithmetic is float32 and the result is rounded to the nearest int16 (soxr's own int16 mode
    dithers, so that two runs would differ). An equal rate passes every sample through untouched.

    Args:
        chunks: Consecutive pieces of one mono recording, each of shape (n_samples,).
        from_hz: Their rate.
        to_hz: The rate asked for.
    """
    if from_hz == to_hz:
        yield from chunks
        return
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=QUALITY)
    for chunk in chunks:
        yield _to_int16(stream.resample_chunk(chunk.astype(np.float32)))
    yield _to_int16(stream.resample_chunk(np.empty(0, dtype=np.float32), last=True))


def _to_int16(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Round to the nearest integer; what overshoots full scale stays at full scale and never wraps."""
    np.rint(samples, out=samples)
    np.clip(samples, -FULL_SCALE, FULL_SCALE - 1, out=samples)
    return samples.astype(np.int16)
