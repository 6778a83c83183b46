"""The command line: the only place that prints and exits."""

from toyadmos_datasets.cli.main import main

__all__ = ["main"]
