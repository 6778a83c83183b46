"""Options of rendering."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.declaration import Rule, at_least, check_options, of_request, option, request_of, within
from toyadmos_datasets.units import Decibels, Hertz

Filterbank: TypeAlias = Literal["slaney", "published"]
Scale: TypeAlias = Literal["dB", "ln"]
Window: TypeAlias = Literal["periodic", "symmetric"]
PadMode: TypeAlias = Literal["zeros", "reflect"]

SCALES: tuple[Scale, ...] = ("dB", "ln")
ENCODINGS = ("wav", "flac")
BIT_DEPTHS = (16, 24)
CLIP_POLICIES = ("error", "count")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How the audio of examples is stored."""

    container: str = field(
        default="wav",
        metadata=option(
            flag="--encoding",
            key="encoding",
            help="`wav` (loads fastest) or `flac` (the same samples in about two thirds of the space).",
            metavar="FORMAT",
            example="flac",
            choices=ENCODINGS,
        ),
    )
    bit_depth: int = field(
        default=16, metadata=option(help="Bits per sample, 16 or 24.", metavar="BITS", example="24", choices=BIT_DEPTHS)
    )
    rate_hz: Hertz = field(
        default=16_000,
        metadata=option(
            flag="--rate",
            help="Sampling rate in Hz; 48000 keeps the original samples.",
            metavar="HZ",
            example="48000",
            rule=within(1000, 192_000, "Hz"),
        ),
    )

    def __post_init__(self) -> None:
        check_options(self)


LOG_MEL_VERSION = 6
"""Stands beside the settings wherever features are kept: a change of what `log_mel` returns raises it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMel:
    """Which frames, bands and logarithm. The defaults are those of the DCASE task 2 baselines.

    Attributes:
        rate_hz: Rate of the clips.
        filterbank: ``slaney``, as librosa's default, or ``published``, as the published code's, which also adds
            1e-10 to a bin's power before the root that `power` 1 takes.
        window: Hann window, ``periodic`` as librosa's, or ``symmetric``.
        floor: What is added before the logarithm, so that silence has one.
        is_centred: Whether frames reach over the clip's ends, as librosa's do by default.
        pad_mode: Into what they reach: ``zeros``, librosa's default since 0.10, or ``reflect``, that before.
        is_last_frame_dropped: Whether the last whole frame is left out.

    Raises:
        OptionError: A setting is invalid.

    Source:
        Koizumi et al., DCASE 2020 task 2, description of the baseline: 128 bands, frames of 1024 samples, hop 512.
    """

    rate_hz: Hertz = 16_000
    n_fft: int = field(
        default=1024, metadata=option(help="Frame length in samples.", metavar="N", example="512 --features logmel")
    )
    n_hop: int = field(
        default=512,
        metadata=option(
            flag="--hop", help="Hop between frames in samples.", metavar="N", example="256 --features logmel"
        ),
    )
    n_mels: int = field(
        default=128, metadata=option(help="Number of mel bands.", metavar="N", example="64 --features logmel")
    )
    fmin_hz: float = field(
        default=0.0,
        metadata=option(
            flag="--fmin", help="Lower edge of the lowest band in Hz.", metavar="HZ", example="50 --features logmel"
        ),
    )
    fmax_hz: float | None = field(
        default=None,
        metadata=option(
            flag="--fmax",
            help="Upper edge of the highest band in Hz, by default half the sampling rate.",
            metavar="HZ",
            example="7600 --features logmel",
        ),
    )
    filterbank: Filterbank = "slaney"
    window: Window = "periodic"
    power: int = field(
        default=2,
        metadata=option(help="Exponent of the magnitude spectrum, 1 or 2.", metavar="N", example="1 --features logmel"),
    )
    scale: Scale = field(
        default="dB",
        metadata=option(
            flag="--logmel-scale",
            help="`dB` (10 log10 of the power) or `ln`.",
            metavar="SCALE",
            example="ln --features logmel",
        ),
    )
    floor: float = 2.220446049250313e-16
    is_centred: bool = True
    pad_mode: PadMode = "zeros"
    is_last_frame_dropped: bool = False

    def __post_init__(self) -> None:
        check_options(self)
        if self.n_fft < 2:
            raise _wrong("n_fft", "at least 2 samples", self.n_fft)
        if not 1 <= self.n_hop <= self.n_fft:
            raise _wrong("hop", f"1 to {self.n_fft} samples, the length of a frame", self.n_hop)
        if not 1 <= self.n_mels <= self.n_fft // 2:
            raise _wrong("n_mels", f"1 to {self.n_fft // 2} bands, half the length of a frame", self.n_mels)
        if not 0 <= self.fmin_hz < self.top_hz <= self.rate_hz / 2:
            found = f"{self.fmin_hz:g} to {self.top_hz:g} Hz"
            raise _wrong("fmin or fmax", f"0 <= fmin < fmax <= {self.rate_hz / 2:g} Hz, half the rate", found)
        if self.power not in {1, 2}:
            raise _wrong("power", "1 or 2", self.power)
        if self.scale not in SCALES:
            raise _wrong("scale", " or ".join(SCALES), self.scale)
        if not (self.floor > 0 and math.isfinite(self.floor)):
            raise _wrong("floor", "more than 0", self.floor)

    @property
    def top_hz(self) -> float:
        """Where the highest band ends."""
        return self.rate_hz / 2 if self.fmax_hz is None else self.fmax_hz

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames a clip has."""
        padded = n_samples + 2 * (self.n_fft // 2) if self.is_centred else n_samples
        return max(0, (padded - self.n_fft) // self.n_hop + 1 - self.is_last_frame_dropped)

    def as_parameters(self) -> dict[str, Any]:
        """Return the settings as JSON values, with the version of what is made by them."""
        return {"version": LOG_MEL_VERSION} | asdict(self)

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Any]) -> LogMel:
        """Return the settings that `as_parameters` wrote, of whatever version."""
        return cls(**{name: value for name, value in parameters.items() if name != "version"})


def _wrong(where: str, expected: str, actual: object) -> OptionError:
    return OptionError(
        "A setting of the features is invalid.",
        where=where,
        expected=expected,
        actual=actual,
        remedy="Leave it out for the default; see docs/cli.md.",
    )


LOCAL = "local"
"""The engine of this machine."""

_ENGINE = re.compile(rf"{LOCAL}|ray|(dask|ray)://[^/:]+:\d{{1,5}}|(dask|ray)://\[[0-9a-fA-F:]+\]:\d{{1,5}}")


def is_engine(address: str) -> bool:
    """Tell whether a text is the address of an engine.

    Example:
        >>> [is_engine(one) for one in ("local", "ray", "dask://head:8786", "dask", "dask://head")]
        [True, True, True, False, False]
    """
    return _ENGINE.fullmatch(address) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """How examples are rendered; docs/cli.md describes each option."""

    encoding: Encoding = field(default_factory=Encoding)
    headroom_db: Decibels | None = field(
        default=None,
        metadata=option(
            help="Attenuation of all clips in dB; by default the smallest whole number that keeps every mixture within "
            "full scale.",
            metavar="DB",
            example="12",
            rule=within(0, 96, "dB"),
            remedy="Leave it out: it is then found from the recordings.",
        ),
    )
    on_clip: str = field(
        default="error",
        metadata=option(
            help="If a clip still exceeds full scale: stop (`error`) or only `count` it.",
            metavar="POLICY",
            example="count",
            choices=CLIP_POLICIES,
        ),
    )
    stems: bool = field(
        default=False, metadata=option(help="Keep target and noise, as mixed, in columns of their own.")
    )
    log_mel: LogMel | None = field(
        default=None,
        metadata=option(
            flag="--features",
            help="`logmel`: add a config of log-mel features for each config.",
            page="It is called `<config>_logmel`. Its column `logmel` is float32 of shape (n_frames, n_mels), as "
            "librosa computes it. The card lists the settings.",
            metavar="KIND",
            example="logmel",
            is_requested=False,
        ),
    )
    workers: int = field(
        default=1,
        metadata=option(
            help="Number of processes, by default the number of processors, and at most one more.",
            page="It does not change the dataset.",
            metavar="N",
            example="4",
            is_requested=False,
            rule=at_least(1),
            typed={"show_default": False},
        ),
    )
    engine: str = field(
        default=LOCAL,
        metadata=option(
            help="Where tasks run: `local`, or on a cluster (`dask://host:port`, `ray`, `ray://host:port`).",
            page="All machines must share the folders. The dataset stays the same. See [cluster.md](cluster.md).",
            metavar="ENGINE",
            is_requested=False,
            rule=Rule(expected="local, dask://host:port, ray or ray://host:port", holds=is_engine),
        ),
    )

    def __post_init__(self) -> None:
        check_options(self)

    def as_request(self) -> dict[str, Any]:
        """Return what the bytes follow from, as JSON values; `of_request` takes them back."""
        features = {} if self.log_mel is None else {"features": self.log_mel.as_parameters()}
        return request_of(self.encoding) | request_of(self) | features

    @classmethod
    def of_request(cls, request: Mapping[str, Any], *, workers: int = 1, engine: str = LOCAL) -> RenderOptions:
        """Return the options that a request of `as_request` stands for; what else is in it is left alone."""
        return cls(
            encoding=Encoding(**of_request(Encoding, request)),
            log_mel=LogMel.of_parameters(request["features"]) if "features" in request else None,
            workers=workers,
            engine=engine,
            **of_request(RenderOptions, request),
        )
