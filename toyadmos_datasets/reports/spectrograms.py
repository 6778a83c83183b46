"""Spectrograms as pictures in a page, and clips as players."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image

from toyadmos_datasets.baseline.frames import decoded, log_mel
from toyadmos_datasets.baseline.presets import PAPER
from toyadmos_datasets.escaping import html_text
from toyadmos_datasets.signal.logmel import FloatArray

_PALETTE = (mpl.colormaps["magma"](np.arange(256))[:, :3] * 255).astype(np.uint8).ravel().tolist()
_TYPES = {b"fLaC": "audio/flac", b"RIFF": "audio/wav"}


def spectrum_of(row: dict[str, Any]) -> FloatArray:
    """Return the log-mel spectrogram of a dataset's row, as the preset `paper` has it."""
    return log_mel(decoded(row["audio"], PAPER.rate_hz), PAPER)


def place_of(row: dict[str, Any]) -> str:
    """Say which clip of its condition a row is, for people."""
    heard = f"channel {row['channel']}" if row["channel"] else "microphones together"
    draw = f", noise draw {row['draw']}" if row["draw"] else ""
    return f"case {row['case']}, {heard}, take {row['take']}{draw}"


def shades_of(spectra: Sequence[FloatArray]) -> tuple[float, float]:
    """Return what is darkest and what is brightest, one scale for all pictures of a page."""
    values = np.concatenate([one.ravel() for one in spectra])
    low, high = np.quantile(values, [0.02, 0.998])
    return float(low), float(high)


def picture(spectrum: FloatArray, shades: tuple[float, float], description: str) -> str:
    """Return a spectrogram as an `img`, low bands at the bottom."""
    low, high = shades
    shown = np.clip((spectrum.T[::-1] - low) / ((high - low) or 1), 0, 1)
    drawn = Image.fromarray((shown * 255).astype(np.uint8), mode="L")
    drawn.putpalette(_PALETTE)  # a quarter of the bytes that colours at every point would take
    file = io.BytesIO()
    drawn.save(file, format="png", optimize=True)
    return (
        f'<img class="spectrogram" alt="{html_text(description)}" src="data:image/png;base64,{_text(file.getvalue())}">'
    )


def player(audio: dict[str, Any], name: str) -> str:
    """Return a player of a clip as it stands in the dataset."""
    content = audio["bytes"]
    kind = _TYPES.get(content[:4], "application/octet-stream")
    source = f"data:{kind};base64,{_text(content)}"
    return f'<audio controls preload="metadata" aria-label="{html_text(name)}" src="{source}"></audio>'


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
