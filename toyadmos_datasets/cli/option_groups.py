"""How ``--help`` is laid out: the options of `prepare` in groups, and examples below them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from typer.core import TyperCommand

GROUPS: Mapping[str, tuple[str, ...]] = {
    "What": ("--toy", "--protocol", "--recipe", "--out", "--overwrite", "--add", "--max-events"),
    "Source": ("--source", "--cache", "--ignore", "--strict", "--skip-bad", "--exclude"),
    "Splits": (
        "--cases",
        "--validation",
        "--calibration",
        "--balanced-test",
        "--adapt-events",
        "--supplemental-events",
        "--shots",
        "--unseen-parts",
        "--window-s",
        "--hop-s",
        "--as-printed",
        "--faithful",
        "--seed",
    ),
    "Noise": (
        "--snr",
        "--snr-reference",
        "--weighting",
        "--draws",
        "--shared-noise",
        "--train-snr",
        "--test-snr",
        "--stems",
    ),
    "Audio": ("--channels", "--encoding", "--bit-depth", "--rate", "--headroom-db", "--headroom", "--on-clip"),
    "Features": ("--features", "--n-fft", "--hop", "--n-mels", "--fmin", "--fmax", "--power", "--logmel-scale"),
    "Machine": ("--workers", "--engine"),
    "Fetching": (
        "--manifest",
        "--whole",
        "--parallel",
        "--limit-rate",
        "--requests-per-minute",
        "--keep-archives",
        "--netrc",
        "--wait",
        "--accept-license",
    ),
}
"""The options of `prepare` and `plan` by what they are about, in the order in which they are read."""

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "prepare": (
        "toyadmos prepare --toy train --source simulate --out data/demo",
        "toyadmos prepare --toy car --source /corpus --protocol basic --snr 6,0,-6",
        "toyadmos prepare --toy conveyor --protocol few-shot --features logmel",
    ),
    "plan": (
        "toyadmos plan --toy train",
        "toyadmos plan --toy car --source /corpus --protocol basic --snr 6,0,-6",
    ),
}
_GROUPED = {"prepare", "plan"}


def examples_of(command: str) -> str | None:
    """Return what stands below a command's options; None where there is nothing."""
    lines = EXAMPLES.get(command)
    return None if lines is None else "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


class GroupedOptions(TyperCommand):
    """A command whose options stand in groups where there are many."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # click's, wherever typer has it
        """Write the options, group by group; what is in no group comes last."""
        if self.name not in _GROUPED:
            super().format_options(ctx, formatter)
            return
        shown = {one.opts[0]: one.get_help_record(ctx) for one in self.get_params(ctx)}
        records = {flag: _plain(record) for flag, record in shown.items() if record is not None}
        for title, flags in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([records.pop(flag) for flag in flags if flag in records])
        with formatter.section("General"):
            formatter.write_dl(list(records.values()))


def _plain(record: tuple[str, str]) -> tuple[str, str]:
    """Return an option's help with its default as any other's; typer puts brackets round one that is told as a text."""
    return record[0], re.sub(r"default: \((.*)\)\]", r"default: \1]", record[1])
