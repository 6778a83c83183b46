"""Extras: their packages, whether they are installed, and the command that installs them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

from toyadmos_datasets.errors import MissingExtraError
from toyadmos_datasets.escaping import shell_line

NEEDED = {
    "train": {"torch": "torch"},
    "dask": {"distributed": "distributed"},
    "ray": {"ray": "ray"},
    "s3": {"s3fs": "s3fs"},
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


PACKAGE = "toyadmos-datasets"


def install_command(extra: str) -> str:
    """Return the command that installs an extra: from the checkout that this package came from, else its packages.

    Args:
        extra: Name of the extra, such as ``train``.
    """
    origin = _origin()
    checkout = _checkout(origin)
    if checkout is None:
        return shell_line("pip", "install", *NEEDED[extra].values())
    is_editable = _folder_info(origin).get("editable") is True
    return shell_line("pip", "install", *(["--editable"] if is_editable else []), f"{checkout}[{extra}]")


def upgrade_command() -> str:
    """Return the command that brings a newer version of this package; ``NEWER`` is for the reader to fill in."""
    origin = _origin()
    checkout = _checkout(origin)
    if checkout is None or not (checkout / ".git").exists():
        return f"pip install NEWER (a newer wheel or clone of {PACKAGE})"
    pulled = shell_line("git", "-C", checkout, "pull")
    is_editable = _folder_info(origin).get("editable") is True
    return f"{pulled} && {shell_line('pip', 'install', *(['--editable'] if is_editable else []), checkout)}"


def _origin() -> dict[str, object]:
    """Read where pip took the package from; nothing of one that came from an index.

    Source:
        PEP 610, `direct_url.json`.
    """
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415  # only errors need it

    try:
        value = json.loads(distribution(PACKAGE).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _folder_info(origin: dict[str, object]) -> dict[str, object]:
    info = origin.get("dir_info")
    return info if isinstance(info, dict) else {}


def _checkout(origin: dict[str, object]) -> Path | None:
    """Return the folder that the package was installed from, if it was one and is still there."""
    address = origin.get("url")
    if "dir_info" not in origin or not isinstance(address, str) or not address.startswith("file:"):
        return None
    folder = Path(unquote(urlsplit(address).path))
    return folder if (folder / "pyproject.toml").is_file() else None
