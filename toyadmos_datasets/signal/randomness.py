"""Random numbers that depend on their purpose, never on the order in which they are drawn."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
"""Constants of Philox4x32.

Source:
    Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3; their Random123 has the known answers that
    the tests compare with.
"""

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

_MIX = (np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F))
_FINISH = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))
"""Odd multipliers that spread every bit of a word.

Source:
    Appleby's MurmurHash3, the 128-bit variant's words and its finaliser; public domain.
"""


def derived_generator(seed: int, *identity: object) -> np.random.Generator:
    """Return a generator whose stream depends on the seed and the identity alone.

    Listing order, the number of workers and what else is drawn cannot change it.

    Args:
        seed: The user's seed.
        identity: What the numbers are for, such as the recipe's name, an event_id and a purpose.
    """
    return np.random.Generator(np.random.Philox(key=np.frombuffer(_digest(seed, identity, 16), dtype="<u8")))


def derived_words(
    seed: int,
    *purpose: str,
    of: npt.NDArray[np.uint64],
    draw: npt.NDArray[np.integer] | int = 0,
    place: npt.NDArray[np.integer] | int = 0,
) -> npt.NDArray[np.uint32]:
    """Draw four words for every identity at once, each as if it were alone.

    A counter-based generator needs no state: the words of an identity are Philox4x32-10 of the counter (identity,
    draw, place) under a key that seed and purpose give, whatever else is drawn in the same call.

    Args:
        seed: The user's seed.
        purpose: What the words are for, such as the protocol's name and ``noise``.
        of: Identities, such as `text_hashes` of event_ids, shape (n,).
        draw: Number of the draw of an identity, below 2^32, one or shape (n,).
        place: What else tells two draws apart, below 2^32, one or shape (n,).

    Returns:
        Independent uniform words, shape (n, 4).
    """
    counters = np.empty((len(of), 4), dtype=np.uint32)
    counters[:, 0] = of & _LOW
    counters[:, 1] = of >> _HALF
    counters[:, 2] = draw
    counters[:, 3] = place
    low, high = np.frombuffer(_digest(seed, purpose, 8), dtype="<u4").tolist()
    return philox4x32(counters, (low, high))


def philox4x32(counters: npt.NDArray[np.uint32], key: tuple[int, int]) -> npt.NDArray[np.uint32]:
    """Return Philox4x32-10 of every counter, shape (n, 4), under one key."""
    words = [counters[:, column].astype(np.uint64) for column in range(4)]
    for number in range(_ROUNDS):
        keys = [np.uint64((key[i] + number * _WEYL[i]) & 0xFFFFFFFF) for i in range(2)]
        first, second = words[0] * _MULTIPLIERS[0], words[2] * _MULTIPLIERS[1]
        words = [
            (second >> _HALF) ^ words[1] ^ keys[0],
            second & _LOW,
            (first >> _HALF) ^ words[3] ^ keys[1],
            first & _LOW,
        ]
    return np.stack(words, axis=1).astype(np.uint32)


def choices_of(words: npt.NDArray[np.uint32], n: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Return a choice in [0, n) for each word, n below 2^32; its bias is below n / 2^32."""
    return ((words.astype(np.uint64) * n.astype(np.uint64)) >> _HALF).astype(np.int64)


def fractions_of(high: npt.NDArray[np.uint32], low: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
    """Return a number in [0, 1) with 53 random bits for each pair of words."""
    bits = (high.astype(np.uint64) >> np.uint64(5)) << np.uint64(26) | low.astype(np.uint64) >> np.uint64(6)
    return bits.astype(np.float64) / float(1 << 53)


def text_hashes(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.integer]) -> npt.NDArray[np.uint64]:
    """Hash many texts at once, eight bytes of all of them at a time.

    A text's hash depends on its bytes and their number alone: not on the others, nor on the machine's byte order.

    Args:
        data: The texts' bytes, one after the other.
        offsets: Where each begins, and where the last ends, shape (n + 1,).
    """
    padded = np.concatenate([data, np.zeros(8, np.uint8)])
    words = np.ndarray((len(data) + 1,), dtype="<u8", buffer=padded.data, strides=(1,))
    starts, lengths = offsets[:-1].astype(np.int64), np.diff(offsets).astype(np.int64)
    hashes = np.zeros(len(lengths), dtype=np.uint64)
    for begin in range(0, int(lengths.max(initial=0)), 8):
        n_left = lengths - begin
        word = words[np.minimum(starts + begin, len(data))].astype(np.uint64)
        unwanted = (8 * np.clip(8 - n_left, 0, 7)).astype(np.uint64)
        word = (word << unwanted) >> unwanted
        hashes = np.where(n_left > 0, _mixed(hashes, word), hashes)
    return _finished(hashes ^ lengths.astype(np.uint64))


def _mixed(hashes: npt.NDArray[np.uint64], word: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    word = _rotated(word * _MIX[0], 31) * _MIX[1]
    return _rotated(hashes ^ word, 27) * np.uint64(5) + np.uint64(0x52DCE729)


def _rotated(words: npt.NDArray[np.uint64], n_bits: int) -> npt.NDArray[np.uint64]:
    return words << np.uint64(n_bits) | words >> np.uint64(64 - n_bits)


def _finished(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    for multiplier in _FINISH:
        hashes = (hashes ^ hashes >> np.uint64(33)) * multiplier
    return hashes ^ hashes >> np.uint64(33)


def _digest(seed: int, identity: tuple[object, ...], n_bytes: int) -> bytes:
    text = "\x1f".join([str(seed), *map(str, identity)])
    return hashlib.blake2b(text.encode(), digest_size=n_bytes).digest()
