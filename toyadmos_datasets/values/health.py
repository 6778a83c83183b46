"""What can be odd about the sound of an example, by name."""

from __future__ import annotations

SILENT = "silent"
"""Digital zeros only."""

HEALTH_FLAGS = (SILENT, "near_silent", "clipped", "dc", "dropout", "duplicate", "short", "long")
"""The words of the column `health`, in the order in which they are told; what each means stands in `render.health`."""
