"""Addresses: told from paths, shown without secrets, opened by fsspec; and which of them are sources on the web."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from toyadmos_datasets.errors import MissingExtraError, OptionError
from toyadmos_datasets.escaping import without_secrets
from toyadmos_datasets.files.installing import PACKAGE, install_command

if TYPE_CHECKING:
    import fsspec

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_EXTRAS = {"s3": "s3", "s3a": "s3"}
_PACKAGES = {"gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "sftp": "paramiko", "ssh": "paramiko"}


def is_address(place: str | os.PathLike[str]) -> bool:
    """Whether this is an address (``s3://bucket/folder``) rather than a path."""
    return isinstance(place, str) and _ADDRESS.match(place) is not None


def shown_address(address: str) -> str:
    """Return an address as it may be shown, also one that cannot be parsed: without user, password and query."""
    return without_secrets(address).partition("?")[0]


def require_no_secrets(address: str) -> None:
    """Raise if a user or a password stands in an address: what is shared is passed on.

    Raises:
        OptionError: It does; it is not shown.
    """
    kind = address.partition("://")[0].lower()
    without_query = address.partition("?")[0]
    if without_secrets(without_query) != without_query:
        raise OptionError(
            "A user or a password stands in an address, which others can see.",
            where=shown_address(address),
            expected=f"{kind}://place/folder",
            remedy="Give it as the environment or the configuration of this kind of storage has it.",
        )


def open_address(address: str, **storage_options: object) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system of an address and the path in it; nothing is asked of any server yet.

    Raises:
        OptionError: There is no such kind of address.
        MissingExtraError: A package is needed for this kind.
    """
    import fsspec  # noqa: PLC0415  (a tenth of a second, for addresses alone)

    kind = address.partition("://")[0].lower()
    endpoint = os.environ.get("HF_ENDPOINT")
    if kind == "hf" and endpoint:  # its client reads it once, when it is first imported
        storage_options = {"endpoint": endpoint} | storage_options
    try:
        system, path = fsspec.core.url_to_fs(address, **storage_options)
    except ImportError as error:
        package = _PACKAGES.get(kind, f"what fsspec needs for {kind}")
        command = install_command(_EXTRAS[kind]) if kind in _EXTRAS else f"pip install {package}"
        raise MissingExtraError(
            f"Addresses of the kind {kind}:// need a package that is not installed.",
            where=shown_address(address),
            expected=f"{PACKAGE}[{_EXTRAS[kind]}]" if kind in _EXTRAS else package,
            actual="not installed",
            remedy=command,
        ) from error
    except ValueError as error:
        raise OptionError(
            "There is no such kind of address.",
            where=shown_address(address),
            expected="s3://, gs://, hf://, file:// or another that fsspec knows",
            actual=f"{kind}://",
            remedy="Check the address.",
        ) from error
    return system, path


RECORD = "record"
"""Stands for the official record."""


def is_on_web(source: str) -> bool:
    """Tell ``record`` and addresses, whether they can be used or not, from paths."""
    return source == RECORD or "://" in source
