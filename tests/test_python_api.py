"""The commands as functions: plain values, Python's words, and progress where somebody looks."""

from __future__ import annotations

import inspect
import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_type_hints

import datasets
import numpy as np
import pytest
from wording import refused

import toyadmos_datasets as toyadmos
from toyadmos_datasets.api import keywords, progress_bars
from toyadmos_datasets.api.progress_bars import TqdmBars, chosen_progress
from toyadmos_datasets.api.python_words import in_python_words, python_text_of
from toyadmos_datasets.cli import command_table
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import NameGrammarError, OptionError, ToyAdmosError
from toyadmos_datasets.jobs.requests import prepare_options
from toyadmos_datasets.options.declaration import options_of
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.options.place_options import PlaceOptions
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.options.render_options import Encoding, LogMel, RenderOptions
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions

COMMANDS = sorted(set(command_table.COMMANDS) - {"cache", "fetch-recipe", "recipe"})
DECLARED = {
    keywords.FetchKeywords: (FetchChoices,),
    keywords.PrepareKeywords: (PlanOptions, PlaceOptions, Encoding, RenderOptions, LogMel, FetchChoices),
    keywords.TrainKeywords: (TrainOptions,),
    keywords.EvaluateKeywords: (EvaluateOptions,),
}
ARGUMENTS = {"toy", "source", "out", "executor"}
"""Named in the functions' own signatures, or of Python alone."""


@pytest.mark.parametrize("kind", DECLARED, ids=lambda one: one.__name__)
def test_the_keywords_for_type_checkers_are_the_declared_options(kind):
    declared = {one.keyword for source in DECLARED[kind] for one in options_of(source).values()}

    assert set(get_type_hints(kind)) - ARGUMENTS == declared - ARGUMENTS


@pytest.mark.parametrize("name", [*COMMANDS, "rebuild"])
def test_each_command_is_a_function_whose_help_fits_a_screen(name):
    function = getattr(toyadmos, name)
    lines = [*str(inspect.signature(function)).split(", "), *inspect.getdoc(function).splitlines()]

    assert len(lines) <= 50
    assert "Args:" in function.__doc__


def test_listing_the_package_shows_public_names_only():
    assert dir(toyadmos) == sorted(toyadmos.__all__)


EQUAL = {
    "numbers": [{"snr": 6}, {"snr": 6.0}, {"snr": [6]}, {"snr": (np.float32(6),)}, {"snr": np.array([6])}],
    "none": [{"snr": 0.0}, {"snr": -0.0}],
    "names": [{"protocol": "basic"}, {"protocol": ["basic"]}, {"protocol": ("basic",)}],
    "microphones": [{"channels": 1}, {"channels": "1"}],
    "microphones of one clip": [{"channels": "1,3"}, {"channels": (1, 3)}, {"channels": [1, 3]}],
    "rates": [{"rate": 16_000}, {"rate": 16_000.0}, {"rate": np.int32(16_000)}],
    "cases": [{"cases": 2}, {"cases": [2]}, {"cases": range(2, 3)}],
}


@pytest.mark.parametrize("wishes", EQUAL.values(), ids=EQUAL)
def test_equal_wishes_are_equal_requests(wishes, tmp_path):
    kinds = DECLARED[keywords.PrepareKeywords]
    base = {"toy": "train", "out": str(tmp_path), "protocol": "basic"}
    made = [prepare_options(keywords.fields_of(base | one, *kinds)) for one in wishes]
    requests = [one.plan.as_parameters() | one.render.as_request() for one in made]

    assert all(repr(one) == repr(requests[0]) for one in requests)


def test_equal_options_are_equal_however_they_are_made():
    assert PlanOptions(toy="train", protocols=("basic",), snrs_db=(6,)) == PlanOptions(
        toy="ToyTrain", protocols=("basic",), snrs_db=(6.0,)
    )


WRONG = {
    "a level": ({"snr_reference": "loud"}, "snr_reference="),
    "a rate": ({"rate": 10}, "rate="),
    "a seed": ({"seed": -1}, "seed="),
    "no number": ({"snr": "six"}, "snr="),
    "no switch": ({"stems": "yes"}, "stems="),
    "half a case": ({"cases": 1.5}, "cases="),
    "a bool for a number": ({"draws": True}, "draws="),
    "a file": ({"recipe": 3}, "recipe="),
    "features": ({"n_mels": 64}, "features="),
    "another name": ({"snrs": 6}, "snrs="),
    "no processes": ({"workers": 0}, "workers="),
}


@pytest.mark.parametrize(("given", "where"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_in_pythons_words(given, where, tmp_path):
    with refused(OptionError) as caught:
        toyadmos.plan("train", source="simulate:tiny", out=tmp_path / "out", **({"protocol": "basic"} | given))

    assert caught.value.where == where
    assert "--" not in str(caught.value)


def test_a_name_that_is_nearly_right_is_suggested():
    with refused(OptionError) as caught:
        toyadmos.plan("train", snr_refrence="clip")

    assert caught.value.expected == "snr_reference="


TEXTS = {
    "toyadmos prepare --help": "help(toyadmos_datasets.prepare)",
    "Add: --protocol few-shot": "Add: protocol='few-shot'",
    "--protocol basic or --protocol few-shot": "protocol='basic' or protocol='few-shot'",
    "Leave --source out.": "Leave source= out.",
    "Type: toyadmos plan --toy car, which is cheap.": "Type: toyadmos_datasets.plan(toy='car'), which is cheap.",
    "Read it, then add --accept-license.": "Read it, then add accept_license=True.",
    "toyadmos verify 'my data' --toy train": "toyadmos_datasets.verify('my data', toy='train')",
    "toyadmos recipe rebuild a.toyrecipe --source SRC --out DIR": (
        "toyadmos_datasets.rebuild('a.toyrecipe', source='SRC', out='DIR')"
    ),
    "toyadmos prepare --toy car --no-keep-archives": "toyadmos_datasets.prepare(toy='car', keep_archives=False)",
    "Make room, then run the same command again.": "Make room, then run the same command again.",
}


@pytest.mark.parametrize(("typed", "called"), TEXTS.items())
def test_commands_become_calls(typed, called):
    assert python_text_of(typed) == called


def test_an_error_stays_the_same_error():
    error = ToyAdmosError("..", where="--snr")
    with pytest.raises(ToyAdmosError) as caught, in_python_words():
        raise error

    assert caught.value is error
    assert error.where == "snr="


STEM = "3100010007_ToyTrain_case1_normal_IND_ch1_0007"
PLACE = "ToyTrain/case1/NormalSound_IND"


@pytest.mark.parametrize(
    "name",
    [
        STEM,
        f"{STEM}.wav",
        Path(f"/data/{PLACE}/{STEM}.wav"),
        "\\".join(["D:", *PLACE.split("/"), STEM]),
        f"elsewhere/{STEM}.WAV",
    ],
)
def test_names_ids_and_paths_are_parsed_alike(name):
    assert toyadmos.parse_name(name).recording_id == STEM


def test_the_name_of_noise_is_parsed_without_its_folder():
    assert toyadmos.parse_name("N_ToyTrain_case1_noise_CNT_ch2_0003").sound == "noise"


def test_a_path_that_contradicts_its_name_is_refused():
    with refused(NameGrammarError):
        toyadmos.parse_name(f"/data/ToyTrain/case2/NormalSound_IND/{STEM}.wav")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def report(place: Path) -> toyadmos.PrepareReport:
    return toyadmos.prepare(
        "train",
        source="simulate:tiny",
        protocol="basic",
        snr=6,
        max_events=2,
        out=place / "train",
        cache=str(place / "cache"),
        executor=ThreadPoolExecutor(1),
    )


def test_one_call_prepares_and_another_finds_it_done(report, place):
    again = toyadmos.prepare(
        "ToyTrain", source="simulate:tiny", protocol=["basic"], snr=[6.0], max_events=2, out=str(place / "train"),
        cache=place / "cache", workers=1, progress=False,
    )  # fmt: skip

    assert report.configs == ["clean", "snr_6db"]
    assert (report.was_done, again.was_done) == (False, True)


def test_reports_are_a_line_and_a_table(report, place):
    shown = [report, toyadmos.verify(place / "train"), toyadmos.audit(place / "train", progress=False)]

    for one in shown:
        assert repr(one).startswith(f"{type(one).__name__}(")
        assert len(repr(one)) < 300
        assert one._repr_html_().startswith("<table>")
    assert "<td>snr_6db</td>" in report._repr_html_()


def test_the_other_functions_take_paths_and_texts_alike(report, place):
    found = toyadmos.index(next(place.glob("cache/simulated/*/tree")), toy="train", progress=False)
    planned = toyadmos.plan(
        "train", source="simulate:tiny", out=place / "new", cache=place / "cache", progress=False, protocol="basic"
    )
    exported = toyadmos.export(place / "train", layout="wav", out=str(place / "wav"), progress=False)

    assert found.n_recordings == len(found.table)
    assert planned.state == "new"
    assert exported.config == "clean"
    assert toyadmos.protocols()[0].name == "waspaa2019"


def test_bars_are_drawn_where_somebody_looks_and_datasets_draws_some(monkeypatch):
    monkeypatch.setattr(progress_bars, "_is_notebook", lambda: True)
    assert isinstance(chosen_progress(None), TqdmBars)
    assert isinstance(chosen_progress(progress=False), Quiet)
    own = Quiet()
    assert chosen_progress(own) is own

    datasets.disable_progress_bars()
    try:
        assert isinstance(chosen_progress(None), Quiet)
    finally:
        datasets.enable_progress_bars()


def test_a_bar_shows_what_is_done(capsys):
    with TqdmBars().stage("Rendering", 10, "clips") as on_progress:
        on_progress(4)
        on_progress(10)
    TqdmBars().say("a word")

    shown = capsys.readouterr().err
    assert "Rendering" in shown
    assert "10/10" in shown
    assert "a word" in shown


def test_the_example_runs_and_what_mypy_refuses_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TOYADMOS_CACHE", str(tmp_path / "cache"))
    example = Path(__file__).parents[1] / "docs" / "examples" / "prepare_in_python.py"  # mypy checks it strictly
    runpy.run_path(str(example))["main"](str(tmp_path / "out"))

    shown = capsys.readouterr().out
    assert "PrepareReport(" in shown
    assert "expected: snr=" in shown
