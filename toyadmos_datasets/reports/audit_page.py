"""The page of an audit: what was found, with pictures, in one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath

import numpy as np
import pyarrow.compute as pc

from toyadmos_datasets.auditing.findings import AuditReport, Finding, LevelCheck, PairReport, SnrCheck
from toyadmos_datasets.escaping import html_text
from toyadmos_datasets.reports.charts import Axes, chart, histogram
from toyadmos_datasets.reports.html_page import figure, paragraph, rows_table, section, whole_page
from toyadmos_datasets.units import format_duration
from toyadmos_datasets.values.manifest import LABELS

SIMULATED = "The corpus is SIMULATED: results on it are not results on ToyADMOS."
COUNTED = ("config", "split", "label", "case", "clips", "events", "length")
IN_COMMON = (
    "learns",
    "tests",
    "events",
    "recordings",
    "clips",
    "noises",
    "noise recordings",
    "stretches of noise",
    "alike",
)
_PLACES = 20
_KINDS = {"dataset": "prepared dataset", "recipe": "recipe, without audio", "folder": "folder of audio files"}


def page_of(report: AuditReport) -> str:
    """Return the page as HTML."""
    heard = f"{report.n_decoded} of them decoded and measured" if report.n_decoded else "none of them decoded"
    about = f"{_KINDS[report.kind]} of {', '.join(report.toys) or 'machines that the names do not tell'}"
    sections = [
        *([paragraph(SIMULATED, "note")] if report.is_simulated else []),
        paragraph(verdict_of(report)),
        paragraph(f"{report.place}: {about}; {len(report.clips)} clips, {heard}.", "dim"),
        section("Findings", *_findings(report.findings)),
        section(
            "Counts",
            figure(_bars(report), "Clips by config, split and label."),
            rows_table(COUNTED, count_rows(report)),
        ),
    ]
    if report.levels:
        sections.append(section("Does loudness alone tell the label?", *_levels(report)))
    if report.snrs:
        sections.append(section("Requested and achieved SNR", *_snrs(report.snrs)))
    return whole_page(f"Audit of {PurePath(report.place).name}", sections)


def page_of_pair(report: PairReport) -> str:
    """Return the page about two datasets as HTML."""
    shown = zip(("First", "Second"), report.places, report.kinds, report.n_clips, strict=True)
    sections = [
        *([paragraph(SIMULATED, "note")] if any(report.are_simulated) else []),
        paragraph(verdict_of_pair(report)),
        *(paragraph(f"{word}: {place}: {_KINDS[kind]}; {n} clips.", "dim") for word, place, kind, n in shown),
        section("Findings", *_findings(report.findings)),
    ]
    if report.common:
        sections.append(section("In common", rows_table(IN_COMMON, common_rows(report))))
    return whole_page("Audit of two datasets", sections)


def verdict_of_pair(report: PairReport) -> str:
    """Say in a sentence whether two datasets are apart."""
    if report.has_leak:
        kinds = sum(one.severity == "leak" for one in report.findings)
        return f"LEAK: one learns from what the other tests ({_several(kinds, 'leak')})."
    return "Apart: neither learns from anything that the other tests."


def common_rows(report: PairReport) -> list[list[str]]:
    """Write what two datasets have in common for people, by the names of `IN_COMMON`."""
    return [
        [
            f"{one.learner}, {one.learnt_config}",
            f"{'second' if one.learner == 'first' else 'first'}, {one.tested_config}",
            *(
                str(n)
                for n in (
                    one.n_events,
                    one.n_recordings,
                    one.n_clips,
                    one.n_noises,
                    one.n_noise_recordings,
                    one.n_stretches,
                    one.n_alike,
                )
            ),
        ]
        for one in report.common
    ]


def verdict_of(report: AuditReport) -> str:
    """Say in a sentence how an audit ended."""
    counts = Counter(one.severity for one in report.findings)
    if report.has_leak:
        return f"LEAK: the sides of the split are not apart ({_several(counts['leak'], 'leak')})."
    if not report.is_clean:
        return f"No leak, and {_several(counts['problem'], 'problem')}."
    return "Clean: no leak and no problem."


def _several(n: int, noun: str) -> str:
    return f"1 kind of {noun}" if n == 1 else f"{n} kinds of {noun}"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        yield paragraph("None.")
    for one in findings:
        shown = "".join(f"<li>{html_text(place)}</li>" for place in one.places[:_PLACES])
        n_more = len(one.places) - _PLACES
        more = f"<li>and {n_more} more; --json lists all</li>" if n_more > 0 else ""
        kind = ' class="note"' if one.severity != "note" else ""
        places = f"<ul>{shown}{more}</ul>" if shown else ""
        heading = html_text(f"{one.severity}: {one.what} ({len(one.places) or 1})")
        yield f"<div{kind}><h3>{heading}</h3>{places}</div>"


def count_rows(report: AuditReport) -> list[list[str]]:
    """Write the counts for people, by the names of `COUNTED`."""
    return [
        [
            one.config,
            one.split,
            one.label,
            *("-" if value is None else str(value) for value in (one.case, one.n_clips, one.n_events)),
            "-" if one.duration_s is None else format_duration(one.duration_s),
        ]
        for one in report.counts
    ]


def _bars(report: AuditReport) -> str:
    """Draw a bar for each config, split and label."""
    totals = Counter[tuple[str, str, str]]()
    for one in report.counts:
        totals[one.config, one.split, one.label] += one.n_clips
    most, step, left, width = max(totals.values(), default=1), 22, 250, 640
    bars = []
    for number, ((config, split, label), n) in enumerate(totals.items()):
        y, length = number * step, max(n / most * (width - left - 60), 1)
        kind = label if label in LABELS else "dot"
        bars.append(
            f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{html_text(f"{config}, {split}, {label}")}</text>'
            f'<rect class="{kind}" x="{left}" y="{y + 4}" width="{length:.1f}" height="{step - 8}"/>'
            f'<text x="{left + length + 6:.1f}" y="{y + 15}">{n}</text>'
        )
    said = "; ".join(f"{config}, {split}, {label}: {n}" for (config, split, label), n in totals.items())
    height = step * max(len(totals), 1)
    described = html_text(f"Clips. {said}")
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{described}">'
        f"<title>{described}</title>{''.join(bars)}</svg>"
    )


def _levels(report: AuditReport) -> Iterator[str]:
    names = ["config", "split", "normal", "anomalous", "median, normal", "median, anomalous", "AUC of level", "within"]
    rows = [
        [
            one.config,
            one.split,
            str(one.n_normal),
            str(one.n_anomalous),
            f"{one.normal_db:.1f} dB",
            f"{one.anomalous_db:.1f} dB",
            f"{one.auc:.3f}",
            f"{one.auc_within:.3f}",
        ]
        for one in report.levels
    ]
    yield rows_table(names, rows)
    yield paragraph(
        "0.5 tells nothing, 0 and 1 all; below 0.5 damage is quieter. Within: among clips of one case and channel.",
        "dim",
    )
    yield f'<div class="pair">{"".join(_level_figure(report, one) for one in report.levels)}</div>'


def _level_figure(report: AuditReport, check: LevelCheck) -> str:
    clips = report.clips
    mine = clips.filter(pc.and_(pc.equal(clips["config"], check.config), pc.equal(clips["split"], check.split)))
    mine = mine.filter(mine["level_db"].is_valid())
    groups = [(name, name, mine.filter(pc.equal(mine["label"], name))["level_db"].to_numpy()) for name in LABELS]
    caption = f"{check.config}, {check.split}: level by label; AUC of level alone {check.auc:.3f}."
    return figure(histogram(groups, "level, dB re full scale"), caption)


def _snrs(checks: Sequence[SnrCheck]) -> Iterator[str]:
    names = ["config", "requested", "relative to", "measured from", "clips", "largest error", "clips, over all of them"]
    rows = [
        [
            one.config,
            f"{one.requested_db:g} dB",
            one.reference,
            "stems" if one.is_from_stems else "columns",
            str(one.n_clips),
            "-" if one.largest_error_db is None else f"{one.largest_error_db:.4f} dB",
            " / ".join(f"{value:.1f}" for value in one.clips_db) + " dB",
        ]
        for one in checks
    ]
    yield rows_table(names, rows)
    caption = "SNR of single clips over their whole length: least, median and greatest."
    yield f'<div class="pair">{figure(_snr_chart(checks), caption)}</div>'


def _snr_chart(checks: Sequence[SnrCheck]) -> str:
    asked = np.array([one.requested_db for one in checks])
    reached = np.array([one.clips_db for one in checks])
    ends = (float(asked.min()) - 2, float(asked.max()) + 2)
    axes = Axes(
        x=ends,
        y=(float(min(reached.min(), ends[0])), float(max(reached.max(), ends[1]))),
        x_name="SNR asked for, dB",
        y_name="SNR of the clips, dB",
    )
    marks = [f'<polyline class="chance" points="{axes.points(ends, ends)}"/>']
    said = []
    for one in checks:
        low, middle, high = one.clips_db
        x = one.requested_db
        marks.append(f'<polyline class="line" points="{axes.points((x, x), (low, high))}"/>')
        marks.append(f'<circle class="dot" cx="{axes.at_x(x):.1f}" cy="{axes.at_y(middle):.1f}" r="4"/>')
        said.append(f"{x:g} dB asked for, {low:.1f} to {high:.1f} dB, median {middle:.1f} dB")
    return chart(axes, marks, "; ".join(said))
