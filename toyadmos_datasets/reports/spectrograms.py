"""Clips as a page shows them: a spectrogram within its axes, and the sound for a player."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import matplotlib as mpl
import numpy as np
from PIL import Image

from toyadmos_datasets.baseline.clip_input import decoded
from toyadmos_datasets.baseline.frames import log_mel
from toyadmos_datasets.corpus.damage import condition_text
from toyadmos_datasets.options.presets import PAPER
from toyadmos_datasets.options.render_options import Encoding
from toyadmos_datasets.reports.charts import Axes, Trace, ticks
from toyadmos_datasets.reports.clip_pairs import ClipPair
from toyadmos_datasets.reports.score_charts import band_marks
from toyadmos_datasets.signal.clip_codec import decode_pcm, encode_stored
from toyadmos_datasets.signal.logmel import FloatArray, band_centres_hz
from toyadmos_datasets.units import Decibels
from toyadmos_datasets.values.shards import SplitOfConfig

_COLOURS = (mpl.colormaps["magma"](np.arange(256))[:, :3] * 255).astype(np.uint8)
_PALETTE = _COLOURS.ravel().tolist()
_STOPS = ", ".join(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in _COLOURS[::15].tolist())
_DB_A_NEPER = 20 / np.log(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A spectrogram within its axes.

    Attributes:
        address: The picture, low bands at the bottom, as an address of data.
        axes: Time and mel bands around it.
        shades: Level of the darkest and of the brightest colour, dB.
    """

    unit: ClassVar = "dB"

    address: str
    axes: Axes
    shades: tuple[Decibels, Decibels]

    @property
    def description(self) -> str:
        """Text of the axes for screen readers."""
        low, high = self.shades
        top = self.axes.y_ticks[-1][1]
        return (
            f"{self.axes.x_name}: 0 to {self.axes.x[1]:.1f}; {self.axes.y_name}: to {top}; {low:.0f} to {high:.0f} dB"
        )

    @property
    def shade_ticks(self) -> list[tuple[str, str]]:
        """Where the bar of colours is marked, from the top, and with what."""
        low, high = self.shades
        share = (self.axes.bottom - self.axes.top) / ((high - low) or 1)
        return [(f"{self.axes.bottom - (one - low) * share:.1f}", f"{one:g}") for one in ticks(low, high)]

    @property
    def box(self) -> str:
        """Where the picture lies within the axes, as a style."""
        return self._box(self.axes.left, self.axes.right)

    @property
    def shade_box(self) -> str:
        """Where the bar of colours lies, and its colours, as a style."""
        bar = self._box(self.axes.right + 8, self.axes.right + 18)
        return f"{bar};background:linear-gradient(to top, {_STOPS})"

    def _box(self, left: int, right: int) -> str:
        axes = self.axes
        places = {"left": left, "width": right - left, "top": axes.top, "height": axes.bottom - axes.top}
        whole = {"left": axes.width, "width": axes.width, "top": axes.height, "height": axes.height}
        return ";".join(f"{name}:{100 * value / whole[name]:.2f}%" for name, value in places.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownClip:
    """A clip on a page.

    Attributes:
        event_id: Its event.
        condition: Its condition.
        state: What that is.
        place: Which clip of its condition it is.
        picture: Its spectrogram.
        sound: The clip, as an address of data; None for a page without audio.
        score: Its score, where the page is about scores.
        trace: The scores of its frames, where they are known.
    """

    event_id: str
    condition: str
    state: str
    place: str
    picture: Picture
    sound: str | None = None
    score: str | None = None
    trace: Trace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A clip beside one of the other label, of the same case and microphone where there is one.

    Attributes:
        clip: What is shown.
        beside: What it is compared with; None where the split has nothing.
    """

    clip: ShownClip
    beside: ShownClip | None


def shown_clips(split: SplitOfConfig, numbers: Collection[int], *, has_audio: bool) -> dict[int, ShownClip]:
    """Show rows of a split, by their numbers; all pictures have one scale of colours.

    Args:
        split: The split.
        numbers: Which of its rows.
        has_audio: Whether they can be played.
    """
    if not numbers:
        return {}
    rows = {number: row for number, row in enumerate(split.rows()) if number in numbers}
    spectra = {number: spectrum_of(row) for number, row in rows.items()}
    shades = shades_of(list(spectra.values()))
    return {number: _shown(row, spectra[number], shades, has_audio=has_audio) for number, row in rows.items()}


def paired(pairs: Sequence[ClipPair], shown: Mapping[int, ShownClip]) -> list[Pair]:
    """Return pairs of rows as they are shown."""
    return [Pair(clip=shown[one.clip], beside=None if one.beside is None else shown[one.beside]) for one in pairs]


def _shown(
    row: dict[str, Any], spectrum: FloatArray, shades: tuple[Decibels, Decibels], *, has_audio: bool
) -> ShownClip:
    is_told = bool(row["damaged_parts"])
    unharmed = "no damage" if row["condition"] == "normal" else row["condition"]
    return ShownClip(
        event_id=row["event_id"],
        condition=row["condition"],
        state=condition_text(row["toy"], row["condition"]) if is_told else unharmed,
        place=_place_of(row),
        picture=_picture(spectrum, shades),
        sound=_sound(row["audio"]) if has_audio else None,
    )


def spectrum_of(row: dict[str, Any]) -> FloatArray:
    """Return the log-mel spectrogram of a dataset's row, with the frames and bands of the preset `paper`, in dB."""
    return log_mel(decoded(row["audio"], PAPER.rate_hz), PAPER) * np.float32(_DB_A_NEPER)


def shades_of(spectra: Sequence[FloatArray]) -> tuple[Decibels, Decibels]:
    """Return what is darkest and what is brightest, one scale for all pictures of a page."""
    low, high = np.quantile(np.concatenate([one.ravel() for one in spectra]), [0.02, 0.998])
    return float(low), float(high)


def _place_of(row: dict[str, Any]) -> str:
    heard = f"channel {row['channel']}" if row["channel"] else "microphones together"
    draw = f", noise draw {row['draw']}" if row["draw"] else ""
    return f"case {row['case']}, {heard}, take {row['take']}{draw}"


def _picture(spectrum: FloatArray, shades: tuple[Decibels, Decibels]) -> Picture:
    """Draw a spectrogram, low bands at the bottom."""
    low, high = shades
    shown = np.clip((spectrum.T[::-1] - low) / ((high - low) or 1), 0, 1)
    drawn = Image.fromarray((shown * 255).astype(np.uint8), mode="L")
    drawn.putpalette(_PALETTE)  # a quarter of the bytes that colours at every point would take
    file = io.BytesIO()
    drawn.save(file, format="png", optimize=True)
    return Picture(address=_address("image/png", file.getvalue()), axes=_axes(*spectrum.shape), shades=shades)


def _axes(n_frames: int, n_bands: int) -> Axes:
    settings = PAPER.log_mel
    return Axes(
        x=(0, (n_frames * settings.n_hop + settings.n_fft - settings.n_hop) / settings.rate_hz),
        y=(0, n_bands),
        x_name="time, s",
        y_name="mel bands, kHz",
        y_marks=band_marks(band_centres_hz(settings), settings.rate_hz / 2),
        width=340,
        height=190,
        margins=(44, 8, 56, 34),
    )


def _sound(audio: dict[str, Any]) -> str:
    """Return a clip as FLAC, whose samples are the dataset's: pages are half as large as with WAV."""
    content, name = audio["bytes"], audio["path"] or "clip"
    if content[:4] == b"fLaC":
        return _address("audio/flac", content)
    pcm = decode_pcm(io.BytesIO(content), name=name)
    encoding = Encoding(container="flac", bit_depth=pcm.bit_depth, rate_hz=pcm.rate_hz)
    return _address("audio/flac", b"".join(part.tobytes() for part in encode_stored(pcm.samples.T, encoding)))


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
