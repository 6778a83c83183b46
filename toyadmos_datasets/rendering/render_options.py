"""How the recordings of a recipe are put together and compared, by the recipe's parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.rendering.clip_encoding import Encoding
from toyadmos_datasets.signal.logmel import LogMel
from toyadmos_datasets.signal.mixing import Stem, stem_of
from toyadmos_datasets.units import Decibels, Hertz
from toyadmos_datasets.values.recipe import STACK
from toyadmos_datasets.values.recording_store import RecordingReader

CLIP_POLICIES = ("error", "count")


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """How examples are rendered.

    Attributes:
        encoding: How audio is stored.
        headroom_db: Attenuation of the whole dataset; None to find the smallest whole number that suffices.
        on_clip: ``error``, or ``count`` the examples that exceed full scale all the same.
        has_stems: Keep the parts of each mixture, target and noise, beside it.
        log_mel: Also make a config of log-mel features of each config; None for none.
        workers: Number of processes.
    """

    encoding: Encoding = field(default_factory=Encoding)
    headroom_db: Decibels | None = None
    on_clip: str = "error"
    has_stems: bool = False
    log_mel: LogMel | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        if self.on_clip not in CLIP_POLICIES:
            raise OptionError(
                "An option has a value that cannot be used.",
                where="--on-clip",
                expected=" or ".join(CLIP_POLICIES),
                actual=self.on_clip,
                remedy="toyadmos prepare --help",
            )
        if self.headroom_db is not None and not 0 <= self.headroom_db <= 96:
            raise OptionError(
                "An option has a value that cannot be used.",
                where="--headroom-db",
                expected="0 to 96 dB",
                actual=self.headroom_db,
                remedy="Leave it out: then it is found from the recordings.",
            )

    def as_request(self) -> dict[str, Any]:
        """Return what the bytes follow from, as JSON values; `of_request` takes them back."""
        return {
            "encoding": self.encoding.container,
            "bit_depth": self.encoding.bit_depth,
            "rate_hz": self.encoding.rate_hz,
            "headroom_db": self.headroom_db,
            "on_clip": self.on_clip,
            "stems": self.has_stems,
        } | ({} if self.log_mel is None else {"features": self.log_mel.as_parameters()})

    @classmethod
    def of_request(cls, request: Mapping[str, Any], *, workers: int = 1) -> RenderOptions:
        """Return the options that a request of `as_request` stands for; what else is in it is left alone."""
        return cls(
            encoding=Encoding(
                container=request["encoding"], bit_depth=request["bit_depth"], rate_hz=request["rate_hz"]
            ),
            headroom_db=request["headroom_db"],
            on_clip=request["on_clip"],
            has_stems=request["stems"],
            log_mel=LogMel.of_parameters(request["features"]) if "features" in request else None,
            workers=workers,
        )


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
    """Tell whether a recipe keeps the four microphones apart, in one clip."""
    return parameters.get("channels") == STACK


def values_a_sample(examples: pa.Table, *, is_stacked: bool, has_stems: bool) -> npt.NDArray[np.int64]:
    """Return how many integers are written for a sample of each example: one a channel of its clip and of each stem."""
    n_recordings, n_noises = (
        pc.list_value_length(examples[name]).to_numpy().astype(np.int64)
        for name in ("recording_ids", "noise_recording_ids")
    )
    n_clips = 1 + has_stems * (1 + (n_noises > 0))
    values: npt.NDArray[np.int64] = n_clips * (n_recordings if is_stacked else np.ones_like(n_recordings))
    return values
