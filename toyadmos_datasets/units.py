"""Units in annotations, and the formatting of amounts."""

from __future__ import annotations

from typing import TypeAlias

Seconds: TypeAlias = float
Decibels: TypeAlias = float
Hertz: TypeAlias = int
Bytes: TypeAlias = int


def format_bytes(n_bytes: float) -> str:
    """Write an amount of bytes with a decimal prefix, as disks and Zenodo count them."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(n_bytes) < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def format_duration(duration_s: Seconds) -> str:
    """Write a duration as people say it: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if duration_s < 10:
        return f"{duration_s:.1f} s"
    whole = round(duration_s)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
