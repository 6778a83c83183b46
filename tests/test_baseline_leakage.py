"""No clip that was trained on is tested in silence: by event, by content, by noise recording, by recipe."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from baselines import EVALUATION, NO_TORCH
from preparing import options, toyadmos
from wording import hold_printed, refused

pytest.importorskip("torch", reason=NO_TORCH)

from toyadmos_datasets.errors import DatasetError, LeakageError, OptionError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.options.presets import PAPER, changed
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions
from toyadmos_datasets.runs.comparison import compare
from toyadmos_datasets.runs.evaluation import evaluate
from toyadmos_datasets.runs.evaluations import read_metrics, read_scores
from toyadmos_datasets.runs.leakage import EvaluatedClips, LearntClips, evaluated_clips, learnt_clips
from toyadmos_datasets.runs.run_folder import read_run
from toyadmos_datasets.runs.trainer import train
from toyadmos_datasets.values.shards import open_split

SMALL = changed(PAPER, {"n_units": 8, "n_hidden": 0, "n_code": 4, "epochs": 1})


def hash_of(number: int) -> str:
    """A hash as recordings have it; no silence has it."""
    return f"{number:08x}{number:08x}8980"


@pytest.fixture(scope="module")
def divided(baseline_cache, tmp_path_factory) -> Path:
    """A dataset with two configs that divide the events in different ways, and one of them with noise, too."""
    place = tmp_path_factory.mktemp("divided")
    asked = options(Path("simulate:tiny"), place, protocols=("waspaa2019", "basic"), snrs_db=(6.0,))
    return prepare(asked).out


@pytest.fixture(scope="module")
def run(divided, tmp_path_factory) -> Path:
    """A run of the paper's experiment, of which `clean` tests an event that was trained on."""
    out = tmp_path_factory.mktemp("runs") / "run"
    train(TrainOptions(dataset=divided, out=out, config="waspaa2019", preset=SMALL, device="cpu"))
    return out


def test_a_run_keeps_what_it_was_trained_on(run, divided):
    rows = list(open_split(divided, "waspaa2019", "train").rows())

    kept = read_run(run).trained_on

    assert set(kept.events) == {row["event_id"] for row in rows}
    assert set(kept.recordings) == {one for row in rows for one in row["recording_hashes"]}
    assert set(kept.noises) == {one for row in rows for one in row["noise_recording_hashes"]}


def test_a_config_that_tests_what_was_trained_on_is_refused(run, divided):
    shared = set(read_run(run).trained_on.events) & {
        row["event_id"] for row in open_split(divided, "clean", "test").rows()
    }
    with refused(LeakageError, min(shared), f"{len(shared)} of 20 test events", "--allow-overlap") as caught:
        evaluate(EvaluateOptions(run=run, config="clean", device="cpu"))

    assert caught.value.code == "leakage"
    assert not (run / EVALUATION).exists()


def test_an_overlap_that_was_allowed_is_marked_in_every_table_file_and_page(run, tmp_path, capsys):
    mark = "OVERLAP: 1 of 20 test events were trained on"
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    allowed = ("--allow-overlap",)

    evaluated = toyadmos(capsys, "evaluate", copy, "--config", "clean", "--device", "cpu", *allowed)
    compared = toyadmos(
        capsys, "compare", copy, copy, *allowed, "--csv", tmp_path / "t.csv", "--latex", tmp_path / "t.tex"
    )
    reported = toyadmos(capsys, "report", copy, "-o", tmp_path / "run.html", *allowed)

    assert [evaluated.status, compared.status, reported.status] == [0, 0, 0], evaluated.err + compared.err
    for text in (evaluated.out, compared.out, *(path.read_text() for path in sorted(tmp_path.glob("*.*")))):
        assert mark in text
    metrics = json.loads((copy / EVALUATION / "metrics.json").read_text())
    assert len(metrics["evaluated"]["overlap"]["events"]) == 1


def test_an_overlap_that_was_allowed_once_is_refused_where_it_is_read(run, tmp_path, capsys):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    evaluate(EvaluateOptions(run=copy, config="clean", device="cpu", allow_overlap=True))

    for command in (("compare", copy, copy), ("report", copy, "-o", tmp_path / "run.html")):
        ran = toyadmos(capsys, *command)

        assert ran.status == 1
        hold_printed(ran.err)
    assert not (tmp_path / "run.html").exists()


def test_metrics_that_tell_of_no_overlap_are_not_believed(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    evaluate(EvaluateOptions(run=copy, config="clean", device="cpu", allow_overlap=True))
    path = copy / EVALUATION / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["evaluated"]["overlap"]["events"] = []
    path.write_text(json.dumps(metrics))

    with pytest.raises(LeakageError):
        compare(copy, copy)


def test_the_test_of_the_trainings_own_config_is_tested_as_it_is(trained):
    evaluated = read_metrics(trained / EVALUATION)

    assert evaluated.overlap.is_clean
    assert evaluated.overlap.n_events == len(set(read_scores(trained)["event_id"].to_pylist()))


def test_a_run_without_event_ids_is_refused(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    content = json.loads((copy / "run.json").read_text())
    content["trained_on"] = {"events": [], "recordings": [], "noises": []}
    (copy / "run.json").write_text(json.dumps(content))
    with refused(LeakageError):
        evaluate(EvaluateOptions(run=copy, device="cpu"))

    found = evaluate(EvaluateOptions(run=copy, device="cpu", allow_overlap=True))
    assert found.evaluated.overlap.mark == "OVERLAP: it is not known what was trained on"


def test_a_run_of_an_earlier_version_is_refused(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    content = json.loads((copy / "run.json").read_text())
    del content["trained_on"]
    (copy / "run.json").write_text(json.dumps(content | {"schema_version": 2}))
    with pytest.raises(DatasetError) as caught:
        evaluate(EvaluateOptions(run=copy, device="cpu"))

    assert (caught.value.expected, caught.value.actual) == ("schema_version 4", "2")


def scores_of(divided: Path, config: str, place: Path) -> Path:
    rows = open_split(divided, config, "test").rows()
    place.write_text("event_id,score\n" + "".join(f"{row['event_id']},{row['peak']}\n" for row in rows))
    return place


def test_scores_of_a_method_that_was_trained_on_the_test_are_refused(divided, tmp_path, capsys):
    asked = ("--scores", scores_of(divided, "clean", tmp_path / "s.csv"), "--dataset", divided, "--config", "clean")

    leaking = toyadmos(capsys, "evaluate", tmp_path / "run", *asked, "--trained-on", "waspaa2019")
    assert leaking.status == 1
    hold_printed(leaking.err)
    assert not (tmp_path / "run").exists()

    assert toyadmos(capsys, "evaluate", tmp_path / "run", *asked).status == 0
    assert read_run(tmp_path / "run").trained_on == learnt_clips([open_split(divided, "clean", "train")])


def test_scores_of_methods_that_were_trained_on_different_configs_do_not_share_a_run(divided, tmp_path, capsys):
    for config, trained_on, status in (("clean", "clean", 0), ("snr_6db", "clean", 0), ("snr_6db", "snr_6db", 1)):
        scores = scores_of(divided, config, tmp_path / f"{config}.csv")
        asked = ("--scores", scores, "--dataset", divided, "--config", config, "--trained-on", trained_on)
        ran = toyadmos(capsys, "evaluate", tmp_path / "run", *asked)

        assert ran.status == status, ran.err
    hold_printed(ran.err)
    assert {one.name for one in (tmp_path / "run/evaluations").iterdir()} == {"clean", "snr_6db"}


def test_what_a_model_was_trained_on_is_not_said_by_the_user(tmp_path):
    with refused(OptionError, "--trained-on"):
        EvaluateOptions(run=tmp_path, trained_on="clean")


def test_one_recording_under_two_names_is_an_overlap():
    learnt = LearntClips(events=("a",), recordings=(hash_of(1),), noises=())
    tested = EvaluatedClips(recordings={"b": {hash_of(1)}, "c": {hash_of(2)}}, noises=(), recipe_rows=("-", "-"))

    assert tested.overlap(learnt).events == ("b",)
    assert tested.overlap(learnt).n_events == 2


def test_a_noise_recording_on_both_sides_is_an_overlap():
    learnt = LearntClips(events=("a",), recordings=(), noises=(hash_of(7), hash_of(8)))
    tested = EvaluatedClips(recordings={"b": {hash_of(1)}}, noises=(hash_of(8), hash_of(9)), recipe_rows=("-",))

    found = tested.overlap(learnt)

    assert not found.is_clean
    assert found.mark == "OVERLAP: 1 of 2 test noise recordings were trained on"


def test_noise_that_the_protocol_lets_splits_share_is_no_overlap(divided, baseline_cache, tmp_path):
    asked = options(
        Path("simulate:tiny"),
        tmp_path,
        protocols=("basic",),
        snrs_db=(6.0,),
        shared_noise=True,
        out=tmp_path / "shared",
    )
    shared = prepare(asked).out

    assert evaluated_clips(open_split(divided, "snr_6db", "test")).noises
    assert evaluated_clips(open_split(shared, "snr_6db", "test")).noises == ()


def test_clips_of_other_recipes_are_not_paired(trained, tmp_path):
    other = Path(shutil.copytree(trained, tmp_path / "other"))
    table = read_scores(trained)
    rows = ["0" * 32, *table["recipe_row"].to_pylist()[1:]]
    place = table.schema.get_field_index("recipe_row")
    pq.write_table(table.set_column(place, "recipe_row", pa.array(rows)), other / EVALUATION / "scores.parquet")

    with refused(OptionError, f"1 of {len(table)} rows", table["event_id"][0].as_py()):
        compare(trained, other)


def test_a_recipes_rows_are_known_at_any_rate_and_differ_by_what_is_mixed(simulated_train, baseline_cache, tmp_path):
    slower = prepare(options(Path("simulate:tiny"), tmp_path, protocols=("basic",), channels="1", rate_hz=8000)).out
    here, there = (
        evaluated_clips(open_split(place, "clean", "test")).recipe_rows for place in (simulated_train, slower)
    )

    assert here == there
    assert len(set(here)) == len(here)


def test_one_event_at_two_snrs_has_two_recipe_rows(divided):
    clean, noisy = (
        set(evaluated_clips(open_split(divided, config, "test")).recipe_rows) for config in ("clean", "snr_6db")
    )

    assert not clean & noisy
