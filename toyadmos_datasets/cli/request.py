"""The options that `prepare` and `plan` share, and what they amount to."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from toyadmos_datasets.cli.fetch_choices import (
    RECORD,
    AcceptOption,
    KeepOption,
    LimitRateOption,
    ManifestOption,
    NetrcOption,
    ParallelOption,
    SourceOption,
    WholeOption,
    fetch_choices,
)
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.cache import CACHE_VARIABLE, default_cache

if TYPE_CHECKING:
    from toyadmos_datasets.prepare import PrepareOptions

ToyOption = Annotated[str, typer.Option("--toy", help="car, conveyor or train.", metavar="TOY")]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        help=f"Where recordings are kept between runs [env: {CACHE_VARIABLE}].", metavar="DIR", file_okay=False
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes; by default as many as there are processors.", metavar="N")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value for machines.")]


def read_request(
    *,
    toy: ToyOption,
    source: SourceOption = RECORD,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the dataset; by default data/TOY.", metavar="DIR", file_okay=False)
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="waspaa2019 (the paper's experiment, default) or basic; can be repeated.", metavar="NAME"),
    ] = None,
    cases: Annotated[
        str | None, typer.Option(help="Such as 1,2; by default what the protocol uses.", metavar="LIST")
    ] = None,
    channels: Annotated[
        str | None, typer.Option(help="1, 2, 3, 4, mix (mean of the four) or all.", metavar="CHOICE")
    ] = None,
    snr: Annotated[
        list[str] | None,
        typer.Option(help="For basic: a config for each SNR besides clean, such as 6,0,-6.", metavar="DB"),
    ] = None,
    snr_reference: Annotated[
        str, typer.Option(help="Level that an SNR is relative to: corpus, clip or active.", metavar="LEVEL")
    ] = "corpus",
    as_printed: Annotated[
        bool, typer.Option("--as-printed", help="For waspaa2019: the gains as the paper prints them, reversed.")
    ] = False,
    shared_noise: Annotated[
        bool, typer.Option("--shared-noise", help="Let train and test hear the same noise recordings.")
    ] = False,
    max_events: Annotated[
        int | None, typer.Option(help="A quick look: at most N events a split, case and label.", metavar="N")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.", metavar="N")] = 0,
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
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out and list recordings that cannot be read.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a dataset that was prepared in the folder before.")
    ] = False,
    cache: CacheOption = None,
    workers: WorkersOption = None,
    manifest: ManifestOption = None,
    whole: WholeOption = False,
    parallel: ParallelOption = 2,
    limit_rate: LimitRateOption = None,
    keep_archives: KeepOption = True,
    netrc: NetrcOption = False,
    accept_license: AcceptOption = False,
) -> PrepareOptions:
    """Check what was typed and gather it.

    Raises:
        OptionError: An option cannot be meant.
    """
    chosen = toy_named(toy)
    from toyadmos_datasets.plan import PlanOptions
    from toyadmos_datasets.prepare import PrepareOptions
    from toyadmos_datasets.render import Encoding, RenderOptions

    return PrepareOptions(
        plan=PlanOptions(
            toy=chosen.name,
            protocols=tuple(words_of(protocol)) or ("waspaa2019",),
            cases=numbers_of(cases, "--cases"),
            channels=channels,
            snrs_db=tuple(_number(word, float, "--snr") for word in words_of(snr)),
            snr_reference=snr_reference,
            is_as_printed=as_printed,
            is_noise_shared=shared_noise,
            max_events=max_events,
            seed=seed,
        ),
        render=RenderOptions(
            encoding=Encoding(container=encoding, bit_depth=bit_depth, rate_hz=rate),
            headroom_db=headroom_db,
            on_clip=on_clip,
            workers=workers or processors(),
        ),
        source=_required_source(source),
        out=out or Path("data") / chosen.short,
        cache=cache or default_cache(),
        skip_bad=skip_bad,
        is_overwriting=overwrite,
        fetch=fetch_choices(
            manifest=manifest,
            whole=whole,
            parallel=parallel,
            limit_rate=limit_rate,
            keep_archives=keep_archives,
            netrc=netrc,
            accept_license=accept_license,
        ),
    )


def taking_request(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `read_request` before its own, and call it with the request they make."""
    shared = _parameters(read_request)
    own = [one for one in _parameters(command) if one.name != "request"]

    @functools.wraps(command)
    def run(**arguments: Any) -> None:  # noqa: ANN401  # typer passes each option by its own type
        request = read_request(**{one.name: arguments.pop(one.name) for one in shared})
        command(request, **arguments)

    del run.__wrapped__  # typer would look through to the command
    run.__signature__ = inspect.Signature([*shared, *own])  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in (*shared, *own)}
    return run


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return a function's parameters with their annotations evaluated."""
    hints = get_type_hints(function, localns={"PrepareOptions": object}, include_extras=True)
    return [one.replace(annotation=hints[one.name]) for one in inspect.signature(function).parameters.values()]


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _required_source(source: str) -> str:
    if not source:
        raise OptionError(
            "It is not said where the recordings are.",
            where="--source",
            expected="record, an address, a folder with the volumes or the extracted tree, or simulate",
            actual="nothing",
            remedy="Leave --source out for the official record, or type: --source simulate",
        )
    return source


def words_of(values: list[str | None] | list[str] | None) -> list[str]:
    """Split values at commas and blanks, so that `--snr 6,0 --snr -6` is three."""
    return [word for value in values or [] if value for word in value.replace(",", " ").split()]


def numbers_of(value: str | None, option: str) -> tuple[int, ...] | None:
    """Read whole numbers with commas between them.

    Raises:
        OptionError: A word is none.
    """
    return None if value is None else tuple(_number(word, int, option) for word in words_of([value]))


def _number(word: str, kind: Callable[[str], Any], option: str) -> Any:  # noqa: ANN401  # int or float
    try:
        return kind(word)
    except ValueError as error:
        raise OptionError(
            "An option takes numbers.",
            where=option,
            expected="numbers with commas between them",
            actual=ascii(word),
            remedy=f"For instance: {option} 1,2",
        ) from error
