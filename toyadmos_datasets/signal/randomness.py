"""Random numbers that follow from what they are for, never from the order in which they are drawn."""

from __future__ import annotations

import hashlib

import numpy as np


def derived_generator(seed: int, *identity: object) -> np.random.Generator:
    """Return a generator whose stream depends on the seed and the identity alone.

    Listing order, the number of workers and what else is drawn cannot change it.

    Args:
        seed: The user's seed.
        identity: What the numbers are for, such as the recipe's name, an event_id and a purpose.
    """
    text = "\x1f".join([str(seed), *map(str, identity)])
    key = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(key, dtype="<u8")))
