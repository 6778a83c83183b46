"""What does augmentation cost a loader, over loading the clips?

Method: all clips of a corpus on all microphones are prepared with noise and stems, as WAV. Each job goes over the
training split as `torch_loader` gives it, in this process, on one core and one thread, in turn, several rounds: as it
is, with noise at a drawn SNR, with all augmentations, and mixed straight from the recording store. The price is what a
job takes more than loading takes, over loading, within a round; of waveforms, and of log-mel features made of them.

    python benchmarks/augmentation.py --source DIR --toy train
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpora import bench_from_arguments, print_corpus
from machine import print_heading
from rounds import Cost, Rounds, alternate, on_one_core, spread

ROUNDS = 5
CONFIG = "snr_6db"
LOADING = "loading"
AIM = "at most 0.33 of loading"
N_TIMES = 4
"""How often a job goes over the clips: a small corpus is over too soon."""


def main() -> None:
    import torch  # noqa: PLC0415

    from toyadmos_datasets.archives import open_source  # noqa: PLC0415

    torch.set_num_threads(1)
    with bench_from_arguments(__doc__ or "", n_rounds=ROUNDS) as bench, bench.fresh() as place, on_one_core():
        print_heading("Augmentation over loading")
        tree = bench.corpus("tree")
        print_corpus(open_source(tree, bench.toy))
        prepared(tree, bench.toy, place)
        for features, n_times in (("waveform", N_TIMES), ("logmel", 1)):
            jobs = jobs_of(tree, bench.toy, place, features=features)
            print(f"# {features}: {len(next(iter(jobs.values()))().dataset)} clips")
            times = 1 if bench.is_smoke else n_times
            runs = {name: functools.partial(measured, job(), times) for name, job in jobs.items()}
            print_prices(alternate(bench.n_rounds, runs), features)


def prepared(tree: Path, toy: str, place: Path) -> None:
    """Prepare the dataset."""
    from toyadmos_datasets.jobs.prepare import prepare  # noqa: PLC0415
    from toyadmos_datasets.jobs.prepare_options import PrepareOptions  # noqa: PLC0415
    from toyadmos_datasets.planning import PlanOptions  # noqa: PLC0415
    from toyadmos_datasets.rendering import RenderOptions  # noqa: PLC0415

    plan = PlanOptions(toy=toy, protocols=("basic",), channels="all", snrs_db=(6.0,))
    render = RenderOptions(stems=True)
    prepare(PrepareOptions(plan=plan, render=render, source=str(tree), out=place / "dataset", cache=place / "store"))


def jobs_of(tree: Path, toy: str, place: Path, *, features: str) -> dict[str, Callable[[], Any]]:
    """Return what makes each loader."""
    from toyadmos_datasets import Augment, torch_loader  # noqa: PLC0415

    noise = Augment(snr_db=(-6, 6))
    everything = Augment(snr_db=(-6, 6), mix_up=0.4, gain_db=(-3, 3), shift=True)
    of_folder = functools.partial(torch_loader, place / "dataset", CONFIG, features=features, cache_dir=place / "cache")
    of_source = functools.partial(
        torch_loader, toy, "basic", source=tree, channels="all", cache=place / "store", features=features
    )
    return {
        LOADING: of_folder,
        "noise": functools.partial(of_folder, augment=noise),
        "everything": functools.partial(of_folder, augment=everything),
        "noise, from the store": functools.partial(of_source, augment=noise),
        "everything, from the store": functools.partial(of_source, augment=everything),
    }


def measured(loader: Any, n_times: int) -> Cost:  # noqa: ANN401  # a ResumableLoader
    """Go over all clips, some times."""
    cpu_s, wall_s = -time.process_time(), -time.perf_counter()
    for _ in range(n_times):
        for _ in loader:
            pass
    return Cost(wall_s=wall_s + time.perf_counter(), cpu_s=cpu_s + time.process_time())


def print_prices(costs: Rounds, features: str) -> None:
    """Print what each job costs more than loading."""
    for name, some in costs.items():
        if name != LOADING:
            prices = [one.cpu_s / base.cpu_s - 1 for one, base in zip(some, costs[LOADING], strict=True)]
            print(f"{features}: {name} over {LOADING}: {spread(prices)}  [{AIM}]")


if __name__ == "__main__":
    main()
