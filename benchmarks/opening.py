"""How long does a folder of many shards take to open, for the first time and again, beside plain `datasets`?

Method: windows of 50 ms are prepared from the corpus, and a full shard of them is copied until there are as many as
asked for, under names of their own in one split; clips are as short as that so that what is measured is opening, and
the disk takes it. Each job opens the split in a process of its own, in turn, several rounds: `load_dataset` of this
package and that of `datasets`, each with an empty cache and then with what it has kept there, and the first of ours
again over half as many shards. What is timed begins after the imports and ends with the first row, decoded.

    python benchmarks/opening.py --source DIR --toy train --shards 2000
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rounds import Cost, Rounds, print_ratio, run_and_read, spread

HERE = Path(__file__).parent
CONFIG = "cnt_to_ind_clean"
SPLIT = "train"
N_SHARDS = 2000
WINDOW_S, HOP_S = 0.05, 0.02


def main() -> None:
    from corpora import bench_from_arguments  # noqa: PLC0415  (a job needs none of it, and is to start at once)
    from machine import print_heading  # noqa: PLC0415

    n_shards = int(_taken("--shards") or N_SHARDS)
    with bench_from_arguments(__doc__ or "", n_rounds=2) as bench, bench.fresh() as place:
        print_heading("Opening a folder of many shards")
        n_shards = 4 if bench.is_smoke else n_shards
        tree = bench.corpus("tree")
        n_rows = make_folder(tree, bench.toy, place / "whole", n_shards)
        make_folder(tree, bench.toy, place / "half", n_shards // 2)
        print(f"# {n_rows} rows in {n_shards} shards")
        costs = in_turn(bench.n_rounds, place)
    for name, some in costs.items():
        print(f"{name}: CPU s {spread(one.cpu_s for one in some)}, wall s {spread(one.wall_s for one in some)}")
    print_ratio(costs, "ours, first", "plain, first", aim="aim: below 1")
    print_ratio(costs, "ours, first", "ours, first, half", aim="aim: 2")
    print_ratio(costs, "ours, again", "plain, again")


def make_folder(tree: Path, toy: str, folder: Path, n_shards: int) -> int:
    """Prepare windows, and make a folder of so many copies of one of their shards; return its number of rows."""
    from toyadmos_datasets.jobs.prepare import prepare  # noqa: PLC0415
    from toyadmos_datasets.jobs.prepare_options import PrepareOptions  # noqa: PLC0415
    from toyadmos_datasets.planning import PlanOptions  # noqa: PLC0415
    from toyadmos_datasets.rendering import RenderOptions  # noqa: PLC0415
    from toyadmos_datasets.values.manifest import shard_path, write_manifest  # noqa: PLC0415

    plan = PlanOptions(toy=toy, protocols=("cnt-to-ind",), channels="1", window_s=WINDOW_S, hop_s=HOP_S, max_events=200)
    asked = PrepareOptions(
        plan=plan, render=RenderOptions(), source=str(tree), out=folder, cache=folder.parent / "store"
    )
    prepared = prepare(asked).manifest
    one = max(prepared.configs[CONFIG][SPLIT], key=lambda shard: shard.n_rows)
    copies = [replace(one, path=shard_path(CONFIG, SPLIT, number, n_shards)) for number in range(n_shards)]
    content = (folder / one.path).read_bytes()
    for shard in prepared.configs[CONFIG][SPLIT]:
        (folder / shard.path).unlink()
    for shard in copies:
        (folder / shard.path).write_bytes(content)
    others = [shard for shard in prepared.shards if (shard.config, shard.split) != (CONFIG, SPLIT)]
    write_manifest(folder, replace(prepared, shards=(*copies, *others)))
    return one.n_rows * n_shards


def in_turn(n_rounds: int, place: Path) -> Rounds:
    """Make every job once a round, each in a process of its own; the first of a round finds no cache."""
    costs: Rounds = {}
    for number in range(n_rounds):
        for name, (job, folder) in JOBS.items():
            cache = place / f"cache-{job}-{folder}-{number}"
            command = [sys.executable, str(HERE / "opening.py"), "--job", job, str(place / folder), str(cache)]
            _, said = run_and_read(command)
            found = json.loads(said.splitlines()[-1])
            costs.setdefault(name, []).append(Cost(wall_s=found["wall_s"], cpu_s=found["cpu_s"]))
            print(f"round {number + 1}: {name}: CPU {found['cpu_s']:.2f} s, {found['peak_mb']:.0f} MB", file=sys.stderr)
        for cache in place.glob("cache-*"):
            shutil.rmtree(cache)
    return costs


def ours(folder: str, cache: str) -> Callable[[], object]:
    from toyadmos_datasets import load_dataset  # noqa: PLC0415
    from toyadmos_datasets.loading import mapped_clips  # noqa: F401, PLC0415  (imported here, and not timed)

    return lambda: load_dataset(folder, CONFIG, SPLIT, cache_dir=cache)[0]["audio"]["array"]


def plain(folder: str, cache: str) -> Callable[[], object]:
    import datasets  # noqa: PLC0415

    def opened() -> object:
        """Open as users do, but for the card: it tells of as many rows as were prepared, and not of the copies."""
        rows = datasets.load_dataset(
            folder, CONFIG, split=SPLIT, cache_dir=cache, verification_mode=datasets.VerificationMode.NO_CHECKS
        )
        return rows.cast_column("audio", datasets.Audio(decode=False))[0]["audio"]

    return opened


OPENERS = {"ours": ours, "plain": plain}
JOBS = {
    "ours, first": ("ours", "whole"),
    "ours, again": ("ours", "whole"),
    "plain, first": ("plain", "whole"),
    "plain, again": ("plain", "whole"),
    "ours, first, half": ("ours", "half"),
}


def measure(opener: str, folder: str, cache: str) -> dict[str, float]:
    """Open a folder, and return what it took."""
    opened = OPENERS[opener](folder, cache)
    cpu_s, wall_s = -time.process_time(), -time.perf_counter()
    opened()
    cpu_s, wall_s = cpu_s + time.process_time(), wall_s + time.perf_counter()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"cpu_s": cpu_s, "wall_s": wall_s, "peak_mb": peak_mb}


def _taken(option: str) -> str | None:
    """Take an option that the shared ones do not have out of the command line."""
    if option not in sys.argv:
        return None
    at = sys.argv.index(option)
    value = sys.argv[at + 1]
    del sys.argv[at : at + 2]
    return value


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
        print(json.dumps(measure(*sys.argv[2:5])))
    else:
        main()
