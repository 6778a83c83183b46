"""An invalid argument ends the program with status 2 before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from preparing import Ran, listing, toyadmos
from tiny import TinyCorpus, write_tree

from toyadmos_datasets.cli import command_table
from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.options.channel_choices import canonical_channels, is_choice_of_channels
from toyadmos_datasets.options.plan_options import PROTOCOL_NAMES, SNR_REFERENCES
from toyadmos_datasets.options.render_options import CLIP_POLICIES, ENCODINGS

PREPARING = st.sampled_from(["prepare", "plan"])
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
COMMANDS = set(command_table.COMMANDS)
CHOICES: dict[str, tuple[str, ...]] = {
    "--protocol": PROTOCOL_NAMES,
    "--channels": ("1", "2,4", "mix", "stack", "all"),
    "--snr-reference": SNR_REFERENCES,
    "--encoding": ENCODINGS,
    "--on-clip": CLIP_POLICIES,
}
NUMBERS = ("--max-events", "--seed", "--rate", "--bit-depth", "--headroom-db", "--workers")
TOY_NAMES = {name for toy in TOYS for name in (toy.short, toy.name.lower())}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    return write_tree(TinyCorpus(channels=(1,)).files(), tmp_path_factory.mktemp("tree"))


@pytest.fixture
def attempt(capsys, tree, tmp_path, monkeypatch):
    """Run a command with arguments that are all right but for what is added; make sure that it makes nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOYADMOS_CACHE", str(tmp_path / "cache"))
    before = listing(tmp_path), listing(tree)

    def attempt_with(command: str, *arguments: object) -> Ran:
        ran = toyadmos(capsys, command, "--toy", "train", "--source", tree, "--workers", "1", *arguments)

        assert ran.out == ""
        assert "Traceback" not in ran.err
        assert (listing(tmp_path), listing(tree)) == before
        return ran

    return attempt_with


def is_refused(ran: Ran, *told: str) -> bool:
    """Tell whether the status is 2, and the text one block with an advice and everything that is named."""
    lines = ran.err.splitlines()
    assert lines[0].startswith("error: ")
    assert "\n  remedy:   " in ran.err
    assert [one for one in told if one not in ran.err] == []
    return ran.status == 2


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("command", ["prepare", "plan"])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--toy", "tank"], ["--toy", "car (ToyCar), conveyor (ToyConveyor), train (ToyTrain)", "'tank'"]),
        (["--protocol", "dcase"], ["--protocol", "waspaa2019, basic", "dcase"]),
        (["--protocol", "basic", "--protocol", "basic"], ["--protocol", "each value once"]),
        (["--cases", "5"], ["--cases", "1, 2, 3, 4", "5"]),
        (["--cases", "one"], ["--cases", "numbers", "'one'"]),
        (["--cases", ""], ["--cases", "at least one case"]),
        (["--cases", "1,1"], ["--cases", "each value once"]),
        (["--channels", "5"], ["--channels", "1, 2, 3, 4, several in one clip such as 1,3, mix, stack, all", "5"]),
        (["--channels", "1,1"], ["--channels", "several in one clip such as 1,3", "1,1"]),
        (["--snr", "6"], ["--snr", "--protocol basic"]),
        (["--protocol", "basic", "--snr", "loud"], ["--snr", "numbers", "'loud'"]),
        (["--protocol", "basic", "--snr", "nan"], ["--snr", "between -100 and 100"]),
        (["--protocol", "basic", "--snr", "6,6"], ["--snr", "each value once"]),
        (["--snr-reference", "loudest"], ["--snr-reference", "corpus, clip, active"]),
        (["--protocol", "basic", "--as-printed"], ["--as-printed", "waspaa2019"]),
        (["--max-events", "0"], ["--max-events", "1 or more"]),
        (["--seed", "-1"], ["--seed"]),
        (["--rate", "10"], ["--rate"]),
        (["--encoding", "mp3"], ["--encoding", "wav or flac", "mp3"]),
        (["--bit-depth", "8"], ["--bit-depth", "16 or 24", "8"]),
        (["--headroom-db", "-3"], ["--headroom-db", "0 to 96 dB", "-3"]),
        (["--headroom-db", "nan"], ["--headroom-db"]),
        (["--on-clip", "wrap"], ["--on-clip", "error or count", "wrap"]),
        (["--workers", "0"], ["--workers"]),
        (["--source", ""], ["--source", "simulate"]),
        (["--source", "simulate:huge"], ["--source", "simulate:tiny", "simulate:huge"]),
        (["--such-an-option"], ["--such-an-option"]),
        (["another"], ["another"]),
        (["--out"], ["--out"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("-") else "",
)
def test_an_invalid_argument_is_refused_with_the_valid_ones_and_nothing_is_made(attempt, command, arguments, told):
    assert is_refused(attempt(command, *arguments), *told)


@pytest.mark.parametrize("option", ["--out", "--cache"])
@pytest.mark.parametrize("command", ["prepare", "plan"])
def test_a_file_in_the_place_of_a_folder_is_refused_and_stays(attempt, command, option, tmp_path_factory):
    taken = tmp_path_factory.mktemp("taken") / "file"
    taken.write_text("years of work")

    assert is_refused(attempt(command, option, taken), option, str(taken))
    assert taken.read_text() == "years of work"


# One folder serves all examples of a test, for nothing is ever made in it.
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


@many
@given(name=WORDS, command=PREPARING)
def test_toys_that_do_not_exist_are_refused(attempt, name, command):
    assume(name.lower() not in TOY_NAMES)

    assert is_refused(attempt(command, f"--toy={name}"), "--toy")


@many
@given(choice=st.sampled_from(sorted(CHOICES)), word=WORDS, command=PREPARING)
def test_words_that_are_no_choice_are_refused(attempt, choice, word, command):
    # A list is cut at commas and blanks, and a list of nothing is the default.
    assume(word not in CHOICES[choice])
    assume(choice != "--channels" or not is_choice_of_channels(str(canonical_channels(word))))
    assume(choice != "--protocol" or any(one not in CHOICES[choice] for one in word.replace(",", " ").split()))

    assert is_refused(attempt(command, f"{choice}={word}"), choice)


@many
@given(option=st.sampled_from(NUMBERS), word=WORDS, command=PREPARING)
def test_words_that_are_no_number_are_refused(attempt, option, word, command):
    assume(not any(character.isdigit() for character in word) and not is_number(word))

    assert is_refused(attempt(command, f"{option}={word}"), option)


@many
@given(
    case=st.one_of(
        st.tuples(st.just("--cases"), st.integers().filter(lambda case: case not in range(1, 5))),
        st.tuples(st.just("--seed"), st.integers(max_value=-1)),
        st.tuples(st.just("--workers"), st.integers(max_value=0)),
        st.tuples(st.just("--max-events"), st.integers(max_value=0)),
        st.tuples(st.just("--rate"), st.integers().filter(lambda rate_hz: not 1000 <= rate_hz <= 192_000)),
        st.tuples(st.just("--bit-depth"), st.integers().filter(lambda bits: bits not in {16, 24})),
        st.tuples(st.just("--headroom-db"), st.floats().filter(lambda headroom_db: not 0 <= headroom_db <= 96)),
        st.tuples(st.just("--snr"), st.floats().filter(lambda snr_db: not abs(snr_db) <= 100)),
    ),
    command=PREPARING,
)
def test_numbers_out_of_bounds_are_refused(attempt, case, command):
    option, value = case
    ran = attempt(command, *(["--protocol", "basic"] if option == "--snr" else []), f"{option}={value}")

    assert is_refused(ran, option)


@many
@given(word=WORDS.filter(lambda word: word.strip() and not word.startswith("-")))
def test_commands_that_do_not_exist_are_refused(capsys, word):
    assume(word not in COMMANDS)
    ran = toyadmos(capsys, word)

    assert is_refused(ran, "toyadmos --help")


@pytest.mark.parametrize(("typo", "meant"), [("prepaer", "prepare"), ("simluate", "simulate"), ("verfy", "verify")])
def test_a_typo_is_told_what_was_probably_meant(capsys, typo, meant):
    assert is_refused(toyadmos(capsys, typo), f"No such command '{typo}'", f"Did you mean: toyadmos {meant}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["prepare"], ["Missing option '--toy'.", "toyadmos prepare --help"]),
        (["index", "--toy", "train"], ["Missing argument 'SRC'."]),
        (["index", "somewhere"], ["Missing option '--toy'."]),
        (["simulate", "--toy", "train"], ["Missing option '--out'."]),
        (["simulate", "--toy", "train", "--out", "x", "--size", "huge"], ["--size", "tiny, small, medium"]),
        (["simulate", "--toy", "train", "--out", "x", "--no-tree", "--no-volumes"], ["Neither the tree nor"]),
        (["simulate", "--toy", "train", "--out", "x", "--seed", "-1"], ["--seed"]),
        (["verify"], ["--toy", "manifest.json"]),
        (["verify", "nowhere"], ["There is nothing to verify.", "no such folder", "--toy", "manifest.json"]),
        (["verify", "."], ["no prepared dataset here", "--toy", "manifest.json"]),
        (["verify", "nowhere", "--toy", "tank"], ["--toy", "'tank'"]),
    ],
    ids=" ".join,
)
def test_what_is_missing_is_named(capsys, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOYADMOS_SOURCE", raising=False)

    assert is_refused(toyadmos(capsys, *arguments), *told)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_source_is_a_failure_and_makes_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    statuses = [
        toyadmos(capsys, command, "--toy", "train", "--source", "nowhere", "--cache", "cache").status
        for command in ("prepare", "plan")
    ]

    assert statuses == [1, 1]
    assert list(tmp_path.iterdir()) == []


def test_the_source_may_come_from_the_environment(capsys, tmp_path, tree, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOYADMOS_SOURCE", str(tree))
    monkeypatch.setenv("TOYADMOS_CACHE", str(tmp_path / "cache"))

    assert toyadmos(capsys, "plan", "--toy", "train", "--protocol", "basic").status == 0
