"""The options that say how examples are rendered, and what they amount to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from toyadmos_datasets.render import RenderOptions

WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes; by default as many as there are processors.", metavar="N")
]


def render_choices(
    *,
    rate: Annotated[
        int, typer.Option(min=1000, max=192_000, help="Sampling rate; 48000 keeps every sample.", metavar="HZ")
    ] = 16_000,
    encoding: Annotated[str, typer.Option(help="flac or wav.", metavar="FORMAT")] = "flac",
    bit_depth: Annotated[int, typer.Option(help="16 or 24.", metavar="BITS")] = 16,
    headroom_db: Annotated[
        float | None, typer.Option(help="Attenuation of all clips; by default found from the peaks.", metavar="DB")
    ] = None,
    on_clip: Annotated[
        str, typer.Option(help="error, or count the clips that exceed full scale all the same.", metavar="POLICY")
    ] = "error",
    stems: Annotated[
        bool, typer.Option("--stems", help="Keep target and noise, as mixed, in columns beside the audio.")
    ] = False,
    workers: WorkersOption = None,
) -> RenderOptions:
    """Check what was typed and gather it.

    Raises:
        OptionError: An option cannot be meant.
    """
    from toyadmos_datasets.render import Encoding, RenderOptions

    return RenderOptions(
        encoding=Encoding(container=encoding, bit_depth=bit_depth, rate_hz=rate),
        headroom_db=headroom_db,
        on_clip=on_clip,
        has_stems=stems,
        workers=workers or processors(),
    )


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
