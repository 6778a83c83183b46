"""The one way to run tasks: in this process, or in worker processes through joblib."""

from toyadmos_datasets.engine.progress import Stopped, Watch
from toyadmos_datasets.engine.tasks import LazyTasks, processors, run_tasks, usable_workers

__all__ = ["LazyTasks", "Stopped", "Watch", "processors", "run_tasks", "usable_workers"]
