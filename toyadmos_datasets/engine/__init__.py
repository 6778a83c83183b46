"""Runs tasks in this process, or on any `concurrent.futures.Executor`."""

from toyadmos_datasets.engine.clusters import opened_engine
from toyadmos_datasets.engine.engines import Engine, proved
from toyadmos_datasets.engine.processor_count import chosen_workers, processors, usable_workers
from toyadmos_datasets.engine.progress import Stopped, Watch
from toyadmos_datasets.engine.tasks import LazyTasks, run_tasks

__all__ = [
    "Engine",
    "LazyTasks",
    "Stopped",
    "Watch",
    "chosen_workers",
    "opened_engine",
    "processors",
    "proved",
    "run_tasks",
    "usable_workers",
]
