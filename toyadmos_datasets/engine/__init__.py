"""The one way to run tasks: in this process, or in worker processes through joblib."""

from toyadmos_datasets.engine.lazy import LazyTasks
from toyadmos_datasets.engine.run import processors, run_tasks, usable_workers
from toyadmos_datasets.engine.watch import Stopped, Watch

__all__ = ["LazyTasks", "Stopped", "Watch", "processors", "run_tasks", "usable_workers"]
