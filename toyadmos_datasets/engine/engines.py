"""Engines: any `concurrent.futures.Executor` whose workers passed the checks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from toyadmos_datasets.engine.preflight import Proof, asking, prove, require_seen
from toyadmos_datasets.errors import EngineError, ToyAdmosError
from toyadmos_datasets.units import Seconds

LINGER_S: Seconds = 0.5
"""A worker of any executor stays busy for so long with its proof, so that the next proof goes to another one."""

OnEachWorker: TypeAlias = Callable[[Callable[..., Any], Sequence[Any]], Iterable[Any]]
"""Calls a function with arguments on every worker; gives what each returned, or the error that it raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Workers that are not this process's own.

    Attributes:
        executor: Runs tasks; its creator shuts it down.
        name: For people: an address, or the executor's class.
        n_slots: How many tasks it runs at once.
        on_each_worker: Reaches every worker; None where the executor knows no way to.
        place: A folder that all workers see, for the tasks' lines to their driver; None for this machine's own.
        proof: What a worker proves before its first task; None to take it as it is.
    """

    executor: Executor
    name: str
    n_slots: int
    on_each_worker: OnEachWorker | None = None
    place: Path | None = None
    proof: Proof | None = None


@contextlib.contextmanager
def proved(engine: Engine | None, *, out: Path, store: Path, source: Path | None) -> Iterator[Engine | None]:
    """Let every worker prove that it fits, and give the engine for tasks that write to these folders.

    Workers that join later prove it with their first task.

    Args:
        engine: The engine; None for this machine, which needs no proof.
        out: Folder of the dataset, absolute.
        store: Folder of the recording store, absolute.
        source: A file of the source; None where the source is in the cache.

    Raises:
        EngineError: A worker runs other versions, or does not see or cannot write a folder; names the host.
    """
    if engine is None:
        yield None
        return
    with asking((out, store), source) as proof:
        reach = engine.on_each_worker or _by_submitting(engine)
        for found in reach(prove, (proof, 0.0 if engine.on_each_worker else LINGER_S)):
            if isinstance(found, ToyAdmosError):
                raise found
            if isinstance(found, BaseException):
                raise EngineError(
                    "A worker does not answer.",
                    where=engine.name,
                    expected="workers that import toyadmos_datasets as the driver does",
                    actual=f"{type(found).__name__}: {found}",
                    remedy="Start the workers from the driver's environment.",
                ) from found
            require_seen(proof, found)
        yield replace(engine, place=out, proof=proof)


def _by_submitting(engine: Engine) -> OnEachWorker:
    """Reach the workers of any executor by as many calls at once as it has slots."""

    def reach(function: Callable[..., Any], arguments: Sequence[Any]) -> Iterator[Any]:
        """Give what each call gave, or raised."""
        futures = [engine.executor.submit(function, *arguments) for _ in range(engine.n_slots)]
        for future in futures:
            try:
                yield future.result()
            except Exception as error:  # noqa: BLE001  # the caller tells what it means
                yield error

    return reach
