"""Recordings of equal content, through the whole of `prepare`: on one side, from a tree and from volumes alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planning import event_of, index_of
from preparing import options
from tiny import TinyCorpus, wav_bytes, write_tree, write_volumes
from wording import refused

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.jobs.preparation import UNCHECKED
from toyadmos_datasets.jobs.prepare import prepare, prepared_tasks
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.jobs.preview import preview
from toyadmos_datasets.planning import PlanOptions, plan
from toyadmos_datasets.values.recipe import Recipe, read_recipe, write_recipe

CORPUS = TinyCorpus(cases=(1, 2), n_normal=8, n_anomalous=3, n_noise=4, clip_s=0.1, noise_s=0.2)
BASIC = PlanOptions(toy="ToyTrain", protocols=("basic",), snrs_db=(0.0,))
PLAIN = plan(index_of(CORPUS.names()), BASIC)
FORMS = {"tree": write_tree, "volumes": write_volumes}


def drawn(split: str, label: str = "normal", case: int = 1) -> str:
    """The first event that a split has where every sound is another."""
    examples = PLAIN.examples.to_pylist()
    return min(row["event_id"] for row in examples if (row["split"], row["label"], row["case"]) == (split, label, case))


def with_copy(files: dict[str, bytes], copy: str, of: str) -> dict[str, bytes]:
    """Give an event the sound of another, microphone by microphone."""
    sounds = {Path(member).stem: content for member, content in files.items()}
    by_event = {(event_of(stem), stem.split("_")[-2]): content for stem, content in sounds.items()}
    return {
        member: by_event[of, Path(member).stem.split("_")[-2]] if event_of(Path(member).stem) == copy else content
        for member, content in files.items()
    }


def with_doubled_noise(files: dict[str, bytes]) -> dict[str, bytes]:
    """Give the case 2 the noise of the case 1, under take numbers that are one apart."""
    copied = files
    for take in range(1, 5):
        of = f"ToyTrain_case1_noise_CNT_{take:04d}"
        copied = with_copy(copied, f"ToyTrain_case2_noise_CNT_{take % 4 + 1:04d}", of)
    return copied


def prepared(options: PrepareOptions) -> Recipe:
    prepare(options)
    return read_recipe(options.out / "recipe.parquet")


def asked(source: Path, place: Path, **changed: object) -> PrepareOptions:
    return options(source, place, **{"protocols": ("basic",), "snrs_db": (0.0,), "n_draws": 4} | changed)


def sides(recipe: Recipe, column: str) -> dict[str, set[str]]:
    """Split to the events that stand in a column of its rows."""
    found: dict[str, set[str]] = {}
    for row in recipe.examples.to_pylist():
        found.setdefault(row["split"], set()).update(map(event_of, row[column]))
    return found


def test_a_normal_clip_that_is_also_an_anomalous_one_is_for_the_test_from_a_tree_and_from_volumes(tmp_path):
    trained, broken = drawn("train"), drawn("test", "anomalous", case=2)
    files = with_copy(CORPUS.files(), trained, broken)

    found = [
        prepared(asked(write(files, tmp_path / form / "source"), tmp_path / form)) for form, write in FORMS.items()
    ]

    assert {trained, broken} <= sides(found[0], "recording_ids")["test"]
    assert trained not in sides(found[0], "recording_ids")["train"]
    assert any(note.startswith("2 events carry the same sound") for note in found[0].notes)
    assert (found[0].sha256, found[0].notes) == (found[1].sha256, found[1].notes)


@pytest.mark.parametrize("write", FORMS.values(), ids=FORMS)
def test_noise_that_two_cases_carry_under_other_take_numbers_has_one_side_or_is_refused(tmp_path, write):
    source = write(with_doubled_noise(CORPUS.files()), tmp_path / "source")

    with refused(PlanError) as caught:
        prepare(asked(source, tmp_path, snrs_db=(0.0,)))

    assert caught.value.actual == "1, because 4 recordings have the same take or the same sound"
    shared = prepared(asked(source, tmp_path, shared_noise=True))
    assert any(note.startswith("8 noise recordings carry the same sound") for note in shared.notes)


def test_one_pair_of_noise_is_one_recording_and_a_store_with_more_in_it_changes_nothing(tmp_path):
    one, other = (f"ToyTrain_case{case}_noise_CNT_{take:04d}" for case, take in ((1, 1), (2, 2)))
    source = write_tree(with_copy(CORPUS.files(), other, one), tmp_path / "source")

    fresh = prepared(asked(source, tmp_path / "fresh"))
    prepare(replace(asked(source, tmp_path / "used", channels="all"), out=tmp_path / "before"))
    used = prepared(asked(source, tmp_path / "used"))

    assert used.sha256 == fresh.sha256
    noise = sides(fresh, "noise_recording_ids")
    assert sum({one, other} <= of_split for of_split in noise.values()) == 1
    takes = [{event[-4:] for event in of_split} for of_split in noise.values()]
    assert len(takes[0] | takes[1]) == 4
    assert not takes[0] & takes[1]


def test_zeros_join_nothing(tmp_path):
    silent = wav_bytes(np.zeros(4800, dtype=np.int16))
    names = {drawn("train"), drawn("test")}
    files = {
        member: silent if event_of(Path(member).stem) in names else content
        for member, content in CORPUS.files().items()
    }

    recipe = prepared(asked(write_tree(files, tmp_path / "source"), tmp_path, snrs_db=(), n_draws=1))

    assert drawn("train") in sides(recipe, "recording_ids")["train"]
    assert not any("same sound" in note for note in recipe.notes)


def test_a_plan_joins_what_the_store_knows_and_says_what_it_could_not_check(tmp_path):
    trained, broken = drawn("train"), drawn("test", "anomalous", case=2)
    source = write_tree(with_copy(CORPUS.files(), trained, broken), tmp_path / "source")
    request = asked(source, tmp_path)

    before = preview(request)
    recipe = prepared(request)
    after = preview(request)

    assert before.notes[-1] == UNCHECKED
    assert after.notes == recipe.notes
    counts = [{(one.split, one.label): one.n_events for one in found.counts} for found in (before, after)]
    assert counts[0]["train", "normal"] - counts[1]["train", "normal"] == 1


def test_what_the_builder_renders_is_joined_too(tmp_path):
    trained, broken = drawn("train"), drawn("test", "anomalous", case=2)
    source = write_tree(with_copy(CORPUS.files(), trained, broken), tmp_path / "source")
    request = asked(source, tmp_path)

    tasks = prepared_tasks(request.preparation(open_source(source, "ToyTrain")))

    by_split = {
        split: {event for task in tasks if task.split == split for event in task.examples["event_id"].to_pylist()}
        for split in ("train", "test")
    }
    assert {trained, broken} <= by_split["test"]
    assert trained not in by_split["train"]


@pytest.mark.parametrize("column", ["recording_ids", "noise_recording_ids"])
def test_a_recipe_of_ones_own_with_one_sound_on_two_sides_is_refused_once_it_is_read(tmp_path, column):
    there = sides(PLAIN, column)
    one, other = min(there["train"]), min(event for event in there["test"] if event[-4:] != min(there["train"])[-4:])
    source = write_tree(with_copy(CORPUS.files(), other, one), tmp_path / "source")
    write_recipe(PLAIN, tmp_path / "mine.parquet")
    request = options(source, tmp_path, recipe=tmp_path / "mine.parquet")

    with refused(PlanError) as caught:
        prepare(request)

    assert all(f"_{event[len('ToyTrain_') : -5]}_ch1_{event[-4:]}" in caught.value.what for event in (one, other))
    assert caught.value.where.startswith(f"{tmp_path / 'mine.parquet'}, row ")
    assert caught.value.actual in ("train, test", "test, train")
    assert ("--shared-noise" in caught.value.remedy) == (column == "noise_recording_ids")
    assert not request.out.exists()
