"""The recipe as a value: its hash, its file, what is noticed when the file changes."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe, read_recipe, write_recipe

PRINT_A_HASH = """
import sys
from pathlib import Path
from toyadmos_datasets.values.recipe import read_recipe
print(read_recipe(Path(sys.argv[1])).sha256)
"""

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,7}[a-z]", fullmatch=True)
ids = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/\\"), min_size=1, max_size=8)
mixings = st.fixed_dictionaries({"snr_db": st.floats(-100, 100)}) | st.fixed_dictionaries(
    {"target_gain_db": st.floats(-100, 100), "noise_gain_db": st.floats(-100, 100)}
)
noises = st.tuples(
    mixings,
    st.fixed_dictionaries(
        {
            "noise_recording_ids": st.lists(ids, min_size=1, max_size=4),
            "noise_position": st.floats(0, 1, exclude_max=True),
        }
    ),
).map(lambda both: both[0] | both[1])
nothing = {
    "noise_recording_ids": [],
    "noise_position": None,
    "target_gain_db": None,
    "noise_gain_db": None,
    "snr_db": None,
}


def with_noise_for_each(one: dict[str, object]) -> dict[str, object]:
    """Leave as many noise recordings as there are recordings."""
    n = min(len(one["recording_ids"]), len(one["noise_recording_ids"]))
    return (
        one | {"recording_ids": one["recording_ids"][:n], "noise_recording_ids": one["noise_recording_ids"][:n]}
        if n
        else one
    )


windows = st.just((None, None)) | st.tuples(st.integers(0, 2**40), st.integers(1, 2**40))
rows = st.tuples(
    st.fixed_dictionaries(
        {
            "config": names,
            "split": st.sampled_from(["train", "test"]),
            "label": st.sampled_from(["normal", "anomalous"]),
            "toy": st.sampled_from(["ToyCar", "ToyConveyor", "ToyTrain"]),
            "case": st.integers(1, 4),
            "channel": st.integers(0, 4),
            "recording_type": st.just("IND"),
            "condition": st.sampled_from(["normal", "ab01"]),
            "take": st.integers(0, 9999),
            "event_id": ids,
            "draw": st.integers(0, 9),
            "recording_ids": st.lists(ids, min_size=1, max_size=4),
        }
    ),
    windows.map(lambda both: dict(zip(("target_start", "target_length"), both, strict=True))),
    st.just({"target_gain_db": 0.0}) | noises,
).map(lambda parts: with_noise_for_each(nothing | parts[0] | parts[1] | parts[2]))
tables = st.lists(rows, max_size=6).map(lambda some: pa.Table.from_pylist(some, schema=RECIPE_SCHEMA))


def row(number: int = 1, **changes: object) -> dict[str, object]:
    """An example as planners write them."""
    return {
        "config": "clean",
        "split": "train",
        "label": "normal",
        "toy": "ToyTrain",
        "case": 1,
        "channel": 1,
        "recording_type": "IND",
        "condition": "normal",
        "take": number,
        "event_id": f"ToyTrain_case1_normal_IND_{number:04d}",
        "draw": 0,
        "recording_ids": [f"310000{number:04d}"],
        "target_start": None,
        "target_length": None,
        "noise_recording_ids": [],
        "noise_position": None,
        "target_gain_db": 0.0,
        "noise_gain_db": None,
        "snr_db": None,
    } | changes


def recipe(*some: dict[str, object], **parameters: object) -> Recipe:
    return Recipe(
        examples=pa.Table.from_pylist(list(some or [row()]), schema=RECIPE_SCHEMA),
        parameters={"toy": "ToyTrain", "seed": 0} | parameters,
        notes=("A note.",),
    )


def test_the_hash_is_the_one_that_recipes_were_published_with():
    noisy = row(2, noise_recording_ids=["n1", "n2"], noise_position=0.125, noise_gain_db=10.0, snr_db=-6.0)

    assert recipe(row(), noisy).sha256 == "954b63d210bd6016f97acccf01ec0eeffc24c31e9a943e2cab317f111914adde"


@settings(max_examples=40)
@given(tables, st.lists(st.integers(0, 6), max_size=4))
def test_the_hash_does_not_depend_on_how_arrow_chunks_the_table(table, cuts):
    bounds = sorted({0, len(table), *(min(cut, len(table)) for cut in cuts)})
    pieces = [table.slice(start, end - start) for start, end in itertools.pairwise(bounds)]
    chunked = pa.concat_tables([table.slice(0, 0), *pieces])

    assert Recipe(examples=chunked, parameters={}).sha256 == Recipe(examples=table, parameters={}).sha256


def test_the_hash_does_not_depend_on_dictionaries_nor_on_what_stands_behind_a_null():
    plain = pa.table(recipe(row(1), row(2), row(3, snr_db=6.0)).examples)
    encoded = plain.set_column(0, "config", plain["config"].dictionary_encode())
    behind = pa.array(np.array([7.0, 8.0, 6.0]), mask=np.array([True, True, False]))
    other = encoded.set_column(plain.column_names.index("snr_db"), "snr_db", behind)

    assert Recipe(examples=other, parameters={}).sha256 == Recipe(examples=plain, parameters={}).sha256


@settings(max_examples=40)
@given(tables, tables)
def test_only_equal_examples_have_equal_hashes(one, other):
    same = Recipe(examples=one, parameters={}).sha256 == Recipe(examples=other, parameters={}).sha256

    assert same == (repr(one.to_pylist()) == repr(other.to_pylist()))


@pytest.mark.parametrize(
    "change",
    [
        {"noise_recording_ids": ["x"]},
        {"recording_ids": ["310000", "0001"]},
        {"target_gain_db": 0.0000001},
        {"target_gain_db": None},
        {"snr_db": 0.0},
        {"noise_position": 0.0},
        {"channel": 2},
        {"label": "anomalous"},
    ],
)
def test_every_column_counts(change):
    assert recipe(row(**change)).sha256 != recipe(row()).sha256


def test_the_order_of_the_examples_counts():
    assert recipe(row(1), row(2)).sha256 != recipe(row(2), row(1)).sha256


def test_what_was_asked_for_counts_and_the_notes_do_not():
    plain = recipe()

    assert recipe(seed=1).sha256 != plain.sha256
    assert Recipe(examples=plain.examples, parameters=plain.parameters).sha256 == plain.sha256


@settings(max_examples=25)
@given(tables)
def test_a_recipe_comes_back_as_it_was_written(tmp_path_factory, table):
    path = tmp_path_factory.getbasetemp() / "round.parquet"
    written = Recipe(examples=table, parameters={"toy": "ToyCar", "snrs_db": [6.0]}, notes=("One.", "Two."))
    write_recipe(written, path)

    found = read_recipe(path)

    assert found.examples.to_pylist() == written.examples.to_pylist()
    assert found.examples.schema.equals(RECIPE_SCHEMA)
    assert (found.parameters, found.notes, found.sha256) == (written.parameters, written.notes, written.sha256)


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_another_process_finds_the_same_hash(tmp_path, hash_seed):
    write_recipe(recipe(), tmp_path / "recipe.parquet")

    printed = subprocess.run(
        [
            sys.executable,
            "-c",
            PRINT_A_HASH,
            str(tmp_path / "recipe.parquet"),
        ],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.strip() == recipe().sha256


def test_the_same_recipe_gives_the_same_file(tmp_path):
    for name in ("one", "two"):
        write_recipe(recipe(), tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_row_that_was_changed_since_is_an_error(tmp_path):
    path = tmp_path / "recipe.parquet"
    write_recipe(recipe(), path)
    table = pq.read_table(path)
    label = pa.array(["anomalous"])
    pq.write_table(table.set_column(2, table.schema.field("label"), label), path)

    with refused(DatasetError) as caught:
        read_recipe(path)

    assert caught.value.where == str(path)


def test_parameters_that_were_changed_since_are_an_error(tmp_path):
    path = tmp_path / "recipe.parquet"
    write_recipe(recipe(), path)
    _change_header(path, lambda header: header["parameters"].update(seed=9))

    with refused(DatasetError):
        read_recipe(path)


def test_a_newer_version_is_an_error_that_says_so(tmp_path):
    path = tmp_path / "recipe.parquet"
    write_recipe(recipe(), path)
    _change_header(path, lambda header: header.update(version=5))

    with refused(DatasetError):
        read_recipe(path)


@pytest.mark.parametrize("fault", ["truncated", "empty", "text", "no header", "no hash", "other columns"])
def test_what_is_no_recipe_is_an_error(tmp_path, fault):
    path = tmp_path / "recipe.parquet"
    write_recipe(recipe(), path)
    table = pq.read_table(path)
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[:-20])
    elif fault in {"empty", "text"}:
        path.write_text("" if fault == "empty" else "no parquet")
    elif fault == "no header":
        pq.write_table(table.replace_schema_metadata(None), path)
    elif fault == "no hash":
        pq.write_table(
            table.replace_schema_metadata({"toyadmos_recipe": table.schema.metadata[b"toyadmos_recipe"]}), path
        )
    else:
        pq.write_table(table.drop_columns(["snr_db"]), path)

    with refused(DatasetError):
        read_recipe(path)


def test_a_recipe_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DatasetError, match=r"none\.parquet"):
        read_recipe(tmp_path / "none.parquet")


def test_every_flipped_byte_of_a_recipe_is_noticed_or_harmless(tmp_path):
    path = tmp_path / "recipe.parquet"
    write_recipe(recipe(row(1), row(2)), path)
    whole = path.read_bytes()
    expected = recipe(row(1), row(2))

    for place in range(0, len(whole), 13):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        found = _read_or_none(path)
        assert found is None or found.sha256 == expected.sha256, place


def test_configs_are_named_in_order_of_appearance_and_recordings_once():
    noisy = row(1, config="snr_6db", noise_recording_ids=["n2", "n1"])

    made = recipe(row(2), row(1), noisy)

    assert made.configs == ["clean", "snr_6db"]
    assert made.recording_ids == ["3100000001", "3100000002", "n1", "n2"]


def test_a_recipe_without_examples_needs_nothing():
    empty = Recipe(examples=RECIPE_SCHEMA.empty_table(), parameters={})

    assert (empty.configs, empty.recording_ids) == ([], [])


def _change_header(path, change) -> None:
    table = pq.read_table(path)
    header = json.loads(table.schema.metadata[b"toyadmos_recipe"])
    change(header)
    pq.write_table(
        table.replace_schema_metadata(table.schema.metadata | {b"toyadmos_recipe": json.dumps(header)}), path
    )


def _read_or_none(path) -> Recipe | None:
    try:
        return read_recipe(path)
    except DatasetError:
        return None
