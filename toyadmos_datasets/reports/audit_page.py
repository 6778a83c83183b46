"""The page of an audit: its findings, with pictures, in one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from toyadmos_datasets.auditing.findings import AuditReport, Kind, PairReport, SnrCheck
from toyadmos_datasets.escaping import shell_line
from toyadmos_datasets.reports.charts import Chart, ranges_chart
from toyadmos_datasets.reports.html_page import Head, notes, page, write_page
from toyadmos_datasets.reports.level_section import LevelSection
from toyadmos_datasets.reports.report_tables import Table
from toyadmos_datasets.units import format_duration
from toyadmos_datasets.values.columns import LABELS
from toyadmos_datasets.values.manifest import read_manifest

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
_SNRS = ("config", "requested", "relative to", "measured from", "clips", "largest error", "clips, over all of them")
_KINDS = {"dataset": "prepared dataset", "recipe": "recipe, without audio", "folder": "folder of audio files"}


def write_audit_page(report: AuditReport | PairReport, out: Path) -> None:
    """Write the page of an audit, and links to and from the pages of the dataset that lie beside it.

    Raises:
        OutputError: It cannot be written.
    """
    template, head, values = _parts(report, out)
    write_page(out, template, head, values)


def page_of(report: AuditReport | PairReport) -> str:
    """Return the page of an audit as HTML."""
    template, head, values = _parts(report, Path("audit.html"))
    return page(template, head, None, values)


def _parts(report: AuditReport | PairReport, out: Path) -> tuple[str, Head, dict[str, object]]:
    """Return the template of a page, its head, and what the template shows."""
    if isinstance(report, PairReport):
        return "audit_pair.html.j2", _head_of_pair(report, out), {"report": report, "common_table": _common(report)}
    values = {
        "report": report,
        "counts": _counts(report),
        "count_table": Table(name="counts", heading=COUNTED, rows=count_rows(report)),
        "levels": LevelSection(checks=report.levels, clips=report.clips),
        "snr_table": Table(name="snr", heading=_SNRS, rows=_snr_rows(report.snrs)),
        "snrs": _snr_chart(report.snrs) if report.snrs else None,
    }
    return "audit.html.j2", _head(report, out), values


def _head(report: AuditReport, out: Path) -> Head:
    heard = f"{report.n_decoded} of them decoded and measured" if report.n_decoded else "none of them decoded"
    kind = f"{_KINDS[report.kind]} of {', '.join(report.toys) or 'machines that the names do not tell'}"
    return Head(
        title=f"Audit of {PurePath(report.place).name}",
        verdict=verdict_of(report),
        totals=f"{report.place}: {kind}; {len(report.clips)} clips, {heard}.",
        commands=[shell_line("toyadmos", "audit", Path(report.place), "--report", out)],
        notes=notes(is_simulated=report.is_simulated, has_audio=False),
        kind="audit",
        datasets=_datasets([(report.place, report.kind)]),
    )


def _head_of_pair(report: PairReport, out: Path) -> Head:
    shown = zip(("First", "Second"), report.places, report.kinds, report.n_clips, strict=True)
    return Head(
        title="Audit of two datasets",
        verdict=verdict_of_pair(report),
        totals=" ".join(f"{word}: {place}: {_KINDS[kind]}; {n} clips." for word, place, kind, n in shown),
        commands=[shell_line("toyadmos", "audit", *map(Path, report.places), "--report", out)],
        notes=notes(is_simulated=any(report.are_simulated), has_audio=False),
        kind="audit",
        datasets=_datasets(zip(report.places, report.kinds, strict=True)),
    )


def _datasets(audited: Iterable[tuple[str, Kind]]) -> list[str]:
    """Return the recipe hashes of what was audited, where it is a prepared dataset."""
    return [read_manifest(Path(place)).recipe_sha256 for place, kind in audited if kind == "dataset"]


def _common(report: PairReport) -> Table:
    return Table(name="in-common", heading=IN_COMMON, rows=common_rows(report))


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
            *map(str, (one.n_events, one.n_recordings, one.n_clips, one.n_noises, one.n_noise_recordings)),
            *map(str, (one.n_stretches, one.n_alike)),
        ]
        for one in report.common
    ]


def verdict_of(report: AuditReport) -> str:
    """Say in a sentence how an audit ended."""
    counts = Counter(one.severity for one in report.findings)
    if report.has_leak:
        return f"LEAK: the splits are not disjoint ({_several(counts['leak'], 'leak')})."
    if not report.is_clean:
        return f"No leak, and {_several(counts['problem'], 'problem')}."
    return "Clean: no leak and no problem."


def _several(n: int, noun: str) -> str:
    return f"1 kind of {noun}" if n == 1 else f"{n} kinds of {noun}"


def count_rows(report: AuditReport) -> list[list[str]]:
    """Write the counts for people, by the names of `COUNTED`."""
    return [
        [
            *(one.config, one.split, one.label),
            *("-" if value is None else str(value) for value in (one.case, one.n_clips, one.n_events)),
            "-" if one.duration_s is None else format_duration(one.duration_s),
        ]
        for one in report.counts
    ]


def _counts(report: AuditReport) -> list[tuple[str, str, int]]:
    """Count the clips of each config, split and label: name, class in the style and count."""
    totals = Counter[tuple[str, str, str]]()
    for one in report.counts:
        totals[one.config, one.split, one.label] += one.n_clips
    return [(", ".join(names), names[2] if names[2] in LABELS else "dot", n) for names, n in totals.items()]


def _snr_rows(checks: Sequence[SnrCheck]) -> list[list[str]]:
    return [
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


def _snr_chart(checks: Sequence[SnrCheck]) -> Chart:
    ranges = [(one.requested_db, one.clips_db) for one in checks]
    return ranges_chart(ranges, "SNR asked for, dB", "SNR of the clips, dB")
