"""The small corpus, of one microphone, that tests of commands and of what disturbs them prepare."""

from __future__ import annotations

from pathlib import Path

from tiny import TinyCorpus

SMALL = TinyCorpus(channels=(1,), n_normal=4, n_noise=3)


def basic(source: Path, *more: object) -> list[object]:
    """Return the arguments of a small preparation."""
    return ["--toy", "train", "--source", source, "--protocol", "basic", "--workers", "1", *more]
