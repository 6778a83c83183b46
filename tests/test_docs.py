"""What is documented exists, and what exists is documented."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from option_table import RENEWED, commands_of
from preparing import toyadmos

from toyadmos_datasets.cli.main import app
from toyadmos_datasets.options.declaration import options_of
from toyadmos_datasets.options.plan_options import PlanOptions

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "cli.md").read_text(encoding="utf-8")
PROGRAM = typer.main.get_command(app)


ALL = commands_of(PROGRAM)
COMMANDS = sorted(ALL)
EVERYWHERE = {"--help", "-h", "--json", "--debug"}


def section(command: str) -> str:
    """Return what the page says of a command."""
    return PAGE.split(f"\n## toyadmos {command}\n", 1)[1].split("\n## ", 1)[0]


def flags_of(command: str) -> set[str]:
    """Return every spelling of every option of a command."""
    parameters = ALL[command].params
    spelled = {word for one in parameters for word in (*one.opts, *one.secondary_opts)}
    return {word for word in spelled if word.startswith("-")} - EVERYWHERE


def documented_in(text: str) -> set[str]:
    """Return the options that have a row in a table."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `-")]
    return {word for row in rows for word in re.findall(r"`(--?[a-zV-]+)`", row)}


def examples_in(text: str) -> list[list[str]]:
    lines = [line.strip() for line in text.splitlines() if line.startswith("    toyadmos ")]
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("name", RENEWED)
def test_the_tables_of_options_are_what_the_commands_and_declarations_give(name):
    page = (DOCS / name).read_text(encoding="utf-8")

    assert RENEWED[name](page) == page, "To renew the pages: python tests/support/option_table.py"


def test_every_command_has_a_section_and_every_section_a_command():
    assert sorted(re.findall(r"^## toyadmos ([\w-]+(?: \w+)?)$", PAGE, re.MULTILINE)) == COMMANDS


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "plan"])
def test_every_option_is_documented_and_every_documented_option_exists(command):
    assert documented_in(section(command)) == flags_of(command)


def test_plan_has_the_options_of_prepare_as_its_section_says():
    assert "Takes all options of `prepare`." in section("plan")
    assert flags_of("plan") == flags_of("prepare")


def test_the_options_of_the_program_are_documented():
    parameters = {word for one in PROGRAM.params for word in one.opts}

    assert parameters | EVERYWHERE == documented_in(PAGE.split("\n## ", 1)[0])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_json(command):
    parameters = ALL[command].params

    assert any("--json" in one.opts for one in parameters)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_a_command_are_of_that_command_and_have_options_that_it_has(command):
    examples = examples_in(section(command))

    assert examples
    for words in examples:
        assert " ".join(words).startswith(f"{command} ") or words == command.split()
        assert {word for word in words if word.startswith("--")} <= flags_of(command) | EVERYWHERE


EXAMPLE = re.compile(r"^\| `(--[a-z-]+)`.*\| `(--[^`]*)` \|$", re.MULTILINE)


@pytest.mark.parametrize("row", EXAMPLE.findall(section("prepare")), ids=lambda row: row[1])
def test_the_example_of_an_option_is_taken(capsys, tmp_path, row):
    option, example = row
    words = shlex.split(example)
    required = [] if option == "--toy" else ["--toy", "train"]
    required += [] if option == "--source" else ["--source", str(tmp_path / "nowhere")]
    if option == "--snr-reference":
        required += ["--protocol", "basic"]
    takers = [name for one in options_of(PlanOptions).values() if one.flag == option for name in one.protocols]
    required += ["--protocol", takers[0]] if takers else []
    if option in {"--out", "--cache"}:
        words[1] = str(tmp_path / words[1].lstrip("/"))
    if option == "--source":
        words = ["--source", str(tmp_path / "nowhere")]
    ran = toyadmos(capsys, "prepare", *required, *words)

    assert words[0] == option
    # The arguments pass, and the missing source is what is wrong.
    assert ran.status == 1
    assert ran.err.startswith("error: There are no recordings of Toy")


def test_the_exit_statuses_are_those_of_the_program(capsys, tmp_path, small_tree):
    documented = [int(status) for status in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]

    assert documented == [0, 1, 2, 3, 130]
    assert toyadmos(capsys, "--version").status == 0
    assert toyadmos(capsys, "index", tmp_path / "nowhere", "--toy", "train").status == 1
    assert toyadmos(capsys, "index").status == 2
    assert toyadmos(capsys, "verify", small_tree, "--toy", "train").status == 3


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []
