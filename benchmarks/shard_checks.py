"""What does it cost an export, and streaming, that shards are compared with their hashes first?

Method: a clean config of all clips of one microphone is prepared from the corpus, as WAV. Each job runs in a process
of its own on one core, with the comparison and with it replaced by nothing, in turn; ratios are within a round. The
export of tar files copies clips as they are, so that it is the worst case.

    python benchmarks/shard_checks.py --source DIR --toy train
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from corpora import bench_from_arguments, print_corpus
from machine import print_heading
from rounds import Cost, alternate, on_one_core, print_ratio, run

ROUNDS = 5
LAYOUTS = ("wav", "webdataset")


def main() -> None:
    """Prepare a dataset, time the jobs, print ratios."""
    from toyadmos_datasets.archives import open_source  # noqa: PLC0415  (a job needs none of it)

    with bench_from_arguments(__doc__ or "", n_rounds=ROUNDS) as bench, bench.fresh() as place, on_one_core():
        print_heading("Comparing shards with their hashes")
        tree = bench.corpus("tree")
        print_corpus(open_source(tree, bench.toy))
        n_bytes = prepared(tree, bench.toy, place)
        print(f"# {n_bytes / 1e6:.0f} MB of shards")
        names = [*(f"export {layout}" for layout in LAYOUTS), "streaming"]
        runs = {
            f"{name}, {how}": functools.partial(job, name, place, how)
            for name in names
            for how in ("checked", "unchecked")
        }
        costs = alternate(bench.n_rounds, runs)
    for name in names:
        print_ratio(costs, f"{name}, checked", f"{name}, unchecked")


def prepared(tree: Path, toy: str, place: Path) -> int:
    """Prepare the dataset; return the size of its shards, bytes."""
    from toyadmos_datasets.jobs.prepare import prepare  # noqa: PLC0415
    from toyadmos_datasets.jobs.prepare_options import PrepareOptions  # noqa: PLC0415
    from toyadmos_datasets.planning import PlanOptions  # noqa: PLC0415
    from toyadmos_datasets.rendering import RenderOptions  # noqa: PLC0415

    plan = PlanOptions(toy=toy, protocols=("basic",), channels="1")
    asked = PrepareOptions(
        plan=plan, render=RenderOptions(), source=str(tree), out=place / "dataset", cache=place / "store"
    )
    return sum(shard.n_bytes for shard in prepare(asked).manifest.shards)


def job(name: str, place: Path, how: str) -> Cost:
    """Run a job in a process of its own, in a new folder."""
    out = place / f"{name}-{how}-{len(list(place.iterdir()))}"
    return run([sys.executable, __file__, "--job", name, str(place / "dataset"), str(out), how])


def do(name: str, dataset: str, out: str, how: str) -> None:
    """Do what is timed."""
    from toyadmos_datasets import load_dataset  # noqa: PLC0415
    from toyadmos_datasets.exporting import ExportOptions, export_dataset, export_job  # noqa: PLC0415
    from toyadmos_datasets.loading import prepared_dataset  # noqa: PLC0415
    from toyadmos_datasets.values import shards  # noqa: PLC0415

    if how == "unchecked":
        for module in (shards, export_job, prepared_dataset):
            module.check_shards = lambda *_: None  # type: ignore[attr-defined]
    if name == "streaming":
        for rows in load_dataset(dataset, streaming=True).values():
            sum(1 for _ in rows)
        return
    export_dataset(ExportOptions(folder=Path(dataset), layout=name.split()[1], out=Path(out), config=None))


if __name__ == "__main__":
    if "--job" in sys.argv:
        do(*sys.argv[2:])
    else:
        main()
