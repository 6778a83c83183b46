"""Nothing is written into the toy's folder, and what is left out of a source is part of what a dataset is."""

from __future__ import annotations

from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from preparing import options, toyadmos
from tiny import TinyCorpus, write_tree, write_volumes
from wording import hold_printed, refused

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.errors import OutputConflictError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.preview import preview
from toyadmos_datasets.jobs.sources import require_outside

FILES = TinyCorpus(cases=(1, 2), n_normal=4, n_noise=3).files()
BASIC = {"protocols": ("basic",), "cases": (1,)}


@pytest.fixture
def tree(tmp_path):
    return write_tree(FILES, tmp_path / "corpus")


def everything_in(place):
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))


INSIDE = {
    "the folder itself": lambda tree: tree / "ToyTrain",
    "a new folder": lambda tree: tree / "ToyTrain/data/train",
    "a case": lambda tree: tree / "ToyTrain/case1",
    "through ..": lambda tree: tree / "ToyTrain/case1/../new",
    "through a link": lambda tree: tree.parent / "link/new",
}


@pytest.mark.parametrize("does", [prepare, preview])
@pytest.mark.parametrize("what", ["out", "cache"])
@pytest.mark.parametrize("where", INSIDE)
def test_what_would_be_written_into_the_toys_folder_is_an_error_before_anything_is_made(
    tree, tmp_path, where, what, does
):
    (tmp_path / "link").symlink_to(tree / "ToyTrain", target_is_directory=True)
    before = everything_in(tmp_path)
    wanted = options(tree, tmp_path, **BASIC, **{what: INSIDE[where](tree)})

    with refused(OutputConflictError) as caught:
        does(wanted)

    assert caught.value.where == str(INSIDE[where](tree))
    assert str(tree / "ToyTrain-out") in caught.value.remedy
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("part", ["recordings", "archives", "simulated"])
def test_a_part_of_the_cache_that_is_a_link_into_the_toys_folder_is_an_error(tree, tmp_path, part):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / part).symlink_to(tree / "ToyTrain", target_is_directory=True)

    with refused(OutputConflictError):
        prepare(options(tree, tmp_path, **BASIC))


def test_a_folder_elsewhere_that_a_link_in_the_tree_leads_to_is_the_toys_too(tree, tmp_path):
    (tree / "ToyTrain/case2").rename(tmp_path / "disk2")
    (tree / "ToyTrain/case2").symlink_to(tmp_path / "disk2", target_is_directory=True)

    with refused(OutputConflictError):
        prepare(options(tree, tmp_path, **BASIC, out=tmp_path / "disk2/out"))


def test_a_renamed_folder_and_one_cases_folder_are_kept_from_writing_too(tree):
    (tree / "ToyTrain").rename(tree / "mine")
    source = open_source(tree / "mine/case1", "ToyTrain")

    with pytest.raises(OutputConflictError):
        require_outside(source, tree / "mine/out")
    require_outside(source, tree / "out", tree, tree / "mine-out")


def test_beside_the_toys_folder_and_beside_volumes_anything_may_be_written(tree, tmp_path):
    report = prepare(options(tree, tree, **BASIC))

    assert report.out == tree / "out"
    require_outside(open_source(write_volumes(FILES, tmp_path / "v"), "ToyTrain"), tmp_path / "v/out")


def test_the_index_is_not_written_into_the_toys_folder(tree, capsys):
    ran = toyadmos(capsys, "index", tree, "--toy", "train", "--out", tree / "ToyTrain/index.parquet")

    assert ran.status != 0
    hold_printed(ran.err)
    assert not (tree / "ToyTrain/index.parquet").exists()


def test_leaving_recordings_out_makes_another_dataset_of_the_same_store(tree, tmp_path):
    whole, less, nothing = (
        options(tree, tmp_path, **BASIC, ignore=patterns) for patterns in ((), ("*ab02*",), ("no-such-file",))
    )
    prepare(whole)
    requests = [one.request(open_source(tree, "ToyTrain", ignore=one.ignore)) for one in (whole, less, nothing)]
    report = prepare(replace(less, out=tmp_path / "less"))

    assert requests[0] == requests[2] != requests[1]
    assert prepare(nothing).was_done
    assert report.ingested.n_ingested == 0
    with pytest.raises(OutputConflictError):
        prepare(less)


@pytest.mark.parametrize("kind", ["tree", "volumes"])
def test_leaving_recordings_out_is_the_same_request_apart_from_the_source_in_trees_and_volumes(tree, tmp_path, kind):
    place = tree if kind == "tree" else write_volumes(FILES, tmp_path / "volumes")
    source = open_source(place, "ToyTrain", ignore=["case2"])

    assert source.ignored == open_source(tree, "ToyTrain", ignore=["CASE2/*"]).ignored != ""


COMMANDS = {
    "prepare": ("prepare", "--source", "{}", "--protocol", "basic", "--cases", "1", "--workers", "1"),
    "plan": ("plan", "--source", "{}", "--protocol", "basic", "--cases", "1"),
    "index": ("index", "{}"),
    "protocols": ("protocols", "{}"),
    "verify": ("verify", "{}", "--workers", "1"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_a_source_leaves_out_what_is_ignored(tree, tmp_path, capsys, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOYADMOS_CACHE", str(tmp_path / "cache"))
    write_tree({"ToyTrain/mine/a song.wav": b"x", "ToyTrain/case1/NormalSound_IND/b.wav": b"x"}, tree)
    words = [word.format(tree) for word in COMMANDS[command]]

    assert toyadmos(capsys, *words, "--toy", "train").status == 1
    ran = toyadmos(capsys, *words, "--toy", "train", "--ignore", "mine", "--ignore", "*/b.wav")
    is_partial = command == "verify"  # nothing is wrong, and much of the published corpus is missing
    assert (ran.status, ran.err if ran.status else "") == (3 if is_partial else 0, "")


def test_an_index_lists_what_is_left(tree, tmp_path, capsys):
    out = tmp_path / "index.parquet"
    toyadmos(capsys, "index", tree, "--toy", "train", "--ignore", "*_case2_*", "--out", out)

    assert set(pq.read_table(out)["case"].to_pylist()) == {1}
