"""`toyadmos evaluate`: the scores of a run and what they come to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.printing import print_json, print_lines
from toyadmos_datasets.cli.progress import progress_on_terminal
from toyadmos_datasets.cli.request import JsonOption
from toyadmos_datasets.cli.table import table_lines
from toyadmos_datasets.cli.train import DeviceOption
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.escaping import shell_word

if TYPE_CHECKING:
    from toyadmos_datasets.baseline.presets import Preset
    from toyadmos_datasets.baseline.summary import Summary

_WORST = 8


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run; with --scores it is made.", metavar="RUN")],
    *,
    dataset: Annotated[Path | None, typer.Option(help="Another prepared dataset.", metavar="DIR")] = None,
    config: Annotated[str | None, typer.Option(help="Another config.", metavar="NAME")] = None,
    clip_score: Annotated[
        str | None, typer.Option(help="max, mean, or a quantile such as 0.95.", metavar="HOW")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Scores of another method: CSV or Parquet of event_id, score.", metavar="FILE")
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Score the test split and tell how well a run does.

    Writes RUN/scores.parquet and RUN/metrics.json.
    """
    from toyadmos_datasets.baseline.extra import require_extra

    if scores is None:
        require_extra()
    from toyadmos_datasets.baseline import evaluate as work

    if scores is not None:
        if dataset is None:
            raise OptionError(
                "It is not said which dataset was scored.",
                where="--dataset",
                remedy=f"toyadmos evaluate {shell_word(run)} --scores {shell_word(scores)} --dataset DIR --config NAME",
            )
        if clip_score is not None:
            raise OptionError(
                "Scores of clips are taken as they are.",
                where="--clip-score",
                expected="a run with a model, whose frames are scored",
                actual="--scores",
                remedy="Leave --clip-score out.",
            )
        found = work.evaluate_scores(run, scores, dataset=dataset, config=config, progress=progress_on_terminal())
    else:
        found = work.evaluate(
            run,
            progress_on_terminal(),
            dataset=dataset,
            config=config,
            clip_score=None if clip_score is None else _preset(clip_score),
            device=device,
        )
    if as_json:
        print_json(found.as_json())
    else:
        print_lines(lines_of(found, run))


def _preset(how: str) -> Preset:
    from toyadmos_datasets.baseline.presets import PAPER, changed

    try:
        quantile = float(how)
    except ValueError:
        return changed(PAPER, {"clip_score": how})
    return replace(PAPER, clip_score="quantile", quantile=quantile)


def lines_of(found: Summary, run: Path) -> list[str]:
    """Write a summary as tables for people."""
    rows = [
        ["AUC", str(found.auc)],
        ["AUC as the published code computes it", str(found.auc_as_published)],
        ["pAUC, FPR to 0.1, area", str(found.pauc)],
        ["pAUC, FPR to 0.1, McClish", str(found.pauc_mcclish)],
        ["AUC of loudness alone", str(found.auc_of_loudness)],
        ["F1 at FPR 10 %", f"{found.f1:.3f}"],
        ["overlooked at FPR 10 %", f"{found.share_overlooked:.1%}"],
    ]
    for what, joined in (("cases", found.cases), ("source and target domain", found.domains)):
        if joined is not None:
            rows.append([f"AUC, harmonic mean of {what}", str(joined.auc)])
            rows.append([f"pAUC, McClish, harmonic mean of {what}", f"{joined.pauc_mcclish:.3f}"])
    lines = [
        f"{found.n_normal} normal and {found.n_anomalous} anomalous clips of {found.n_events} events",
        f"clip score: {found.clip_score}",
        *table_lines(["figure", "value [95 % interval]"], rows),
    ]
    for by in ("domain", "case", "channel", "snr_db", "part", "damage", "condition"):
        groups = found.by(by)
        if len(groups) > 1:
            shown = [
                [one.name, str(one.n_anomalous), str(one.auc), f"{one.share_overlooked:.0%}"] for one in groups[:_WORST]
            ]
            more = f", {_WORST} of {len(groups)}" if len(groups) > _WORST else ""
            heading = f"{by} (worst first{more})"
            lines += ["", *table_lines([heading, "anomalous", "AUC [95 %]", "overlooked"], shown)]
    return [*lines, "", f"Written: {run / 'scores.parquet'}, {run / 'metrics.json'}"]
