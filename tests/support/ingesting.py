"""A small corpus as a tree and as volumes, and what ingesting it left in a store."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import tiny

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.ingest import build_index
from toyadmos_datasets.ingest.recordings import Store
from toyadmos_datasets.values.recording_store import RecordingReader, read_catalogue
from toyadmos_datasets.values.source import Source

CORPUS = tiny.TinyCorpus(n_normal=3, conditions=("ab01",), n_noise=1, channels=(1, 2))

N_RECORDINGS = 10

RATE_HZ = 16_000


@dataclass(kw_only=True)
class Counting:
    """A source that takes note of what is read."""

    source: Source
    members_read: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        return getattr(self.source, name)

    def read(self, block: int, wanted: Collection[str], on_bytes=None, restart=None) -> Iterator:
        for member, chunks in self.source.read(block, wanted, on_bytes, restart):
            self.members_read.append(member.path)
            yield member, chunks


def tree(folder: Path, files: dict[str, bytes]) -> Source:
    return open_source(tiny.write_tree(files, folder / "tree"), "ToyTrain")


def volumes(folder: Path, files: dict[str, bytes], n_blocks: int = 3) -> Source:
    return open_source(tiny.write_volumes(files, folder / "volumes", n_blocks=n_blocks), "ToyTrain")


def index_of(source: Source) -> pa.Table:
    return build_index(source.members())


def contents(store: Store) -> dict[str, tuple[list[int], dict[str, object]]]:
    """Samples and measurements of every recording, without where they lie."""
    catalogue = read_catalogue(store.folder)
    reader = RecordingReader(catalogue)
    rows = catalogue.drop_columns(["segment", "batch", "first_byte", "piece_hashes"]).to_pylist()
    return {row["recording_id"]: (reader.samples(row["recording_id"]).tolist(), row) for row in rows}


def with_sound(files: dict[str, bytes], part: str, samples: np.ndarray) -> dict[str, bytes]:
    return files | {tiny.only(files, part): tiny.wav_bytes(samples.astype(np.int16))}


def segments(store: Store) -> list[Path]:
    return sorted(path for path in store.folder.glob("*.arrow") if not path.name.endswith(".rows.arrow"))
