"""Names that a stranger chose, by every command and on every card and page: visible, and nothing more."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
import yaml
from auditing import write_wav
from hostile import MARKUP, NAMES, raw_in
from jinja2 import ChoiceLoader, DictLoader
from preparing import toyadmos, toyadmos_process
from rich.console import Console
from small import basic
from test_shared_recipe import planned, shared_of
from tiny import only, write_tree
from wording import warned

from toyadmos_datasets import reports
from toyadmos_datasets.auditing import audit
from toyadmos_datasets.cli import terminal as progress_bars
from toyadmos_datasets.cli.main import app
from toyadmos_datasets.cli.terminal import table_lines
from toyadmos_datasets.loading.clip_cache import stand_in_for
from toyadmos_datasets.reports.audit_page import page_of
from toyadmos_datasets.reports.charts import histogram
from toyadmos_datasets.reports.html_page import Head, page, templates
from toyadmos_datasets.reports.report_tables import Table
from toyadmos_datasets.reports.spectrograms import Picture, ShownClip
from toyadmos_datasets.scores.intervals import Interval
from toyadmos_datasets.sharing.recipe_card import recipe_card
from toyadmos_datasets.values.recipe import read_recipe

pytestmark = pytest.mark.usefixtures("without_surroundings")

HOSTILE = "".join(NAMES.values())
TEMPLATES = Path(reports.__file__).parent / "templates"
AS_UTF8 = HOSTILE.replace(NAMES["undecodable"], "")

FAILING = {
    "prepare": ["--toy", "train", "--source", HOSTILE],
    "plan": ["--toy", HOSTILE, "--source", HOSTILE],
    "protocols": [HOSTILE, "--toy", "train"],
    "download": ["--toy", "train", "--source", f"https://{HOSTILE}@["],
    "index": [HOSTILE, "--toy", "train"],
    "verify": [HOSTILE],
    "audit": [HOSTILE],
    "simulate": ["--toy", "train", "--out", "here", "--size", HOSTILE],
    "cache": ["--kind", HOSTILE],
    "train": [HOSTILE, "--out", HOSTILE],
    "evaluate": [HOSTILE, "--dataset", HOSTILE],
    "compare": [HOSTILE, HOSTILE],
    "report": [HOSTILE],
    "share": [HOSTILE, f"memory://{HOSTILE}"],
    "export": [HOSTILE, "--layout", HOSTILE, "--out", HOSTILE],
    "fetch-recipe": [f"memory://{AS_UTF8}"],
    "recipe export": [HOSTILE, "--out", "x.toyrecipe"],
    "recipe show": [HOSTILE],
    "recipe rebuild": [HOSTILE, "--out", HOSTILE],
    "recipe diff": [HOSTILE, HOSTILE],
}


def commands() -> set[str]:
    """Name every command of the program."""
    program = typer.main.get_command(app)
    top = {name: program.get_command(None, name) for name in program.list_commands(None)}
    return {f"{name} {inner}".strip() for name, one in top.items() for inner in getattr(one, "commands", {"": None})}


def test_every_command_is_tried():
    assert commands() == set(FAILING)


@pytest.mark.parametrize("command", FAILING)
@pytest.mark.parametrize("more", [[], ["--debug"], ["--no-such-option" + HOSTILE]], ids=["", "debug", "option"])
def test_no_command_says_raw_what_it_could_not_use(capsys, command, more):
    ran = toyadmos(capsys, *command.split(), *FAILING[command], *more)

    assert ran.status in {1, 2}
    assert (ran.out, raw_in(ran.err)) == ("", set())
    assert "foresee" not in ran.err
    assert not any(line.startswith("error: all is well") for line in ran.err.splitlines())


def test_what_succeeds_says_no_name_raw(capsys, small_files, tmp_path):
    place = tmp_path / HOSTILE
    write_tree(small_files, place / "source")
    out, shared = place / "data", place / "x.toyrecipe"
    runs = [
        ["plan", *basic(place / "source", "--out", out)],
        ["prepare", *basic(place / "source", "--out", out)],
        ["prepare", *basic(place / "source", "--out", out)],
        ["index", place / "source", "--toy", "train", "--out", place / "index.parquet"],
        ["verify", out, "--workers", "1"],
        ["audit", out, "--workers", "1", "--report", place / "audit.html"],
        ["export", out, "--layout", "wav", "--out", place / "wavs"],
        ["recipe", "export", out, "--out", shared, "--workers", "1"],
        ["recipe", "show", shared],
        ["recipe", "diff", shared, out],
    ]
    for arguments in runs:
        for more in ([], ["--json"]):
            if arguments[:2] == ["recipe", "export"]:
                shared.unlink(missing_ok=True)
            ran = toyadmos(capsys, *arguments, *more)

            assert (arguments, ran.status, raw_in(ran.out + ran.err)) == (arguments, 0, set())
            if more and ran.out:
                json.loads(ran.out)
    for written in (place / "audit.html", out / "README.md"):
        assert raw_in(written.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_stray_file_of_a_source_is_named_visibly(capsys, small_files, tmp_path, name):
    member = only(small_files, "normal_IND_ch1_0003")
    stray = f"{member.rpartition('/')[0]}/{name}_ToyTrain_case1_normal_IND_ch1_0003.wav"
    tree = write_tree(small_files | {stray: b"RIFF"}, tmp_path / "source")
    ran = toyadmos(capsys, "index", tree, "--toy", "train")

    assert ran.status == 1
    assert raw_in(ran.out + ran.err) == set()


def test_a_terminal_gets_escapes_as_text_from_a_process_too(tmp_path):
    ran = toyadmos_process("audit", tmp_path / HOSTILE)

    assert raw_in(ran.out + ran.err) == set()
    assert r"a\x1b[2Jb" in ran.err
    assert r"\udcff\udcfe" in ran.err


def test_cells_are_aligned_by_what_is_shown():
    heading, row = table_lines(["name", "n"], [["a\x1bb", "1"]])

    assert (heading, row) == ("name    n", r"a\x1bb  1")


def test_bars_draw_names_as_text(monkeypatch, capsys):
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=400, color_system=None)
    monkeypatch.setattr("rich.console.Console", lambda **_: console)
    with progress_bars.Bars().stage(f"Reading [bold]{HOSTILE}", 3, "clips") as on_progress:
        on_progress(3)
    progress_bars.Bars().say(HOSTILE)

    assert r"[bold]a\x1b[2Jb" in drawn.getvalue()
    assert raw_in(drawn.getvalue()) <= {"\x1b", "\r"}  # those by which rich draws
    assert "\x1b[2J" not in drawn.getvalue()
    assert raw_in(capsys.readouterr().err) == set()


def test_a_warning_shows_no_name_raw(tmp_path):
    with warned(UserWarning) as caught:
        stand_in_for(tmp_path / HOSTILE)

    assert raw_in(str(caught[0].message)) == set()


class Seen(HTMLParser):
    """What a browser would take for elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


ATTACK = "\"><script>alert(1)</script><img src=x onerror='x'>" + AS_UTF8


def test_a_page_takes_names_for_text(monkeypatch):
    template = """{% extends "page.html.j2" %}
        {% import "parts.html.j2" as parts %}
        {% from "charts.html.j2" import chart_figure, count_bars, interval_bars %}
        {% block content %}
        {{ name }}{{ parts.facts_table({name: name}) }}{{ parts.report_table(table) }}
        {{ chart_figure(chart, name) }}{{ count_bars(counts) }}{{ interval_bars(name, [group]) }}
        {{ parts.clip_card(clip) }}
        {% endblock %}"""
    monkeypatch.setattr(templates(), "loader", ChoiceLoader([DictLoader({"hostile": template}), templates().loader]))
    name, chart = ATTACK, histogram([(ATTACK, np.arange(5.0))], ATTACK)
    whole = Interval(value=1, low=1, high=1)
    group = {"name": name, "auc": whole, "share_overlooked": whole}
    head = Head(title=name, verdict=name, totals=name, commands=[name], notes=[name], kind="audit")
    picture = Picture(address=name, axes=chart.axes, shades=(0, 1))
    clip = ShownClip(event_id=name, condition=name, state=name, place=name, picture=picture, sound=name, score=name)
    table = Table(name=name, heading=[name], rows=[[name]])
    values = {"name": name, "chart": chart, "counts": [(name, name, 1)], "group": group, "clip": clip, "table": table}
    shown = page("hostile", head, None, values)

    assert raw_in(shown) == set()
    assert "script" not in Seen(shown).tags
    assert "onerror" not in Seen(shown).attributes
    assert "<script>alert(1)</script>" in Seen(shown).text


@pytest.mark.parametrize("name", [path.name for path in TEMPLATES.iterdir()])
def test_no_template_lets_anything_through_unescaped(name):
    written = (TEMPLATES / name).read_text(encoding="utf-8")

    assert not re.search(r"\|\s*safe|autoescape|Markup", written)
    assert not re.search(r"""=\{\{|<(style|script)[^>]*>[^<]*\{\{""", written)  # every attribute is quoted


def test_the_page_of_an_audit_takes_folders_and_labels_for_text(capsys, tmp_path):
    folder = tmp_path / "mine"
    for split in ("train", "test"):
        place = folder / "<b onclick=x>\x1b[2J" / split / "\u202e<script>"
        write_wav(place / "normal_id_01_00000001.wav", np.ones(4000, np.int16))
    page = page_of(audit(folder))
    ran = toyadmos(capsys, "audit", folder, "--workers", "1")

    assert raw_in(page + ran.out + ran.err) == set()
    assert not Seen(page).tags & {"script", "b"}
    assert "<b onclick" in Seen(page).text


def front_of(card: str) -> object:
    return yaml.safe_load(card.split("\n---\n", maxsplit=1)[0].removeprefix("---\n"))


def test_the_card_of_a_recipe_takes_notes_and_settings_for_text():
    shared = shared_of(replace(planned(), notes=(MARKUP, HOSTILE)), "ToyTrain")
    hostile = replace(shared, request={MARKUP: MARKUP, "x": HOSTILE}, versions={MARKUP: HOSTILE})
    card, plain = recipe_card(hostile, f"s3://{MARKUP}"), recipe_card(shared, "s3://a/b")

    assert raw_in(card) == set()
    assert front_of(card) == front_of(plain)
    assert card.splitlines().count("---") == 2
    assert [line for line in card.splitlines() if line.startswith("#")] == [
        line for line in plain.splitlines() if line.startswith("#")
    ]
    assert r"\<script>" in card


def test_the_card_of_a_dataset_takes_the_name_of_a_users_recipe_for_text(prepared, tmp_path, capsys):
    table = read_recipe(prepared / "recipe.parquet").examples.select(["config", "split", "recording_ids"])
    clean = table.filter(pa.compute.equal(table["config"], "clean")).replace_schema_metadata(None)
    recipe = tmp_path / (MARKUP.replace("/", "") + "\x1b\u202e.parquet")
    with recipe.open("wb") as file:
        pq.write_table(clean, file)
    shutil.copytree(prepared.parent / "source", tmp_path / "source")
    ran = toyadmos(
        capsys, "prepare", "--toy", "train", "--source", "source", "--recipe", recipe, "--out", "o", "--workers", "1"
    )
    card = (tmp_path / "o" / "README.md").read_text(encoding="utf-8")

    assert (ran.status, ran.err) == (0, "")
    assert raw_in(card) == set()
    assert front_of(card)["configs"][0]["config_name"] == "clean"
    assert r"\<script>alert(1)\<script> \[x\](javascript:1) \| \`code\`" in card
    assert card.splitlines().count("---") == 2
    assert "license: mit" not in card.splitlines()
    assert toyadmos(capsys, "verify", "o", "--workers", "1").status == 0


def test_the_cause_of_a_system_is_shown_visibly(capsys, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(5, f"Input/output error of {HOSTILE}", os.fsencode(HOSTILE))

    monkeypatch.setattr("toyadmos_datasets.auditing.audit", fail)
    ran = toyadmos(capsys, "audit", "x")

    assert ran.status == 1
    assert raw_in(ran.err) == set()
