"""How many bytes does fetching take, how well does it overlap with ingest, and what does a kill cost?

Method: a server on this machine gives the volumes. Bytes are counted by the server, the header's included. The
least possible are the wanted blocks up to where a decoder that is fed 4 KiB at a time has given out the last
wanted recording. For the overlap the server is held to the rate at which fetching alone takes as long as
ingesting alone, the hardest case. Kills are SIGKILL at random moments.

    python benchmarks/fetch.py VOLUMES [VOLUMES ..] [--toy train] [--smoke]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import print_heading

from toyadmos_datasets.archive import coders, open_source
from toyadmos_datasets.archive.packed_bytes import PackedBytes
from toyadmos_datasets.archive.remote.fetching import download, use_fetched
from toyadmos_datasets.archive.remote.http import origin_named
from toyadmos_datasets.archive.remote.manifest import Manifest, describe_volumes
from toyadmos_datasets.archive.remote.options import FetchOptions
from toyadmos_datasets.archive.remote.source import open_remote
from toyadmos_datasets.archive.volumes_source import VolumesSource
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.index import build_index, select
from toyadmos_datasets.recordings import ingest, store_for
from toyadmos_datasets.values.source import Source

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from loopback import serving

RATE_HZ = 16_000
N_KILLS = 5
MIB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("volumes", nargs="+", type=Path, help="folders with the volumes of one archive each")
    parser.add_argument("--toy", default="train")
    parser.add_argument("--work", type=Path, help="where to write; a temporary folder by default")
    parser.add_argument("--smoke", action="store_true", help="one kill, to see that it runs")
    options = parser.parse_args()
    toy = toy_named(options.toy).name
    print_heading("Fetching")
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        for folder in options.volumes:
            print_bytes(folder, toy, Path(work) / "bytes" / folder.name)
        print_overlap(options.volumes[0], toy, Path(work) / "overlap")
        print_kills(options.volumes[0], toy, Path(work) / "kills", 1 if options.smoke else N_KILLS)


def print_bytes(folder: Path, toy: str, work: Path) -> None:
    """Print the bytes that case 1, channel 1 takes."""
    local = open_source(folder, toy)
    wanted = set(select(build_index(local.members()), cases={1}, channels={1})["member"].to_pylist())
    manifest = Manifest(toy=toy, volumes=describe_volumes(folder, toy))
    with serving({one.name: folder / one.name for one in manifest.volumes}) as server:
        source = open_remote(options_for(server.url, manifest, work))
        n_header = server.n_given
        download(source, wanted, progress=Quiet())
        n_given, n_requests = server.n_given, len(server.seen)
    least = least_bytes(local, wanted)
    print(
        f"{folder}: {len(wanted)} recordings in {len(local.blocks())} blocks: {n_given} bytes in {n_requests} requests "
        f"(header {n_header}): {n_given / manifest.n_bytes:.3f} of the archive, {n_given / least:.3f} of the least "
        "possible (aim: at most 1.05)"
    )


def print_overlap(folder: Path, toy: str, work: Path) -> None:
    """Print the wall time of fetching and ingesting at once over the longer of the two alone."""
    local = open_source(folder, toy)
    manifest = Manifest(toy=toy, volumes=describe_volumes(folder, toy))
    files = {one.name: folder / one.name for one in manifest.volumes}
    ingest_s = timed(lambda: ingest_all(local, work / "alone"))
    rate = manifest.n_bytes / ingest_s
    with serving(files, rate_bytes_per_s=rate / 2) as server:  # two connections
        source = open_remote(options_for(server.url, manifest, work / "fetched"))
        everything = {member.path for member in source.members()}
        fetch_s = timed(lambda: download(source, everything, progress=Quiet()))
    with serving(files, rate_bytes_per_s=rate / 2) as server:
        source = open_remote(options_for(server.url, manifest, work / "both"))
        both_s = timed(
            lambda: use_fetched(source, everything, lambda one: ingest_all(one, work / "store"), progress=Quiet())
        )
    ratio = both_s / max(fetch_s, ingest_s)
    print(
        f"overlap: ingest {ingest_s:.1f} s, fetch at {rate / 1e6:.0f} MB/s {fetch_s:.1f} s, "
        f"both at once {both_s:.1f} s: {ratio:.2f} of the longer (aim: at most 1.15)"
    )


def print_kills(folder: Path, toy: str, work: Path, n_kills: int) -> None:
    """Print how much is fetched again for a kill."""
    random = np.random.default_rng(1)
    manifest = Manifest(toy=toy, volumes=describe_volumes(folder, toy))
    files = {one.name: folder / one.name for one in manifest.volumes}
    with serving(files, rate_bytes_per_s=max(manifest.n_bytes / 16, 1e5)) as server:
        options = options_for(server.url, manifest, work)
        n_real = 0
        for _ in range(n_kills):
            child = multiprocessing.get_context("spawn").Process(target=fetch_all, args=(options,))
            child.start()
            time.sleep(2.0 + random.uniform(0, 2.0))
            if child.is_alive() and child.pid is not None:
                os.kill(child.pid, signal.SIGKILL)
                n_real += 1
            child.join()
        fetch_all(options)
        again = server.n_given - manifest.n_bytes
    each = again / max(n_real, 1)
    print(f"kills: {n_real} cost {each / MIB:.1f} MiB each, fetched again (promise: at most 64)")


def fetch_all(options: FetchOptions) -> None:
    source = open_remote(options)
    download(source, {member.path for member in source.members()}, progress=Quiet())


def ingest_all(source: Source, cache: Path) -> None:
    ingest(source, build_index(source.members()), store_for(cache, source, RATE_HZ), workers=1)


def least_bytes(source: Source, wanted: set[str]) -> int:
    """Count the packed bytes that a decoder must see, fed 4 KiB at a time."""
    if not isinstance(source, VolumesSource):
        raise TypeError(f"{source.location} holds no volumes")
    furthest: dict[int, int] = {}
    read = PackedBytes.read

    def counting(self: PackedBytes, n_bytes: int) -> bytes:
        data = read(self, n_bytes)
        furthest[self._block.number] = self.position - self._block.offset
        return data

    piece, coders.PIECE_BYTES = coders.PIECE_BYTES, 1 << 12
    PackedBytes.read = counting
    try:
        for block in source.blocks():
            for _, chunks in source.read(block.number, wanted):
                for _ in chunks:
                    pass
    finally:
        coders.PIECE_BYTES = piece
        PackedBytes.read = read
    return sum(furthest.values())


def options_for(url: str, manifest: Manifest, folder: Path) -> FetchOptions:
    origin = origin_named(url)
    if origin is None:
        raise ValueError(url)
    return FetchOptions(origin=origin, manifest=manifest, folder=folder)


def timed(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


if __name__ == "__main__":
    main()
