"""How much faster than the sound lasts is a tree ingested and rendered, and what does a second worker bring?

Method: a tree of WAV files, warm in the page cache, goes through three jobs, each in a fresh process with a
fresh store and output, in turn, several rounds: `floor` only reads the files and resamples them by soxr;
`ingest` brings every recording into the store; `everything` also renders every IND clip on every channel
(protocol basic, clean, as WAV). The real-time factor is seconds of 48 kHz sound over seconds of wall time.
To start, and to start workers, takes about a second whatever the corpus: `--times` makes a larger one by
hard links under new take numbers.

    python benchmarks/tree.py                          on a simulated corpus
    python benchmarks/tree.py --source DIR --toy train --times 4
                                                       on a corpus of your own, four times
"""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

from corpora import Bench, audio_s, bench_from_arguments, opened, print_corpus, repeated
from jobs import job
from machine import print_heading
from rounds import Cost, alternate, print_ratio, spread


def main() -> None:
    with contextlib.ExitStack() as stack:
        bench = stack.enter_context(bench_from_arguments(__doc__ or "", n_rounds=5))
        print_heading("Real-time factor of prepare from a tree, one and two workers")
        folder = stack.enter_context(bench.fresh())
        place = bench.corpus("tree")
        if bench.times > 1:
            place = repeated(place, folder / "larger", bench.toy, times=bench.times)
        source = opened(place, bench.toy)
        print_corpus(source)
        runs = {
            f"{name}, {workers} worker{'s' * (workers > 1)}": functools.partial(stored, bench, name, place, workers)
            for name in ("ingest", "everything")
            for workers in (1, 2)
        }
        costs = alternate(bench.n_rounds, {"floor": functools.partial(job, "resample", place, bench.toy)} | runs)
    for name, some in costs.items():
        print(f"real-time factor of {name}: {spread([audio_s(source) / cost.wall_s for cost in some])}")
    print_ratio(costs, "ingest, 1 worker", "floor")
    for name in ("ingest", "everything"):
        print_ratio(costs, f"{name}, 1 worker", f"{name}, 2 workers", aim="aim: at least 1.7")


def stored(bench: Bench, name: str, place: Path, workers: int) -> Cost:
    """Run a job that fills a store of its own."""
    with bench.fresh() as cache:
        return job(name, place, bench.toy, cache, workers)


if __name__ == "__main__":
    main()
