"""A Ray cluster as an executor."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import Any

import ray
from ray.exceptions import TaskCancelledError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from toyadmos_datasets.engine.engines import Engine
from toyadmos_datasets.errors import EngineError


class RayExecutor(Executor):
    """Runs calls as Ray's tasks, a processor each."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401  # as Executor
        """Start a call; cancelling its future cancels it in the cluster, too."""
        reference = ray.remote(_call).remote(function, *args, **kwargs)
        future: Future[Any] = Future()

        def separate_equal_content(done: Future[Any]) -> None:
            """Hand on what the cluster says of the call."""
            if future.cancelled():
                return
            error = done.exception()
            if isinstance(error, TaskCancelledError):
                future.cancel()
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result())

        def cancel(ended: Future[Any]) -> None:
            """Let the cluster drop the call."""
            if ended.cancelled():
                ended.set_running_or_notify_cancel()  # wakes up those who wait for it
                ray.cancel(reference, force=False)

        future.add_done_callback(cancel)
        reference.future().add_done_callback(separate_equal_content)
        return future


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # whatever it gives
    return function(*args, **kwargs)


@contextlib.contextmanager
def joined_cluster(address: str) -> Iterator[Engine]:
    """Give the engine that a cluster is.

    Ray ends the workers of a driver that is gone.

    Args:
        address: ``ray`` for the cluster that ``RAY_ADDRESS`` names or that runs on this machine, or
            ``ray://host:port`` of a client's server.

    Raises:
        EngineError: No cluster answers there.
    """
    known = address if "://" in address else os.environ.get("RAY_ADDRESS", "auto")
    try:
        ray.init(address=known, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise EngineError(
            "The Ray cluster cannot be used.",
            where=address,
            expected="a cluster that answers",
            actual=str(error).strip().partition("\n")[0],
            remedy="Start it first: ray start --head, and ray start --address on each machine; see docs/cluster.md.",
        ) from error
    try:
        yield Engine(
            executor=RayExecutor(),
            name=address,
            n_slots=int(ray.cluster_resources().get("CPU", 1)),
            on_each_worker=_on_each_machine,
        )
    finally:
        ray.shutdown()


def _on_each_machine(function: Callable[..., Any], arguments: Sequence[Any]) -> Iterable[Any]:
    """Call a function once on every machine that has processors: all its workers see the same files."""
    references = [
        ray.remote(_call)
        .options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False))
        .remote(function, *arguments)
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU")
    ]
    for reference in references:
        try:
            yield ray.get(reference)
        except Exception as error:  # noqa: BLE001  # the caller tells what it means
            yield error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
