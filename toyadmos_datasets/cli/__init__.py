"""The command line: the only place that prints and exits."""

from __future__ import annotations

import os
import sys

EXIT_INTERRUPTED = 130
INTERRUPTED = "Interrupted. What was finished is kept; the same command goes on from there."


def main() -> None:
    """Run `toyadmos` with the process's arguments and exit: 0 done, 1 failed, 2 wrong arguments, 130 interrupted."""
    try:
        from toyadmos_datasets.cli.main import start

        status = start(sys.argv[1:])
    except KeyboardInterrupt:  # before or after the part that answers it, such as while Python still imports
        sys.stderr.write(f"{INTERRUPTED}\n")
        sys.stderr.flush()
        os._exit(EXIT_INTERRUPTED)
    sys.exit(status)


__all__ = ["main"]
