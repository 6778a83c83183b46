"""What a system consists of, as one frozen value; three are known, a user's own is a TOML file or a few settings."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.options.render_options import Filterbank, LogMel, Scale, Window
from toyadmos_datasets.units import Hertz

Normalisation: TypeAlias = Literal["bands", "batch", "none"]
ClipScore: TypeAlias = Literal["max", "mean", "quantile"]

CHOICES: dict[str, tuple[str, ...]] = {
    "filterbank": ("slaney", "published"),
    "log": ("ln", "dB"),
    "window": ("periodic", "symmetric"),
    "normalisation": ("bands", "batch", "none"),
    "start": ("glorot_normal", "glorot_uniform"),
    "frame_error": ("sum", "mean"),
    "clip_score": ("max", "mean", "quantile"),
}

_POSITIVE = (
    "rate_hz",
    "n_fft",
    "n_hop",
    "n_mels",
    "floor",
    "n_units",
    "n_code",
    "epochs",
    "batch_inputs",
    "learning_rate",
)
_MOST = {
    "rate_hz": 1 << 20,
    "n_fft": 1 << 20,
    "n_units": 1 << 16,
    "n_code": 1 << 16,
    "n_hidden": 100,
    "epochs": 1 << 20,
    "batch_inputs": 1 << 30,
    "batch_clips": 1 << 30,
    "decay_from": 1 << 30,
    "decay_to": 1 << 30,
}
"""Far beyond what anybody trains, and small enough that no array is asked for that no machine has."""

_MOST_OFFSETS = 1 << 10
_FARTHEST_OFFSET = 1 << 16
_NOT_NEGATIVE = ("n_hidden", "batch_clips", "weight_decay", "decay_from", "decay_factor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A system: features, network, training, score. The defaults are the paper's.

    Attributes:
        name: What it is called.
        rate_hz: Rate that clips are brought to.
        n_fft: Samples in a frame.
        n_hop: Samples from one frame to the next.
        n_mels: Bands.
        filterbank: ``slaney``, as librosa's default, or ``published``, as the published code's.
        window: Hann window, ``periodic`` or ``symmetric``.
        power: Exponent of the magnitude that the filterbank sums, 1 or 2.
        log: ``ln``, or ``dB`` of the power.
        floor: What is added before the logarithm, so that silence has one.
        is_centred: Whether frames reach over the clip's ends, into zeros, as librosa's do by default.
        is_last_frame_dropped: Whether the last whole frame is left out.
        offsets: Frames that are stacked to one input, relative to the current one.
        is_padded: Whether frames past a clip's ends count as zeros; else only whole stacks are used.
        normalisation: Of the input, a band: by mean and deviation of the training set (``bands``), by those of
            the batch (``batch``), or ``none``.
        n_hidden: Hidden layers of the encoder, and of the decoder, each `n_units` to `n_units`.
        n_units: Width of the layers.
        n_code: Width of the code.
        is_batch_normalised: Whether the layers but the last are batch-normalised.
        start: How weights are drawn at first; biases start at zero.
        epochs: Passes over the training set.
        batch_inputs: Inputs a step, where `batch_clips` is 0.
        batch_clips: Whole clips a step, in place of single inputs.
        learning_rate: Step size of Adam until `decay_from`.
        is_amsgrad: Whether Adam is AMSGrad.
        weight_decay: L2 penalty within Adam.
        decay_from: Epoch up to which the learning rate stays.
        decay_to: Epoch at which it has reached `decay_factor` of what it was, linearly.
        decay_factor: See `decay_to`.
        frame_error: ``sum``: squared error over all values of an input, divided by the frames stacked; ``mean``:
            divided by the values.
        clip_score: How the errors of a clip's frames become its score.
        quantile: Which, for the clip score ``quantile``.

    Source:
        Koizumi et al. 2019, section 4. The paper gives neither the kind of filterbank, the logarithm's floor, the
        batch nor the start: those here are ours, and common.
    """

    name: str = "paper"
    rate_hz: Hertz = 16_000
    n_fft: int = 512
    n_hop: int = 256
    n_mels: int = 64
    filterbank: Filterbank = "slaney"
    window: Window = "periodic"
    power: int = 2
    log: Scale = "ln"
    floor: float = 1e-10
    is_centred: bool = False
    is_last_frame_dropped: bool = False
    offsets: tuple[int, ...] = tuple(range(-10, 11))
    is_padded: bool = False
    normalisation: Normalisation = "bands"
    n_hidden: int = 4
    n_units: int = 512
    n_code: int = 128
    is_batch_normalised: bool = False
    start: Literal["glorot_normal", "glorot_uniform"] = "glorot_normal"
    epochs: int = 200
    batch_inputs: int = 512
    batch_clips: int = 0
    learning_rate: float = 1e-4
    is_amsgrad: bool = True
    weight_decay: float = 0.0
    decay_from: int = 100
    decay_to: int = 200
    decay_factor: float = 0.01
    frame_error: Literal["sum", "mean"] = "sum"
    clip_score: ClipScore = "max"
    quantile: float = 0.95

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise _wrong(name, f"one of {', '.join(choices)}", getattr(self, name))
        self._check_sizes()
        if len(self.offsets) > _MOST_OFFSETS or any(abs(one) > _FARTHEST_OFFSET for one in self.offsets):
            raise _wrong("offsets", f"at most {_MOST_OFFSETS}, at most {_FARTHEST_OFFSET} frames away", "more")
        if self.power not in {1, 2}:
            raise _wrong("power", "1 or 2", self.power)
        if not self.offsets or self.n_hop > self.n_fft or self.n_mels > self.n_fft // 2:
            raise _wrong("offsets, n_hop or n_mels", "a frame, a hop within it, fewer bands than bins", self)
        if not 0 < self.quantile < 1:
            raise _wrong("quantile", "more than 0 and less than 1", self.quantile)
        if self.decay_to < self.decay_from:
            raise _wrong("decay_to", f"at least decay_from, {self.decay_from}", self.decay_to)

    def _check_sizes(self) -> None:
        for name in _POSITIVE:
            if not 0 < getattr(self, name) < math.inf:
                raise _wrong(name, "more than 0", getattr(self, name))
        for name in _NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < math.inf:
                raise _wrong(name, "0 or more", getattr(self, name))

        for name, most in _MOST.items():
            if getattr(self, name) > most:
                raise _wrong(name, f"at most {most}", getattr(self, name))

    @property
    def n_inputs(self) -> int:
        """Values in one input of the network."""
        return len(self.offsets) * self.n_mels

    def learning_rate_at(self, epoch: int) -> float:
        """Return the learning rate of an epoch; the first is 0."""
        span = max(self.decay_to - self.decay_from, 1)
        share = min(max(epoch + 1 - self.decay_from, 0) / span, 1.0)
        return self.learning_rate * (1 - share * (1 - self.decay_factor))

    @property
    def log_mel(self) -> LogMel:
        """The settings that the features depend on, and nothing else."""
        return LogMel(
            rate_hz=self.rate_hz,
            n_fft=self.n_fft,
            n_hop=self.n_hop,
            n_mels=self.n_mels,
            filterbank=self.filterbank,
            window=self.window,
            power=self.power,
            scale=self.log,
            floor=self.floor,
            is_centred=self.is_centred,
            is_last_frame_dropped=self.is_last_frame_dropped,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return asdict(self) | {"offsets": list(self.offsets)}


PAPER = Preset()

CODE = Preset(
    name="code",
    filterbank="published",
    window="symmetric",
    power=1,
    floor=1e-8,
    is_last_frame_dropped=True,
    offsets=(*range(-9, 1), *range(11)),
    is_padded=True,
    normalisation="batch",
    batch_clips=2,
    weight_decay=1e-4,
    decay_factor=0.99,
)
"""The published training code, where it differs from the paper.

The current frame stands twice and one side reaches 9 frames. That it is the earlier side is our guess; it makes
no difference to a dense network trained on stretches of stationary noise.

Source:
    YumaKoizumi/ToyADMOS-dataset, as read.
"""

DCASE2020 = Preset(
    name="dcase2020",
    n_fft=1024,
    n_hop=512,
    n_mels=128,
    log="dB",
    floor=2.220446049250313e-16,
    is_centred=True,
    offsets=tuple(range(-2, 3)),
    normalisation="none",
    n_hidden=3,
    n_units=128,
    n_code=8,
    is_batch_normalised=True,
    start="glorot_uniform",
    epochs=100,
    learning_rate=1e-3,
    is_amsgrad=False,
    decay_factor=1.0,
    frame_error="mean",
    clip_score="mean",
)
"""The baseline of DCASE 2020 task 2.

Source:
    Koizumi et al., DCASE 2020; the challenge's description of its baseline.
"""

PRESETS = {preset.name: preset for preset in (PAPER, CODE, DCASE2020)}


def chosen_preset(name: str = "paper", settings: Iterable[str] = ()) -> Preset:
    """Return a known preset, or one from a TOML file, with settings changed.

    Args:
        name: ``paper``, ``code``, ``dcase2020``, or the path of a TOML file with settings and, as ``base``, the
            preset that they change.
        settings: Each ``name=value``.

    Raises:
        OptionError: There is no such preset or setting, or a value is invalid.
    """
    preset = _from_file(Path(name)) if name.endswith(".toml") else _known(name)
    pairs = [_pair(text) for text in settings]
    return changed(preset, dict(pairs)) if pairs else preset


def changed(preset: Preset, settings: dict[str, Any]) -> Preset:
    """Return a preset with settings changed, each checked against the type of what it replaces.

    Raises:
        OptionError: There is no such setting, or a value is invalid.
    """
    known = {one.name for one in fields(Preset)}
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in known:
            raise _wrong(name, f"one of {', '.join(sorted(known))}", name)
        values[name] = _as_type_of(getattr(preset, name), value, name)
    return replace(preset, **values)


def _known(name: str) -> Preset:
    if name not in PRESETS:
        raise _wrong("--preset", f"{', '.join(PRESETS)}, or a file NAME.toml", name)
    return PRESETS[name]


def _from_file(path: Path) -> Preset:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise_shortage(error, path)
        raise _wrong(str(path), "a TOML file of settings", error) from error
    base = _known(str(content.pop("base", "paper")))
    return changed(base, {"name": path.stem} | content)


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise _wrong("--set", "name=value", text)
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()  # a bare word is text


def _as_type_of(old: object, value: object, name: str) -> object:
    if isinstance(old, tuple) and isinstance(value, list) and all(type(one) is int for one in value):
        return tuple(value)
    if isinstance(old, float) and type(value) in {int, float}:
        return float(value)  # type: ignore[arg-type]  # a number, as the line above says
    if type(value) is not type(old):
        raise _wrong(name, f"a value like {old!r}", value)
    return value


def _wrong(where: str, expected: str, actual: object) -> OptionError:
    return OptionError(
        "A setting of the system is invalid.",
        where=where,
        expected=expected,
        actual=actual,
        remedy="See docs/baseline.md for the settings; for instance: --preset paper --set epochs=20",
    )
