"""The wording of errors: one golden file has it, and the tests hold what a program could rely on."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from renew_wording import renewed
from wording import GOLDEN, alike, hold, read_golden, refused, wording_of, write_golden

from toyadmos_datasets.errors import OptionError, PlanError

HERE = Path(__file__).parent
PROSE = re.compile(r"[a-z]{2,}(?: |\\ )+[a-z]{2,}")
"""Two words in a row, as a sentence has them and a fact has not."""

OF_OTHERS: dict[str, str] = {}
"""Patterns of prose that stay, and whose words they are."""
FOLDER = "/folder/of/the/run"
SAID = "OptionError (option): There is no such toy.\n  where:    --toy"


def no_such_toy(what: str = "There is no such toy.") -> OptionError:
    return OptionError(what, where="--toy")


def test_an_error_in_the_golden_files_words_passes():
    with wording_of("test", {"test": [SAID]}, FOLDER), refused(OptionError, "--toy") as caught:
        raise no_such_toy()

    assert caught.value.where == "--toy"


@pytest.mark.parametrize(
    ("golden", "error"),
    [
        ({"test": [SAID]}, no_such_toy("There is not such a toy.")),
        ({"test": [SAID]}, OptionError("There is no such toy.", where="--case")),
        ({"test": [SAID, SAID]}, no_such_toy("There is no toy.")),
        ({}, no_such_toy()),
        ({"another": [SAID]}, no_such_toy()),
    ],
    ids=["another sentence", "another fact", "the first of two", "no golden entry", "the entry of another test"],
)
def test_an_error_in_other_words_fails_and_says_how_to_renew(golden, error):
    with (
        pytest.raises(pytest.fail.Exception, match=r"renew_wording\.py"),
        wording_of("test", golden, FOLDER),
        refused(OptionError),
    ):
        raise error


def test_an_error_of_another_class_or_without_its_fact_fails():
    with pytest.raises(OptionError), wording_of("test", None, FOLDER), refused(PlanError):
        raise no_such_toy()
    with pytest.raises(AssertionError), wording_of("test", None, FOLDER), refused(OptionError, "--case"):
        raise no_such_toy()
    with pytest.raises(pytest.fail.Exception), wording_of("test", None, FOLDER), refused(OptionError):
        pass


def test_an_entry_that_its_test_no_longer_meets_fails():
    with pytest.raises(AssertionError, match=r"renew_wording\.py"), wording_of("test", {"test": [SAID]}, FOLDER):
        pass


def test_the_golden_file_reads_back_as_it_was_written(tmp_path):
    wordings = {"b": ["One line.", "Two\n  lines\n\nand a blank one."], "a[x: y]": [SAID], "c": []}
    path = tmp_path / "golden.txt"
    write_golden(wordings, path)

    assert read_golden(path) == {"a[x: y]": [SAID], "b": wordings["b"]}
    assert path.read_text(encoding="utf-8").splitlines()[0] == "a[x: y]"


def test_what_differs_between_runs_is_taken_out_of_a_text(tmp_path):
    folder = str(tmp_path.parent)
    one, other = (
        alike(f"{folder}/{place}/a.wav at http://127.0.0.1:{port}/x, held by process {pid}, {free} MB free", folder)
        for place, port, pid, free in (("test_x0", 8080, 17, 1.5), ("test_x1", 9, 4711, 20))
    )

    assert one == other == "TMP/a.wav at http://127.0.0.1:PORT/x, held by process N, N free"
    assert alike("13 files, ab01, CRC32 deadbeef", folder) == "13 files, ab01, CRC32 HASH"


def test_renewing_replaces_what_ran_and_drops_what_is_gone(tmp_path):
    golden = {"ran": ["old"], "skipped": ["kept"], "gone": ["dropped"], "quiet": ["dropped"]}
    (tmp_path / "1.collected").write_text("".join(json.dumps(name) + "\n" for name in ("ran", "skipped", "quiet")))
    (tmp_path / "2.seen").write_text('["ran", ["new"]]\n["quiet", []]\n')

    assert renewed(golden, tmp_path, whole=True) == {"ran": ["new"], "skipped": ["kept"], "quiet": []}
    assert renewed(golden, tmp_path, whole=False)["gone"] == ["dropped"]


def test_every_entry_belongs_to_a_test_that_there_is():
    tests = {
        f"{path.name}::{node.name}"
        for path in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    entries = {name.partition("[")[0] for name in read_golden()}

    assert entries - tests == set(), f"{GOLDEN.name} has entries of tests that are gone: renew it"
    assert entries


def test_a_text_that_is_no_error_is_held_as_well():
    with wording_of("test", {"test": ["A warning."]}, FOLDER):
        hold("A warning.")


def patterns(path: Path) -> Iterator[tuple[int, str]]:
    """Give each pattern that a text is matched with, whatever it is made of."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "match":
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield node.lineno, part.value


def test_no_test_matches_an_errors_sentence():
    found = [
        f"{path.name}:{line}: {pattern}"
        for path in sorted(HERE.glob("test_*.py"))
        for line, pattern in patterns(path)
        if PROSE.search(pattern)
    ]

    assert found == [], "Use wording.refused: the golden file has the words.\n" + "\n".join(found)
