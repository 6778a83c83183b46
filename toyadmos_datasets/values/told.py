"""What manifests and recipes tell beside their rows: objects with some keys that are read, and any others.

Only those that something is done with are checked; the others explain, and are shown and hashed as they are.
"""

from __future__ import annotations

from typing import Annotated, Any, Required, TypedDict

import msgspec

from toyadmos_datasets.files.checked import Count, checked
from toyadmos_datasets.signal.logmel import LogMel
from toyadmos_datasets.units import Decibels, Hertz

_Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{0,64}\Z")]


class Source(TypedDict, total=False):
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


class Parameters(TypedDict, total=False):
    """What a recipe was planned with, as far as clips follow from it."""

    toy: str
    seed: int
    snr_reference: str
    weighting: str | None
    is_noise_shared: bool
    is_faithful: bool
    n_draws: Count


def require_told(kind: type[object], content: dict[str, Any], *, what: str, where: object, remedy: str) -> None:
    """Raise unless the keys that are read have the types that they are read with.

    Args:
        kind: `Source`, `Request` or `Parameters`.
        content: The object.
        what: The sentence of the error.
        where: The file, for the error.
        remedy: What to do, for the error.

    Raises:
        DatasetError: A key has another type, or is missing where nothing stands for it.
    """
    checked(kind, content, what=what, where=where, remedy=remedy)
