"""The check of every worker before it works: it runs the same versions and sees the same folders."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import platform
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile
import soxr

from toyadmos_datasets.errors import EngineError
from toyadmos_datasets.files.atomic import remove_leftovers, temporary_path, writing
from toyadmos_datasets.units import Bytes, Seconds

VISIBLE_WITHIN_S: Seconds = 60.0
"""Network file systems may show a new file of another machine late; NFS by its defaults within this time."""

_POLL_S: Seconds = 0.1
_READ_BYTES: Bytes = 1 << 16


def versions() -> dict[str, str]:
    """Return the versions of what the bytes of a dataset depend on."""
    return {
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
        "soxr": soxr.__libsoxr_version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "python": platform.python_version(),
        "toyadmos-datasets": importlib.metadata.version("toyadmos-datasets"),
    }


def worker_name() -> str:
    """Name this process for people, host first."""
    return f"{platform.node() or 'host'} (process {os.getpid()})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a worker is asked to prove.

    Attributes:
        versions: Those of the driver.
        nonces: Files that the driver has written, each in a folder that workers write to.
        nonce: What stands in them.
        source: A file of the source and a hash of how it begins; None where the source is in one of the folders.
    """

    versions: tuple[tuple[str, str], ...]
    nonces: tuple[Path, ...]
    nonce: str
    source: tuple[Path, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """A worker that has proved its part.

    Attributes:
        worker: Its host and process.
        written: What it wrote, for the driver to read.
    """

    worker: str
    written: tuple[Path, ...]


@contextlib.contextmanager
def asking(folders: Sequence[Path], source: Path | None) -> Iterator[Proof]:
    """Write a nonce into every folder that workers write to, and remove them when the block ends.

    Args:
        folders: Absolute; they are made if they are not there.
        source: A file of the source, absolute.

    Raises:
        OutputError: A folder cannot be written to.
    """
    nonce = uuid.uuid4().hex
    files = []
    try:
        for folder in folders:
            path = temporary_path(folder)
            with writing(path):
                folder.mkdir(parents=True, exist_ok=True)
                path.write_text(nonce, encoding="ascii")
            files.append(path)
        yield Proof(
            versions=tuple(_compared(versions()).items()),
            nonces=tuple(files),
            nonce=nonce,
            source=None if source is None else (source, _beginning_of(source)),
        )
    finally:
        for path in files:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def prove(proof: Proof, linger_s: Seconds = 0.0) -> Proved:
    """Prove in a worker that it fits, and remove what dead processes of its host left in the folders.

    Args:
        proof: What is asked.
        linger_s: Stay busy for so long, so that another worker gets the next call.

    Raises:
        EngineError: It does not fit; the error names the host.
    """
    _prove_versions(proof)
    if proof.source is not None:
        path, promised = proof.source
        _prove_readable(path, promised, _beginning_of)
    written = []
    for path in proof.nonces:
        _prove_readable(path, proof.nonce, lambda one: one.read_text(encoding="ascii"))
        remove_leftovers(path.parent)
        written.append(_write_nonce(path.parent, proof.nonce))
    time.sleep(linger_s)
    return Proved(worker=worker_name(), written=tuple(written))


@functools.lru_cache(maxsize=4)
def prove_once(proof: Proof) -> None:
    """Prove it in a worker that joined after the others had, with the first task that it gets."""
    for path in prove(proof).written:
        with contextlib.suppress(OSError):
            path.unlink()


def require_seen(proof: Proof, proved: Proved) -> None:
    """Read in the driver what a worker wrote, and remove it.

    Raises:
        EngineError: It is not there.
    """
    until = time.monotonic() + VISIBLE_WITHIN_S
    for path in proved.written:
        while _content_of(path) != proof.nonce:
            if time.monotonic() > until:
                raise EngineError(
                    "What a worker writes does not arrive here.",
                    where=f"{path.parent}, on {proved.worker}",
                    expected=f"the file {path.name}",
                    actual=f"not there after {VISIBLE_WITHIN_S:g} s",
                    remedy="Choose --out and --cache on a file system that all machines share.",
                )
            time.sleep(_POLL_S)
        with contextlib.suppress(OSError):
            path.unlink()


def _compared(found: dict[str, str]) -> dict[str, str]:
    """Return the versions that have to be alike; of Python the minor one, by which pickles are understood."""
    return found | {"python": found["python"].rpartition(".")[0]}


def _prove_versions(proof: Proof) -> None:
    here, asked = _compared(versions()), dict(proof.versions)
    differing = [name for name in asked if here.get(name) != asked[name]]
    if differing:
        raise EngineError(
            "A worker runs other versions than the driver.",
            where=worker_name(),
            expected=", ".join(f"{name} {asked[name]}" for name in differing),
            actual=", ".join(f"{name} {here.get(name)}" for name in differing),
            remedy="Start the workers from the driver's environment.",
        )


def _prove_readable(path: Path, promised: str, read: Callable[[Path], str]) -> None:
    found, actual = None, "another content"
    try:
        found = read(path)
    except (OSError, ValueError) as error:
        actual = f"{getattr(error, 'strerror', None) or error}"
    if found != promised:
        raise EngineError(
            "A worker does not see the driver's files.",
            where=f"{path.parent}, on {worker_name()}",
            expected=f"the file {path.name}, as the driver has it",
            actual=actual,
            remedy="Choose --source, --out and --cache on a file system that all machines share, under one path.",
        )


def _write_nonce(folder: Path, nonce: str) -> Path:
    path = temporary_path(folder)
    try:
        path.write_text(nonce, encoding="ascii")
    except OSError as error:
        raise EngineError(
            "A worker cannot write where results belong.",
            where=f"{folder}, on {worker_name()}",
            expected="a folder that it may write to",
            actual=f"{error.strerror or error}",
            remedy="Let the workers run as the user who runs the driver, or choose other folders.",
        ) from error
    return path


def _content_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return None


def _beginning_of(path: Path) -> str:
    with path.open("rb") as file:
        n_bytes = os.fstat(file.fileno()).st_size
        return f"{n_bytes} bytes, {hashlib.sha256(file.read(_READ_BYTES)).hexdigest()}"
