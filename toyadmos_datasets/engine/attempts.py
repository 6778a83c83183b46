"""One attempt at a task in any process: how it gets there, and what it returns."""

from __future__ import annotations

import contextlib
import functools
import io
import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toyadmos_datasets.engine.preflight import Proof, prove_once
from toyadmos_datasets.engine.progress import Stopped, Watch, ask_to_stop
from toyadmos_datasets.errors import OutputError
from toyadmos_datasets.files.atomic import write_file

_SHARED = "shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a task in a worker: a result, an error, or neither if it was stopped."""

    name: str
    finished: bool = False
    result: Any = None
    error: Exception | None = None
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A task on its way.

    Attributes:
        content: The task, pickled; where it holds the value that all tasks share, that is left out.
        shared: The file that has this value; None where there is none.
    """

    content: bytes
    shared: Path | None


class Packer:
    """Packs tasks so that a value which all of them hold travels to each process once, and not with each task.

    Args:
        shared: The value; None for none.
        folder: A folder that all workers see, where it is written.
    """

    def __init__(self, shared: object, folder: Path) -> None:
        self._shared = shared
        self._file: Path | None = None
        if shared is not None:
            with contextlib.suppress(OutputError):  # a full disk for temporary files stops no work: it travels along
                with write_file(folder / _SHARED) as file:
                    pickle.dump(shared, file)
                self._file = folder / _SHARED

    def pack(self, task: object) -> Payload:
        """Return a task as it travels."""
        if self._file is None:
            return Payload(content=pickle.dumps(task), shared=None)
        buffer = io.BytesIO()
        _Pickler(buffer, self._shared).dump(task)
        return Payload(content=buffer.getvalue(), shared=self._file)


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, shared: object) -> None:
        super().__init__(file)
        self._shared = shared

    def persistent_id(self, value: object) -> str | None:
        """Name the shared value instead of pickling it."""
        return _SHARED if value is self._shared else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes, shared: Path) -> None:
        super().__init__(io.BytesIO(content))
        self._file = shared

    def persistent_load(self, _name: object) -> object:
        """Return the shared value."""
        return _shared_in(self._file)


@functools.lru_cache(maxsize=1)
def _shared_in(file: Path) -> object:
    """Read a shared value once a process; the folder's name is that of one run."""
    with file.open("rb") as content:
        return pickle.load(content)  # noqa: S301  # our own driver's, in a folder of its own


def unpack(payload: Payload) -> Any:  # noqa: ANN401  # whatever a task is
    """Return the task."""
    if payload.shared is None:
        return pickle.loads(payload.content)  # noqa: S301  # our own driver's
    return _Unpickler(payload.content, payload.shared).load()


def run_attempt(function: Callable[[Any, Watch], Any], payload: Payload, watch: Watch, proof: Proof | None) -> Outcome:
    """Run a task in a worker, after the worker has proved once that it fits; errors of the task are returned.

    Any other error is the engine's, which did not run it.
    """
    try:
        if proof is not None:
            prove_once(proof)
        finished, result = attempt_here(function, unpack(payload), watch)
        return Outcome(name=watch.name, finished=finished, result=result)
    except Exception as error:  # noqa: BLE001  # the driver raises it, whatever it is
        if watch.folder is not None:
            with contextlib.suppress(OSError):  # the driver has left, and its folder is gone
                ask_to_stop(watch.folder)  # at once, so that no other task begins
        return Outcome(name=watch.name, error=error, trace=traceback.format_exc())


def attempt_here(function: Callable[[Any, Watch], Any], task: object, watch: Watch) -> tuple[bool, Any]:
    """Run one task unless a stop was asked for; the flag tells whether there is a result."""
    try:
        watch.advance()
        return True, function(task, watch)
    except Stopped:
        return False, None
    finally:
        watch.report()
