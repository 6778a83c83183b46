"""Which texts after `--source` name a place on the web: told before anything that speaks with one is loaded."""

from __future__ import annotations

RECORD = "record"
"""Stands for the official record."""


def is_on_web(source: str) -> bool:
    """Tell ``record`` and addresses, whether they can be used or not, from paths."""
    return source == RECORD or "://" in source
