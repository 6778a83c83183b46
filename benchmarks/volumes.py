"""What does preparing from split volumes cost over `7z t` on the same archive, and what does a second worker bring?

Method: on one core (the affinity of every process is that core), in turn, several rounds, the volumes warm in
the page cache, each run a fresh process with a fresh store and output: `7z t -mmt=1`, which decodes and checks
everything; `floor`, a bare loop over the standard library's lzma that drops what it decodes; `ingest`, which
brings every recording into the store; `everything`, which also renders every IND clip on every channel
(protocol basic, clean, as WAV). `7z t` neither resamples nor encodes. Then, on two cores, one worker and two.
Without a 7z program the floor stands alone.

    python benchmarks/volumes.py                          on a simulated corpus
    python benchmarks/volumes.py --source DIR --toy train on a corpus of your own
"""

from __future__ import annotations

import functools
from pathlib import Path

from corpora import bench_from_arguments, opened, print_corpus
from jobs import job
from machine import print_heading, sevenzip
from rounds import Cost, alternate, can_pin, on_one_core, print_ratio, run
from tree import stored

SEVENZIP = "7z t -mmt=1"
FLOOR = "floor (bare lzma)"


def main() -> None:
    with bench_from_arguments(__doc__ or "", n_rounds=5) as bench:
        print_heading("Preparing from volumes over 7z t on one core; two workers over one")
        place = bench.corpus("volumes")
        source = opened(place, bench.toy)
        print_corpus(source)
        if not source.volume_files:
            raise SystemExit(f"{place} holds no volumes")
        first = source.volume_files[0].path
        print(f"On one core{'' if can_pin() else ' (this system cannot pin: on whichever)'}:")
        runs = {FLOOR: functools.partial(job, "decode", place, bench.toy)}
        runs |= {name: functools.partial(stored, bench, name, place, 1) for name in ("ingest", "everything")}
        if sevenzip():
            runs = {SEVENZIP: functools.partial(test_archive, first)} | runs
        with on_one_core():
            costs = alternate(bench.n_rounds, runs)
        for name in ("ingest", "everything"):
            if sevenzip():
                print_ratio(costs, name, SEVENZIP, aim="aim: at most 1.3")
            print_ratio(costs, name, FLOOR)
        if sevenzip():
            print_ratio(costs, FLOOR, SEVENZIP)
        print("On all cores:")
        runs = {
            f"{name}, {workers} worker{'s' * (workers > 1)}": functools.partial(stored, bench, name, place, workers)
            for name in ("ingest", "everything")
            for workers in (1, 2)
        }
        costs = alternate(bench.n_rounds, runs)
    for name in ("ingest", "everything"):
        print_ratio(costs, f"{name}, 1 worker", f"{name}, 2 workers", aim="aim: at least 1.7")


def test_archive(first_volume: Path) -> Cost:
    """Let 7z decode and check a whole archive in one thread."""
    return run([sevenzip() or "7z", "t", "-mmt=1", "-bd", str(first_volume)])


if __name__ == "__main__":
    main()
