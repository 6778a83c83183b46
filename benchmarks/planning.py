"""How long does it take to plan over the whole corpus, before a byte of it is read, and how much memory?

Method: members are made up from the published counts (84 680 recordings, all three toys) and go, in turn, several
rounds, in this process, through `build_index` (which parses every name), the paper's protocol, and `basic` with
four SNRs on every channel, toy after toy; and the same with a quarter of the takes. Planning should take no more
than in proportion to the number of recordings. The aims: the whole corpus under 2 s and 500 MB, ten million
examples under 60 s and 4 GB, with their hash and the list of their recordings; each of these in a process of its
own, whose largest resident size is what the system tells of it at its end.

    python benchmarks/planning.py
"""

from __future__ import annotations

import functools
import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import pyarrow as pa
from corpora import bench_from_arguments
from machine import print_heading
from rounds import Cost, alternate, print_ratio

from toyadmos_datasets.corpus.damage import conditions_of
from toyadmos_datasets.corpus.names import NORMAL, RecordingName
from toyadmos_datasets.corpus.toys import CHANNELS, TOYS
from toyadmos_datasets.corpus.volumes import RecordingCount, recording_counts
from toyadmos_datasets.ingest import build_index
from toyadmos_datasets.planning import PlanOptions, plan
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.source import Member

SNRS_DB = (6.0, 0.0, -6.0, -12.0)
PART = 4
N_BYTES = 1_056_044


def main() -> None:
    with bench_from_arguments(__doc__ or "", n_rounds=5) as bench:
        print_heading("Planning over the whole corpus")
        part = PART * 10 if bench.is_smoke else 1
        whole = [made_up(toy.name, part) for toy in TOYS]
        fewer = [made_up(toy.name, part * PART) for toy in TOYS]
        indexes = [build_index(members) for members in whole]
        fewer_indexes = [build_index(members) for members in fewer]
        print(f"# {sum(map(len, whole))} recordings, and {sum(map(len, fewer))}")
        runs = {
            "index": functools.partial(for_all, build_index, whole),
            "waspaa2019": functools.partial(for_all, plan_paper, indexes),
            "basic, 4 SNRs": functools.partial(for_all, plan_basic, indexes),
            "basic, a quarter": functools.partial(for_all, plan_basic, fewer_indexes),
        }
        costs = alternate(bench.n_rounds, runs)
        for name, work, aims in (
            ("whole corpus: index, basic with 4 SNRs, hash, recordings", plan_whole, "aims: 2 s, 500 MB"),
            (f"{n_many(bench.is_smoke):,} examples: basic with draws, hash, recordings", plan_many, "aims: 60 s, 4 GB"),
        ):
            wall_s, peak_mb, n_examples = in_a_process(work, is_smoke=bench.is_smoke)
            print(f"{name}: {wall_s:.2f} s, {peak_mb:.0f} MB at most, {n_examples} examples  [{aims}]")
    n_rows = sum(len(plan_basic(index).examples) for index in indexes)
    print(f"basic with 4 SNRs on all channels has {n_rows} examples")
    print_ratio(costs, "waspaa2019", "index")
    print_ratio(costs, "basic, 4 SNRs", "index")
    print_ratio(costs, "basic, 4 SNRs", "basic, a quarter", aim=f"aim: about {PART}")


def for_all(work: Callable[[Any], object], things: Sequence[Any]) -> Cost:
    """Do the work on one thing after the other, in this process."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for one in things:
        work(one)
    return Cost(wall_s=time.perf_counter() - wall_s, cpu_s=time.process_time() - cpu_s)


def in_a_process(work: Callable[[bool], tuple[float, int]], *, is_smoke: bool) -> tuple[float, float, int]:
    """Do the work in a new process; return its time, its largest resident size and the examples."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=measured, args=(work, is_smoke, sender))
    process.start()
    wall_s, peak_mb, n_examples = receiver.recv()
    process.join()
    return wall_s, peak_mb, n_examples


def measured(work: Callable[[bool], tuple[float, int]], is_smoke: bool, sender: Connection) -> None:  # noqa: FBT001
    wall_s, n_examples = work(is_smoke)
    sender.send((wall_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, n_examples))


def plan_whole(is_smoke: bool) -> tuple[float, int]:  # noqa: FBT001  # called by position in another process
    """Index and plan all toys; making their members up is not part of it."""
    members = [made_up(toy.name, PART * 10 if is_smoke else 1) for toy in TOYS]
    start = time.perf_counter()
    recipes = [plan_basic(build_index(some)) for some in members]
    n_recordings = sum(len(recipe.recording_ids) for recipe in recipes)
    digests = {recipe.sha256 for recipe in recipes}
    wall_s = time.perf_counter() - start
    if len(digests) != len(TOYS) or not n_recordings:
        raise SystemExit("two toys have one recipe")
    return wall_s, sum(len(recipe.examples) for recipe in recipes)


def plan_many(is_smoke: bool) -> tuple[float, int]:  # noqa: FBT001  # as above
    """Plan so many draws of a toy's events on every channel that there are ten million examples."""
    index = build_index(made_up("ToyConveyor", PART * 10 if is_smoke else 1))
    options = PlanOptions(toy="ToyConveyor", protocols=("basic",), snrs_db=(0.0,), channels="all")
    once = len(plan(index, options).examples) // 2
    start = time.perf_counter()
    recipe = plan(index, replace(options, n_draws=-(-n_many(is_smoke) // once)))
    if not recipe.sha256 or not recipe.recording_ids:
        raise SystemExit("the recipe is empty")
    return time.perf_counter() - start, len(recipe.examples)


def n_many(is_smoke: bool) -> int:  # noqa: FBT001  # as above
    return 20_000 if is_smoke else 10_000_000


def plan_paper(index: pa.Table) -> Recipe:
    return plan(index, PlanOptions(toy=index["toy"][0].as_py()))


def plan_basic(index: pa.Table) -> Recipe:
    return plan(
        index,
        PlanOptions(toy=index["toy"][0].as_py(), protocols=("basic",), snrs_db=SNRS_DB, channels="all"),
    )


def made_up(toy: str, part: int) -> list[Member]:
    """List the members that a toy has by the published counts, or one in `part` of them."""
    members: list[Member] = []
    for count in recording_counts(toy):
        for condition, take in takes_of(count, max(count.n_takes // part, 6)):
            for channel in CHANNELS:
                name = RecordingName(
                    toy=toy,
                    case=count.case,
                    condition=condition,
                    recording_type=count.recording_type,
                    channel=channel,
                    take=take,
                )
                members.append(Member(path=name.member, n_bytes=N_BYTES, crc32=0, block=len(members) // 2000))
    return members


def takes_of(count: RecordingCount, n_takes: int) -> list[tuple[str, int]]:
    """Deal takes out over the conditions, as the corpus does with some five to each damage."""
    if count.sound != "anomalous":
        return [(NORMAL if count.sound == "normal" else "noise", take + 1) for take in range(n_takes)]
    conditions = conditions_of(count.toy)
    return [(conditions[one % len(conditions)], one // len(conditions) + 1) for one in range(n_takes)]


if __name__ == "__main__":
    main()
