"""The tables, links, commands and choices of clips of pages, as values; and that a dataset's page needs no torch."""

from __future__ import annotations

import csv
import io
import shlex
import subprocess
import sys
import textwrap

import pyarrow as pa
import pytest
import typer

from toyadmos_datasets.cli.main import app
from toyadmos_datasets.reports.clip_pairs import pairs_by_condition, pairs_by_score
from toyadmos_datasets.reports.html_page import Head, write_page
from toyadmos_datasets.reports.page_commands import prepare_command
from toyadmos_datasets.reports.page_links import page_link
from toyadmos_datasets.reports.report_tables import Table
from toyadmos_datasets.scores.intervals import NO_VALUE, Interval
from toyadmos_datasets.values.manifest import read_manifest

TABLE = Table(
    name="t",
    heading=["which", "AUC"],
    rows=[["a & b_1", Interval(value=0.5, low=0.25, high=0.75)], ["none", NO_VALUE]],
)


def test_a_table_as_csv_has_a_column_for_each_end_of_an_interval():
    rows = list(csv.reader(io.StringIO(TABLE.as_csv())))

    assert rows == [
        ["which", "AUC", "AUC, low", "AUC, high"],
        ["a & b_1", "0.5", "0.25", "0.75"],
        ["none", "", "", ""],
    ]


def test_a_table_for_latex_aligns_numbers_and_takes_texts_for_text():
    lines = TABLE.as_latex().splitlines()

    assert lines[0] == r"\begin{tabular}{lr}"
    assert r"a \& b\_1 & 0.500 [0.250, 0.750] \\" in lines
    assert r"none & - \\" in lines


def page(out, kind, *datasets):
    head = Head(title=f"<{kind}>", verdict="v", totals="t", commands=["c"], notes=[], kind=kind, datasets=datasets)
    write_page(out, "runs.html.j2", head, {"table": TABLE, "pairs": []})


def links_of(path):
    """Return the links of a page to others: what stands between the marks."""
    between = path.read_text(encoding="utf-8").partition("<!-- pages -->")[2].partition("<!-- /pages -->")[0]
    return [one.partition('"')[0] for one in between.split('href="')[1:]]


def test_pages_of_one_dataset_in_one_folder_link_each_other_whatever_is_written_first(tmp_path):
    other, strange = tmp_path / "other.html", tmp_path / "strange.html"
    strange.write_text("<title>a page of somebody else</title>")
    page(other, "dataset", "bb")
    before = other.read_bytes()
    page(tmp_path / "audit.html", "audit", "aa")
    page(tmp_path / "my data.html", "dataset", "aa")
    page(tmp_path / "run.html", "run", "aa", "cc")

    assert links_of(tmp_path / "audit.html") == ["my%20data.html", "run.html"]
    assert links_of(tmp_path / "my data.html") == ["audit.html", "run.html"]
    assert links_of(tmp_path / "run.html") == ["audit.html", "my%20data.html"]
    assert (other.read_bytes(), strange.read_text()) == (before, "<title>a page of somebody else</title>")
    assert page_link(tmp_path / "run.html").title == "<run>"


def test_what_no_page_is_gets_no_link(tmp_path):
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "binary.html").write_bytes(bytes(range(256)))
    page(tmp_path / "a.html", "audit", "aa")

    assert links_of(tmp_path / "a.html") == []


def rows_of(*rows):
    names = ("label", "condition", "case", "channel", "score")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


ROWS = rows_of(
    (0, "normal", 1, 1, 0.1),
    (0, "normal", 1, 2, 0.2),
    (0, "normal", 2, 1, 0.3),
    (0, "normal", 2, 1, 0.4),
    (1, "ab01", 2, 1, 0.5),
    (1, "ab01", 2, 1, 0.6),
    (1, "ab02", 3, 1, 0.7),
)


def test_damage_stands_beside_a_normal_clip_of_its_case_and_channel_and_each_is_shown_in_turn():
    found = {name: [pair.rows for pair in pairs] for name, pairs in pairs_by_condition(ROWS).items()}

    assert found == {"ab01": [(4, 2), (5, 3)], "ab02": [(6, 0)]}


def test_a_worst_clip_stands_beside_the_middle_one_of_the_other_label_and_each_is_shown_in_turn():
    assert [pair.rows for pair in pairs_by_score(ROWS, [5, 4, 1])] == [(5, 3), (4, 2), (1, 5)]


def test_of_a_split_without_damage_normal_clips_are_shown_alone():
    assert [pair.rows for pair in pairs_by_condition(ROWS.slice(0, 2))["normal"]] == [(0,), (1,)]


@pytest.fixture
def manifest(prepared):
    return read_manifest(prepared)


def test_the_command_of_a_datasets_page_asks_for_what_was_prepared(manifest, prepared):
    words = shlex.split(prepare_command(manifest, prepared, next(iter(manifest.configs))))
    command = typer.main.get_command(app).get_command(None, "prepare")
    typed = command.make_context("prepare", words[2:]).params

    assert words[:2] == ["toyadmos", "prepare"]
    assert typed["toy"] == manifest.toy
    request = manifest.request
    assert [float(one) for one in typed["snrs_db"]] == request["snrs_db"]
    assert list(typed["protocols"]) == request["protocols"]


@pytest.mark.usefixtures("baseline_cache")
def test_the_page_of_a_dataset_needs_no_torch(prepared, tmp_path):
    code = f"""
        import sys
        class NoTorch:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {{"torch", "safetensors"}}:
                    raise ModuleNotFoundError(name)
        sys.meta_path.insert(0, NoTorch())
        sys.argv = ["toyadmos", "report", {str(prepared)!r}, "-o", {str(tmp_path / "d.html")!r}]
        from toyadmos_datasets.cli import main
        main()
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "d.html").read_text(encoding="utf-8").endswith("</html>\n")
