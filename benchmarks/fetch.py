"""How many bytes does fetching take, how well does it overlap with ingest, and what does a kill cost?

Method: a server in a process of its own gives the volumes. Bytes are counted by the server, the header's included.

bytes    case 1, channel 1, all sounds, from the corpus packed anew by 7z (`-mx=1 -m0=Delta:2 -m1=LZMA2`) with blocks
         of 16 MiB, 64 MiB and one for everything; without a 7z program from the volumes as they are. The least
         possible are the wanted blocks up to where a decoder that is fed 4 KiB at a time has given out the last
         wanted recording.
overlap  everything, one worker, in turn: ingest from the disk; fetch, whole, at the rate at which that takes as long,
         the hardest case; both at once. The ratio is to the longer of the two in the same round.
line     case 1, all channels, packed with blocks of 64 MiB and one for everything, over two connections of 20 MB/s
         each to a server 80 ms away that is sent 50 requests a minute at most, as the record is. Decoders are replayed
         and cost nothing. The line is what two bare requests for as many bytes, written nowhere, get of it in the same
         round, on the machine as loaded as it is.
kills    everything, SIGKILL at random moments, then to the end.

    python benchmarks/fetch.py                              on a simulated corpus
    python benchmarks/fetch.py --source DIR --toy train     on a corpus of your own: DIR/tree and DIR/volumes
    python benchmarks/fetch.py --source DIR --only overlap
"""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
from corpora import Bench, bench_from_arguments, opened, print_corpus
from machine import print_heading, sevenzip
from replayed import Steps, least_bytes, replaying, steps_of
from rounds import spread
from served import Served, served

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.remote.fetch_options import RECORD_REQUESTS, FetchOptions
from toyadmos_datasets.archives.remote.fetching import use_fetched
from toyadmos_datasets.archives.remote.remote_opening import open_remote
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopies
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.ingest import build_index, select
from toyadmos_datasets.ingest.recordings import ingest, store_for
from toyadmos_datasets.values.source import Source

RATE_HZ = 16_000
N_KILLS = 5
MIB = 1 << 20
BLOCKS = ("16m", "64m", "64g")
LATENCY_S = 0.08
CONNECTION_BYTES_PER_S = 20e6


def main() -> None:
    with bench_from_arguments(__doc__ or "", n_rounds=2, parts=("bytes", "line", "overlap", "kills")) as bench:
        print_heading("Fetching")
        volumes = bench.corpus("volumes")
        print_corpus(opened(volumes, bench.toy))
        if "bytes" in bench.parts:
            for folder in packed(bench, volumes):
                print_bytes(folder, bench)
        if "line" in bench.parts:
            for folder in packed(bench, volumes, sizes=BLOCKS[1:], volume_size="8g"):
                print_line(folder, bench)
        if "overlap" in bench.parts:
            print_overlap(volumes, bench)
        if "kills" in bench.parts:
            print_kills(volumes, bench)


def packed(bench: Bench, volumes: Path, *, sizes: tuple[str, ...] = BLOCKS, volume_size: str = "20m") -> Iterator[Path]:
    """Give the corpus as volumes with blocks of each size; as it is, where nothing can be packed."""
    program = sevenzip()
    tree = bench.corpus("tree")
    if program is None or not (tree / bench.toy).is_dir() or bench.is_smoke:
        yield volumes
        return
    for size in sizes:
        with bench.fresh() as work:
            folder = work / f"blocks-{size}"
            folder.mkdir()
            how = ["-bd", "-mx=1", "-m0=Delta:2", "-m1=LZMA2", f"-ms={size}", f"-v{volume_size}"]
            command = [program, "a", *how, str(folder / f"{bench.toy}.7z"), bench.toy]
            subprocess.run(command, cwd=tree, check=True, capture_output=True)
            yield folder


def print_bytes(folder: Path, bench: Bench) -> None:
    """Print the bytes that case 1, channel 1 takes."""
    local = open_source(folder, bench.toy)
    wanted = set(select(build_index(local.members()), cases={1}, channels={1})["member"].to_pylist())
    with bench.fresh() as work, served(folder, bench.toy) as server:
        source = open_remote(server.fetched_to(work / "copies"))
        n_header, _ = server.count()
        source.fetch(wanted, progress=Quiet())
        n_given, n_requests = server.count()
    least = least_bytes(steps_of(local, wanted, piece_bytes=1 << 12))
    print(
        f"{folder.name}: {len(wanted)} recordings in {len(local.blocks())} blocks: {n_given} bytes in {n_requests} "
        f"requests (header {n_header}): {n_given / server.manifest.n_bytes:.3f} of the archive, "
        f"{n_given / least:.3f} of the least possible (aim: at most 1.05)",
        flush=True,
    )


def print_line(folder: Path, bench: Bench) -> None:
    """Print how much of a line to a distant server fetching case 1 uses."""
    local = open_source(folder, bench.toy)
    wanted = set(select(build_index(local.members()), cases={1})["member"].to_pylist())
    steps = steps_of(local, wanted)
    shares = [_share_of_line(folder, bench, wanted, steps) for _ in range(bench.n_rounds)]
    print(f"{folder.name}: {spread(shares)} of the line (aim: at least 0.8)", flush=True)


def _share_of_line(folder: Path, bench: Bench, wanted: set[str], steps: dict[int, Steps]) -> float:
    line = {"latency_s": LATENCY_S, "connection_bytes_per_s": CONNECTION_BYTES_PER_S}
    with bench.fresh() as work, served(folder, bench.toy, **line) as server, replaying(steps):
        options = replace(server.fetched_to(work / "copies"), requests_per_minute=RECORD_REQUESTS)
        source = open_remote(options)
        n_before, n_requests_before = server.count()
        fetch_s = timed(lambda: source.fetch(wanted, progress=Quiet()))
        n_after, n_requests_after = server.count()
        n_bytes = n_after - n_before
        bare_s = timed(lambda: fetch_bare(server, n_bytes, options.parallel))
    print(
        f"{folder.name}: {n_bytes / 1e6:.0f} MB in {n_requests_after - n_requests_before} requests and {fetch_s:.2f} "
        f"s, bare {bare_s:.2f} s: {bare_s / fetch_s:.3f} of the line; {n_bytes / least_bytes(steps):.3f} of the least "
        f"possible; load {psutil.getloadavg()[0]:.1f}",
        flush=True,
    )
    return bare_s / fetch_s


def fetch_bare(server: Served, n_bytes: int, n_connections: int) -> None:
    """Read as many bytes over as many connections, one request each, and write them nowhere."""
    size = server.manifest.volumes[0].n_bytes
    n_each = min(n_bytes // n_connections, size)

    def read(number: int) -> None:
        start = min(number * n_each, size - n_each)
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
        headers = {"Range": f"bytes={start}-{start + n_each - 1}"}
        connection.request("GET", f"/{server.manifest.volumes[0].name}", headers=headers)
        with contextlib.closing(connection), connection.getresponse() as reply:
            while reply.read(1 << 16):
                pass

    with ThreadPoolExecutor(n_connections) as pool:
        list(pool.map(read, range(n_connections)))


def print_overlap(folder: Path, bench: Bench) -> None:
    """Print the wall time of fetching and ingesting at once over the longer of the two alone."""
    ratios = []
    for _ in range(bench.n_rounds):
        with bench.fresh() as work:
            ratios.append(_overlap(open_source(folder, bench.toy), folder, work))
    print(f"overlap: both at once over the longer alone: {spread(ratios)} (aim: at most 1.15)")


def _overlap(local: Source, folder: Path, work: Path) -> float:
    ingest_s = timed(lambda: ingest_all(local, work / "alone"))
    n_bytes = sum(path.stat().st_size for path in folder.glob(f"{local.toy}.7z*"))
    with served(folder, local.toy, rate_bytes_per_s=n_bytes / ingest_s) as server:
        fetch_s = timed(lambda: fetch_all(server.fetched_to(work / "fetched", is_whole=True)))
        both_s = timed(lambda: fetch_and_ingest(server, work / "both"))
    longer_s = max(ingest_s, fetch_s)
    print(
        f"ingest {ingest_s:.1f} s, fetch at {n_bytes / ingest_s / 1e6:.0f} MB/s {fetch_s:.1f} s, both at once "
        f"{both_s:.1f} s: {both_s / longer_s:.3f} of the longer; load {psutil.getloadavg()[0]:.1f}",
        flush=True,
    )
    return both_s / longer_s


def print_kills(folder: Path, bench: Bench) -> None:
    """Print how much is fetched again for a kill."""
    random = np.random.default_rng(1)
    n_bytes = sum(path.stat().st_size for path in folder.glob(f"{bench.toy}.7z*"))
    again = []
    fetch_s = 1.0 if bench.is_smoke else 20.0
    with bench.fresh() as work, served(folder, bench.toy, rate_bytes_per_s=n_bytes / fetch_s) as server:
        options = server.fetched_to(work / "copies", is_whole=True)
        for _ in range(1 if bench.is_smoke else N_KILLS):
            killed_after(options, random.uniform(0, fetch_s / N_KILLS))
            again.append((server.count()[0] - bytes_on_disk(options)) / MIB - sum(again))
        fetch_all(options)
        n_given, _ = server.count()
    print(
        f"kills: {len(again)}, after each of which {statistics.mean(again):.1f} MiB (at most {max(again):.1f}) were "
        f"fetched again (promise: at most 64); in all {n_given / server.manifest.n_bytes:.3f} of the archive"
    )


def killed_after(options: FetchOptions, duration_s: float) -> None:
    """Fetch in a process that is killed so long after its first byte, if it still runs then."""
    child = multiprocessing.get_context("spawn").Process(target=fetch_all, args=(options,))
    n_before = bytes_on_disk(options)
    child.start()
    while child.is_alive() and bytes_on_disk(options) == n_before:
        time.sleep(0.01)
    time.sleep(duration_s)
    if child.is_alive() and child.pid is not None:
        os.kill(child.pid, signal.SIGKILL)
    child.join()


def bytes_on_disk(options: FetchOptions) -> int:
    """Count the bytes that a later run will not fetch again."""
    return VolumeCopies(options.folder, options.manifest).n_bytes


def fetch_all(options: FetchOptions) -> None:
    source = open_remote(options)
    source.fetch({member.path for member in source.members()}, progress=Quiet())


def fetch_and_ingest(server: Served, work: Path) -> None:
    source = open_remote(server.fetched_to(work / "copies", is_whole=True))
    everything = {member.path for member in source.members()}
    use_fetched(source, everything, lambda one: ingest_all(one, work / "store"), progress=Quiet())


def ingest_all(source: Source, cache: Path) -> None:
    ingest(source, build_index(source.members()), store_for(cache, source, RATE_HZ), workers=1)


def timed(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


if __name__ == "__main__":
    main()
