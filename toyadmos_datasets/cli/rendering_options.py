"""The options that say how examples are rendered, and what they amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from toyadmos_datasets.errors import OptionError

if TYPE_CHECKING:
    from toyadmos_datasets.rendering import RenderOptions
    from toyadmos_datasets.signal.logmel import LogMel

WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Processes, at most one more than there are processors; by default as many as these.", metavar="N"
    ),
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
    features: Annotated[
        str | None, typer.Option(help="logmel: also a config of log-mel features of each config.", metavar="KIND")
    ] = None,
    logmel_scale: Annotated[str | None, typer.Option(help="dB (default) or ln.", metavar="SCALE")] = None,
    n_fft: Annotated[int | None, typer.Option(help="Samples in a frame, 1024.", metavar="N")] = None,
    hop: Annotated[int | None, typer.Option(help="Samples from frame to frame, 512.", metavar="N")] = None,
    n_mels: Annotated[int | None, typer.Option(help="Bands, 128.", metavar="N")] = None,
    fmin: Annotated[float | None, typer.Option(help="Where the bands begin, 0.", metavar="HZ")] = None,
    fmax: Annotated[float | None, typer.Option(help="Where they end, half the rate.", metavar="HZ")] = None,
    power: Annotated[int | None, typer.Option(help="Exponent of the magnitude, 2 or 1.", metavar="N")] = None,
    workers: WorkersOption = None,
) -> RenderOptions:
    """Check what was typed and gather it.

    Raises:
        OptionError: An option cannot be meant.
    """
    from toyadmos_datasets.rendering import Encoding, RenderOptions

    settings = {
        "scale": logmel_scale,
        "n_fft": n_fft,
        "n_hop": hop,
        "n_mels": n_mels,
        "fmin_hz": fmin,
        "fmax_hz": fmax,
        "power": power,
    }
    return RenderOptions(
        log_mel=_log_mel(features, rate, {name: value for name, value in settings.items() if value is not None}),
        encoding=Encoding(container=encoding, bit_depth=bit_depth, rate_hz=rate),
        headroom_db=headroom_db,
        on_clip=on_clip,
        has_stems=stems,
        workers=chosen_workers(workers),
    )


def _log_mel(features: str | None, rate_hz: int, settings: dict[str, Any]) -> LogMel | None:
    from toyadmos_datasets.signal.logmel import LogMel

    if features not in {None, "logmel"} or (features is None and settings):
        raise OptionError(
            "There are no such features." if features else "Settings of features are given, and no features.",
            where="--features",
            expected="logmel",
            actual=features or "not given",
            remedy="--features logmel",
        )
    return None if features is None else LogMel(rate_hz=rate_hz, **settings)


def chosen_workers(typed: int | None) -> int:
    """Return the number of processes that were asked for, or by default as many as there are processors."""
    from toyadmos_datasets.engine import processors

    return typed or processors()
