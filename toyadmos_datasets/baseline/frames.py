"""The frames of many clips in one array, computed once for a config and kept, memory-mapped."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.baseline.clip_input import mono_clips
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.atomic import writing
from toyadmos_datasets.options.presets import PAPER, Preset
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Log-mel frames of clips, one clip after the other.

    Attributes:
        values: Shape (n_frames, n_mels), float32; may be mapped from a file.
        bounds: Where each clip begins, and where the last one ends, shape (n_clips + 1,).
    """

    values: FloatArray
    bounds: npt.NDArray[np.int64]

    @property
    def n_clips(self) -> int:
        """Clips in it."""
        return len(self.bounds) - 1

    def rows(self, preset: Preset) -> npt.NDArray[np.int64]:
        """Return the frames that an input can be stacked around, shape (n_inputs,)."""
        return np.concatenate([self.rows_of(clip, preset) for clip in range(self.n_clips)])

    def rows_of(self, clip: int, preset: Preset) -> npt.NDArray[np.int64]:
        """Return the frames of one clip that an input can be stacked around."""
        start, end = self.bounds[clip], self.bounds[clip + 1]
        if preset.is_padded:
            return np.arange(start, end)
        return np.arange(start - min(*preset.offsets, 0), end - max(*preset.offsets, 0))


class GrowingFrames:
    """Frames that are written as they come, so that memory holds those of one clip.

    Args:
        file: Where they go, from its beginning; open for reading and writing.
        place: What it is called where it cannot be written.
    """

    def __init__(self, file: IO[bytes], place: Path) -> None:
        self._file, self._place = file, place
        self._n_mels = 0
        self._lengths: list[int] = []

    def append(self, spectrum: FloatArray) -> None:
        """Write the frames of the next clip, shape (n_frames, n_mels).

        Raises:
            DiskFullError: There is no room for them.
        """
        self._n_mels = spectrum.shape[1]
        self._lengths.append(len(spectrum))
        with writing(self._place):
            self._file.write(np.ascontiguousarray(spectrum, np.float32).data)

    @property
    def bounds(self) -> npt.NDArray[np.int64]:
        """Where each clip begins, and where the last one ends, shape (n_clips + 1,)."""
        return np.cumsum([0, *self._lengths], dtype=np.int64)

    def mapped(self) -> Frames:
        """Return them, mapped from the file."""
        with writing(self._place):
            self._file.flush()
        return mapped_frames(self._file, self.bounds, self._n_mels)


def mapped_frames(file: IO[bytes] | Path, bounds: npt.NDArray[np.int64], n_mels: int) -> Frames:
    """Return frames that stay in their file; the system reads what is used, and forgets it for want of memory."""
    # Copy-on-write, since torch wants memory that may be written to.
    values = np.memmap(file, dtype=np.float32, mode="c", shape=(int(bounds[-1]), n_mels))
    return Frames(values=values, bounds=bounds)


def frames_of(clips: Any, preset: Preset) -> Frames:  # noqa: ANN401  # arrays, a Dataset, or Frames
    """Return the frames of clips, in a temporary file that goes with them; frames stay as they are.

    Raises:
        DatasetError: There are no clips, or one is too short.
        DiskFullError: There is no room in the folder for temporary files, which ``TMPDIR`` names.
    """
    if isinstance(clips, Frames):
        return clips
    with tempfile.TemporaryFile() as file:
        growing = GrowingFrames(file, Path(tempfile.gettempdir()))
        for mono in mono_clips(clips, preset.rate_hz):
            growing.append(log_mel(mono, preset))
        require_long_enough(np.diff(growing.bounds).tolist(), preset)
        return growing.mapped()


def stacks(clips: Any, preset: Preset = PAPER) -> list[FloatArray]:  # noqa: ANN401  # arrays, a Dataset, or Frames
    """Return the inputs of clips before they are normalised.

    Args:
        clips: As for `fit`.
        preset: Which frames are made and stacked.

    Returns:
        One array a clip, shape (n_inputs, n_offsets, n_mels); frames past a clip's ends are zeros. For a stretch of
        offsets it is a view: stacked frames share 20 of 21 with their neighbours, and no memory is taken for them.
    """
    frames = frames_of(clips, preset)
    return [_stacks_of(frames, clip, preset) for clip in range(frames.n_clips)]


def _stacks_of(frames: Frames, clip: int, preset: Preset) -> FloatArray:
    start, end = frames.bounds[clip], frames.bounds[clip + 1]
    first, count = preset.offsets[0], len(preset.offsets)
    rows = frames.rows_of(clip, preset)
    if not preset.is_padded and preset.offsets == tuple(range(first, first + count)):
        windows = np.lib.stride_tricks.sliding_window_view(frames.values[start:end], count, axis=0)
        return windows.transpose(0, 2, 1)[rows[0] - start + first :][: len(rows)]
    places = rows[:, None] + np.array(preset.offsets)
    is_inside = (places >= start) & (places < end)
    found: FloatArray = frames.values[places.clip(start, end - 1)] * is_inside[:, :, None]
    return found


def require_long_enough(lengths: list[int], preset: Preset) -> None:
    """Raise unless there are clips, and each has enough frames.

    Raises:
        DatasetError: There are none, or one is too short.
    """
    needed = preset.least_frames
    if not lengths or min(lengths) < needed:
        raise DatasetError(
            "There is nothing to train or score on." if not lengths else "A clip is too short for one input.",
            where=f"preset {preset.name}",
            expected=f"clips of at least {needed} frames",
            actual="no clips" if not lengths else f"one of {min(lengths)} frames",
            remedy="Leave such clips out, stack fewer frames (--set 'offsets=[-2,-1,0,1,2]') or cut fewer stretches.",
        )
