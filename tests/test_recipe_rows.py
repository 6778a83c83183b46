"""One checker of rows: a recipe whose hash is right and whose rows are not is refused, whoever wrote it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_recipe import recipe, row
from wording import refused

from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.values import parquet_files
from toyadmos_datasets.values.recipe import FILE_SCHEMA, RECIPE_SCHEMA, Recipe, read_recipe, write_recipe
from toyadmos_datasets.values.recipe_rows import fault_of_rows

NOISY = {"noise_recording_ids": ["n1"], "noise_position": 0.5, "snr_db": 6.0, "target_gain_db": None}

INVALID = [
    {"config": "../x"},
    {"config": ""},
    {"config": "NUL"},
    {"config": "a\nb"},
    {"split": "all"},
    {"split": "a-b"},
    {"split": "train\n"},
    {"label": "broken"},
    {"toy": "ToyBoat"},
    {"case": -1},
    {"case": 0},
    {"case": 5},
    {"channel": -1},
    {"channel": 5},
    {"recording_type": "ind"},
    {"condition": "ab99"},
    {"condition": "noise"},
    {"take": -1},
    {"take": 10_000},
    {"draw": -1},
    {"draw": 2**31 - 1},
    {"event_id": "../x"},
    {"event_id": ""},
    {"recording_ids": []},
    {"recording_ids": ["a"] * 5},
    {"recording_ids": [""]},
    {"recording_ids": [None]},
    {"recording_ids": ["a/b"]},
    {"recording_ids": ["a\x1b[31m"]},
    {"target_start": -1, "target_length": 5},
    {"target_start": 0, "target_length": 0},
    {"target_start": 2**62, "target_length": 2**62},
    {"target_start": 5},
    NOISY | {"noise_recording_ids": [None]},
    NOISY | {"noise_position": 1.0},
    NOISY | {"noise_position": float("nan")},
    NOISY | {"noise_position": None},
    NOISY | {"snr_db": float("nan")},
    NOISY | {"snr_db": float("inf")},
    NOISY | {"snr_db": None},
    NOISY | {"target_gain_db": 0.0},
    {"target_gain_db": float("-inf")},
    {"snr_db": 6.0},
]


@pytest.mark.parametrize("changes", INVALID)
def test_a_recipe_with_an_invalid_row_is_refused_although_the_hash_is_right(tmp_path, changes):
    path = tmp_path / "recipe.parquet"
    write_recipe(recipe(row(1), row(2, **changes)), path)

    with pytest.raises(DatasetError) as caught:
        read_recipe(path)

    assert caught.value.where == str(path)
    assert caught.value.actual.startswith("row 2 of 2: ")


@pytest.mark.parametrize("name", [field.name for field in RECIPE_SCHEMA if not field.nullable])
def test_a_row_that_lacks_a_value_is_refused(name):
    fields = [field.with_nullable(True) for field in RECIPE_SCHEMA]
    table = pa.Table.from_pylist([row(1), row(2) | {name: None}], schema=pa.schema(fields))

    fault = fault_of_rows(table, RECIPE_SCHEMA)

    assert (fault.row, fault.what) == (1, f"The column {name!r} has no value.")


def test_what_was_left_out_is_checked_too(tmp_path):
    path = tmp_path / "recipe.parquet"
    left_out = pa.Table.from_pylist([row(2, channel=7)], schema=RECIPE_SCHEMA)
    write_recipe(Recipe(examples=recipe(row(1)).examples, parameters={}, excluded=left_out), path)

    with refused(DatasetError):
        read_recipe(path)


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.binary(), pa.dictionary(pa.int8(), pa.string())])
def test_columns_of_other_types_end_in_the_recipe_or_a_typed_error(tmp_path, kind):
    path = tmp_path / "recipe.parquet"
    write_recipe(recipe(), path)
    table = pq.read_table(path)
    for name in (one.name for one in FILE_SCHEMA if not one.nullable):
        column = pa.nulls(len(table), kind)
        pq.write_table(table.set_column(table.column_names.index(name), name, column), path)

        with refused(DatasetError):
            read_recipe(path)


@pytest.mark.parametrize("change", ["twice", "more", "garbled", "none"])
def test_other_columns_and_garbled_metadata_are_refused(tmp_path, change):
    path = tmp_path / "recipe.parquet"
    write_recipe(recipe(), path)
    table = pq.read_table(path)
    if change in {"twice", "more"}:
        table = table.append_column("split" if change == "twice" else "gain", pa.array([1]))
    else:
        metadata = None if change == "none" else dict.fromkeys(table.schema.metadata, b"\xff\x00{")
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, path)

    with pytest.raises(DatasetError) as caught:
        read_recipe(path)

    assert caught.value.where == str(path)


def test_more_rows_than_any_recipe_has_are_refused_before_they_are_read(tmp_path, monkeypatch):
    path = tmp_path / "recipe.parquet"
    write_recipe(recipe(*map(row, range(20))), path)
    monkeypatch.setattr(parquet_files, "MAX_ROWS", 10)
    monkeypatch.setattr(parquet_files, "_loaded", None)

    with pytest.raises(DatasetError) as caught:
        read_recipe(path)

    assert caught.value.actual == "20 rows"


def test_one_long_text_in_every_row_is_refused_before_it_is_written_out(tmp_path, monkeypatch):
    path = tmp_path / "recipe.parquet"
    text = "x" * 200_000
    write_recipe(recipe(*(row(number % 9999, event_id=text, recording_ids=[text]) for number in range(1_000))), path)
    monkeypatch.setattr(parquet_files, "MAX_LOADED_BYTES", 100_000_000)
    before = pa.total_allocated_bytes()

    with pytest.raises(DatasetError) as caught:
        read_recipe(path)

    assert "more than 100000000 bytes" in caught.value.actual
    assert path.stat().st_size < 2_000_000
    assert pa.total_allocated_bytes() - before < 10_000_000
