"""The options that say which examples a dataset has, and what they amount to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from toyadmos_datasets.cli.text import decibels_of, numbers_of, words_of
from toyadmos_datasets.corpus.toys import toy_named


def protocol_choices(
    *,
    as_printed: Annotated[
        bool, typer.Option("--as-printed", help="For waspaa2019: the gains as the paper prints them, reversed.")
    ] = False,
    faithful: Annotated[
        bool, typer.Option("--faithful", help="For waspaa2019: also the published scripts' quirks.")
    ] = False,
    validation: Annotated[
        float, typer.Option(help="For basic: share of the training events held out as validation.", metavar="SHARE")
    ] = 0.0,
    adapt_events: Annotated[
        int | None,
        typer.Option(help="For leave-one-case-out: normal events of the target case to adapt with.", metavar="N"),
    ] = None,
    train_snr: Annotated[
        list[str] | None, typer.Option(help="For noise-shift: SNRs of the training, such as 6.", metavar="DB")
    ] = None,
    test_snr: Annotated[
        list[str] | None, typer.Option(help="For noise-shift: SNRs of the test, such as 0,-6.", metavar="DB")
    ] = None,
    shots: Annotated[
        int | None,
        typer.Option(help="For few-shot: anomalous events of each condition in the support.", metavar="N"),
    ] = None,
    unseen_parts: Annotated[
        list[str] | None,
        typer.Option(help="For few-shot: parts whose damage is in the test alone, such as belt.", metavar="PART"),
    ] = None,
    window_s: Annotated[
        float | None, typer.Option(help="For cnt-to-ind: length of the windows in seconds.", metavar="S")
    ] = None,
    hop_s: Annotated[
        float | None, typer.Option(help="For cnt-to-ind: from one window to the next, in seconds.", metavar="S")
    ] = None,
) -> dict[str, Any]:
    """Gather what belongs to single protocols, by the names of `PlanOptions`.

    Raises:
        OptionError: An option cannot be meant.
    """
    return {
        "is_as_printed": as_printed,
        "is_faithful": faithful,
        "validation_share": validation,
        "adapt_events": adapt_events,
        "train_snrs_db": decibels_of(train_snr, "--train-snr"),
        "test_snrs_db": decibels_of(test_snr, "--test-snr"),
        "shots": shots,
        "unseen_parts": tuple(words_of(unseen_parts)),
        "window_s": window_s,
        "hop_s": hop_s,
    }


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
