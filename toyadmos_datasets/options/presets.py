"""What a system consists of, as one frozen value; five are known, a user's own is a TOML file or a few settings."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.options.declaration import Option, Rule, check_options, option, options_of
from toyadmos_datasets.options.render_options import Filterbank, LogMel, PadMode, Scale, Window
from toyadmos_datasets.units import Hertz

Normalisation: TypeAlias = Literal["bands", "batch", "none"]
Start: TypeAlias = Literal["glorot_normal", "glorot_uniform"]
FrameError: TypeAlias = Literal["sum", "mean"]
ClipScore: TypeAlias = Literal["max", "mean", "quantile", "selective-mahalanobis"]
DetectorKind: TypeAlias = Literal["autoencoder", "knn", "mahalanobis", "gmm"]

_REMEDY = "See docs/baseline.md for the settings; for instance: --preset paper --set epochs=20"
_MAX_OFFSETS = 1 << 10
_MAX_OFFSET = 1 << 16


def _setting(text: str, **facts: Any) -> dict[str, Option]:  # noqa: ANN401  # the attributes of Option
    """Declare a setting: an option that is typed as ``--set NAME=VALUE``, so its flag is its name."""
    return option(help=text, flag="{name}", remedy=_REMEDY, **facts)


def _positive(most: float = math.inf) -> Rule:
    """Return the rule that a number is finite and above 0; `most` is far beyond what anybody trains."""
    expected = "more than 0" if most == math.inf else f"more than 0, at most {most}"
    return Rule(expected=expected, holds=lambda value: 0 < value <= most and value < math.inf)


def _not_negative(most: float = math.inf) -> Rule:
    """Return the rule that a number is finite and not below 0."""
    expected = "0 or more" if most == math.inf else f"0 or more, at most {most}"
    return Rule(expected=expected, holds=lambda value: 0 <= value <= most and value < math.inf)


_QUANTILE = Rule(expected="more than 0 and less than 1", holds=lambda value: 0 < value < 1)
_SHARE = Rule(expected="0 or more and less than 1", holds=lambda value: 0 <= value < 1)
_OFFSET = Rule(expected=f"at most {_MAX_OFFSET} frames away", holds=lambda value: abs(value) <= _MAX_OFFSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A system: features, network, training, score. The defaults are the paper's.

    Attributes:
        name: What it is called.
        base: The known preset that it changes, or is.

    Raises:
        OptionError: A setting is invalid.

    Source:
        Koizumi et al. 2019, section 4. The paper gives neither the kind of filterbank, the logarithm's floor, the
        batch nor the start: those here are ours, and common.
    """

    name: str = "paper"
    base: str = "paper"
    rate_hz: Hertz = field(
        default=16_000, metadata=_setting("Rate that clips are resampled to, Hz.", rule=_positive(1 << 20))
    )
    n_fft: int = field(default=512, metadata=_setting("Samples in a frame.", rule=_positive(1 << 20)))
    n_hop: int = field(default=256, metadata=_setting("Samples from one frame to the next.", rule=_positive()))
    n_mels: int = field(default=64, metadata=_setting("Bands.", rule=_positive()))
    filterbank: Filterbank = field(
        default="slaney",
        metadata=_setting(
            "`slaney`, as librosa's default, or `published`, as the published code's.", choices=get_args(Filterbank)
        ),
    )
    window: Window = field(
        default="periodic", metadata=_setting("Hann window, `periodic` or `symmetric`.", choices=get_args(Window))
    )
    power: int = field(
        default=1,
        metadata=_setting("Exponent of the magnitude that the filterbank sums, 1 or 2.", choices=(1, 2)),
    )
    log: Scale = field(default="ln", metadata=_setting("`ln`, or `dB` of the power.", choices=get_args(Scale)))
    floor: float = field(
        default=1e-10,
        metadata=_setting("What is added before the logarithm, so that silence has one.", rule=_positive()),
    )
    is_centred: bool = field(
        default=False,
        metadata=_setting("Whether frames reach over the clip's ends, as librosa's do by default."),
    )
    pad_mode: PadMode = field(
        default="zeros",
        metadata=_setting(
            "Into what they reach: `zeros`, librosa's default since 0.10, or `reflect`, that before.",
            choices=get_args(PadMode),
        ),
    )
    is_last_frame_dropped: bool = field(default=False, metadata=_setting("Whether the last whole frame is left out."))
    offsets: tuple[int, ...] = field(
        default=tuple(range(-10, 11)),
        metadata=_setting(
            "Frames that are stacked to one input, relative to the current one.", rule=_OFFSET, is_set=False
        ),
    )
    is_padded: bool = field(
        default=False,
        metadata=_setting("Whether frames past a clip's ends count as zeros; else only whole stacks are used."),
    )
    normalisation: Normalisation = field(
        default="bands",
        metadata=_setting(
            "Of the input, a band: by mean and deviation of the training set (`bands`), by those of the batch "
            "(`batch`), or `none`.",
            choices=get_args(Normalisation),
        ),
    )
    n_hidden: int = field(
        default=4,
        metadata=_setting(
            "Hidden layers of the encoder, and of the decoder, each `n_units` to `n_units`.", rule=_not_negative(100)
        ),
    )
    n_units: int = field(default=512, metadata=_setting("Width of the layers.", rule=_positive(1 << 16)))
    n_code: int = field(default=128, metadata=_setting("Width of the code.", rule=_positive(1 << 16)))
    is_batch_normalised: bool = field(
        default=False, metadata=_setting("Whether the layers but the last are batch-normalised.")
    )
    batch_norm_epsilon: float = field(
        default=1e-5,
        metadata=_setting("What is added to a variance that something is normalised by.", rule=_positive()),
    )
    batch_norm_momentum: float = field(
        default=0.9,
        metadata=_setting(
            "Share of the running statistics that a step keeps; PyTorch's momentum is 1 minus it.", rule=_SHARE
        ),
    )
    start: Start = field(
        default="glorot_normal",
        metadata=_setting("How weights are drawn at first; biases start at zero.", choices=get_args(Start)),
    )
    epochs: int = field(default=200, metadata=_setting("Passes over the training set.", rule=_positive(1 << 20)))
    batch_inputs: int = field(
        default=512, metadata=_setting("Inputs a step, where `batch_clips` is 0.", rule=_positive(1 << 30))
    )
    batch_clips: int = field(
        default=0, metadata=_setting("Whole clips a step, in place of single inputs.", rule=_not_negative(1 << 30))
    )
    every_kth_stack: int = field(
        default=1,
        metadata=_setting(
            "Train on every so-many-th input of a clip, beginning with the next one in each epoch: neighbours share "
            "all but one of their frames.",
            rule=_positive(1 << 16),
        ),
    )
    learning_rate: float = field(
        default=1e-4, metadata=_setting("Step size of Adam until `decay_from`.", rule=_positive())
    )
    adam_epsilon: float = field(
        default=1e-8, metadata=_setting("What Adam adds to the root that it divides by.", rule=_positive())
    )
    is_amsgrad: bool = field(default=True, metadata=_setting("Whether Adam is AMSGrad."))
    weight_decay: float = field(default=0.0, metadata=_setting("L2 penalty within Adam.", rule=_not_negative()))
    decay_from: int = field(
        default=100, metadata=_setting("Epoch up to which the learning rate stays.", rule=_not_negative(1 << 30))
    )
    decay_to: int = field(
        default=200,
        metadata=_setting(
            "Epoch at which it has reached `decay_factor` of what it was, linearly.", rule=_not_negative(1 << 30)
        ),
    )
    decay_factor: float = field(
        default=0.01,
        metadata=_setting("Share of the learning rate that is left from `decay_to` on.", rule=_not_negative()),
    )
    validation_share: float = field(
        default=0.0,
        metadata=_setting(
            "Share of the inputs, the last ones, that is not trained on; its loss is told after each epoch.",
            rule=_SHARE,
        ),
    )
    frame_error: FrameError = field(
        default="sum",
        metadata=_setting(
            "`sum`: squared error over all values of an input, divided by the frames stacked; `mean`: divided by the "
            "values.",
            choices=get_args(FrameError),
        ),
    )
    clip_score: ClipScore = field(
        default="max",
        metadata=_setting("How the errors of a clip's frames become its score.", choices=get_args(ClipScore)),
    )
    quantile: float = field(default=0.95, metadata=_setting("Which, for the clip score `quantile`.", rule=_QUANTILE))
    detector: DetectorKind = field(
        default="autoencoder",
        metadata=_setting(
            "`autoencoder`; or of the statistics of clips: distance to the nearest training clips (`knn`), to all of "
            "them (`mahalanobis`), or the likelihood under a Gaussian mixture (`gmm`).",
            choices=get_args(DetectorKind),
        ),
    )
    n_stretches: int = field(
        default=1,
        metadata=_setting(
            "Equal stretches that a clip is cut into; each has a mean and a deviation of every band.",
            rule=_positive(1 << 10),
        ),
    )
    n_neighbours: int = field(
        default=1,
        metadata=_setting("Nearest training clips whose mean distance is the score.", rule=_positive(1 << 20)),
    )
    n_components: int = field(default=4, metadata=_setting("Gaussians in the mixture.", rule=_positive(1 << 20)))

    def __post_init__(self) -> None:
        check_options(self)
        if not 0 < len(self.offsets) <= _MAX_OFFSETS:
            raise _wrong("offsets", f"1 to {_MAX_OFFSETS} frames", len(self.offsets))
        if self.n_hop > self.n_fft:
            raise _wrong("n_hop", f"at most n_fft, {self.n_fft}", self.n_hop)
        if self.n_mels > self.n_fft // 2:
            raise _wrong("n_mels", f"fewer bands than bins, at most {self.n_fft // 2}", self.n_mels)
        if self.decay_to < self.decay_from:
            raise _wrong("decay_to", f"at least decay_from, {self.decay_from}", self.decay_to)

    @property
    def changes(self) -> dict[str, Any]:
        """The settings that are not those of the preset that it is based on, as JSON values."""
        own, known = self.as_json(), PRESETS[self.base]
        names = [name for name in options_of(Preset) if name in own]
        return {name: own[name] for name in names if getattr(self, name) != getattr(known, name)}

    @property
    def label(self) -> str:
        """What it is called wherever a result stands: ``paper``, or ``paper*`` once anything of it was changed."""
        own = f"{self.base}*" if self.changes else self.base
        return own if self.name == self.base else f"{self.name} ({own})"

    @property
    def is_network(self) -> bool:
        """Whether it is an autoencoder, which needs torch; else it is one of the statistics of clips."""
        return self.detector == "autoencoder"

    @property
    def least_frames(self) -> int:
        """Frames that a clip needs for one input of the network, or for one in each stretch."""
        if not self.is_network:
            return self.n_stretches
        return 1 if self.is_padded else max(*self.offsets, 0) - min(*self.offsets, 0) + 1

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
            pad_mode=self.pad_mode,
            is_last_frame_dropped=self.is_last_frame_dropped,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the settings that its kind of detector has, as JSON values."""
        values = asdict(self) | {"offsets": list(self.offsets)}
        return {name: value for name, value in values.items() if name in settings_of(self.detector)}


PAPER = Preset()

CODE = Preset(
    name="code",
    base="code",
    filterbank="published",
    window="symmetric",
    floor=1e-8,
    is_last_frame_dropped=True,
    offsets=(*range(-10, 1), *range(10)),
    is_padded=True,
    normalisation="batch",
    batch_norm_epsilon=2e-5,
    batch_clips=2,
    weight_decay=1e-4,
    decay_from=101,
    decay_to=201,
    decay_factor=0.99,
)
"""The published training code, where it differs from the paper.

The current frame stands twice, 10 frames before it and 9 after it: the code's loop over the later side begins at the
frame itself. The code lowers the learning rate after an epoch, so the first lower one is that of epoch 102. The epsilon
of the normalisation is its framework's. docs/baseline.md says where this still differs from it.

Source:
    YumaKoizumi/ToyADMOS-dataset, E01_simple_AE_test, as read; the defaults of Chainer 5 to 7.
"""

DCASE2020 = Preset(
    name="dcase2020",
    base="dcase2020",
    n_fft=1024,
    n_hop=512,
    n_mels=128,
    power=2,
    log="dB",
    floor=2.220446049250313e-16,
    is_centred=True,
    pad_mode="reflect",
    offsets=tuple(range(-2, 3)),
    normalisation="none",
    n_hidden=3,
    n_units=128,
    n_code=8,
    is_batch_normalised=True,
    batch_norm_epsilon=1e-3,
    batch_norm_momentum=0.99,
    start="glorot_uniform",
    epochs=100,
    learning_rate=1e-3,
    adam_epsilon=1e-7,
    is_amsgrad=False,
    decay_factor=1.0,
    validation_share=0.1,
    frame_error="mean",
    clip_score="mean",
)
"""The baseline of DCASE 2020 task 2.

Source:
    Koizumi et al., DCASE 2020; y-kawagu/dcase2020_task2_baseline, as read; the defaults of what it pins, Keras 2.1.6
    and librosa 0.6.0.
"""

KNN = Preset(
    name="knn",
    base="knn",
    n_fft=1024,
    n_hop=512,
    n_mels=128,
    power=2,
    log="dB",
    floor=2.220446049250313e-16,
    is_centred=True,
    pad_mode="reflect",
    detector="knn",
)
"""Distance to the nearest training clip, by the statistics of its log-mel frames; the frames of `DCASE2020`."""

MAHALANOBIS = replace(KNN, name="mahalanobis", base="mahalanobis", detector="mahalanobis")
"""Distance to the mean of the training clips, measured by their covariance; the statistics of `KNN`."""

PRESETS = {preset.name: preset for preset in (PAPER, CODE, DCASE2020, KNN, MAHALANOBIS)}

_OF_FEATURES = frozenset(
    {"name", "base", "rate_hz", "n_fft", "n_hop", "n_mels", "filterbank", "window", "power", "log", "floor"}
    | {"is_centred", "pad_mode", "is_last_frame_dropped", "detector"}
)
_OF_STATISTICS = frozenset({"n_stretches", "n_neighbours", "n_components"})


def settings_of(detector: str) -> frozenset[str]:
    """Return the names of the settings that a kind of detector has."""
    if detector == "autoencoder":
        return frozenset(one.name for one in fields(Preset)) - _OF_STATISTICS
    own = {"knn": {"n_neighbours"}, "gmm": {"n_components"}}.get(detector, set())
    return _OF_FEATURES | {"n_stretches"} | own


def chosen_preset(name: str = "paper", settings: Iterable[str] = ()) -> Preset:
    """Return a known preset, or one from a TOML file, with settings changed.

    Args:
        name: ``paper``, ``code``, ``dcase2020``, ``knn``, ``mahalanobis``, or the path of a TOML file with
            settings and, as ``base``, the preset that they change.
        settings: Each ``name=value``.

    Raises:
        OptionError: There is no such preset or setting, or a value is invalid.
    """
    preset = _from_file(Path(name)) if name.endswith(".toml") else _known(name)
    return with_settings(preset, settings)


def with_settings(preset: Preset, settings: Iterable[str]) -> Preset:
    """Return a preset with settings changed, each typed as ``name=value``.

    Raises:
        OptionError: There is no such setting, or a value is invalid.
    """
    return changed(preset, dict(map(_pair, settings)))


def changed(preset: Preset, settings: dict[str, Any]) -> Preset:
    """Return a preset with settings changed, each checked against the type of what it replaces.

    Raises:
        OptionError: There is no such setting, or a value is invalid.
    """
    known = options_of(Preset)
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in known:
            raise _wrong(name, f"one of {', '.join(sorted(known))}", name)
        values[name] = _as_type_of(getattr(preset, name), value, name)
    found = replace(preset, **values)
    foreign = sorted(values.keys() - settings_of(found.detector))
    if foreign:
        own = ", ".join(sorted(settings_of(found.detector)))
        raise _wrong(foreign[0], f"a setting of the detector {found.detector}: {own}", foreign[0])
    return found


def scoring_preset(how: str) -> Preset:
    """Return a preset with the clip score that a text names: ``max``, ``mean``, or a quantile such as ``0.95``.

    Raises:
        OptionError: There is no such score.
    """
    try:
        quantile = float(how)
    except ValueError:
        return changed(PAPER, {"clip_score": how})
    return replace(PAPER, clip_score="quantile", quantile=quantile)


def _known(name: str) -> Preset:
    if name not in PRESETS:
        raise _wrong("--preset", f"{', '.join(PRESETS)}, or a file NAME.toml", name)
    return PRESETS[name]


def _from_file(path: Path) -> Preset:
    import tomllib  # noqa: PLC0415  # the command line loads this module at its start

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise_shortage(error, path)
        raise _wrong(str(path), "a TOML file of settings", error) from error
    base = _known(str(content.pop("base", "paper")))
    return replace(changed(base, content), name=path.stem)


def _pair(text: str) -> tuple[str, Any]:
    import tomllib  # noqa: PLC0415

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
        remedy=_REMEDY,
    )
