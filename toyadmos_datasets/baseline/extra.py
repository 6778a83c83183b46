"""Whether what training needs is installed."""

from __future__ import annotations

import importlib.util

from toyadmos_datasets.errors import MissingExtraError
from toyadmos_datasets.files.installing import install_command

NEEDED = {"torch": "torch", "sklearn": "scikit-learn", "safetensors": "safetensors", "matplotlib": "matplotlib"}
"""Module to the package that has it."""


def require_extra() -> None:
    """Check that the extra `train` is installed.

    Raises:
        MissingExtraError: A package of it is missing.
    """
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            "Training and scoring need packages that are not installed.",
            where="toyadmos_datasets.baseline",
            expected=", ".join(NEEDED.values()),
            actual=f"not installed: {', '.join(missing)}",
            remedy=install_command("train"),
        )
