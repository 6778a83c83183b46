"""What nearly is a source is answered with a command that, typed as it stands, makes it one."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import crafted
import pytest
from crafted import CraftedFile, CraftedFolder, clip

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.errors import SourceError, SourceNotFoundError

CONTENT = crafted.archive([CraftedFolder([CraftedFile(clip(n), bytes(99)) for n in (1, 2, 3)])])

NEARLY = {
    "lower case": "toytrain.7z.{:03d}",
    "a browser's names": "ToyTrain.7z.{:03d}?download=1",
    "wget's names on Windows": "ToyTrain.7z.{:03d}@download=1",
    "escaped": "ToyTrain.7z.{:03d}%3Fdownload=1",
    "second copies": "ToyTrain.7z ({0}).{0:03d}",
    "copies behind": "ToyTrain.7z.{:03d} (1)",
    "four digits": "ToyTrain.7z.{:04d}",
    "one digit": "ToyTrain.7z.{:d}",
    "parts": "ToyTrain.part{:d}.7z",
    "parts in other words": "toytrain-part{:02d}.7z",
    "another name": "ToyTrain-48k.7z.{:03d}",
}


def renamed(place: Path, shape: str) -> Path:
    crafted.write(place, CONTENT, n_volumes=3)
    for number in (1, 2, 3):
        (place / f"ToyTrain.7z.{number:03d}").rename(place / shape.format(number))
    return place


def refused(place: Path) -> str:
    """Return what the error says to do."""
    with pytest.raises(SourceError) as caught:
        open_source(place, "ToyTrain")

    assert caught.value.remedy is not None
    return caught.value.remedy


def typed(command: str) -> None:
    subprocess.run(["/bin/sh", "-ec", command], check=True, capture_output=True)


def source_in(remedy: str) -> Path:
    """Return the place that a remedy says to type, unquoted by a shell."""
    match = re.search(r"--source ('(?:[^']|'\"'\"')*'|\S+?)\.(?= |$)", remedy)
    assert match is not None, remedy
    done = subprocess.run(["/bin/sh", "-c", f"printf %s {match[1]}"], check=True, capture_output=True, text=True)
    return Path(done.stdout)


@pytest.mark.parametrize("name", NEARLY)
def test_volumes_that_are_nearly_rightly_named_are_answered_with_the_command_that_renames_them(tmp_path, name):
    place = renamed(tmp_path / "it's here", NEARLY[name])
    remedy = refused(place)
    match = re.search(r"cd .* && mv .*?(?=, then type|$)", remedy)

    assert match is not None, remedy
    typed(match[0])
    assert len(open_source(place, "ToyTrain").members()) == 3


@pytest.mark.parametrize("name", NEARLY)
def test_so_they_are_where_the_first_of_them_is_named(tmp_path, name):
    place = renamed(tmp_path / "here", NEARLY[name])
    remedy = refused(place / NEARLY[name].format(1))

    assert remedy.count("mv -- ") == 3
    assert source_in(remedy) == place


@pytest.mark.parametrize("name", ["a browser's names", "lower case"])
def test_a_volume_that_is_nearly_rightly_named_beside_others_that_are_is_answered_so_too(tmp_path, name):
    crafted.write(tmp_path, CONTENT, n_volumes=3)
    (tmp_path / "ToyTrain.7z.003").rename(tmp_path / NEARLY[name].format(3))
    remedy = refused(tmp_path)
    typed(remedy[remedy.index("cd ") :])

    assert len(open_source(tmp_path, "ToyTrain").members()) == 3


@pytest.mark.parametrize("stray", ["ToyTrain.7z.004.part", "ToyTrain.7z.001.md5", "ToyTrain.7z.001?download=1"])
def test_what_stands_beside_whole_volumes_is_no_volume(tmp_path, stray):
    crafted.write(tmp_path, CONTENT, n_volumes=3)
    (tmp_path / stray).write_bytes(b"x")

    assert len(open_source(tmp_path, "ToyTrain").members()) == 3


@pytest.mark.parametrize("name", ["toytrain.7z", "ToyTrain (1).7z", "ToyTrain.7z?download=1", "ToyTrain-48k.7z"])
def test_a_whole_archive_of_nearly_the_right_name_is_answered_with_its_rename(tmp_path, name):
    crafted.write(tmp_path, CONTENT)
    (tmp_path / "ToyTrain.7z").rename(tmp_path / name)
    remedy = refused(tmp_path)
    typed(re.search(r"cd .*?(?=, then type)", remedy)[0])

    assert len(open_source(tmp_path, "ToyTrain").members()) == 3


@pytest.mark.parametrize("name", ["ToyTrain.zip", "ToyADMOS.tar", "toytrain-48k.tar.gz"])
def test_a_corpus_that_is_packed_otherwise_is_answered_with_the_command_that_unpacks_it(tmp_path, name):
    file = tmp_path / "plain" / clip(1)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"sound")
    place = tmp_path / "my archives"
    place.mkdir()
    if name.endswith(".zip"):
        with zipfile.ZipFile(place / name, "w") as packed:
            packed.write(file, clip(1))
    else:
        with tarfile.open(place / name, "w:gz" if name.endswith("gz") else "w") as packed:
            packed.add(file, clip(1))
    remedy = refused(place)
    command = re.search(r"Unpack it: (.*), then type", remedy)[1]

    if name.endswith(".zip") and shutil.which("unzip") is None:
        pytest.skip("unzip is not installed")
    typed(command)
    assert [one.path for one in open_source(source_in(remedy), "ToyTrain").members()] == [clip(1)]


@pytest.mark.parametrize("n_volumes", [0, 3])
@pytest.mark.parametrize("folder", ["volumes", "my $archives/ToyADMOS"])
def test_volumes_that_lie_deeper_are_answered_with_their_folder(tmp_path, folder, n_volumes):
    crafted.write(tmp_path / folder, CONTENT, n_volumes=n_volumes)

    assert source_in(refused(tmp_path)) == tmp_path / folder


def test_a_place_of_other_capitals_is_answered_with_the_right_ones(tmp_path):
    crafted.write(tmp_path / "ToyADMOS/Archives", CONTENT, n_volumes=2)
    if (tmp_path / "toyadmos").exists():
        pytest.skip("this file system does not tell upper from lower case")

    assert source_in(refused(tmp_path / "toyadmos/archives")) == tmp_path / "ToyADMOS/Archives"


def test_a_later_volume_is_answered_with_the_first(tmp_path):
    crafted.write(tmp_path, CONTENT, n_volumes=3)

    assert source_in(refused(tmp_path / "ToyTrain.7z.002")) == tmp_path / "ToyTrain.7z.001"


def test_where_nothing_is_near_the_error_makes_up_nothing(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "Other.7z.001").write_text("nothing")

    with pytest.raises(SourceNotFoundError) as caught:
        open_source(tmp_path, "ToyTrain")

    assert caught.value.remedy.startswith("Give the folder that holds ToyTrain")
