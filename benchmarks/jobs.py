"""What is timed, each job in a process of its own: ``benchmarks/jobs.py JOB PLACE TOY [CACHE WORKERS [ENGINE]]``.

``decode``      the blocks of the volumes through the standard library's lzma, and nothing else
``resample``    the files of a tree read and resampled by soxr in one call each, and nothing else
``ingest``      every recording of a source into a recording store
``prepared``    `prepare` of every IND clip of every case and channel (basic, clean, as WAV), on an engine
``everything``  every recording ingested, and then the same on this machine
"""

from __future__ import annotations

import lzma
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soxr
from rounds import Cost, run

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.sevenzip.coders import lzma_filter
from toyadmos_datasets.archives.sevenzip.volume_set import VolumeStream
from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.ingest import build_index, recordings
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.planning import PlanOptions
from toyadmos_datasets.rendering import Encoding, RenderOptions

PIECE_BYTES = 1 << 20
RATE_HZ = 16_000


def job(name: str, place: Path, toy: str, *more: object) -> Cost:
    """Run a job in a process of its own."""
    return run([sys.executable, __file__, name, str(place), toy, *map(str, more)])


def decode(place: str, toy: str) -> None:
    """Decode every block and drop what comes out."""
    source = open_source(place, toy)
    if not source.volume_files:
        raise SystemExit(f"{place} holds no volumes")
    with VolumeStream(source.volumes) as stream:
        for block in source.table.blocks:
            coders = list(zip(block.coders, block.sizes, strict=True))
            filters = [lzma_filter(coder, n_bytes=n) for coder, n in reversed(coders) if not coder.is_copy]
            stream.seek(block.offset)
            left, packed = block.n_bytes, block.n_packed_bytes
            decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters) if filters else None
            while left:
                data = b""
                if decoder is None or decoder.needs_input:
                    data = stream.read(min(PIECE_BYTES, packed)) or b""
                    packed -= len(data)
                decoded = decoder.decompress(data, min(PIECE_BYTES, left)) if decoder else data
                left -= len(decoded)


def resample(place: str, toy: str) -> None:
    """Read and resample every recording of a tree and drop what comes out."""
    source = open_source(place, toy)
    if source.volume_files:
        raise SystemExit(f"{place} holds no tree")
    for member in source.members():
        samples = np.frombuffer(source.folders[0].parent.joinpath(member.path).read_bytes()[44:], dtype="<i2")
        soxr.resample(samples.astype(np.float32), CORPUS_RATE_HZ, RATE_HZ, quality="HQ")


def ingest(place: str, toy: str, cache: str, workers: str) -> None:
    """Ingest every recording."""
    source = open_source(place, toy)
    index = build_index(source.members())
    recordings.ingest(source, index, recordings.store_for(Path(cache), source, RATE_HZ), workers=int(workers))


def everything(place: str, toy: str, cache: str, workers: str) -> None:
    """Ingest every recording and prepare a dataset of all IND clips."""
    ingest(place, toy, cache, workers)
    prepared(place, toy, cache, workers)


def prepared(place: str, toy: str, cache: str, workers: str, engine: str = "local") -> None:
    """Prepare a dataset of all IND clips."""
    prepare(
        PrepareOptions(
            plan=PlanOptions(toy=toy, protocols=("basic",), channels="all"),
            render=RenderOptions(encoding=Encoding(rate_hz=RATE_HZ), workers=int(workers), engine=engine),
            source=place,
            out=Path(cache) / "out",
            cache=Path(cache),
        )
    )


JOBS: dict[str, Callable[..., None]] = {one.__name__: one for one in (decode, resample, ingest, prepared, everything)}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
