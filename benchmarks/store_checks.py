"""What does it cost a further config to compare the recordings in the store with their checksums?

Method: a tree of WAV files is ingested into a store. Then the same config (protocol basic, 6 dB, all channels) is
prepared from that store again and again, one worker, each time in a fresh process with a fresh output: as it is, and
with the comparison replaced by nothing, in turn, several rounds. The ratio of the two is the cost. Rows are compared in
both: they are some MB of a whole corpus.

    python benchmarks/store_checks.py                          on a simulated corpus
    python benchmarks/store_checks.py --source DIR --toy train on a corpus of your own
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from corpora import Bench, bench_from_arguments, opened, print_corpus, repeated
from machine import print_heading
from rounds import Cost, alternate, print_ratio, run

from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.planning import PlanOptions
from toyadmos_datasets.rendering import RenderOptions
from toyadmos_datasets.values import recording_store

CHECKED, UNCHECKED = "as it is", "without comparing"


def main() -> None:
    with bench_from_arguments(__doc__ or "", n_rounds=5) as bench, bench.fresh() as folder:
        print_heading("Cost of comparing recordings with their checksums, in a further config")
        place = bench.corpus("tree")
        if bench.times > 1:
            place = repeated(place, folder / "larger", bench.toy, times=bench.times)
        print_corpus(opened(place, bench.toy))
        second_config(str(place), bench.toy, str(folder / "cache"), str(folder / "first"), CHECKED)
        runs = {how: functools.partial(timed, bench, place, folder / "cache", how) for how in (CHECKED, UNCHECKED)}
        costs = alternate(bench.n_rounds, runs)
    print_ratio(costs, CHECKED, UNCHECKED, aim="aim: below 1.02")


def timed(bench: Bench, place: Path, cache: Path, how: str) -> Cost:
    """Prepare in a process of its own."""
    with bench.fresh() as out:
        return run([sys.executable, __file__, str(place), bench.toy, str(cache), str(out / "out"), how])


def second_config(place: str, toy: str, cache: str, out: str, how: str) -> None:
    """Prepare from a store, with or without comparing."""
    if how == UNCHECKED:
        recording_store._compare = lambda *_pieces: None  # type: ignore[assignment]  # noqa: SLF001  # what is measured
    prepare(
        PrepareOptions(
            plan=PlanOptions(toy=toy, protocols=("basic",), snrs_db=(6.0,), channels="all"),
            render=RenderOptions(workers=1),
            source=place,
            out=Path(out),
            cache=Path(cache),
        )
    )


if __name__ == "__main__":
    second_config(*sys.argv[1:]) if len(sys.argv) == 6 and sys.argv[5] in {CHECKED, UNCHECKED} else main()
