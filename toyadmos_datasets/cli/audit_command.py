"""`toyadmos audit`: whether splits leak, and other checks that a reviewer would ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toyadmos_datasets.cli.command_options import JsonOption, WorkersOption, chosen_workers
from toyadmos_datasets.cli.terminal import print_json, print_lines, progress_on_terminal, table_lines

if TYPE_CHECKING:
    from toyadmos_datasets.auditing import AuditReport, Finding, PairReport
    from toyadmos_datasets.values.health import Health, HealthCount


SHOWN_CONDITIONS = 4
"""Most conditions that are printed for a flag."""


def health_lines(health: Health, *, label: str = "Health: ") -> list[str]:
    """Return the health flags of a dataset, and what `--exclude` would leave out.

    Args:
        health: What was counted.
        label: What the first line begins with.
    """
    if not health.counts:
        found = ["nothing is odd about any clip."]
    else:
        found = [
            "; ".join(_flag_text(health, flag) for flag in health.flags) + ".",
            _would_leave_out(health),
        ]
    if health.n_left_out_events:
        found.append(f"{_of(health.n_left_out_events, 'event')} ({_of(health.n_left_out_clips, 'clip')}) left out.")
    return [f"{label}{found[0]}", *(" " * len(label) + line for line in found[1:])]


def _would_leave_out(health: Health) -> str:
    clips = f"{health.n_clips} of {_of(health.n_clips_in_all, 'clip')}"
    # What is left out already stays so only if the option goes on naming it.
    adding = f"Adding {','.join(health.flags)} to --exclude" if health.n_left_out_events else health.option
    return f"{adding} would leave out {_of(health.n_events, 'event')}, {clips}, and change no other."


def _flag_text(health: Health, flag: str) -> str:
    """Return such as ``3 events near_silent (normal 2, ab01 1)``."""
    counts = [count for count in health.counts if count.flag == flag]
    heard = [count for count in counts if count.part == "target"]
    noises = sum(count.n_clips for count in counts if count.part == "noise")
    told = [f"{_of(sum(one.n_events for one in heard), 'event')} {flag} ({_conditions(heard)})"] if heard else []
    told += [f"{_of(noises, 'clip')} with noise of zeros"] if noises else []
    return ", ".join(told)


def _conditions(counts: list[HealthCount]) -> str:
    shown = [f"{count.condition} {count.n_events}" for count in counts[:SHOWN_CONDITIONS]]
    rest = sum(count.n_events for count in counts[SHOWN_CONDITIONS:])
    return ", ".join([*shown, *([f"other {rest}"] if rest else [])])


def _of(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


_SHOWN_PLACES = 5


def audit(
    place: Annotated[
        Path, typer.Argument(help="A prepared dataset, a recipe, or a folder of WAV files.", metavar="DIR|RECIPE")
    ],
    other: Annotated[
        Path | None,
        typer.Argument(help="A second one: does either train on clips that the other tests?", metavar="[DIR|RECIPE]"),
    ] = None,
    *,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Also write a page with pictures, one file that needs no network.", metavar="FILE", dir_okay=False
        ),
    ] = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check the data for leaks between splits.

    Decodes every clip. For two datasets it tells whether either trains on clips that the other tests. The exit status
    is 1 if anything leaks.
    """
    from toyadmos_datasets.auditing import AuditReport
    from toyadmos_datasets.auditing import audit as run
    from toyadmos_datasets.engine.arrow_memory import keep_pandas_out

    keep_pandas_out()
    found = run(place, other, workers=chosen_workers(workers), progress=progress_on_terminal())
    if report is not None:
        from toyadmos_datasets.reports.audit_page import write_audit_page

        write_audit_page(found, report)
    if as_json:
        print_json(found.as_json())
    else:
        lines = _lines(found, report) if isinstance(found, AuditReport) else _pair_lines(found, report)
        print_lines(lines)
    return 1 if found.has_leak else 0


def _pair_lines(found: PairReport, page: Path | None) -> list[str]:
    from toyadmos_datasets.reports.audit_page import IN_COMMON, common_rows, verdict_of_pair
    from toyadmos_datasets.reports.html_page import SIMULATED

    shown = zip(("first", "second"), found.places, found.n_clips, strict=True)
    lines = [f"{word}: {place}: {n} clips" for word, place, n in shown]
    if any(found.are_simulated):
        lines.append(SIMULATED)
    if found.common:
        lines += ["", *table_lines(IN_COMMON, common_rows(found))]
    lines.append("")
    for one in found.findings:
        lines += _finding_lines(one)
    return [*lines, verdict_of_pair(found), *([f"Written: {page}"] if page else [])]


def _lines(found: AuditReport, page: Path | None) -> list[str]:
    from toyadmos_datasets.reports.audit_page import COUNTED, count_rows, verdict_of
    from toyadmos_datasets.reports.html_page import SIMULATED

    lines = [f"{found.place}: {len(found.clips)} clips of {', '.join(found.toys) or 'unknown machines'}"]
    if found.is_simulated:
        lines.append(SIMULATED)
    lines += ["", *table_lines(COUNTED, count_rows(found))]
    if found.levels:
        heading = [
            "config",
            "split",
            "normal clips",
            "anomalous clips",
            "AUC of level alone",
            "within case and channel",
        ]
        lines += ["", *table_lines(heading, _levels(found))]
    if found.snrs:
        heading = ["config", "SNR asked for", "relative to", "from", "largest error", "single clips"]
        lines += ["", *table_lines(heading, _snrs(found))]
    lines.append("")
    for one in found.findings:
        lines += _finding_lines(one)
    return [*lines, verdict_of(found), *([f"Written: {page}"] if page else [])]


def _levels(found: AuditReport) -> list[list[str]]:
    return [
        [
            one.config,
            one.split,
            f"{one.normal_db:.1f} dB",
            f"{one.anomalous_db:.1f} dB",
            f"{one.auc:.3f}",
            f"{one.auc_within:.3f}",
        ]
        for one in found.levels
    ]


def _snrs(found: AuditReport) -> list[list[str]]:
    return [
        [
            one.config,
            f"{one.requested_db:g} dB",
            one.reference,
            "stems" if one.is_from_stems else "columns",
            "-" if one.largest_error_db is None else f"{one.largest_error_db:.4f} dB",
            f"{one.clips_db[0]:.1f} to {one.clips_db[2]:.1f} dB, median {one.clips_db[1]:.1f} dB",
        ]
        for one in found.snrs
    ]


def _finding_lines(one: Finding) -> list[str]:
    n_more = len(one.places) - _SHOWN_PLACES
    more = [f"  and {n_more} more; --json lists all"] if n_more > 0 else []
    return [f"{one.severity}: {one.what}", *(f"  {place}" for place in one.places[:_SHOWN_PLACES]), *more]
