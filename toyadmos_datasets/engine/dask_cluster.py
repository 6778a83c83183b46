"""A Dask cluster as an executor."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import distributed

from toyadmos_datasets.engine.engines import Engine
from toyadmos_datasets.errors import EngineError
from toyadmos_datasets.units import Seconds

CONNECT_S: Seconds = 30.0
"""For the scheduler to answer, and for a first worker to be there."""


@contextlib.contextmanager
def joined_cluster(address: str) -> Iterator[Engine]:
    """Give the engine that a cluster is.

    When a client goes, its scheduler drops what waits; what runs sees by itself that its driver is gone.

    Args:
        address: ``dask://host:port`` of the scheduler.

    Raises:
        EngineError: No scheduler answers there, or it has no workers.
    """
    try:
        client = distributed.Client(
            f"tcp://{address.partition('://')[2]}", timeout=CONNECT_S, set_as_default=False, name="toyadmos"
        )
    except (OSError, ValueError) as error:
        raise _unreachable(address, "a scheduler of Dask", str(error)) from error
    try:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as error:
            raise _unreachable(address, "a worker", "none") from error

        def on_each_worker(function: Callable[..., Any], arguments: Sequence[Any]) -> Iterable[Any]:
            """Call it on every worker."""
            found: dict[str, Any] = client.run(function, *arguments, on_error="return")
            return found.values()

        yield Engine(
            executor=client.get_executor(pure=False),
            name=address,
            n_slots=sum(client.nthreads().values()),
            on_each_worker=on_each_worker,
        )
    finally:
        client.close()


def _unreachable(address: str, expected: str, actual: str) -> EngineError:
    return EngineError(
        "The Dask cluster cannot be used.",
        where=address,
        expected=f"{expected} within {CONNECT_S:g} s",
        actual=actual,
        remedy="Start it first: dask scheduler, and dask worker host:port on each machine; see docs/cluster.md.",
    )
