"""A folder in a bucket, or at another address that fsspec can write to."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from toyadmos_datasets.errors import DatasetError, LicenseError
from toyadmos_datasets.files.address import open_address, require_no_secrets, shown_address
from toyadmos_datasets.files.checked_json import MAX_JSON_BYTES, Sha256, canonical_json, checked, parse_json
from toyadmos_datasets.files.reading import read_bounded
from toyadmos_datasets.sharing.destination import AGAIN, Sent, Standing, ask, is_audio
from toyadmos_datasets.sharing.parcel import Outgoing, Parcel
from toyadmos_datasets.units import Bytes

RECORD_NAME = ".toyadmos-shared.json"
"""What was sent, by path, with hashes: a bucket knows none. Written after every file but the last one."""

_FINAL = (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError, ImportError, ValueError, TypeError)
_ACCESS = "Check the address, and that the credentials of this machine may read and write there."

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """What was sent.

    Attributes:
        sharing: Hash of the file that is sent last.
        last: Its path, one of `LAST_NAMES`: it is removed while something else is sent.
        sent: Hash of every other file that has arrived, by path.
    """

    sharing: Sha256 | None = None
    last: Literal["manifest.json", "dataset.toyrecipe"] | None = None
    sent: dict[str, Sha256] = field(default_factory=dict)


class Bucket:
    """A destination that keeps a record of what was sent, since sizes alone do not tell files apart.

    Args:
        address: Such as ``s3://bucket/folder``.
        may_share_audio: The user's confirmation that only permitted people can read it.

    Raises:
        OptionError: The address is invalid.
        MissingExtraError: A package is needed for it.
    """

    def __init__(self, address: str, *, may_share_audio: bool) -> None:
        require_no_secrets(address)
        self.shown = shown_address(address.rstrip("/"))
        self._may_share_audio = may_share_audio
        self._system, self._root = open_address(address.rstrip("/"))

    def admit(self, *, has_audio: bool) -> None:
        """Raise unless there is no audio, or the user gave their word.

        Raises:
            LicenseError: The user did not.
        """
        if has_audio and not self._may_share_audio:
            raise LicenseError(
                "The corpus's licence forbids passing its audio on, and it is not confirmed who can read this bucket.",
                where=self.shown,
                expected="--i-may-share-audio: only people who may have the recordings can read it",
                actual="not given",
                remedy="Add it if that is so, or share only what the dataset can be made of again: --recipe-only",
            )

    def look(self, parcel: Parcel) -> Standing:
        """Tell what of a parcel is there, by listing and by the record.

        Raises:
            ShareError: The place cannot be read.
        """
        sizes = self._ask("The place cannot be read.", self._sizes, remedy=_ACCESS)
        record = self._record() if sizes.pop(RECORD_NAME, None) is not None else None
        paths = {file.path for file in parcel.all_files}
        if record is None:
            return Standing(
                relation="foreign" if sizes else "new", missing=parcel.all_files, example=min(sizes, default="")
            )
        strangers = sorted(path for path in sizes.keys() - record.sent.keys() - paths if is_audio(path))
        if strangers:
            return Standing(relation="foreign", missing=parcel.all_files, example=strangers[0])
        shared = record.last, record.sharing
        is_same = shared in {(None, None), (parcel.last.path, parcel.last.sha256)}
        missing = [file for file in parcel.files if not _is_held(file, sizes, record)]
        known = {*record.sent, *([record.last] if record.last else [])}
        stale = sorted(path for path in known - paths if path in sizes)
        if missing or stale or not is_same or sizes.get(parcel.last.path) != parcel.last.n_bytes:
            missing.append(parcel.last)
        return Standing(
            relation="same" if is_same else "other",
            missing=tuple(missing),
            stale=tuple(stale),
            example=f"{record.last} with sha256 {record.sharing}",
        )

    def send(self, parcel: Parcel, standing: Standing, sent: Sent) -> None:
        """Send what is missing, one after the other; a reader finds no manifest before all is there.

        What is stale stays on record until it is gone, so that a run that was cut is known to have left it.

        Raises:
            ShareError: The place does not take it; what has arrived is on record.
        """
        before = _Record() if standing.relation == "new" else self._record()
        missing = {file.path for file in standing.missing}
        kept = {path: sha256 for path, sha256 in before.sent.items() if path not in missing}
        for path in {parcel.last.path, before.last or parcel.last.path}:
            self._remove(path)
        self._note(parcel, kept)
        for path in standing.stale:
            self._remove(path)
            kept.pop(path, None)
        for file in standing.missing:
            file.check()
            self._put(file)
            if file is not parcel.last:
                kept[file.path] = file.sha256
                self._note(parcel, kept)
            sent(file)

    def _put(self, file: Outgoing) -> None:
        place = self._place(file.path)

        def attempt() -> None:
            """Send it, and look whether all of it has arrived."""
            self._system.makedirs(posixpath.dirname(place), exist_ok=True)
            if isinstance(file.source, bytes):
                self._system.pipe_file(place, file.source)
            else:
                self._system.put_file(str(file.source), place)
            self._system.invalidate_cache()
            n_bytes = self._system.size(place)
            if n_bytes != file.n_bytes:
                raise OSError(f"{n_bytes} of {file.n_bytes} bytes arrived")

        self._ask(f"A file could not be sent: {file.path}", attempt)

    def _note(self, parcel: Parcel, hashes: dict[str, str]) -> None:
        record = {"sharing": parcel.last.sha256, "last": parcel.last.path, "sent": hashes}
        content = canonical_json(record).encode()

        def attempt() -> None:
            """Write the record anew."""
            self._system.makedirs(self._root, exist_ok=True)
            self._system.pipe_file(self._place(RECORD_NAME), content)

        self._ask("The record of what was sent could not be sent.", attempt, remedy=_ACCESS)

    def _remove(self, path: str) -> None:
        def attempt() -> None:
            """Remove it, if it is there."""
            self._system.invalidate_cache()
            if self._system.exists(self._place(path)):
                self._system.rm_file(self._place(path))

        self._ask(f"A file could not be removed: {path}", attempt)

    def _sizes(self) -> dict[str, Bytes]:
        self._system.invalidate_cache()
        found = self._system.find(self._root, detail=True)
        prefix = self._root.rstrip("/") + "/"
        return {name.removeprefix(prefix): facts["size"] for name, facts in found.items() if name.startswith(prefix)}

    def _record(self) -> _Record:
        """Read the record; one that is damaged says nothing, so that everything is sent again."""
        where, remedy = f"{self.shown}/{RECORD_NAME}", AGAIN

        def attempt() -> bytes:
            """Read it, if it is not too large."""
            with self._system.open(self._place(RECORD_NAME), "rb") as file:
                return read_bounded(file, MAX_JSON_BYTES, where=where, remedy=remedy)

        try:
            content = parse_json(self._ask("The place cannot be read.", attempt), where=where, remedy=remedy)
            return checked(_Record, content, what="The record is damaged.", where=where, remedy=remedy)
        except DatasetError:
            return _Record()

    def _place(self, path: str) -> str:
        return posixpath.join(self._root, path)

    def _ask(self, what: str, attempt: Callable[[], Done], remedy: str = AGAIN) -> Done:
        return ask(attempt, shown=self.shown, what=what, may_pass=_may_pass, remedy=remedy)


def _is_held(file: Outgoing, sizes: dict[str, Bytes], record: _Record) -> bool:
    return sizes.get(file.path) == file.n_bytes and record.sent.get(file.path) == file.sha256


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, _FINAL) and "Credentials" not in type(error).__name__
