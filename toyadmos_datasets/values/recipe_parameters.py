"""What rendering and the card need of a recipe's parameters, checked before anything is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import msgspec

from toyadmos_datasets.files.checked import checked


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needed:
    """The parameters that decide how a recipe's rows sound, and that the card tells; others are only kept."""

    toy: Literal["ToyCar", "ToyConveyor", "ToyTrain"]
    seed: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
    is_noise_shared: bool
    snr_reference: Literal["corpus", "clip", "active"]
    weighting: Literal["A"] | None = None
    channels: Literal["1", "2", "3", "4", "mix", "stack", "all"] | None = None


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
        remedy="Get the recipe again from whoever made it, or give its rows as a table: see docs/protocols.md.",
    )
