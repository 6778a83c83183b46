"""How long does indexing the whole corpus take, from a tree and from archives' headers, and is it slower than before?

Method: the 84 680 recordings of all three toys are laid out by the published counts, with names of the real grammar and
files of the real sizes: as a tree of sparse files, whose folders are warm, and as one 7z archive a toy that has a
header and no sound. Each run is a fresh process that has imported the package; what is timed in it is `open_source` and
`build_index`, toy after toy. With `--against DIR`, a checkout of another version, the package there does the same
on the same files, in turn with this one, so that the ratio is of one run.

    python benchmarks/indexing.py
    git worktree add ../before v0.1.0 && python benchmarks/indexing.py --against ../before
"""

from __future__ import annotations

import functools
import json
import os
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path

from corpora import bench_from_arguments
from machine import print_heading
from planning import PART, made_up
from rounds import Cost, alternate, print_ratio, run_and_read, spread

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.corpus.toys import TOYS, toy_named

HERE = Path(__file__).resolve().parent.parent
BLOCK_BYTES = 1 << 31
SHRUNK_TO_ONE_IN = 4096  # the reader refuses blocks that would grow more than 8192 times
CONTINUOUS_S = 600
FILE_ATTRIBUTES = (0o100644 << 16) | 0x8000

INDEX = """
import json, resource, sys, time
import toyadmos_datasets
from toyadmos_datasets.archives import open_source
from toyadmos_datasets.engine.arrow_memory import keep_pandas_out
from toyadmos_datasets.ingest import build_index

keep_pandas_out()
place, *toys = sys.argv[1:]
wall_s, cpu_s = time.perf_counter(), time.process_time()
n_recordings = sum(len(build_index(open_source(place, toy).members())) for toy in toys)
wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps([toyadmos_datasets.__file__, n_recordings, wall_s, cpu_s, peak_mb]))
"""


def main() -> None:
    with bench_from_arguments(__doc__ or "", n_rounds=5, can_compare=True) as bench, bench.fresh() as folder:
        print_heading("Indexing the whole corpus")
        recordings = {toy.name: listed(toy.name, PART * 10 if bench.is_smoke else 1) for toy in TOYS}
        for toy, sizes in recordings.items():
            write_tree(folder / "tree", sizes)
            write_archive(folder / "archive" / f"{toy}.7z", sizes)
            open_source(folder / "tree", toy)  # which leaves the folders in the system's cache
        n_recordings = sum(map(len, recordings.values()))
        print(f"# {n_recordings} recordings")
        versions = {"": HERE} | ({", before": bench.against} if bench.against else {})
        peaks_mb: dict[str, list[float]] = {kind + version: [] for kind in ("tree", "archive") for version in versions}
        runs = {
            kind + version: functools.partial(
                index, folder / kind, checkout, n_recordings=n_recordings, peaks_mb=peaks_mb[kind + version]
            )
            for kind in ("tree", "archive")
            for version, checkout in versions.items()
        }
        costs = alternate(bench.n_rounds, runs)
    for name, some in peaks_mb.items():
        print(f"{name}: {spread(some)} MB at most")
    if bench.against:
        for kind in ("tree", "archive"):
            print_ratio(costs, kind, f"{kind}, before", aim="aim: no slower")


def index(place: Path, checkout: Path, *, n_recordings: int, peaks_mb: list[float]) -> Cost:
    """Index every toy in a process of its own, with the package of a checkout; note its largest resident size."""
    command = [sys.executable, "-P", "-c", INDEX, str(place), *(toy.name for toy in TOYS)]
    cost, said = run_and_read(command, environment=os.environ | {"PYTHONPATH": str(checkout)})
    package, n_indexed, wall_s, cpu_s, peak_mb = json.loads(said)
    if checkout not in Path(package).resolve().parents:
        raise SystemExit(f"{checkout} has no package toyadmos_datasets: {package} was imported")
    if n_indexed != n_recordings:
        raise SystemExit(f"{n_indexed} of {n_recordings} recordings were indexed by {checkout}")
    peaks_mb.append(peak_mb)
    return replace(cost, wall_s=wall_s, cpu_s=cpu_s, others_s=cost.others_s * wall_s / cost.wall_s)


def listed(toy: str, part: int) -> dict[str, int]:
    """Return path and size of every recording that a toy has by the published counts, or of one in `part`."""
    seconds = {"IND": toy_named(toy).clip_s, "CNT": CONTINUOUS_S}
    paths = sorted(member.path for member in made_up(toy, part))
    return {path: 44 + 96_000 * int(seconds["CNT" if "_CNT_" in path else "IND"]) for path in paths}


def write_tree(root: Path, sizes: dict[str, int]) -> None:
    """Write files of these sizes that take no room."""
    for folder in {(root / path).parent for path in sizes}:
        folder.mkdir(parents=True, exist_ok=True)
    for path, n_bytes in sizes.items():
        with (root / path).open("wb") as file:
            file.truncate(n_bytes)


def write_archive(place: Path, sizes: dict[str, int]) -> None:
    """Write an archive whose header is whole, with solid blocks of 2 GiB, and whose packed sound is a few zeros.

    Source:
        7-Zip, DOC/7zFormat.txt.
    """
    blocks: list[list[int]] = [[]]
    for n_bytes in sizes.values():
        if blocks[-1] and sum(blocks[-1]) + n_bytes > BLOCK_BYTES:
            blocks.append([])
        blocks[-1].append(n_bytes)
    packed = [sum(block) // SHRUNK_TO_ONE_IN for block in blocks]
    lzma2 = b"\x01\x21\x21\x01\x18"  # one coder, whose name has one byte and whose properties have one: 16 MiB
    header = b"\x01\x04\x06" + number(0) + number(len(blocks)) + b"\x09" + b"".join(map(number, packed)) + b"\x00"
    header += b"\x07\x0b" + number(len(blocks)) + b"\x00" + lzma2 * len(blocks)
    header += b"\x0c" + b"".join(number(sum(block)) for block in blocks) + b"\x00"
    header += b"\x08\x0d" + b"".join(number(len(block)) for block in blocks)
    header += b"\x09" + b"".join(number(n_bytes) for block in blocks for n_bytes in block[:-1])
    header += b"\x0a\x01" + struct.pack(f"<{len(sizes)}I", *(zlib.crc32(path.encode()) for path in sizes)) + b"\x00\x00"
    header += b"\x05" + number(len(sizes))
    header += part(0x11, b"\x00" + "".join(f"{path}\0" for path in sizes).encode("utf-16-le"))
    header += part(0x15, b"\x01\x00" + struct.pack("<I", FILE_ATTRIBUTES) * len(sizes)) + b"\x00\x00"
    start = struct.pack("<QQI", sum(packed), len(header), zlib.crc32(header))
    place.parent.mkdir(parents=True, exist_ok=True)
    signature = b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<I", zlib.crc32(start)) + start
    with place.open("wb") as file:
        file.write(signature)
        file.seek(sum(packed), os.SEEK_CUR)
        file.write(header)


def number(value: int) -> bytes:
    """Write a number of the format: one byte where it is small, and nine elsewhere."""
    return bytes([value]) if value < 0x80 else b"\xff" + struct.pack("<Q", value)


def part(kind: int, content: bytes) -> bytes:
    """Write a part of the header with its length."""
    return bytes([kind]) + number(len(content)) + content


if __name__ == "__main__":
    main()
