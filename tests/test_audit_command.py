"""`toyadmos audit`: its exit status, tables, JSON and page."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import textwrap

from preparing import toyadmos
from rewriting import in_split, rewritten
from wording import hold_printed

from toyadmos_datasets.files.installing import install_command


def test_the_command_exits_with_1_on_a_leak_and_writes_nothing_unasked(capsys, prepared, rows_by_split, tmp_path):
    stolen = rows_by_split["clean/train"][0]
    copy = rewritten(prepared, tmp_path / "copy", in_split("clean/test", lambda rows: [*rows, stolen]))
    before = sorted(tmp_path.rglob("*"))
    leaking, clean = (toyadmos(capsys, "audit", place, "--workers", "1") for place in (copy, prepared))

    assert (leaking.status, clean.status) == (1, 0)
    assert "leak: An event stands on two sides.\n  clean: ToyTrain_case1_normal" in leaking.out
    assert leaking.out.splitlines()[-1].startswith("LEAK: ")
    assert clean.out.splitlines()[-1] == "Clean: no leak and no problem."
    assert "AUC of level alone" in clean.out
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_prints_json_and_writes_a_page_that_fetches_nothing(capsys, prepared, tmp_path):
    page = tmp_path / "audit.html"
    ran = toyadmos(capsys, "audit", prepared, "--json", "--report", page, "--workers", "1")
    found = json.loads(ran.out)
    html = page.read_text(encoding="utf-8")

    assert ran.status == 0
    assert (found["n_clips"], found["n_decoded"], found["has_leak"], found["is_clean"]) == (20, 20, False, True)
    assert html.startswith("<!doctype html>")
    assert "prefers-color-scheme: dark" in html
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|src=|@import", html)
    drawn = re.findall(r"<svg[^>]*>", html)
    assert len(drawn) == 3
    assert all('role="img" aria-label="' in one for one in drawn)


def test_the_page_needs_no_extra(prepared):
    code = f"""
        import pathlib, sys
        from toyadmos_datasets.auditing import audit
        from toyadmos_datasets.reports.audit_page import page_of
        assert page_of(audit(pathlib.Path({str(prepared)!r}))).endswith("</html>\\n")
        print({{"matplotlib", "PIL", "torch", "safetensors"}} & set(sys.modules))
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "set()\n", "")


def test_a_report_names_the_extra_that_is_missing(capsys, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name))
    ran = toyadmos(capsys, "report", tmp_path)

    assert ran.status == 1
    assert "not installed: matplotlib" in ran.err
    assert install_command("report") in ran.err


def test_where_there_is_nothing_to_audit_the_arguments_are_wrong(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    nowhere, empty = (toyadmos(capsys, "audit", tmp_path / name) for name in ("nowhere", "empty"))
    (tmp_path / "text.parquet").write_text("no recipe")
    no_recipe = toyadmos(capsys, "audit", tmp_path / "text.parquet")

    assert (nowhere.status, empty.status, no_recipe.status) == (2, 2, 1)
    hold_printed(nowhere.err)
    hold_printed(empty.err)
    hold_printed(no_recipe.err)
