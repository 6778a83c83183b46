"""Landmarks that identify a sound at any gain and from any position: the order of its highest samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Marks = npt.NDArray[np.int64]
Samples = npt.NDArray[np.integer]

REACH_N = 256
"""A landmark is the one highest magnitude within so many samples to either side, 16 ms at 16 kHz."""

RUN_N = 5
"""Landmarks in a row that make a mark: four distances and five signs, about 40 bits in noise."""

KEPT_N = 64
"""Marks that are kept of a sound, those with the smallest hashes: two sounds that overlap keep the same ones."""

LOWEST = 8
"""A landmark is at least so many steps high; below, rounding decides which sample is the highest."""

SAME_FROM = 0.99
"""From this correlation on, two stretches are one recording.

Rounding alone reaches 0.99 in stretches of 8 steps and more; two recordings of one sound by other microphones, or of a
sound that is played again, stay below.
"""

_PIECE_BLOCKS = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """The marks of a sound.

    Attributes:
        marks: Hashes, ascending, at most `KEPT_N`.
        places: The first sample of each mark.
    """

    marks: Marks
    places: Marks


def sketch_of(mono: Samples) -> Sketch:
    """Find the marks of a sound: equal for any gain, and those of a part of it are among those of the whole.

    Args:
        mono: Integers, shape (n_samples,).
    """
    places = landmarks(mono)
    if len(places) < RUN_N:
        return Sketch(marks=np.empty(0, np.int64), places=np.empty(0, np.int64))
    is_up = (mono[places] > 0).astype(np.uint64)
    steps = np.diff(places).astype(np.uint64) * np.uint64(4) + is_up[1:] * np.uint64(2) + is_up[:-1]
    n_runs = len(places) - RUN_N + 1
    marks = np.zeros(n_runs, np.uint64)
    for number in range(RUN_N - 1):
        marks = _stirred(marks ^ steps[number : number + n_runs])
    found, first = np.unique(marks.view(np.int64), return_index=True)
    return Sketch(marks=found[:KEPT_N], places=places[first[:KEPT_N]])


def landmarks(mono: Samples) -> Marks:
    """Return where a magnitude is greater than all within `REACH_N` samples, and at least `LOWEST` steps."""
    n_blocks = -(-len(mono) // REACH_N)
    found = [
        _landmarks_of(mono, start, min(start + _PIECE_BLOCKS, n_blocks)) for start in range(0, n_blocks, _PIECE_BLOCKS)
    ]
    return np.concatenate([np.empty(0, np.int64), *found])


def _landmarks_of(mono: Samples, first: int, end: int) -> Marks:
    """Find the landmarks of some blocks of `REACH_N` samples.

    A landmark is the highest of its own block, at some place r in it. What it has to exceed besides is the end of the
    block before, from r on, and the beginning of the one after, up to r.
    """
    blocks = _blocks(mono, first - 1, end + 1)
    at = blocks.argmax(axis=1)
    highest = blocks[np.arange(len(blocks)), at]
    # Most blocks are decided by where the neighbour's highest sample lies.
    is_open = highest[1:-1] >= LOWEST
    is_open &= (highest[1:-1] > highest[:-2]) | (at[1:-1] > at[:-2])
    is_open &= (highest[1:-1] > highest[2:]) | (at[1:-1] < at[2:])
    row = np.flatnonzero(is_open) + 1
    at, least, column = at[row], highest[row, np.newaxis], np.arange(REACH_N)
    is_mark = ~((blocks[row - 1] >= least) & (column >= at[:, np.newaxis])).any(axis=1)
    is_mark &= ~((blocks[row + 1] >= least) & (column <= at[:, np.newaxis])).any(axis=1)
    is_mark &= np.count_nonzero(blocks[row] == least, axis=1) == 1
    found: Marks = (first - 1 + row[is_mark]) * REACH_N + at[is_mark]
    return found


def _blocks(mono: Samples, first: int, end: int) -> npt.NDArray[np.unsignedinteger]:
    """Return the magnitudes of some blocks, shape (n_blocks, REACH_N); what is outside the sound is zero."""
    padded = np.zeros((end - first) * REACH_N, mono.dtype)
    start, stop = max(first, 0) * REACH_N, min(end * REACH_N, len(mono))
    padded[start - first * REACH_N : stop - first * REACH_N] = mono[start:stop]
    unsigned = np.abs(padded, out=padded).view(f"u{padded.dtype.itemsize}")  # the lowest integer has no negative
    return unsigned.reshape(-1, REACH_N)


def _stirred(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread what tells two values apart over all bits.

    Source:
        splitmix64 by Sebastiano Vigna, https://prng.di.unimi.it/splitmix64.c (public domain).
    """
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    stirred: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return stirred


def correlation(one: Samples, other: Samples, shift: int) -> float:
    """Return how alike two sounds are where they overlap, 1 for a copy at any gain; 0 where they do not.

    Args:
        one: Mono, shape (n_samples,).
        other: Mono, of any length.
        shift: Where in `one` the first sample of `other` lies; negative where `other` begins first.
    """
    start, end = max(shift, 0), min(len(one), len(other) + shift)
    if end <= start:
        return 0.0
    a, b = one[start:end].astype(np.float64), other[start - shift : end - shift].astype(np.float64)
    power = float(np.dot(a, a)) * float(np.dot(b, b))
    return float(np.dot(a, b)) / power**0.5 if power > 0 else 0.0
