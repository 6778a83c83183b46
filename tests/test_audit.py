"""An audit finds from the data what a plan would never admit: here, rows that contradict the names they come with."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from auditing import first_changed, found_in
from rewriting import in_split, rewritten

from toyadmos_datasets.auditing import audit
from toyadmos_datasets.values.recipe import Recipe, read_recipe, write_recipe


def test_a_prepared_dataset_is_clean(prepared):
    report = audit(prepared)

    assert report.is_clean
    assert not report.has_leak
    assert report.kind == "dataset"
    assert {(one.config, one.split, one.label) for one in report.counts} == {
        (config, split, label)
        for config in ("clean", "snr_6db")
        for split, label in (("train", "normal"), ("test", "normal"), ("test", "anomalous"))
    }
    assert sum(one.n_clips for one in report.counts) == 20
    assert {(one.config, one.split) for one in report.levels} == {("clean", "test"), ("snr_6db", "test")}
    (snr,) = report.snrs
    assert (snr.config, snr.requested_db, snr.n_clips) == ("snr_6db", 6.0, 10)
    assert snr.largest_error_db < 0.01


def test_workers_change_nothing(prepared):
    one, two = (audit(prepared, workers=workers) for workers in (1, 2))

    assert one.as_json() == two.as_json()
    assert one.clips == two.clips


def test_a_damaged_clip_called_normal_is_found(prepared, rows_by_split, tmp_path):
    damaged = next(row for row in rows_by_split["clean/test"] if row["label"] == 1)
    in_train = rewritten(
        prepared, tmp_path / "train", in_split("clean/train", lambda rows: [*rows, damaged | {"label": 0}])
    )
    in_test = rewritten(
        prepared, tmp_path / "test", in_split("clean/test", lambda rows: [row | {"label": 0} for row in rows])
    )

    leaks = found_in(audit(in_train), "leak")
    (said,) = leaks["A damaged clip stands among the normal ones that are learnt from."]
    assert damaged["recording_ids"][0] in said
    problems = found_in(audit(in_test), "problem")
    assert len(problems["A label contradicts the name of the recording."]) == 2
    assert problems["The test split has no anomalous clip."] == ("clean",)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"condition": "ab07"}, "A clip is not what the name of its recording says."),
        ({"event_id": "ToyTrain_case1_normal_IND_0099"}, "A clip is not what the name of its recording says."),
        ({"first_carriage": "melted"}, "The state of a part is not the damage table's."),
        ({"condition": "ab99"}, "The state of a part is not the damage table's."),
        ({"channel": 3}, "A clip is not of the microphone that it is said to be of."),
        ({"recording_ids": ["nonsense"]}, "The name of a recording is no name of the corpus."),
    ],
)
def test_columns_that_contradict_the_names_are_found(prepared, tmp_path, values, what):
    copy = rewritten(prepared, tmp_path / "copy", in_split("clean/train", first_changed(**values)))
    problems = found_in(audit(copy), "problem")

    assert what in problems
    assert all("row 0" in place for place in problems[what])


def test_noise_of_another_microphone_or_case_is_found(prepared, tmp_path):
    def other(row):
        return [re.sub("^3100011", "3100012", row["noise_recording_ids"][0]).replace("_ch1_", "_ch2_")]

    copy = rewritten(prepared, tmp_path / "copy", in_split("snr_6db/train", first_changed(noise_recording_ids=other)))

    assert "The noise of a clip was heard by other microphones." in found_in(audit(copy), "problem")


def test_a_recipe_is_audited_without_audio(prepared, tmp_path):
    recipe = read_recipe(prepared / "recipe.parquet")
    rows = recipe.examples.to_pylist()
    moved = [row | {"split": "test"} if number == 0 else row for number, row in enumerate(rows)]
    moved.append(rows[0])
    changed = Recipe(examples=pa.Table.from_pylist(moved, schema=recipe.examples.schema), parameters=recipe.parameters)
    write_recipe(changed, tmp_path / "changed.parquet")

    assert audit(prepared / "recipe.parquet").is_clean
    report = audit(tmp_path / "changed.parquet")
    assert report.kind == "recipe"
    assert "An event stands on two sides." in found_in(report, "leak")
