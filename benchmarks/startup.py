"""How long does it take until the package is there, and until `toyadmos --help` has answered?

Method: an empty Python, `import toyadmos_datasets` and `toyadmos --help` run in turn, many rounds, each in
a fresh process with its files warm in the page cache.

    python benchmarks/startup.py
"""

from __future__ import annotations

import functools
import sys

from corpora import bench_from_arguments
from machine import print_heading
from rounds import alternate, print_ratio, run

EMPTY = "python -c pass"
IMPORT = "import toyadmos_datasets"
HELP = "toyadmos --help"
LIMIT_S = 0.6


def main() -> None:
    with bench_from_arguments(__doc__ or "", n_rounds=15) as bench:
        print_heading("Time to start")
        code = {
            EMPTY: ("pass",),
            IMPORT: ("import toyadmos_datasets",),
            HELP: ("from toyadmos_datasets.cli import main; main()", "--help"),
        }
        costs = alternate(
            bench.n_rounds,
            {name: functools.partial(run, [sys.executable, "-c", *words]) for name, words in code.items()},
        )
    print_ratio(costs, IMPORT, EMPTY)
    print_ratio(costs, HELP, EMPTY, aim=f"aim: below {LIMIT_S} s")


if __name__ == "__main__":
    main()
