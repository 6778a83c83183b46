"""What a plan can be asked for, and what is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.json import canonical_json
from toyadmos_datasets.plan import PlanOptions


@pytest.mark.parametrize(
    ("option", "expected", "changes"),
    [
        ("--protocol", "waspaa2019, basic", {"protocols": ()}),
        ("--protocol", "waspaa2019, basic", {"protocols": ("dcase",)}),
        ("--protocol", "each value once", {"protocols": ("basic", "basic")}),
        ("--channels", "1, 2, 3, 4, mix, all", {"channels": "5"}),
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
        ("--as-printed", "--protocol waspaa2019", {"protocols": ("basic",), "is_as_printed": True}),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_could_be(option, expected, changes):
    with pytest.raises(OptionError) as caught:
        PlanOptions(toy="ToyTrain", **changes)

    assert (caught.value.where, caught.value.expected) == (option, expected)
    assert caught.value.remedy == "toyadmos prepare --help"


def test_an_snr_with_fixed_gains_alone_is_refused_with_what_to_add():
    with pytest.raises(OptionError, match="the protocol mixes with fixed gains") as caught:
        PlanOptions(toy="ToyTrain", snrs_db=(6.0,))

    assert caught.value.remedy == "Add: --protocol basic"


def test_an_unknown_toy_is_refused():
    with pytest.raises(OptionError, match="There is no such toy"):
        PlanOptions(toy="ToyBoat")


def test_the_conveyor_has_no_fourth_case():
    with pytest.raises(OptionError, match=r"expected: 1, 2, 3\n"):
        PlanOptions(toy="ToyConveyor", cases=(4,))


@given(
    st.lists(st.integers(-10_000, 10_000), unique=True, max_size=4),
    st.sampled_from(["1", "2", "3", "4", "mix", "all", None]),
    st.none() | st.sets(st.integers(1, 4), min_size=1).map(lambda some: tuple(sorted(some))),
    st.integers(-(2**63), 2**64),
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

    assert parameters.keys() == set(PlanOptions.__slots__)
    assert f'"seed":{seed}' in canonical_json(parameters)
