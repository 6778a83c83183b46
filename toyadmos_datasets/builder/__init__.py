"""The builder for `datasets`, and `load_dataset`, which opens prepared folders and builds toys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toyadmos_datasets.builder.load_dataset import load_dataset

if TYPE_CHECKING:
    from toyadmos_datasets.builder.builder_config import ToyAdmosConfig
    from toyadmos_datasets.builder.dataset_builder import ToyAdmos

__all__ = ["ToyAdmos", "ToyAdmosConfig", "load_dataset"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (the imports above tell type checkers what each name is)
    """Import the builder on demand: prepared folders are loaded without it."""
    if name == "ToyAdmos":
        from toyadmos_datasets.builder.dataset_builder import ToyAdmos  # noqa: PLC0415  (see above)

        return ToyAdmos
    if name == "ToyAdmosConfig":
        from toyadmos_datasets.builder.builder_config import ToyAdmosConfig  # noqa: PLC0415  (see above)

        return ToyAdmosConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
