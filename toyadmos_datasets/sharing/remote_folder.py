"""A folder that was shared at an address, read with bounds and without showing secrets."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from toyadmos_datasets.errors import ShareError, ToyAdmosError
from toyadmos_datasets.files.address import open_address, require_no_secrets, shown_address
from toyadmos_datasets.files.checked_json import MAX_JSON_BYTES
from toyadmos_datasets.files.reading import MAX_CARD_BYTES, MAX_RECIPE_BYTES, read_bounded
from toyadmos_datasets.sharing.destination import HIDDEN
from toyadmos_datasets.sharing.hub import checked_token
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.manifest import CARD_NAME, MANIFEST_NAME

_MOST_BYTES: dict[str, Bytes] = {MANIFEST_NAME: MAX_JSON_BYTES, CARD_NAME: MAX_CARD_BYTES}
"""How large a shared file may be that is read as a whole; all others are recipes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A folder at an address; it can be pickled, and opens its file system where it is used.

    Attributes:
        address: Such as ``s3://bucket/folder``.
        token: For the Hub; shown nowhere.
        storage_options: For fsspec, such as an endpoint; shown nowhere.
    """

    address: str
    token: str | None = field(default=None, repr=False)
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def shown(self) -> str:
        """The address without secrets."""
        return shown_address(self.address.rstrip("/"))

    def shown_path(self, path: str) -> str:
        """Return where a file is, for people."""
        return f"{self.shown}/{path}" if path else self.shown

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file; FileNotFoundError if there is none, ShareError for any other failure while it is read."""
        system, root = self._system()
        with self._explaining(path), system.open(posixpath.join(root, path) if path else root, "rb") as file:
            yield file

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a manifest, a card or a recipe, or None if there is none.

        Raises:
            DatasetError: It is larger than any that this package writes.
            ShareError: It cannot be read.
        """
        most = _MOST_BYTES.get(path, MAX_RECIPE_BYTES)
        remedy = "Check the address, or ask its author to share it again."
        try:
            with self.open(path) as file:
                return read_bounded(file, most, where=self.shown_path(path), remedy=remedy)
        except FileNotFoundError:
            return None

    def sizes(self) -> dict[str, Bytes]:
        """List the files in it."""
        system, root = self._system()
        prefix = root.rstrip("/") + "/"
        with self._explaining(""):
            system.invalidate_cache()
            found = system.find(root, detail=True)
        return {name.removeprefix(prefix): facts["size"] for name, facts in found.items() if name.startswith(prefix)}

    def _system(self) -> tuple[Any, str]:
        require_no_secrets(self.address)
        options = dict(self.storage_options)
        if self.address.startswith("hf://"):
            options = {"token": checked_token(self.token)} | options
        return open_address(self.address.rstrip("/"), **{name: one for name, one in options.items() if one})

    @contextlib.contextmanager
    def _explaining(self, path: str) -> Iterator[None]:
        try:
            yield
        except ToyAdmosError:
            raise
        except Exception as raised:  # noqa: BLE001  # what a file system raises is not known
            error = _reason(raised)
            failure = self._told(error, self.shown_path(path))
        else:
            return
        raise failure

    def _told(self, error: Exception, where: str) -> Exception:
        """Return the error to raise, which holds nothing of what it came of: that may hold the token."""
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(where)
        text = f"{type(error).__name__}: {error}"
        for secret in filter(None, (self.token, *self.storage_options.values())):
            text = text.replace(secret, HIDDEN) if isinstance(secret, str) else text
        return ShareError(
            "A shared file cannot be read.",
            where=where,
            actual=text,
            remedy="Check the address, and that the credentials of this machine may read there.",
        )


def _reason(error: Exception) -> Exception:
    """Return why a server gave nothing: fsspec says that there is no file also where there was no answer at all."""
    cause = error.__cause__
    if isinstance(error, FileNotFoundError) and isinstance(cause, OSError) and not hasattr(cause, "response"):
        return cause
    return error
