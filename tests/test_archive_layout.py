"""Every layout that people keep gives the members and the index of the published one, as a tree and as an archive."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import crafted
import pytest
from crafted import CraftedFile, CraftedFolder
from test_archive_names import HIDDEN
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.tree_source import MAX_DEPTH
from toyadmos_datasets.errors import IndexConflictError, NameGrammarError, SourceError, SourceNotFoundError
from toyadmos_datasets.ingest import build_index

SHAPE = TinyCorpus(cases=(1, 2), n_normal=2)
MEMBERS = SHAPE.members()
CARS = TinyCorpus(toy="ToyCar", n_normal=1).members()


def below(folder: str):
    """Put all that is in the toy's folder into one of another name."""
    return lambda member: f"{folder}/{member.partition('/')[2]}".lstrip("/")


def without(level: str):
    """Leave out a level of folders."""
    return lambda member: re.sub(rf"/{level}(?=/)", "", member)


def cased(level: str, name: str):
    return lambda member: member.replace(f"/{level}/", f"/{name}/")


LAYOUTS = {
    "as published": lambda member: member,
    "another name": below("ToyTrain-48k"),
    "lower case": below("toytrain"),
    "a short name": below("toyadmos/train"),
    "twice": below("ToyTrain/ToyTrain"),
    "the corpus's name": below("ToyADMOS"),
    "any name": below("data/second try/x"),
    "as deep as is looked": below("/".join("abcdef")),
    "nothing around": below(""),
    "Case1": cased("case1", "Case1"),
    "CASE01": cased("case1", "CASE01"),
    "sounds in other capitals": cased("NormalSound_IND", "normalsound_ind"),
    "noise in capitals": cased("EnvironmentalNoise_CNT", "ENVIRONMENTALNOISE_CNT"),
    "no case folders": without("case[12]"),
    "no sound folders": without("(Normal|Anomalous)Sound_IND"),
    "no folders but that of noise": without("case[12]/(Normal|Anomalous)Sound_IND"),
    "noise in the cases": lambda member: re.sub(
        r"(?<=ToyTrain/)(?=Environ.*(case[12]))", lambda match: f"{match[1]}/", member
    ),
    ".WAV": lambda member: member.replace(".wav", ".WAV"),
}


def as_tree(files: dict[str, str], root: Path) -> Path:
    return write_tree({place: member.encode() for member, place in files.items()}, root)


def as_archive(files: dict[str, str], root: Path, *, strays: tuple[str, ...] = ()) -> Path:
    members = [CraftedFile(place, member.encode()) for member, place in files.items()]
    others = [CraftedFile(name, b"stray") for name in strays]
    return crafted.write(root, crafted.archive([CraftedFolder([*others, *members])]))


KINDS = {"tree": as_tree, "archive": as_archive}


def members_of(source) -> list[tuple[str, int, int | None]]:
    return [(one.path, one.n_bytes, one.crc32) for one in source.members()]


def read(source) -> dict[str, str]:
    wanted = {member.path for member in source.members()}
    return {
        member.path: b"".join(chunks).decode()
        for block in source.blocks()
        for member, chunks in source.read(block.number, wanted)
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_members_and_the_index_of_the_published_one(tmp_path, layout, kind):
    places = {member: LAYOUTS[layout](member) for member in MEMBERS}
    source = open_source(KINDS[kind](places, tmp_path / "odd"), "ToyTrain")
    plain = open_source(KINDS[kind]({member: member for member in MEMBERS}, tmp_path / "plain"), "ToyTrain")

    assert members_of(source) == members_of(plain)
    assert build_index(source.members()).equals(build_index(plain.members()))
    assert read(source) == {member: member for member in MEMBERS}


@pytest.mark.parametrize("layout", ["as published", "Case1", "no case folders", ".WAV"])
def test_one_layout_has_one_identity_wherever_it_lies_and_the_layout_none(tmp_path, layout):
    plain = as_tree({member: member for member in MEMBERS}, tmp_path / "plain")
    odd = as_tree({member: LAYOUTS[layout](member) for member in MEMBERS}, tmp_path / "odd")
    for member in MEMBERS:
        for path in (plain / member, odd / LAYOUTS[layout](member)):
            os.utime(path, ns=(1, 1))

    assert open_source(odd, "ToyTrain").identity == open_source(plain, "ToyTrain").identity


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("layout", "n"), [("another name", 0), ("CASE01", 16), (".WAV", len(MEMBERS))])
def test_recordings_in_other_folders_are_a_counted_oddity(tmp_path, layout, n, kind):
    places = {member: LAYOUTS[layout](member) for member in MEMBERS}
    source = open_source(KINDS[kind](places, tmp_path), "ToyTrain")

    assert [(one.code, one.n) for one in source.oddities] == ([("layout", n)] if n else [])


@pytest.mark.parametrize("folder", ["ToyTrain", "x/y"])
def test_one_cases_folder_may_be_given(tmp_path, folder):
    as_tree({member: below(folder)(member) for member in MEMBERS}, tmp_path)
    source = open_source(tmp_path / folder / "case1", "ToyTrain")

    assert [one.path for one in source.members()] == [one for one in MEMBERS if "/case1/" in one]
    assert source.root == tmp_path / folder


def test_the_folder_of_one_sound_may_be_given(tmp_path):
    as_tree({member: member for member in MEMBERS}, tmp_path)
    source = open_source(tmp_path / "ToyTrain/case2/AnomalousSound_IND", "ToyTrain")

    assert [one.path for one in source.members()] == [one for one in MEMBERS if "/case2/AnomalousSound_IND" in one]


def test_a_folder_of_several_toys_gives_each_of_them(tmp_path):
    as_tree({member: member for member in (*MEMBERS, *CARS)}, tmp_path)

    assert [one.path for one in open_source(tmp_path, "ToyTrain").members()] == MEMBERS
    assert [one.path for one in open_source(tmp_path, "ToyCar").members()] == CARS


@pytest.mark.parametrize(("train", "car"), [("train", "car"), ("a", "b"), ("data/toytrain", "data/ToyCar48k")])
def test_the_folders_of_several_toys_are_told_apart_by_what_is_in_them(tmp_path, train, car):
    as_tree({member: below(train)(member) for member in MEMBERS}, tmp_path)
    as_tree({member: below(car)(member) for member in CARS}, tmp_path)

    assert [one.path for one in open_source(tmp_path, "ToyTrain").members()] == MEMBERS
    assert [one.path for one in open_source(tmp_path, "ToyCar").members()] == CARS


def test_where_the_other_toy_alone_is_the_error_names_it(tmp_path):
    as_tree({member: below("x/y")(member) for member in CARS}, tmp_path)

    with refused(SourceNotFoundError) as caught:
        open_source(tmp_path, "ToyTrain")

    assert "--toy car" in caught.value.remedy


@pytest.mark.parametrize("kind", KINDS)
def test_several_folders_of_the_toy_are_an_error_that_names_them_all(tmp_path, kind):
    copies = ("ToyTrain", "ToyTrain (copy)", "old/ToyTrain")
    places = {f"{copy}{member}": below(copy)(member) for copy in copies for member in MEMBERS}
    source = KINDS[kind](places, tmp_path)
    with refused(SourceError) as caught:
        open_source(source, "ToyTrain")

    assert all(copy in caught.value.actual.split(", ")[n] for n, copy in enumerate(copies))
    left = open_source(source, "ToyTrain", ignore=["*(copy)", "old/*"])
    assert sorted(one.path for one in left.members()) == MEMBERS


def test_one_folder_reached_in_two_ways_is_one(tmp_path):
    as_tree({member: below("ToyTrain-2020")(member) for member in MEMBERS}, tmp_path)
    (tmp_path / "ToyTrain").symlink_to("ToyTrain-2020", target_is_directory=True)
    source = open_source(tmp_path, "ToyTrain")

    assert (source.root, len(source.members())) == (tmp_path / "ToyTrain-2020", len(MEMBERS))


def test_cases_on_two_disks_are_one_tree(tmp_path):
    as_tree({member: member for member in MEMBERS}, tmp_path / "one")
    shutil.move(tmp_path / "one/ToyTrain/case2", tmp_path / "two")
    (tmp_path / "one/ToyTrain/case2").symlink_to(tmp_path / "two", target_is_directory=True)
    source = open_source(tmp_path / "one", "ToyTrain")

    assert read(source) == {member: member for member in MEMBERS}
    assert source.linked == (tmp_path / "two",)
    assert open_source(tmp_path, "ToyTrain").members() == source.members()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("ToyTrain/Case2/", "ToyTrain/case1/"),
        ("x/case1/AnomalousSound_IND/", "x/case1/NormalSound_IND/"),
        ("ToyCar/", "ToyTrain/"),
    ],
)
def test_a_name_that_contradicts_the_real_folder_is_an_error_in_every_layout(tmp_path, wrong, right, kind):
    member = next(one for one in MEMBERS if "normal_IND" in one)
    place = wrong + member.removeprefix("ToyTrain/").removeprefix("case1/").removeprefix("NormalSound_IND/")
    if "/Case2/" in wrong:
        place = member.replace(right, wrong)
    toy = "ToyCar" if wrong.startswith("ToyCar") else "ToyTrain"
    if kind == "archive":
        crafted.write(tmp_path, crafted.archive([CraftedFolder([CraftedFile(place, b"x")])]), toy=toy)
    else:
        as_tree({member: place}, tmp_path)

    with pytest.raises(NameGrammarError):
        build_index(open_source(tmp_path, toy).members())


@pytest.mark.parametrize("folder", ["denoised", "case1/denoised", "case1/NormalSound_IND/denoised"])
def test_what_lies_in_a_folder_of_the_users_is_no_recording_of_the_corpus(tmp_path, folder):
    member = next(one for one in MEMBERS if "normal_IND" in one)
    as_tree({one: one for one in MEMBERS}, tmp_path)
    as_tree({"copy": f"ToyTrain/{folder}/{member.rpartition('/')[2]}"}, tmp_path)
    with pytest.raises((NameGrammarError, IndexConflictError)):
        build_index(open_source(tmp_path, "ToyTrain").members())

    assert [one.path for one in open_source(tmp_path, "ToyTrain", ignore=["denoised"]).members()] == MEMBERS


@pytest.mark.parametrize("kind", KINDS)
def test_one_recording_at_two_places_is_an_error_that_names_both(tmp_path, kind):
    name = next(one for one in MEMBERS if "normal_IND" in one).rpartition("/")[2]
    places = (f"ToyTrain/NormalSound_IND/{name}", f"ToyTrain/case1/NormalSound_IND/{name}")
    source = KINDS[kind]({place: place for place in places}, tmp_path)

    with refused(IndexConflictError) as caught:
        open_source(source, "ToyTrain")

    assert all(place.removeprefix("ToyTrain/") in caught.value.actual for place in places)


OTHERS = ("Readme.txt", "MD5SUM", "case1/NormalSound_IND/features.npy", "npy/a/b.npy", "DETAIL.pdf", "manifest.csv")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("stray", "code"),
    [
        *((f"{folder}{name}", "hidden") for name in HIDDEN for folder in ("", "case1/")),
        *((f"{name}/x.wav", "hidden") for name in ("@eaDir", ".git/annex", "__MACOSX", "lost+found", ".stversions")),
        *((name, "passed_over") for name in OTHERS),
    ],
)
def test_strays_of_every_kind_are_passed_over_and_counted(tmp_path, stray, code, kind):
    place = f"ToyTrain/{stray}"
    places = {member: member for member in MEMBERS[:3]}
    if kind == "tree":
        source = open_source(as_tree(places | {"stray": place}, tmp_path), "ToyTrain")
    else:
        source = open_source(as_archive(places, tmp_path, strays=(place,)), "ToyTrain")

    assert [one.path for one in source.members()] == MEMBERS[:3]
    assert [(one.code, one.n) for one in source.oddities] == [(code, 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_ignored_is_the_same_in_trees_and_archives(tmp_path, kind):
    source = open_source(KINDS[kind]({one: one for one in MEMBERS}, tmp_path), "ToyTrain", ignore=["CASE2", "*_ch4_*"])

    kept = [one for one in MEMBERS if "/case2/" not in one and "_ch4_" not in one]
    assert [one.path for one in source.members()] == kept
    assert [(one.code, one.n) for one in source.oddities] == [("ignored", len(MEMBERS) - len(kept))]
    assert source.ignored


def test_the_marker_of_a_simulation_is_found_in_a_folder_of_any_name(tmp_path):
    for kind, write in KINDS.items():
        places = {member: below("mine/x")(member) for member in MEMBERS} | {"marker": "mine/x/SIMULATED.txt"}
        source = open_source(write(places, tmp_path / kind), "ToyTrain")

        assert source.is_simulated
        assert source.oddities == ()


def test_the_marker_is_found_from_one_cases_folder(tmp_path):
    as_tree({member: member for member in MEMBERS} | {"marker": "ToyTrain/SIMULATED.txt"}, tmp_path)

    assert open_source(tmp_path / "ToyTrain/case1", "ToyTrain").is_simulated


def test_a_tree_is_not_looked_for_without_end_and_the_error_says_how_deep(tmp_path):
    as_tree({member: below("/".join("abcdefg"))(member) for member in MEMBERS}, tmp_path)

    with refused(SourceNotFoundError) as caught:
        open_source(tmp_path, "ToyTrain")

    assert f"{MAX_DEPTH} deep" in caught.value.actual
    assert [one.path for one in open_source(tmp_path / "a", "ToyTrain").members()] == MEMBERS


def test_inside_of_the_toys_folder_every_wav_file_is_found(tmp_path):
    as_tree({member: member for member in MEMBERS}, tmp_path)
    deep = f"ToyTrain/{'/'.join('abcdefghij')}/x.wav"
    as_tree({"deep": deep}, tmp_path)

    assert deep in {one.path for one in open_source(tmp_path, "ToyTrain").members()}
