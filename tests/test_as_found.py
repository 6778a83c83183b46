"""What a source holds beside what was published, and the report about it that a user can send."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tiny import TinyCorpus, write_tree, write_volumes

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.corpus.damage import conditions_of
from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.corpus.toys import CHANNELS
from toyadmos_datasets.corpus.volumes import recording_counts
from toyadmos_datasets.ingest import as_found, describe_source, index_members, survey_source
from toyadmos_datasets.values.source import Block, Member, Oddity, VolumeFile

TRAIN_FOLDER = "ToyTrain/EnvironmentalNoise_CNT"


@dataclass(frozen=True)
class Listed:
    """A source that is a list of members."""

    listed: tuple[Member, ...]
    toy: str = "ToyTrain"
    is_simulated: bool = False
    kind: str = "tree"
    location: str = "/home/somebody/ToyADMOS/ToyTrain"
    oddities: tuple[Oddity, ...] = ()
    volume_files: tuple[VolumeFile, ...] = (VolumeFile(path=Path("/home/somebody/ToyTrain.7z.001"), n_bytes=7),)

    def members(self):
        return self.listed

    def blocks(self):
        return [Block(number=0, n_bytes=10, n_packed_bytes=5, method="LZMA2:24")]


def published(toy: str) -> list[Member]:
    """As many members as a toy has in the published archives, under names made up by the grammar."""
    members = []
    for count in recording_counts(toy):
        conditions = conditions_of(toy) if count.sound == "anomalous" else (count.sound,)
        for number in range(count.n_takes):
            take, place = divmod(number, len(conditions))
            for channel in CHANNELS:
                name = RecordingName(
                    toy=toy,
                    case=count.case,
                    condition=conditions[place],
                    recording_type=count.recording_type,
                    channel=channel,
                    take=take + 1,
                )
                size = 57_600_044 if name.recording_type == "CNT" else 1_056_044
                members.append(Member(path=name.member, n_bytes=size, crc32=None, block=0))
    return members


def found(members, **facts):
    source = Listed(listed=tuple(members), **facts)
    return as_found(survey_source(source), source)


@pytest.fixture(scope="module")
def train():
    return published("ToyTrain")


def test_the_published_corpus_lacks_nothing(train):
    whole = found(train)

    assert whole.missing == ()
    assert (whole.n_recordings, whole.n_published) == (28_256, 28_256)
    assert whole.lines() == [
        "As found:",
        "  28256 recordings of 28256 published; 16 of 16 kinds are complete",
        "  tolerated: nothing was odd",
    ]


def test_what_is_missing_is_told_by_case_sound_and_channel(train):
    some = [one for one in train if "/case2/AnomalousSound" not in one.path and "case3_noise_CNT_ch2" not in one.path]

    assert found(some).missing == (
        "case 2, anomalous IND: 0 of 270 takes",
        "case 3, noise CNT, channel 2: 0 of 72 takes",
    )
    assert "  72 events lack a channel, such as ToyTrain_case3_noise_CNT_0001: channel 2" in found(some).lines()


def test_channels_that_lack_the_same_are_told_together(train):
    some = [one for one in train if "case1/NormalSound_IND" not in one.path or "_ch1_" in one.path]

    assert found(some).missing == ("case 1, normal IND, channels 2, 3, 4: 0 of 1350 takes",)


def test_noise_of_several_cases_counts_for_each(train):
    others = [one for one in train if TRAIN_FOLDER not in one.path]
    noise = [
        Member(path=f"{TRAIN_FOLDER}/ToyTrain_{word}_CNT_ch{channel}_{take:04}.wav", n_bytes=44, crc32=None, block=0)
        for word in ("HO", "N")
        for channel in CHANNELS
        for take in range(1, 73)
    ]

    assert found([*others, *noise]).missing == ()
    assert found([*others, *noise[: len(noise) // 2]]).missing == (
        "case 3, noise CNT: 0 of 72 takes",
        "case 4, noise CNT: 0 of 72 takes",
    )


def test_the_shared_noise_of_the_car_is_one_kind():
    whole = published("ToyCar")
    some = [one for one in whole if "noise_CNT_ch" not in one.path or "_0072.wav" not in one.path]

    assert found(whole, toy="ToyCar").missing == ()
    assert found(some, toy="ToyCar").missing == ("all cases, noise CNT: 71 of 72 takes",)


def test_more_than_was_published_is_told(train):
    more = replace(train[0], path=train[0].path.replace("0001", "9001"))

    assert "  more than published: case 1, normal IND: 1351, not 1350 takes" in found([*train, more]).lines()


def test_a_simulated_corpus_is_not_compared():
    simulated = found([], is_simulated=True)

    assert simulated.missing == ()
    assert "simulated" in simulated.lines()[1]


def test_oddities_of_source_and_names_are_told_with_examples(train):
    odd = replace(train[0], path=train[0].path.replace("31000", "91000"))
    links = Oddity(code="links", what="Links in the tree were followed.", n=40, examples=("a", "b", "c", "d"))
    lines = found([odd, *train[1:]], oddities=(links,)).lines()

    assert lines[2:] == [
        "  tolerated: Links in the tree were followed. (links: 40)",
        "      a",
        "      b",
        "      c",
        "      and 37 more",
        "  tolerated: The ten digits of names do not repeat their words, or are missing. (digits: 1)",
        f"      {odd.path}",
    ]


def test_json_has_all_of_it(train):
    value = json.loads(json.dumps(found(train[4:]).as_json()))

    assert (value["toy"], value["n_recordings"], value["oddities"]) == ("ToyTrain", len(train) - 4, [])
    assert value["missing"] == ["case 1, normal IND: 1349 of 1350 takes"]
    assert value["counts"][0]["n_by_channel"] == [1349] * 4


def report_of(source):
    return describe_source(survey_source(source), source)


def test_a_report_describes_a_source_without_telling_where_it_is(train, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    links = ("/home/somebody/x", "/home/somebody/ToyADMOS/ToyTrain/y")
    strange = Member(path="ToyTrain/case1/NormalSound_IND/strange.wav", n_bytes=1, crc32=None, block=0)
    source = Listed(listed=(*train, strange), oddities=(Oddity(code="links", what="Followed.", n=2, examples=links),))
    report = report_of(source)
    text = json.dumps(report)

    assert "somebody" not in text
    assert report["as_found"]["oddities"][0]["examples"] == ["HOME/x", "SRC/y"]
    assert report["layout"]["volumes"] == [{"name": "ToyTrain.7z.001", "n_bytes": 7}]
    assert report["layout"]["blocks"]["methods"] == {"LZMA2:24": 1}
    assert [(one["kind"], one["usual_bytes"], one["n_usual"]) for one in report["lengths"]] == [
        ("IND", 1_056_044, 25_920),
        ("CNT", 57_600_044, 1184),
        ("noise", 57_600_044, 1152),
    ]
    assert {(one["case"], one["sound"], one["recording_type"]): len(one["examples"]) for one in report["names"]} == {
        (one.case, one.sound, one.recording_type): 3 for one in recording_counts("ToyTrain")
    }
    (problem,) = report["problems"]
    assert (problem["n"], problem["examples"][0]["member"]) == (1, strange.path)


def test_a_report_counts_the_forms_of_names(train):
    forms = {one["form"]: one["n"] for one in report_of(Listed(listed=tuple(train)))["name_forms"]}

    assert forms[f"{TRAIN_FOLDER}/##########_ToyTrain_case#_noise_CNT_ch#_####.wav"] == 1152
    assert sum(forms.values()) == len(train)


@pytest.mark.parametrize("write", [write_tree, write_volumes])
def test_a_report_of_a_true_source_names_no_folder(tmp_path, write):
    source = open_source(write(TinyCorpus().files(), tmp_path / "some body"), "ToyTrain")

    assert str(tmp_path) not in json.dumps(report_of(source))


def test_an_empty_source_has_a_report_too():
    report = describe_source(index_members([]), Listed(listed=()))

    assert (report["lengths"], report["names"], report["problems"]) == ([], [], [])
