"""The options that one protocol or another takes, and what they amount to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from toyadmos_datasets.cli.words import decibels_of, words_of


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
