"""The options that say which examples a dataset has, and what they amount to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from toyadmos_datasets.cli.words import decibels_of, numbers_of, words_of
from toyadmos_datasets.corpus.toys import toy_named

ToyOption = Annotated[str, typer.Option("--toy", help="car, conveyor or train.", metavar="TOY")]


def plan_choices(
    *,
    toy: ToyOption,
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="waspaa2019 (default), basic ..: see toyadmos protocols; can be repeated.", metavar="NAME"),
    ] = None,
    cases: Annotated[
        str | None, typer.Option(help="Such as 1,2; by default what the protocol uses.", metavar="LIST")
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(help="1, 2, 3, 4, mix (mean of the four), stack (four in one clip) or all.", metavar="CHOICE"),
    ] = None,
    snr: Annotated[
        list[str] | None,
        typer.Option(help="A config for each SNR besides the protocol's own, such as 6,0,-6.", metavar="DB"),
    ] = None,
    snr_reference: Annotated[
        str, typer.Option(help="Level that an SNR is relative to: corpus, clip or active.", metavar="LEVEL")
    ] = "corpus",
    weighting: Annotated[
        str | None, typer.Option(help="A: levels of target and noise are A-weighted.", metavar="NAME")
    ] = None,
    draws: Annotated[
        int, typer.Option(help="Different noise draws of each event, where there is noise.", metavar="N")
    ] = 1,
    shared_noise: Annotated[
        bool, typer.Option("--shared-noise", help="Let train and test hear the same noise recordings.")
    ] = False,
    max_events: Annotated[
        int | None, typer.Option(help="A quick look: at most N events a split, case and label.", metavar="N")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.", metavar="N")] = 0,
) -> dict[str, Any]:
    """Gather what holds for every protocol, by the names of `PlanOptions`.

    Raises:
        OptionError: An option cannot be meant.
    """
    return {
        "toy": toy_named(toy).name,
        "protocols": tuple(words_of(protocol)) or ("waspaa2019",),
        "cases": numbers_of(cases, "--cases"),
        "channels": channels,
        "snrs_db": decibels_of(snr, "--snr"),
        "snr_reference": snr_reference,
        "weighting": weighting,
        "n_draws": draws,
        "is_noise_shared": shared_noise,
        "max_events": max_events,
        "seed": seed,
    }
