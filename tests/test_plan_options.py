"""What a plan can be asked for, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.checked_json import canonical_json
from toyadmos_datasets.options.declaration import options_of
from toyadmos_datasets.planning import PlanOptions

NAMES = "waspaa2019, basic, leave-one-case-out, noise-shift, noise-aware, few-shot, cnt-to-ind, dcase2020"
ANY_CHANNELS = "1, 2, 3, 4, several in one clip such as 1,3, mix, stack, all"
NEAR_FIRST = "the microphones of one clip for noise-aware, the nearest first, such as 1,3"


@pytest.mark.parametrize(
    ("option", "expected", "changes"),
    [
        ("--protocol", NAMES, {"protocols": ()}),
        ("--protocol", NAMES, {"protocols": ("dcase",)}),
        ("--protocol", "each value once", {"protocols": ("basic", "basic")}),
        ("--channels", ANY_CHANNELS, {"channels": "5"}),
        ("--channels", ANY_CHANNELS, {"channels": "1,3,1"}),
        ("--channels", NEAR_FIRST, {"protocols": ("noise-aware",), "channels": "mix"}),
        ("--channels", NEAR_FIRST, {"protocols": ("noise-aware", "basic")}),
        ("--snr-reference", "corpus, clip, active", {"snr_reference": "peak"}),
        ("--snr", "each value once", {"protocols": ("basic",), "snrs_db": (6.0, 6.0)}),
        (
            "--snr",
            "decibels between -100 and 100 with at most 2 decimals",
            {"protocols": ("basic",), "snrs_db": (math.nan,)},
        ),
        (
            "--snr",
            "decibels between -100 and 100 with at most 2 decimals",
            {"protocols": ("basic",), "snrs_db": (math.inf,)},
        ),
        (
            "--snr",
            "decibels between -100 and 100 with at most 2 decimals",
            {"protocols": ("basic",), "snrs_db": (100.5,)},
        ),
        (
            "--snr",
            "decibels between -100 and 100 with at most 2 decimals",
            {"protocols": ("basic",), "snrs_db": (0.125,)},
        ),
        ("--cases", "1, 2, 3, 4", {"cases": (5,)}),
        ("--cases", "each value once", {"cases": (1, 1)}),
        ("--cases", "at least one case", {"cases": ()}),
        ("--max-events", "1 or more", {"max_events": 0}),
        ("--draws", "1 or more", {"n_draws": 0}),
        ("--draws", "noise to draw: an --snr, or a protocol with noise", {"protocols": ("basic",), "n_draws": 2}),
        ("--shots", "1 or more", {"protocols": ("few-shot",), "shots": 0}),
        ("--adapt-events", "0 or more", {"protocols": ("leave-one-case-out",), "adapt_events": -1}),
        (
            "--validation",
            "a share from 0 up to, not including, 1",
            {"protocols": ("basic",), "validation_share": 1.0},
        ),
        (
            "--validation",
            "a share from 0 up to, not including, 1",
            {"protocols": ("basic",), "validation_share": math.nan},
        ),
        (
            "--calibration",
            "less than 0.5, so that something is left for the training",
            {"validation_share": 0.5, "calibration_share": 0.5},
        ),
        ("--window-s", "0.01 to 600 seconds", {"protocols": ("cnt-to-ind",), "window_s": 0.0}),
        ("--hop-s", "0.01 to 600 seconds", {"protocols": ("cnt-to-ind",), "hop_s": math.inf}),
        (
            "--unseen-parts",
            "straight_railway_track, curved_railway_track, first_carriage, last_carriage",
            {"protocols": ("few-shot",), "unseen_parts": ("belt",)},
        ),
        (
            "--shared-noise",
            "a protocol other than noise-shift, which tests on unseen noise",
            {"protocols": ("noise-shift",), "shared_noise": True},
        ),
        (
            "--shared-noise",
            "a protocol other than noise-aware, which tests on unseen noise",
            {"protocols": ("noise-aware",), "shared_noise": True},
        ),
        ("--channels", "the paper's, for --faithful", {"faithful": True, "channels": "all"}),
    ],
)
def test_an_invalid_value_is_refused_with_the_valid_ones(option, expected, changes):
    with pytest.raises(OptionError) as caught:
        PlanOptions(toy="ToyTrain", **changes)

    assert (caught.value.where, caught.value.expected) == (option, expected)
    assert caught.value.remedy in {"toyadmos prepare --help", "Did you mean dcase2020?"}


@pytest.mark.parametrize(
    ("option", "protocols", "remedy", "changes"),
    [
        ("--snr", ("waspaa2019",), "basic", {"snrs_db": (6.0,)}),
        ("--as-printed", ("basic",), "waspaa2019", {"as_printed": True}),
        ("--faithful", ("basic", "few-shot"), "waspaa2019", {"faithful": True}),
        ("--adapt-events", ("basic",), "leave-one-case-out", {"adapt_events": 0}),
        ("--train-snr", ("basic",), "noise-shift", {"train_snrs_db": (6.0,)}),
        ("--test-snr", ("basic",), "noise-shift", {"test_snrs_db": (6.0,)}),
        ("--shots", ("basic",), "few-shot", {"shots": 2}),
        ("--unseen-parts", ("basic",), "few-shot", {"unseen_parts": ("last_carriage",)}),
        ("--window-s", ("basic",), "cnt-to-ind", {"window_s": 2.0}),
        ("--hop-s", ("basic",), "cnt-to-ind", {"hop_s": 2.0}),
        ("--supplemental-events", ("basic",), "noise-aware", {"supplemental_events": 2}),
    ],
)
def test_an_option_of_a_protocol_that_was_not_asked_for_is_refused_with_what_to_add(option, protocols, remedy, changes):
    with refused(OptionError) as caught:
        PlanOptions(toy="ToyTrain", protocols=protocols, **changes)

    assert caught.value.where == option
    assert f"--protocol {remedy}" in str(caught.value.expected)
    assert caught.value.remedy == f"Add: --protocol {remedy}"


def test_an_unknown_toy_is_refused():
    with refused(OptionError):
        PlanOptions(toy="ToyBoat")


@pytest.mark.parametrize("name", ["train", "toytrain", "ToyTrain"])
def test_a_toy_is_kept_by_its_one_name_however_it_is_called(name):
    options = PlanOptions(toy=name)

    assert options == PlanOptions(toy="ToyTrain")
    assert options.as_parameters()["toy"] == "ToyTrain"


@pytest.mark.parametrize(
    ("asked", "kept"),
    [("1, 3", "1,3"), ("3,1", "3,1"), ("1,2,3,4", "stack"), ("4,3,2,1", "4,3,2,1"), ("stack", "stack")],
)
def test_a_choice_of_microphones_is_kept_by_one_name_and_in_its_order(asked, kept):
    assert PlanOptions(toy="ToyTrain", channels=asked).as_parameters()["channels"] == kept


def test_an_option_that_came_later_stands_in_a_request_where_it_was_given_alone():
    asked = {"toy": "ToyTrain", "protocols": ("noise-aware",)}

    assert "supplemental_events" not in PlanOptions(**asked).as_parameters()
    assert PlanOptions(**asked, supplemental_events=0).as_parameters()["supplemental_events"] == 0


def test_a_near_and_a_far_microphone_are_heard_where_none_is_named():
    named = PlanOptions(toy="ToyTrain", protocols=("noise-aware",), channels="1,3")

    assert PlanOptions(toy="ToyTrain", protocols=("noise-aware",)) == named


def test_the_conveyor_has_no_fourth_case():
    with refused(OptionError):
        PlanOptions(toy="ToyConveyor", cases=(4,))


@given(
    st.lists(st.integers(-10_000, 10_000), unique=True, max_size=4),
    st.sampled_from(["1", "2", "3", "4", "mix", "all", None]),
    st.none() | st.sets(st.integers(1, 4), min_size=1).map(lambda some: tuple(sorted(some))),
    st.integers(0, 2**64),
)
def test_every_option_is_a_json_value_that_the_request_keeps(hundredths, channels, cases, seed):
    options = PlanOptions(
        toy="ToyTrain",
        protocols=("basic",),
        snrs_db=tuple(n / 100 for n in hundredths),
        channels=channels,
        cases=cases,
        seed=seed,
    )

    parameters = options.as_parameters()

    later = {one.key for one in options_of(PlanOptions).values() if not one.is_kept_at_default}
    assert list(parameters) == [one.key for one in options_of(PlanOptions).values() if one.key not in later]
    assert set(replace(options, calibration_share=0.1, balanced_test=True).as_parameters()) > set(parameters)
    assert f'"seed":{seed}' in canonical_json(parameters)
