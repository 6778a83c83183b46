"""How the recordings of a recipe are mixed and compared, according to its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.options.channel_choices import stacked_channels
from toyadmos_datasets.signal.mixing import Stem, stem_of
from toyadmos_datasets.units import Decibels, Hertz
from toyadmos_datasets.values.recording_store import RecordingReader


@dataclass(frozen=True, slots=True, kw_only=True)
class MixingRules:
    """What holds for every example of a recipe.

    Attributes:
        rate_hz: Rate of the recordings.
        is_stacked: Whether the recordings of an example are channels of its clip, and not averaged.
        snr_reference: Level that an SNR is relative to: ``corpus``, ``clip`` or ``active``.
        weighting: ``A``, or None: how levels and SNRs take frequencies.
    """

    rate_hz: Hertz
    is_stacked: bool = False
    snr_reference: str = "corpus"
    weighting: str | None = None

    def stem(
        self,
        reader: RecordingReader,
        recording_ids: Sequence[str],
        start: int,
        n_samples: int,
        *,
        gain_db: Decibels = 0.0,
    ) -> Stem:
        """Read a stretch of some recordings and put it together.

        Args:
            reader: Has the recordings.
            recording_ids: Which.
            start: First sample.
            n_samples: Length.
            gain_db: Gain that it is mixed with.
        """
        recordings = [reader.stretch(one, start, n_samples) for one in recording_ids]
        return stem_of(recordings, is_stacked=self.is_stacked, gain_db=gain_db)


def rules_of(parameters: Mapping[str, Any], rate_hz: Hertz) -> MixingRules:
    """Return the rules that a recipe's parameters state."""
    return MixingRules(
        rate_hz=rate_hz,
        is_stacked=is_stacked(parameters),
        snr_reference=parameters.get("snr_reference", "corpus"),
        weighting=parameters.get("weighting"),
    )


def is_stacked(parameters: Mapping[str, Any]) -> bool:
    """Tell whether a recipe keeps several microphones apart, as the channels of one clip."""
    return bool(stacked_channels(parameters.get("channels")))


def values_a_sample(examples: pa.Table, *, is_stacked: bool, stems: bool) -> npt.NDArray[np.int64]:
    """Return how many integers are written for a sample of each example: one a channel of its clip and of each stem."""
    n_recordings, n_noises = (
        pc.list_value_length(examples[name]).to_numpy().astype(np.int64)
        for name in ("recording_ids", "noise_recording_ids")
    )
    n_clips = 1 + stems * (1 + (n_noises > 0))
    values: npt.NDArray[np.int64] = n_clips * (n_recordings if is_stacked else np.ones_like(n_recordings))
    return values
