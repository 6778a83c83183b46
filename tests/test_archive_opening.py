from __future__ import annotations

import errno
import os
from pathlib import Path

import crafted
import pytest
from crafted import CraftedFile, CraftedFolder, clip
from wording import refused

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.errors import SourceError, SourceNotFoundError, VolumeError

CONTENT = crafted.archive([CraftedFolder([CraftedFile(clip(1), b"sound")])])


def plant(folder):
    file = folder / clip(1)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"sound")


def test_a_folder_with_the_toys_folder_is_a_tree(tmp_path):
    plant(tmp_path)

    assert open_source(tmp_path, "ToyTrain").kind == "tree"
    assert open_source(str(tmp_path / "ToyTrain"), "ToyTrain").kind == "tree"


@pytest.mark.parametrize("n_volumes", [0, 1, 3])
def test_a_folder_with_the_archive_is_volumes(tmp_path, n_volumes):
    source = open_source(crafted.write(tmp_path, CONTENT, n_volumes=n_volumes), "ToyTrain")

    assert source.kind == "volumes"
    assert [member.path for member in source.members()] == [clip(1)]


def test_the_archive_or_its_first_volume_may_be_named(tmp_path):
    crafted.write(tmp_path / "split", CONTENT, n_volumes=3)
    crafted.write(tmp_path / "whole", CONTENT)

    split = open_source(tmp_path / "split/ToyTrain.7z.001", "ToyTrain")
    whole = open_source(tmp_path / "whole/ToyTrain.7z", "ToyTrain")

    assert split.identity == whole.identity


def test_volumes_in_a_folder_of_the_toys_name_are_volumes(tmp_path):
    crafted.write(tmp_path / "ToyTrain", CONTENT, n_volumes=2)

    assert open_source(tmp_path / "ToyTrain", "ToyTrain").kind == "volumes"


def test_the_folder_of_a_relative_place_has_its_name_too(tmp_path, monkeypatch):
    plant(tmp_path)
    monkeypatch.chdir(tmp_path / "ToyTrain")

    assert open_source(".", "ToyTrain").kind == "tree"


def test_a_tree_and_an_archive_at_one_place_are_an_error_that_says_how_to_name_one(tmp_path):
    plant(tmp_path)
    crafted.write(tmp_path, CONTENT, n_volumes=2)

    with refused(SourceError) as caught:
        open_source(tmp_path, "ToyTrain")

    assert str(tmp_path / "ToyTrain.7z.001") in caught.value.remedy
    assert open_source(tmp_path / "ToyTrain", "ToyTrain").kind == "tree"
    assert open_source(tmp_path / "ToyTrain.7z.001", "ToyTrain").kind == "volumes"


def test_a_whole_archive_may_be_named_beside_its_volumes(tmp_path):
    crafted.write(tmp_path, CONTENT, n_volumes=2)
    crafted.write(tmp_path, CONTENT)

    with refused(VolumeError):
        open_source(tmp_path, "ToyTrain")
    assert open_source(tmp_path / "ToyTrain.7z", "ToyTrain").location == str(tmp_path / "ToyTrain.7z")


@pytest.mark.parametrize("name", ["nowhere", "", "ToyTrain.7z.002", "notes.txt", "empty/ToyTrain"])
def test_a_place_with_nothing_of_the_toy_is_an_error_that_says_what_was_looked_for(tmp_path, name):
    crafted.write(tmp_path, CONTENT, toy="ToyCar", n_volumes=2)
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "empty/ToyTrain").mkdir(parents=True)

    with refused(SourceNotFoundError) as caught:
        open_source(tmp_path / name, "ToyTrain")

    assert caught.value.where == str(tmp_path / name)
    assert caught.value.expected == (
        "the folder ToyTrain, or the volumes ToyTrain.7z.001 and the following, or ToyTrain.7z"
    )
    assert "toyadmos simulate --toy train" in caught.value.remedy


def test_where_another_toy_is_the_error_names_it(tmp_path):
    crafted.write(tmp_path, CONTENT, toy="ToyCar", n_volumes=2)

    with refused(SourceNotFoundError) as caught:
        open_source(tmp_path, "ToyTrain")

    assert "--toy car if that was meant" in caught.value.remedy


def test_where_a_folder_inside_has_the_volumes_the_error_says_what_to_type(tmp_path):
    crafted.write(tmp_path / "my volumes", CONTENT, n_volumes=2)

    with refused(SourceNotFoundError) as caught:
        open_source(tmp_path, "ToyTrain")

    assert caught.value.remedy.startswith(f"Type --source '{tmp_path / 'my volumes'}'. ")


def test_a_later_volume_cannot_be_named_for_all(tmp_path):
    crafted.write(tmp_path, CONTENT, n_volumes=3)

    with refused(SourceNotFoundError):
        open_source(tmp_path / "ToyTrain.7z.002", "ToyTrain")


def test_a_folder_beside_which_others_keep_theirs_to_themselves_has_nothing_of_the_toy(tmp_path, monkeypatch):
    def stat(path, **options):
        if "theirs" in str(path) and Path(path).name != "theirs":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path, **options)

    (tmp_path / "theirs").mkdir()
    original = os.stat
    monkeypatch.setattr(os, "stat", stat)

    with refused(SourceNotFoundError):
        open_source(tmp_path, "ToyTrain")


def test_the_home_of_nobody_is_a_place_with_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with refused(SourceNotFoundError) as caught:
        open_source("~nobody-of-this-name/ToyTrain", "ToyTrain")

    assert caught.value.where == str(tmp_path / "~nobody-of-this-name/ToyTrain")


def test_a_missing_source_can_be_caught_as_the_built_in_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "nowhere", "ToyTrain")
