"""What a user can ask of rendering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.render.encoding import Encoding
from toyadmos_datasets.signal.logmel import LogMel
from toyadmos_datasets.units import Decibels

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
            log_mel=LogMel(**request["features"]) if "features" in request else None,
            workers=workers,
        )
