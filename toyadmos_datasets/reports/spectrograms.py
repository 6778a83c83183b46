"""Clips as a page shows them: a spectrogram as a picture, and the sound for a player."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image

from toyadmos_datasets.baseline.frames import decoded, log_mel
from toyadmos_datasets.corpus.damage import condition_text
from toyadmos_datasets.options.presets import PAPER
from toyadmos_datasets.reports.charts import Trace
from toyadmos_datasets.signal.logmel import FloatArray

_PALETTE = (mpl.colormaps["magma"](np.arange(256))[:, :3] * 255).astype(np.uint8).ravel().tolist()
_TYPES = {b"fLaC": "audio/flac", b"RIFF": "audio/wav"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownClip:
    """A clip on a page.

    Attributes:
        event_id: Its event.
        condition: Its condition.
        state: What that is.
        place: Which clip of its condition it is.
        picture: Its spectrogram, as an address of data.
        sound: The clip as it stands in the dataset, as an address of data; None for a page without audio.
        score: Its score, where the page is about scores.
        trace: The scores of its frames, where they are known.
    """

    event_id: str
    condition: str
    state: str
    place: str
    picture: str
    sound: str | None = None
    score: str | None = None
    trace: Trace | None = None


def shown_clip(row: dict[str, Any], spectrum: FloatArray, shades: tuple[float, float], *, has_audio: bool) -> ShownClip:
    """Show a dataset's row.

    Args:
        row: The row.
        spectrum: Its spectrogram.
        shades: What is darkest and what is brightest.
        has_audio: Whether it can be played.
    """
    return ShownClip(
        event_id=row["event_id"],
        condition=row["condition"],
        state=condition_text(row["toy"], row["condition"]),
        place=_place_of(row),
        picture=_picture(spectrum, shades),
        sound=_sound(row["audio"]["bytes"]) if has_audio else None,
    )


def spectrum_of(row: dict[str, Any]) -> FloatArray:
    """Return the log-mel spectrogram of a dataset's row, as the preset `paper` has it."""
    return log_mel(decoded(row["audio"], PAPER.rate_hz), PAPER)


def shades_of(spectra: Sequence[FloatArray]) -> tuple[float, float]:
    """Return what is darkest and what is brightest, one scale for all pictures of a page."""
    low, high = np.quantile(np.concatenate([one.ravel() for one in spectra]), [0.02, 0.998])
    return float(low), float(high)


def _place_of(row: dict[str, Any]) -> str:
    heard = f"channel {row['channel']}" if row["channel"] else "microphones together"
    draw = f", noise draw {row['draw']}" if row["draw"] else ""
    return f"case {row['case']}, {heard}, take {row['take']}{draw}"


def _picture(spectrum: FloatArray, shades: tuple[float, float]) -> str:
    """Draw a spectrogram, low bands at the bottom."""
    low, high = shades
    shown = np.clip((spectrum.T[::-1] - low) / ((high - low) or 1), 0, 1)
    drawn = Image.fromarray((shown * 255).astype(np.uint8), mode="L")
    drawn.putpalette(_PALETTE)  # a quarter of the bytes that colours at every point would take
    file = io.BytesIO()
    drawn.save(file, format="png", optimize=True)
    return _address("image/png", file.getvalue())


def _sound(content: bytes) -> str:
    return _address(_TYPES.get(content[:4], "application/octet-stream"), content)


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
