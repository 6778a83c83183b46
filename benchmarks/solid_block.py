"""How much faster do two workers read one solid block than one, and what does that cost over `7z t`?

Method: a tree is packed by 7z as one solid block with four threads (`-mmt=4 -ms=64g -mx=1`, Delta:2, LZMA2, volumes of
200 MB), as archives are that a machine with several cores made; volumes that are given are read as they are. In turn,
several rounds, the volumes warm in the page cache, each run a fresh process with a fresh store and output: `7z t
-mmt=1`, which decodes and checks everything on one core; `ingest`, which brings every recording into the store, with
one worker and with two; `everything`, which also renders every IND clip on every channel (protocol basic, clean, FLAC).
The walk along the block's chunks, which finds where decoding may begin, is timed by itself.

    python benchmarks/solid_block.py                          on a simulated corpus
    python benchmarks/solid_block.py --source DIR --toy train on a tree of your own, packed into --work
    python benchmarks/solid_block.py --source VOLUMES         on volumes that are packed already

Needs a 7z program.
"""

from __future__ import annotations

import contextlib
import functools
import subprocess
import time
from pathlib import Path

from corpora import Bench, bench_from_arguments, opened, print_corpus
from machine import print_heading, sevenzip
from rounds import Cost, alternate, on_one_core, print_ratio
from tree import stored
from volumes import SEVENZIP, test_archive

from toyadmos_datasets.archives.sevenzip.lzma2_chunks import walk_restarts
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeStream, find_volumes
from toyadmos_datasets.archives.sevenzip.volumes_source import VolumesSource

JOBS = ("ingest", "everything")
PACKING = ("-mx=1", "-mmt=4", "-m0=Delta:2", "-m1=LZMA2", "-ms=64g", "-v200m")


def main() -> None:
    with contextlib.ExitStack() as stack:
        bench = stack.enter_context(bench_from_arguments(__doc__ or "", n_rounds=5, parts=JOBS))
        print_heading("One solid block: two workers over one, and both over 7z t on one core")
        program = sevenzip()
        if program is None:
            raise SystemExit("no 7z program")
        place = solid_volumes(bench, program, stack.enter_context(bench.fresh()))
        source = opened(place, bench.toy)
        print_corpus(source)
        if not isinstance(source, VolumesSource):
            raise SystemExit(f"{place} holds no volumes")
        print_walk(source)
        costs = alternate(
            bench.n_rounds,
            {SEVENZIP: functools.partial(seven_zip, source.volumes.paths[0])}
            | {
                f"{name}, {workers} worker{'s' * (workers > 1)}": functools.partial(stored, bench, name, place, workers)
                for name in bench.parts
                for workers in (1, 2)
            },
        )
    for name in bench.parts:
        print_ratio(costs, f"{name}, 1 worker", f"{name}, 2 workers", aim="aim: at least 1.8")
        print_ratio(costs, f"{name}, 1 worker", SEVENZIP, aim="aim: at most 1.15")
        print_ratio(costs, f"{name}, 2 workers", SEVENZIP, aim="aim: at most 0.65")


def solid_volumes(bench: Bench, program: str, folder: Path) -> Path:
    """Return volumes of one solid block: those that were given, or a tree packed into a folder."""
    if bench.source is not None and find_volumes(bench.source, bench.toy) is not None:
        return bench.source
    tree = bench.corpus("tree")
    root = tree if (tree / bench.toy).is_dir() else tree.parent
    command = [program, "a", "-bd", *PACKING, str(folder / f"{bench.toy}.7z"), bench.toy]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)
    return folder


def seven_zip(first_volume: Path) -> Cost:
    """Let 7z test the archive, confined to one core as it is to one thread."""
    with on_one_core():
        return test_archive(first_volume)


def print_walk(source: VolumesSource) -> None:
    """Print how many resets the largest block has, and what finding them takes."""
    block = max(source.table.blocks, key=lambda one: one.n_packed_bytes)
    start_s = time.process_time()
    with VolumeStream(source.volumes) as stream:
        n_restarts = sum(1 for _ in walk_restarts(stream, block))
    cpu_s = time.process_time() - start_s
    sizes = f"{block.n_bytes / 1e6:.0f} MB, {block.n_packed_bytes / 1e6:.0f} MB packed"
    print(f"# largest block: {n_restarts} resets in {sizes}; finding them took {1000 * cpu_s:.1f} ms of CPU")


if __name__ == "__main__":
    main()
