"""The parameters that manifests and recipes keep beside their rows, checked before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, Required, TypedDict

import msgspec

from toyadmos_datasets.files.checked_json import Count, checked
from toyadmos_datasets.options.channel_choices import CHANNELS_PATTERN
from toyadmos_datasets.options.render_options import LogMel
from toyadmos_datasets.units import Decibels, Hertz

_Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{0,64}\Z")]


class SourceFacts(TypedDict, total=False):
    """Where recordings came from."""

    kind: str
    identity: str
    is_simulated: Required[bool]
    recordings_sha256: _Hash
    resampled_sha256: _Hash


class Request(TypedDict, total=False):
    """What a folder was prepared with, as far as the bytes of its clips follow from it."""

    encoding: str
    bit_depth: Annotated[int, msgspec.Meta(ge=1, le=32)]
    rate_hz: Annotated[Hertz, msgspec.Meta(ge=1, le=1 << 20)]
    headroom_db: Decibels | None
    on_clip: str
    stems: bool
    features: LogMel
    toy: str
    is_named_by_toy: bool


class Parameters(TypedDict, total=False):
    """What a recipe was planned with, as far as clips follow from it."""

    toy: str
    seed: int
    snr_reference: str
    weighting: str | None
    is_noise_shared: bool
    is_faithful: bool
    n_draws: Count


def require_parameter_types(
    kind: type[object], content: dict[str, Any], *, what: str, where: object, remedy: str
) -> None:
    """Raise unless the keys that are read have the types that they are read with.

    Args:
        kind: `SourceFacts`, `Request` or `Parameters`.
        content: The object.
        what: The sentence of the error.
        where: The file, for the error.
        remedy: What to do, for the error.

    Raises:
        DatasetError: A key has another type, or is missing where nothing stands for it.
    """
    checked(kind, content, what=what, where=where, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needed:
    """The parameters that decide how a recipe's rows sound, and that the card tells; others are only kept."""

    toy: Literal["ToyCar", "ToyConveyor", "ToyTrain"]
    seed: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
    is_noise_shared: bool
    snr_reference: Literal["corpus", "clip", "active"]
    weighting: Literal["A"] | None = None
    channels: Annotated[str, msgspec.Meta(pattern=CHANNELS_PATTERN)] | None = None


def check_parameters(parameters: Mapping[str, Any], *, where: object) -> None:
    """Raise unless a recipe's parameters say all that rendering needs.

    Args:
        parameters: Of a recipe that was written by whomever.
        where: The file, for the error.

    Raises:
        DatasetError: One is missing, or has another type or value than a plan gives it.
    """
    known = {one.name: parameters[one.name] for one in fields(_Needed) if one.name in parameters}
    checked(
        _Needed,
        known,
        what="The recipe's parameters are not those of a plan.",
        where=where,
        remedy="Get the recipe again from its author, or give its rows as a table: see docs/protocols.md.",
    )
