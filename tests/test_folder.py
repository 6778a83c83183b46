"""What may be written in an output folder, what is kept of a run that was cut, and what is never touched."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from preparing import hashes, listing
from wording import refused

from toyadmos_datasets.errors import BusyError, ClippingError, DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.files import job_folder
from toyadmos_datasets.files.atomic import temporary_path
from toyadmos_datasets.files.checked_json import write_json
from toyadmos_datasets.files.lock import LOCK_NAME
from toyadmos_datasets.rendering.output_folder import OutputFolder
from toyadmos_datasets.values.manifest import Manifest, Shard, read_manifest
from toyadmos_datasets.values.recipe import Recipe, read_recipe

JOB = {"recipe_sha256": "1f"}
SHARD = "data/clean/train-00000-of-00002.parquet"


@pytest.fixture
def folder(tmp_path: Path) -> OutputFolder:
    """A folder that does not exist yet."""
    return OutputFolder(path=tmp_path / "out", request={"seed": 0, "protocols": ("basic",)})


@pytest.fixture
def whole(prepared: Path, tmp_path: Path) -> OutputFolder:
    """A copy of a prepared dataset, with the request that it was prepared with."""
    shutil.copytree(prepared, tmp_path / "out")
    return OutputFolder(path=tmp_path / "out", request=read_manifest(prepared).request)


def other(folder: OutputFolder) -> OutputFolder:
    return replace(folder, request=folder.request | {"seed": 1})


def finish(folder: OutputFolder, path: str, content: bytes) -> Shard:
    """Leave a finished shard in a folder, as rendering does."""
    place = folder.partial / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    config, name = path.split("/")[1:]
    shard = Shard(
        path=path, config=config, split=name.split("-")[0], n_rows=1, n_bytes=len(content), sha256="0" * 64, n_clipped=0
    )
    write_json(folder.note_for(path), asdict(shard))
    return shard


def finish_copies(folder: OutputFolder) -> tuple[Manifest, Recipe, str]:
    """Leave copies of a whole dataset's shards as finished ones; return what its commit takes."""
    manifest = read_manifest(folder.path)
    for shard in manifest.shards:
        finish(folder, shard.path, (folder.path / shard.path).read_bytes())
    return manifest, read_recipe(folder.path / "recipe.parquet"), (folder.path / "README.md").read_text()


def fail_while_holding(folder: OutputFolder, *finished: str, error: Exception | None = None) -> None:
    with folder.held():
        folder.begin(JOB)
        for path in finished:
            finish(folder, path, b"PAR1")
        raise error or ZeroDivisionError


@pytest.mark.parametrize("is_there", [False, True])
def test_an_absent_or_empty_folder_is_new(folder, is_there):
    if is_there:
        folder.path.mkdir()

    assert folder.state(overwrite=False) == "new"


def test_looking_at_a_folder_makes_nothing(folder, tmp_path):
    folder.state(overwrite=False)

    assert list(tmp_path.iterdir()) == []


def test_hidden_files_of_others_are_no_obstacle(folder):
    folder.path.mkdir()
    (folder.path / ".gitignore").write_text("*\n")

    assert folder.state(overwrite=False) == "new"


@pytest.mark.parametrize("name", ["thesis.tex", "data", "README.md", "manifest.txt"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_files_of_others_is_refused_and_stays_as_it_is(folder, name, overwrite):
    folder.path.mkdir()
    (folder.path / name).write_text("years of work")
    before = listing(folder.path)
    with pytest.raises(OutputConflictError) as caught:
        folder.state(overwrite=overwrite)

    assert caught.value.actual == name
    assert "Choose another folder with --out; nothing was touched." in str(caught.value)
    assert listing(folder.path) == before


def test_a_file_instead_of_the_folder_is_an_invalid_argument(folder):
    folder.path.write_text("years of work")
    with refused(OptionError) as caught:
        folder.state(overwrite=True)

    assert caught.value.remedy == "Choose a folder with --out."


def test_a_folder_inside_a_file_is_an_invalid_argument(tmp_path):
    (tmp_path / "thesis").write_text("years of work")
    with refused(OptionError) as caught:
        OutputFolder(path=tmp_path / "thesis" / "data" / "train", request={}).state(overwrite=False)

    assert caught.value.where == str(tmp_path / "thesis")


def test_the_dataset_that_is_asked_for_is_done(whole):
    assert whole.state(overwrite=False) == "done"


def test_a_file_of_the_user_beside_a_finished_dataset_is_no_obstacle_to_finding_it_done(whole):
    (whole.path / "notes.txt").write_text("listen to ab07 again")

    assert whole.state(overwrite=False) == "done"


def test_a_dataset_with_other_options_is_a_conflict_that_names_them_and_the_way_on(whole):
    with pytest.raises(OutputConflictError) as caught:
        other(whole).state(overwrite=False)

    assert (caught.value.expected, caught.value.actual) == ("seed=1", "seed=0")
    assert [flag in str(caught.value.remedy) for flag in ("--out", "--overwrite", "--add")] == [True, True, True]


def test_overwrite_replaces_a_dataset(whole):
    assert other(whole).state(overwrite=True) == "replace"


@pytest.mark.parametrize("place", ["notes.txt", "data/notes.txt", "data/clean/mine.parquet", "data/clean/sub/a"])
def test_replacing_is_refused_while_files_of_others_lie_inside(whole, place):
    (whole.path / place).parent.mkdir(exist_ok=True)
    (whole.path / place).write_text("years of work")
    with pytest.raises(OutputConflictError) as caught:
        whole.state(overwrite=True)

    assert caught.value.actual == place


def test_a_shard_that_went_missing_is_noticed_with_its_hash_and_what_mends_it(whole):
    shard = read_manifest(whole.path).shards[0]
    (whole.path / shard.path).unlink()
    with refused(DatasetError) as caught:
        whole.state(overwrite=False)

    assert shard.sha256 in caught.value.expected
    assert "same command and --overwrite" in caught.value.remedy
    assert whole.state(overwrite=True) == "replace"


def test_a_manifest_that_is_damaged_can_be_replaced(whole):
    (whole.path / "manifest.json").write_text("{")
    with pytest.raises(DatasetError, match="--overwrite"):
        whole.state(overwrite=False)

    assert whole.state(overwrite=True) == "replace"


def test_a_cut_run_is_found_by_the_same_request(folder):
    folder.begin(JOB)

    assert folder.state(overwrite=False) == "cut"


def test_a_cut_run_with_other_options_is_a_conflict_and_stays(folder):
    folder.begin(JOB)
    finish(folder, SHARD, b"PAR1")
    before = listing(folder.path)
    with refused(OutputConflictError) as caught:
        other(folder).state(overwrite=False)

    assert "--overwrite" in caught.value.remedy
    assert listing(folder.path) == before
    assert other(folder).state(overwrite=True) == "new"


def test_a_cut_run_whose_job_cannot_be_read_is_an_error_that_says_how_to_go_on(folder):
    folder.begin(JOB)
    (folder.partial / "job.json").write_text("{")
    with pytest.raises(DatasetError, match="--overwrite"):
        folder.state(overwrite=False)

    assert folder.state(overwrite=True) == "new"


def test_finished_shards_are_kept_for_the_same_job(folder):
    folder.begin(JOB)
    shard = finish(folder, SHARD, b"PAR1")

    assert folder.begin(JOB) == {SHARD: shard}


def test_finished_shards_are_dropped_when_anything_changed_that_their_bytes_follow_from(folder):
    folder.begin(JOB)
    finish(folder, SHARD, b"PAR1")
    kept = folder.begin(JOB | {"versions": {"soxr": "2"}})

    assert kept == {}
    assert not (folder.partial / SHARD).exists()


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PAR")])
def test_a_noted_shard_that_is_not_there_or_not_whole_is_not_kept(folder, harm):
    folder.begin(JOB)
    finish(folder, SHARD, b"PAR1")
    harm(folder.partial / SHARD)

    assert folder.begin(JOB) == {}


def test_what_was_being_written_when_a_run_was_killed_is_removed(folder):
    folder.begin(JOB)
    finish(folder, SHARD, b"PAR1")
    half = temporary_path((folder.partial / SHARD).parent)
    half.write_bytes(b"PA")
    folder.begin(JOB)

    assert not half.exists()


def test_a_commit_puts_the_shards_in_place_and_leaves_no_trace_of_the_work(whole):
    before = hashes(whole.path)
    whole.begin(JOB)
    facts = finish_copies(whole)
    temporary_path(whole.partial / "data" / "clean").write_bytes(b"left by a worker that outlived its driver")
    whole.commit(*facts)

    assert hashes(whole.path) == before
    assert [path.name for path in whole.path.rglob(".*")] == [LOCK_NAME]


def test_the_shards_of_a_commit_that_was_cut_are_kept_for_the_same_job(whole, monkeypatch):
    whole.begin(JOB)
    facts = finish_copies(whole)
    with monkeypatch.context() as patch:
        patch.setattr(job_folder, "sync_folder", lambda folder: 1 / (folder != whole.path))
        with pytest.raises(ZeroDivisionError):
            whole.commit(*facts)
    with whole.held():
        kept = whole.begin(JOB)

    assert list(kept) == sorted(shard.path for shard in facts[0].shards)
    assert whole.state(overwrite=True) == "replace"


def test_a_replacement_that_was_cut_before_its_first_shard_leaves_the_whole_dataset_alone(whole):
    before = hashes(whole.path)
    whole.begin(JOB)
    whole.begin(JOB)

    assert hashes(whole.path) == before


def test_a_folder_that_was_made_for_a_run_that_failed_is_removed_with_its_parents(tmp_path):
    folder = OutputFolder(path=tmp_path / "a" / "b" / "out", request={})
    with pytest.raises(ZeroDivisionError):
        fail_while_holding(folder)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_before_a_failure_stays(folder):
    folder.path.mkdir()
    with pytest.raises(ZeroDivisionError):
        fail_while_holding(folder)

    assert [path.name for path in folder.path.iterdir()] == [LOCK_NAME]


def test_finished_shards_stay_after_a_failure(folder):
    with pytest.raises(ZeroDivisionError):
        fail_while_holding(folder, SHARD)

    assert list(folder.begin(JOB)) == [SHARD]


@pytest.mark.parametrize("kind", [ClippingError, OptionError])
def test_nothing_stays_after_a_failure_that_only_other_options_mend(folder, kind):
    with pytest.raises(kind):
        fail_while_holding(folder, SHARD, error=kind("This cannot be."))

    assert not folder.path.exists()


def test_a_failure_while_another_holds_the_folder_leaves_it_to_them(folder):
    with folder.held(), refused(BusyError), folder.held():
        pass

    assert folder.path.exists()
