"""Whether what training and reports need is installed."""

from __future__ import annotations

import importlib.util

from toyadmos_datasets.errors import MissingExtraError
from toyadmos_datasets.files.installing import install_command

NEEDED = {
    "train": {"torch": "torch", "safetensors": "safetensors"},
    "report": {"matplotlib": "matplotlib", "PIL": "pillow"},
}
"""Extra to the modules that it brings, each with the package that has it."""


def require_extra(extra: str) -> None:
    """Check that an extra is installed.

    Raises:
        MissingExtraError: A package of it is missing.
    """
    missing = [package for module, package in NEEDED[extra].items() if importlib.util.find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"This needs packages of the extra '{extra}' that are not installed.",
            where="toyadmos_datasets",
            expected=", ".join(NEEDED[extra].values()),
            actual=f"not installed: {', '.join(missing)}",
            remedy=install_command(extra),
        )
