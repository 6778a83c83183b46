"""Addresses that fsspec knows: told from paths, shown without secrets, and opened."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

import fsspec

from toyadmos_datasets.errors import MissingExtraError, OptionError

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_PACKAGES = {"s3": "'toyadmos-datasets[s3]'", "s3a": "'toyadmos-datasets[s3]'", "gs": "gcsfs", "gcs": "gcsfs"}
_PACKAGES |= {"az": "adlfs", "abfs": "adlfs", "sftp": "paramiko", "ssh": "paramiko"}


def is_address(place: str | os.PathLike[str]) -> bool:
    """Whether this is an address (``s3://bucket/folder``) rather than a path."""
    return isinstance(place, str) and _ADDRESS.match(place) is not None


def shown_address(address: str) -> str:
    """Return an address as it may be shown: without user, password and query."""
    return re.sub(r"(?<=://)[^/@]*@", "", address.partition("?")[0])


def require_no_secrets(address: str) -> None:
    """Raise if a user or a password stands in an address: what is shared is passed on.

    Raises:
        OptionError: It does; it is not shown.
    """
    kind = address.partition("://")[0].lower()
    if "@" in urlsplit(address).netloc:
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
    kind = address.partition("://")[0].lower()
    try:
        system, path = fsspec.core.url_to_fs(address, **storage_options)
    except ImportError as error:
        package = _PACKAGES.get(kind, f"what fsspec needs for {kind}")
        raise MissingExtraError(
            f"Addresses of the kind {kind}:// need a package that is not installed.",
            where=shown_address(address),
            expected=package,
            actual="not installed",
            remedy=f"pip install {package}",
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
