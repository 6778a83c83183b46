"""A recipe of the user's own: completed from the index, and refused where a rule is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import SEEDS, event_of, index_of, planned, rows
from preparing import hashes, options, toyadmos
from tiny import TinyCorpus, write_tree
from wording import hold_printed, refused

from toyadmos_datasets.errors import DatasetError, OptionError, PlanError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.planning import NONE_JOINED, EqualEvents, PlanOptions, complete_custom_recipe
from toyadmos_datasets.planning.custom_table import read_examples
from toyadmos_datasets.values.recipe import Recipe, write_recipe

CORPUS = TinyCorpus(cases=(1, 2), n_normal=3, n_noise=3)
INDEX = index_of(CORPUS.names(), n_bytes=44 + 12_000 * 2)
TRAIN = PlanOptions(toy="ToyTrain")


def recording(what: str, channel: int = 1, take: int = 1, case: int = 1) -> str:
    """Name a recording by its condition: ``normal``, ``ab01`` or ``noise``."""
    kind = "CNT" if what == "noise" else "IND"
    end = f"_ToyTrain_case{case}_{what}_{kind}_ch{channel}_{take:04d}"
    return next(one for one in INDEX["recording_id"].to_pylist() if one.endswith(end))


def noisy(**changes: object) -> dict[str, object]:
    """A row of a table that becomes a recipe."""
    return {
        "config": "mine",
        "split": "train",
        "recording_ids": [recording("normal")],
        "noise_recording_ids": [recording("noise")],
        "noise_position": 0.25,
        "snr_db": 6.0,
    } | changes


def parquet(path: Path, *some: dict[str, object]) -> Path:
    pq.write_table(pa.Table.from_pylist(list(some)), path)
    return path


def own(
    path: Path, *some: dict[str, object], choices: PlanOptions = TRAIN, joined: EqualEvents = NONE_JOINED
) -> Recipe:
    return complete_custom_recipe(read_examples(parquet(path, *some)), INDEX, choices, path, joined=joined)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "mine.parquet"


# --- what is taken


def test_what_follows_from_the_recordings_is_filled_in(path):
    (row,) = rows(
        own(path, noisy(recording_ids=[recording("ab01", channel=3)], noise_recording_ids=[recording("noise", 3)]))
    )

    assert row == {
        "config": "mine",
        "split": "train",
        "label": "anomalous",
        "toy": "ToyTrain",
        "case": 1,
        "channel": 3,
        "recording_type": "IND",
        "condition": "ab01",
        "take": 1,
        "event_id": "ToyTrain_case1_ab01_IND_0001",
        "draw": 0,
        "recording_ids": [recording("ab01", 3)],
        "target_start": None,
        "target_length": None,
        "noise_recording_ids": [recording("noise", 3)],
        "noise_position": 0.25,
        "target_gain_db": None,
        "noise_gain_db": None,
        "snr_db": 6.0,
    }


def test_a_clean_row_needs_no_more_than_config_split_and_recordings(path):
    (row,) = rows(
        own(path, {"config": "clean", "split": "test", "recording_ids": [recording("normal", c) for c in (2, 4)]})
    )

    assert (row["channel"], row["target_gain_db"], row["noise_recording_ids"], row["snr_db"]) == (0, 0.0, [], None)


def test_rows_are_put_in_the_order_of_recipes_and_repeated_draws_are_counted(path):
    test = noisy(split="test", recording_ids=[recording("ab01")], noise_recording_ids=[recording("noise", take=2)])
    later, first = noisy(recording_ids=[recording("normal", take=2)]), noisy(noise_position=0.5)

    found = rows(own(path, later, test, first, noisy(noise_position=0.75)))

    assert [(row["split"], row["take"], row["draw"], row["noise_position"]) for row in found] == [
        ("train", 1, 0, 0.5),
        ("train", 1, 1, 0.75),
        ("train", 2, 0, 0.25),
        ("test", 1, 0, 0.25),
    ]


def test_csv_says_the_same_as_parquet(tmp_path):
    some = [
        noisy(
            recording_ids=[recording("normal", c) for c in (1, 2)],
            noise_recording_ids=[recording("noise", c) for c in (1, 2)],
        )
    ]
    some.append(
        {
            **noisy(split="test", recording_ids=[recording("ab01")]),
            "noise_recording_ids": [],
            "noise_position": None,
            "snr_db": None,
        }
    )
    words = [
        {name: " ".join(value) if isinstance(value, list) else value for name, value in row.items()} for row in some
    ]
    pa_csv.write_csv(pa.Table.from_pylist(words), tmp_path / "mine.csv")

    from_csv = complete_custom_recipe(read_examples(tmp_path / "mine.csv"), INDEX, TRAIN, tmp_path / "mine.csv")

    assert from_csv.sha256 == own(tmp_path / "mine.parquet", *some).sha256


@settings(max_examples=15)
@given(st.sampled_from(["1", "mix", "all"]), st.integers(1, 2), SEEDS)
def test_a_table_of_a_planned_recipe_gives_its_rows_again_in_any_order(tmp_path_factory, channels, n_draws, seed):
    plain = planned(INDEX, "basic", snrs_db=(6.0,), channels=channels, n_draws=n_draws, seed=seed)
    place = tmp_path_factory.getbasetemp() / "table.parquet"
    some = ["config", "split", "recording_ids", "noise_recording_ids", "noise_position", "snr_db", "draw"]
    shuffled = plain.examples.select(some).sort_by([("noise_position", "descending"), ("config", "ascending")])
    pq.write_table(shuffled, place)

    found = complete_custom_recipe(read_examples(place), INDEX, TRAIN, place)

    def key(row: dict) -> str:
        return json.dumps(row, sort_keys=True)

    assert sorted(rows(found), key=key) == sorted(rows(plain), key=key)


def test_a_recipe_that_was_written_comes_back_as_it_is(path):
    written = planned(INDEX, "basic", snrs_db=(6.0,))
    write_recipe(written, path)

    found = complete_custom_recipe(read_examples(path), INDEX, TRAIN, path)

    assert (found.sha256, found.notes) == (written.sha256, written.notes)
    with refused(OptionError):
        complete_custom_recipe(read_examples(path), INDEX, PlanOptions(toy="ToyTrain", snr_reference="clip"), path)


def test_shared_noise_and_levels_may_be_said_beside_and_are_kept(path):
    shared = PlanOptions(toy="ToyTrain", shared_noise=True, channels="stack", snr_reference="active")
    both = noisy(), noisy(split="test", recording_ids=[recording("ab01")])

    parameters = own(path, *both, choices=shared).parameters

    assert {name: parameters[name] for name in ("is_noise_shared", "channels", "snr_reference", "protocols")} == {
        "is_noise_shared": True,
        "channels": "stack",
        "snr_reference": "active",
        "protocols": ["own"],
    }


# --- what is refused


@pytest.mark.parametrize(
    "changes",
    [
        {"recording_ids": ["3100010099_ToyTrain_case1_normal_IND_ch1_0099"]},
        {"noise_recording_ids": ["nothing"]},
        {"recording_ids": []},
        {"recording_ids": [recording("normal"), recording("ab01", 2)]},
        {"recording_ids": [recording("normal")] * 2},
        {"recording_ids": [recording("noise")]},
        {"noise_recording_ids": [recording("normal", take=2)]},
        {"noise_recording_ids": [recording("noise", 2)]},
        {"noise_recording_ids": [recording("noise", c) for c in (1, 2)]},
        {"noise_recording_ids": [recording("noise", case=2)]},
        {"noise_position": 1.0},
        {"noise_position": None},
        {"snr_db": None},
        {"target_gain_db": 0.0, "noise_gain_db": 0.0},
        {"snr_db": None, "target_gain_db": 0.0},
        {"snr_db": float("nan")},
        {"snr_db": -101.0},
        {"noise_recording_ids": []},
        {"target_start": 0},
        {"target_start": 6_001, "target_length": 6_000},
        {"target_start": -1, "target_length": 6_000},
        {"target_start": 0, "target_length": 0},
        {"config": "../mine"},
        {"split": "all"},
        {"split": ""},
        {"label": "anomalous"},
        {"case": 2},
        {"channel": 0},
        {"event_id": "ToyTrain_case1_normal_IND_0002"},
        {"toy": "ToyCar"},
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_and_named(path, changes):
    fine = noisy(recording_ids=[recording("normal", take=3)], draw=0)
    given = dict.fromkeys(set(changes) - set(fine))
    known = {
        "label": "normal",
        "case": 1,
        "channel": 1,
        "event_id": "ToyTrain_case1_normal_IND_0003",
        "toy": "ToyTrain",
    }
    fine |= {name: known.get(name) for name in given}

    with refused(PlanError) as caught:
        own(path, fine, noisy(draw=0, **changes))

    assert caught.value.where == f"{path}, row 2 of 2"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        (
            {"noise_recording_ids": [recording("noise", take=2)]},
            "Leave it in one",
        ),
        (
            {"recording_ids": [recording("ab01")]},
            "--shared-noise",
        ),
    ],
)
def test_what_is_on_two_sides_is_refused(path, changes, remedy):
    with refused(PlanError) as caught:
        own(path, noisy(), noisy(split="test", **changes))

    assert caught.value.actual == "train, test"
    assert remedy in caught.value.remedy


NOISES = EqualEvents(groups=(("ToyTrain_case1_noise_CNT_0001", "ToyTrain_case1_noise_CNT_0002"),))
TARGETS = EqualEvents(groups=(("ToyTrain_case1_ab01_IND_0001", "ToyTrain_case1_normal_IND_0001"),))


@pytest.mark.parametrize(
    ("joined", "pair", "remedy"),
    [
        (NOISES, [recording("noise"), recording("noise", take=2)], "--shared-noise"),
        (TARGETS, [recording("normal"), recording("ab01")], "put both in one split"),
    ],
)
@pytest.mark.parametrize("is_written", [False, True])
def test_one_sound_on_two_sides_is_refused_with_both_recordings_and_the_row(path, joined, pair, remedy, is_written):
    test = noisy(split="test", recording_ids=[recording("ab01")], noise_recording_ids=[recording("noise", take=2)])
    fine = noisy(recording_ids=[recording("normal", take=3)])
    table = own(path, fine, noisy(), test)
    if is_written:
        write_recipe(table, path)

    with refused(PlanError) as caught:
        complete_custom_recipe(read_examples(path), INDEX, TRAIN, path, joined=joined)

    assert f"several splits: {' and '.join(pair)}." in caught.value.what
    assert caught.value.where == f"{path}, row 3 of 3"
    assert caught.value.actual == "train, test"
    assert remedy in caught.value.remedy


def test_one_sound_on_one_side_or_as_noise_that_is_shared_is_a_note(path):
    both = noisy(), noisy(recording_ids=[recording("ab01")], noise_recording_ids=[recording("noise", take=2)])
    apart = both[0], both[1] | {"split": "test"}
    shared = PlanOptions(toy="ToyTrain", shared_noise=True)

    together = own(path, *both, joined=EqualEvents(groups=NOISES.groups + TARGETS.groups))
    accepted = own(path, *apart, joined=NOISES, choices=shared)

    assert [note.split(" (")[0] for note in together.notes[1:]] == [
        "2 events carry the same sound under several names",
        "2 noise recordings carry the same sound under several names",
    ]
    assert any(note.endswith("all splits share them.") for note in accepted.notes)


@pytest.mark.parametrize("is_written", [False, True])
def test_a_take_of_noise_in_two_cases_on_two_sides_is_a_note(path, is_written):
    test = noisy(
        split="test", recording_ids=[recording("ab01", case=2)], noise_recording_ids=[recording("noise", case=2)]
    )
    found = own(path, noisy(), test)
    if is_written:
        write_recipe(Recipe(examples=found.examples, parameters=found.parameters, notes=("As it was.",)), path)
        found = complete_custom_recipe(read_examples(path), INDEX, TRAIN, path)

    assert len(found.notes) == 2
    assert found.notes[1] == (
        "The recipe has 1 take of noise in several splits (such as ToyTrain_case1_noise_CNT_0001 and "
        "ToyTrain_case2_noise_CNT_0001): each may be one recording."
    )


def test_two_microphones_of_one_event_are_one_event(path):
    other = noisy(
        split="test", recording_ids=[recording("normal", 2)], noise_recording_ids=[recording("noise", 2, take=2)]
    )

    with refused(PlanError):
        own(path, noisy(), other)


def test_other_configs_may_divide_otherwise(path):
    assert len(rows(own(path, noisy(), noisy(config="other", split="test")))) == 2


def test_an_example_that_stands_twice_is_refused(path):
    with refused(PlanError):
        own(path, noisy(draw=0), noisy(draw=0, noise_position=0.5))


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"config": ["a"], "split": ["train"]}, "no column 'recording_ids'"),
        ({"config": ["a"], "split": ["train"], "recording_ids": [["x"]], "gain": [1]}, "a column 'gain'"),
        ({"config": ["a"], "split": ["train"], "recording_ids": [["x"]], "case": ["one"]}, "int8 in the column 'case'"),
        ({"config": ["a"], "split": ["train"], "recording_ids": [["x"]], "case": [300]}, "int8 in the column 'case'"),
        ({"config": ["a"], "split": [None], "recording_ids": [["x"]]}, "a value in every row of the column 'split'"),
    ],
)
def test_a_table_with_other_columns_or_types_is_refused(path, table, told):
    pq.write_table(pa.table(table), path)

    with refused(DatasetError) as caught:
        read_examples(path)

    assert told in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"\xff\xfe\x00", b"config,split,caf\xe9\na,b,c\n"])
def test_a_file_that_is_no_table_is_refused(path, content):
    path.write_bytes(content)

    with refused(DatasetError):
        read_examples(path)


def test_a_recipe_without_rows_is_refused(path):
    pq.write_table(pa.table({"config": ["a"], "split": ["b"], "recording_ids": [["x"]]}).slice(0, 0), path)

    with refused(PlanError):
        complete_custom_recipe(read_examples(path), INDEX, TRAIN, path)


# --- on the command line


def test_a_recipe_of_ones_own_is_rendered_like_any_other(tmp_path, capsys):
    tree = write_tree(CORPUS.files(), tmp_path / "tree")
    plain = options(tree, tmp_path / "plain", protocols=("basic",), snrs_db=(6.0,), max_events=1)
    prepare(plain)
    table = pq.read_table(plain.out / "recipe.parquet").replace_schema_metadata(None).drop_columns(["label", "draw"])
    pq.write_table(table, tmp_path / "mine.parquet")
    arguments = ["--toy", "train", "--source", tree, "--cache", tmp_path / "plain" / "cache", "--out", tmp_path / "out"]
    arguments += ["--recipe", tmp_path / "mine.parquet"]

    told = toyadmos(capsys, "plan", *arguments)
    ran, again = toyadmos(capsys, "prepare", *arguments), toyadmos(capsys, "prepare", *arguments)

    assert (told.status, ran.status, again.status) == (0, 0, 0), ran.err
    assert "Nothing to do" in again.out
    shards = {name: digest for name, digest in hashes(tmp_path / "out").items() if name.startswith("data/")}
    assert shards == {name: digest for name, digest in hashes(plain.out).items() if name.startswith("data/")}
    assert "The recipe is the user's own (mine.parquet)" in (tmp_path / "out" / "README.md").read_text()
    assert event_of(table["recording_ids"][0].as_py()[0]) in table["event_id"].to_pylist()


@pytest.mark.parametrize(
    "more", [["--protocol", "basic"], ["--max-events", "2"], ["--channels", "mix"], ["--seed", "1"]]
)
def test_options_that_choose_examples_beside_it_are_refused(tmp_path, capsys, more):
    place = parquet(tmp_path / "mine.parquet", noisy())

    ran = toyadmos(capsys, "prepare", "--toy", "train", "--source", tmp_path, "--recipe", place, *more)

    assert ran.status == 2
    hold_printed(ran.err)
