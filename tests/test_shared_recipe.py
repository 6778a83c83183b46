"""The file that is shared: small, whole or refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TinyCorpus
from wording import refused

from toyadmos_datasets.corpus.damage import conditions_of
from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.corpus.volumes import recording_counts
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.ingest import build_index
from toyadmos_datasets.planning import PlanOptions, plan
from toyadmos_datasets.planning.custom_table import read_examples
from toyadmos_datasets.values.manifest import SkippedRecording
from toyadmos_datasets.values.recipe import write_recipe
from toyadmos_datasets.values.shared_recipe import (
    SharedRecipe,
    SharedShard,
    is_shared_recipe,
    read_shared_recipe,
    write_shared_recipe,
)
from toyadmos_datasets.values.source import Member

WHAT = "This is not a shared recipe that this version can read"


def shared_of(recipe, toy):
    digests = [row.tobytes() for row in np.random.default_rng(0).integers(0, 256, (len(recipe.examples), 16), np.uint8)]
    shard = SharedShard(
        path="data/clean/train-00000-of-00001.parquet",
        config="clean",
        split="train",
        n_rows=4,
        n_bytes=1000,
        sha256="a" * 64,
        audio_sha256="b" * 64,
        columns_sha256="c" * 64,
    )
    return SharedRecipe(
        toy=toy,
        recipe=recipe,
        digests=pa.array(digests, pa.binary(16)),
        source={"identity": "d" * 64, "is_simulated": False, "recordings_sha256": "e" * 64},
        request={"encoding": "flac", "bit_depth": 16, "rate_hz": 16000, "headroom_db": None, "on_clip": "error"},
        versions={"numpy": "2.0"},
        headroom_db=3.0,
        shards=(shard,),
        skipped=(SkippedRecording(recording_id="x", member="y", reason="z"),),
    )


def planned(toy="ToyTrain", members=None, **options):
    members = members or [Member(path=one, n_bytes=100, crc32=1, block=0) for one in TinyCorpus(toy=toy).members()]
    return plan(build_index(members), PlanOptions(toy=toy, protocols=("basic",), **options))


@pytest.fixture(scope="module")
def shared():
    return shared_of(planned(snrs_db=(6.0,), channels="all"), "ToyTrain")


@pytest.fixture
def file(shared, tmp_path):
    path = tmp_path / "mine.toyrecipe"
    write_shared_recipe(shared, path)
    return path


def test_what_is_written_is_read(shared, file):
    again = read_shared_recipe(file)

    assert again.header() == json.loads(json.dumps(shared.header()))
    assert again.recipe.examples == shared.recipe.examples
    assert again.digests == shared.digests
    assert again.sha256 == shared.sha256
    assert is_shared_recipe(file)
    assert read_examples(file).sha256 == shared.recipe.sha256


def members_of(toy):
    """Every IND and noise recording of a toy, with the published counts."""
    for count in recording_counts(toy):
        if count.recording_type == "CNT" and count.sound != "noise":
            continue
        conditions = (
            [one for one in conditions_of(toy) if one != "normal"] if count.sound == "anomalous" else [count.sound]
        )
        for number in range(count.n_takes):
            for channel in (1, 2, 3, 4):
                name = RecordingName(
                    toy=toy,
                    case=count.case,
                    condition=conditions[number % len(conditions)],
                    recording_type=count.recording_type,
                    channel=channel,
                    take=number // len(conditions) + 1,
                )
                yield Member(path=name.member, n_bytes=1_056_044, crc32=1, block=0)


def test_the_recipe_of_the_whole_of_one_toy_clean_and_with_noise_is_under_a_megabyte_and_a_half(tmp_path):
    recipe = planned("ToyCar", list(members_of("ToyCar")), channels="all", snrs_db=(6.0,))
    path = tmp_path / "car.toyrecipe"
    write_shared_recipe(shared_of(recipe, "ToyCar"), path)

    assert len(recipe.examples) == 2 * 25_836
    assert path.stat().st_size < 1_500_000
    assert read_shared_recipe(path).recipe.sha256 == recipe.sha256


@settings(max_examples=25)
@given(data=st.data())
def test_a_file_with_a_changed_byte_is_refused_or_says_the_same(shared, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("flipped") / "mine.toyrecipe"
    write_shared_recipe(shared, path)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    try:
        again = read_shared_recipe(path)
    except DatasetError as error:
        assert str(error).startswith(WHAT)  # noqa: PT017  # either is right
    else:
        assert again.sha256 == shared.sha256
        assert again.recipe.examples == shared.recipe.examples


def rewritten(file, change):
    """Write the rows and the header again, changed, as someone would who knows Parquet."""
    table = pq.read_table(file)
    metadata = dict(table.schema.metadata)
    header = json.loads(metadata[b"toyrecipe"])
    table = change(table, header) or table
    metadata[b"toyrecipe"] = json.dumps(header).encode()
    pq.write_table(table.replace_schema_metadata(metadata), file)


def set_column(name, value):
    def change(table, _header):
        column = table[name].to_pylist()
        number = table.column_names.index(name)
        return table.set_column(
            number, table.schema.field(name), pa.array([value, *column[1:]], table.schema.field(name).type)
        )

    return change


def set_header(name, value):
    def change(_table, header):
        header[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "actual"),
    [
        (set_column("split", "test"), "it was changed"),
        (set_column("snr_db", 12.0), "it was changed"),
        (set_column("samples_digest", b"0" * 16), "it was changed"),
        (set_header("headroom_db", 0.0), "it was changed"),
        (set_header("source", {}), "it was changed"),
        (set_header("version", 5), "version 5"),
        (set_header("shards", [{"path": "x"}]), "required field"),
        (lambda table, _: table.drop_columns(["noise_position"]), "ValueError"),
        (lambda table, _: table.slice(1), "it was changed"),
    ],
)
def test_a_tampered_file_is_refused(file, change, actual):
    rewritten(file, change)

    with refused(DatasetError) as caught:
        read_shared_recipe(file)
    assert actual in caught.value.actual
    assert "toyadmos recipe export DIR -o FILE" in caught.value.remedy


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", "", ".hidden", "a/b", "a\0b"])
def test_names_that_lead_out_of_the_folder_are_refused_although_the_hash_is_right(shared, tmp_path, name):
    rows = [row | {"config": name} for row in shared.recipe.examples.to_pylist()]
    forged = replace(shared.recipe, examples=pa.Table.from_pylist(rows, schema=shared.recipe.examples.schema))
    write_shared_recipe(replace(shared, recipe=forged), tmp_path / "forged.toyrecipe")

    with refused(DatasetError):
        read_shared_recipe(tmp_path / "forged.toyrecipe")


@pytest.mark.parametrize(
    ("header", "parameters"), [(5, "ToyTrain"), (["ToyTrain"], "ToyTrain"), ("ToyTrain", ["ToyTrain"]), ("ToyTrain", 5)]
)
def test_what_is_no_toy_is_refused_although_the_hash_is_right(shared, tmp_path, header, parameters):
    recipe = replace(shared.recipe, parameters=shared.recipe.parameters | {"toy": parameters})
    path = tmp_path / "theirs.toyrecipe"
    write_shared_recipe(replace(shared, toy=header, recipe=recipe), path)

    with refused(DatasetError):
        read_shared_recipe(path)


def test_files_of_something_else_are_refused(shared, tmp_path):
    write_recipe(shared.recipe, tmp_path / "recipe.parquet")
    (tmp_path / "text.toyrecipe").write_text("no Parquet at all")
    write_shared_recipe(replace(shared, toy="ToyCar"), tmp_path / "other.toyrecipe")
    for name, actual in (
        ("recipe.parquet", "a Parquet file of something else"),
        ("text.toyrecipe", "ArrowInvalid"),
        ("other.toyrecipe", "rows of"),
        ("nowhere.toyrecipe", "FileNotFoundError"),
    ):
        with refused(DatasetError) as caught:
            read_shared_recipe(tmp_path / name)
        assert actual in caught.value.actual
    assert not is_shared_recipe(tmp_path / "recipe.parquet")
