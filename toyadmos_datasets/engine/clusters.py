"""Makes an engine from the value of `--engine`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor

from toyadmos_datasets.engine.engines import Engine
from toyadmos_datasets.files.installing import require_extra


@contextlib.contextmanager
def opened_engine(address: str, executor: Executor | None, *, workers: int) -> Iterator[Engine | None]:
    """Give the engine that an address names, or that an executor is; None for this machine.

    Args:
        address: ``local``, ``dask://host:port``, ``ray`` or ``ray://host:port``.
        executor: One of the user's own, in the place of an address; it stays open.
        workers: How many tasks an executor runs at once that does not say so itself.

    Raises:
        MissingExtraError: Dask or Ray is not installed.
        EngineError: No cluster answers there, or it has no workers.
    """
    if executor is not None:
        n_slots = getattr(executor, "_max_workers", workers)  # pools of the standard library and loky have it
        yield Engine(executor=executor, name=type(executor).__name__, n_slots=n_slots)
        return
    kind, _, _ = address.partition(":")
    if kind == "local":
        yield None
        return
    require_extra(kind)
    if kind == "dask":
        from toyadmos_datasets.engine.dask_cluster import joined_cluster  # noqa: PLC0415  # an extra
    else:
        from toyadmos_datasets.engine.ray_cluster import joined_cluster  # noqa: PLC0415  # an extra
    with joined_cluster(address) as engine:
        yield engine
