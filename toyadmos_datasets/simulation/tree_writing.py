"""The extracted tree: WAV files under the corpus' own names."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.engine import Watch
from toyadmos_datasets.files.atomic import writing
from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.simulation.synthesiser import MODEL_VERSION, synthesise
from toyadmos_datasets.simulation.simulated_events import WAV_HEADER_BYTES, Event, list_events
from toyadmos_datasets.simulation.sizes import size_named
from toyadmos_datasets.units import Bytes

MARKER_NAME = "SIMULATED.txt"
"""Stands beside the cases of a synthesised toy, in the tree and in the archive; sources are known by it."""

FILE_TIME_S = 1_571_529_600
"""Time of last change of every file, so that the same corpus gives the same archive: 2019-10-20, WASPAA's first day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeTask:
    """One event to be written.

    Attributes:
        event: Which.
        seed: The corpus' seed.
        root: Folder that the toy's folder is in.
    """

    event: Event
    seed: int
    root: Path


def write_event(task: TreeTask, watch: Watch) -> None:
    """Synthesise an event and write its four recordings."""
    recordings = synthesise(task.event, seed=task.seed)
    for name, samples in zip(task.event.names, recordings, strict=True):
        write_plainly(task.root / name.member, wav_bytes(samples))
    watch.advance(task.event.n_bytes, at=task.event.name.event_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTree:
    """What the tree of a corpus will be, known before any of it is synthesised.

    Attributes:
        recordings: Path, size and time of change in nanoseconds of each, sorted by path.
        marker: What the marker beside them will say.
    """

    recordings: tuple[tuple[str, Bytes, int], ...]
    marker: bytes


def planned_tree(toy: str, size: str, *, seed: int = 0) -> PlannedTree:
    """Tell which files `simulate` writes into the tree of a corpus.

    Raises:
        OptionError: There is no such toy or size.
    """
    name = toy_named(toy).name
    recordings = [
        (recording.member, event.n_bytes // len(event.names), FILE_TIME_S * 1_000_000_000)
        for event in list_events(name, size_named(size))
        for recording in event.names
    ]
    marker = marker_text(toy=name, size=size, seed=seed, model=MODEL_VERSION)
    return PlannedTree(recordings=tuple(sorted(recordings)), marker=marker.encode())


def write_marker(root: Path, *, toy: str, size: str, seed: int, model: int) -> str:
    """Write the text that says what these recordings are; return its path below `root`."""
    member = f"{toy}/{MARKER_NAME}"
    write_plainly(root / member, marker_text(toy=toy, size=size, seed=seed, model=model).encode())
    return member


def marker_text(*, toy: str, size: str, seed: int, model: int) -> str:
    """Say what these recordings are, and all that they follow from."""
    return (
        "SIMULATED RECORDINGS - NOT ToyADMOS\n\n"
        f"Every recording in this folder was synthesised by toyadmos-datasets. Nothing of it was recorded, no\n"
        f"{toy} was running, and results on it say nothing about results on ToyADMOS. Layout, names, damage\n"
        "patterns and channels are those of the ToyADMOS corpus, so that programs can be tried without it.\n\n"
        f"toy: {toy}\nsize: {size}\nseed: {seed}\nmodel: {model}\n"
    )


def write_plainly(path: Path, content: bytes) -> None:
    """Write and sync a file inside a folder that becomes visible as a whole later."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.utime(path, (FILE_TIME_S, FILE_TIME_S))


def wav_bytes(samples: npt.NDArray[np.int16]) -> bytes:
    """Return a WAV file: 48 kHz, mono, 16-bit PCM.

    Source:
        Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0 (1991), chapter 3.
    """
    n_data = 2 * len(samples)
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        WAV_HEADER_BYTES - 8 + n_data,
        b"WAVE",
        b"fmt ",
        16,  # bytes of the format chunk
        1,  # PCM
        1,  # channel
        CORPUS_RATE_HZ,
        2 * CORPUS_RATE_HZ,
        2,  # bytes a frame
        16,  # bits
        b"data",
        n_data,
    )
    return header + samples.astype("<i2").tobytes()
