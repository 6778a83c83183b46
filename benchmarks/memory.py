"""Does the memory of prepare grow with the corpus, and what does one solid block of gigabytes take?

Method: the prepare command (basic, clean and 0 dB, all channels) runs with a fresh store and output, with one
worker and with two, on the tree; on a tree of several times as many events (hard links under new take numbers,
so that the larger corpus costs no space and differs in nothing but its size); and on that larger tree as
a 7z archive of a single solid block with a 64 MiB dictionary, as 7-Zip's highest level has it. Twenty times a
second the kernel's figures for every process of the tree are added up; the table has the peaks.

    python benchmarks/memory.py                          on a simulated corpus
    python benchmarks/memory.py --source DIR --toy train on a corpus of your own
    python benchmarks/memory.py --only sizes --times 36  only the trees; as many files as the true one

Linux only.
"""

from __future__ import annotations

import sys
from pathlib import Path

from corpora import Bench, bench_from_arguments, print_corpus, repeated
from machine import print_heading
from process_tree import Peaks, peaks_of

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.simulation.corpus_files import PACKED, append_block
from toyadmos_datasets.units import Bytes

PARTS = ("sizes", "solid")
SOLID = "one solid block"
WORKER_LIMIT_MB = 300

DICTIONARY_BYTES = 1 << 26

COMMAND = "from toyadmos_datasets.cli import main; main()"


def main() -> None:
    with bench_from_arguments(__doc__ or "", n_rounds=1, times=4, parts=PARTS) as bench:
        print_heading("Peak memory of prepare at two corpus sizes and with one solid block")
        if not Path("/proc/self/smaps_rollup").exists():
            raise SystemExit("This system does not tell what a process tree holds (no /proc/PID/smaps_rollup).")
        with bench.fresh() as folder:
            tree = bench.corpus("tree")
            larger = repeated(tree, folder / "larger", bench.toy, times=bench.times)
            places: dict[str, Path] = {}
            if "sizes" in bench.parts:
                places |= {"tree": tree, larger_tree(bench): larger}
            if "solid" in bench.parts:
                places[SOLID] = one_block(larger, folder / "solid", bench.toy)
            peaks: dict[tuple[str, int], Peaks] = {}
            n_recordings: dict[str, int] = {}
            for what, place in places.items():
                source = open_source(place, bench.toy)
                n_recordings[what] = len(source.members())
                print_corpus(source)
                for workers in (1, 2):
                    found = [prepare(bench, place, workers) for _ in range(bench.n_rounds)]
                    peaks[what, workers] = max(found, key=lambda one: one.whole.pss)
    print_table(peaks)
    if "sizes" in bench.parts:
        print_growth(peaks, larger_tree(bench), n_recordings)
    if "solid" in bench.parts:
        decoding = peaks[SOLID, 1].driver
        print(f"one solid block, the process that decodes: PSS {megabytes(decoding.pss)} MB, anonymous ", end="")
        print(f"{megabytes(decoding.anonymous)} MB  [aim: below {WORKER_LIMIT_MB}]")


def one_block(tree: Path, folder: Path, toy: str) -> Path:
    """Pack a tree as an archive of one solid block, as fast as the standard library can."""
    folder.mkdir()
    archive = folder / f"{toy}.7z"
    members = tuple(member.path for member in open_source(tree, toy).members())
    append_block(archive, tree, members, filters=({**PACKED[0], "dict_size": DICTIONARY_BYTES},))
    return folder


def prepare(bench: Bench, place: Path, workers: int) -> Peaks:
    """Run the prepare command on everything and return its peaks."""
    with bench.fresh() as folder:
        options = ["--protocol", "basic", "--snr", "0", "--channels", "all", "--workers", str(workers)]
        places = ["--source", str(place), "--out", str(folder / "out"), "--cache", str(folder / "cache")]
        return peaks_of([sys.executable, "-c", COMMAND, "prepare", "--toy", bench.toy, *options, *places])


def print_table(peaks: dict[tuple[str, int], Peaks]) -> None:
    """Print the peaks of every run, MB."""
    print("Peaks in MB: all processes (PSS, RSS, anonymous), the driver and the largest worker (PSS, anonymous)")
    print(f"{'corpus':<16} {'workers':>7} | {'PSS':>6} {'RSS':>6} {'anon':>6} | {'PSS':>6} {'anon':>6} | ", end="")
    print(f"{'PSS':>6} {'anon':>6} | {'s':>5} {'looks':>6}")
    for (what, workers), one in peaks.items():
        parts = [
            f"{what:<16} {workers:7}",
            columns(one.whole.pss, one.whole.rss, one.whole.anonymous),
            columns(one.driver.pss, one.driver.anonymous),
            columns(one.worker.pss, one.worker.anonymous),
            f"{one.wall_s:5.0f} {one.n_looks:6}",
        ]
        print(" | ".join(parts))


def larger_tree(bench: Bench) -> str:
    return f"{bench.times} x tree"


def print_growth(peaks: dict[tuple[str, int], Peaks], larger: str, n_recordings: dict[str, int]) -> None:
    """Print how the peaks of two sizes relate."""
    n_more = n_recordings[larger] - n_recordings["tree"]
    for workers in (1, 2):
        small, large = peaks["tree", workers].whole, peaks[larger, workers].whole
        print(f"{larger} / tree, {workers} worker(s): PSS {large.pss / small.pss:.2f}, ", end="")
        print(f"anonymous {large.anonymous / small.anonymous:.2f}  [aim: about 1]; ", end="")
        print(f"{(large.anonymous - small.anonymous) / n_more / 1e3:.1f} anonymous kB more a recording")


def columns(*sizes: Bytes) -> str:
    return " ".join(f"{megabytes(size):>6}" for size in sizes)


def megabytes(n_bytes: Bytes) -> str:
    return f"{n_bytes / 1e6:.0f}"


if __name__ == "__main__":
    main()
