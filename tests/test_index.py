from dataclasses import replace

import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.corpus.damage import conditions_of
from toyadmos_datasets.corpus.names import RecordingName, parse_member
from toyadmos_datasets.corpus.toys import ALL_CASES, CHANNELS, TOYS
from toyadmos_datasets.corpus.volumes import recording_counts
from toyadmos_datasets.errors import DatasetError, IndexConflictError, NameGrammarError, OddSourceError
from toyadmos_datasets.ingest import build_index, index_members, missing_channels, refuse_oddities, select
from toyadmos_datasets.ingest.oddities import usual_lengths
from toyadmos_datasets.values.index import INDEX_SCHEMA, read_index, write_index
from toyadmos_datasets.values.source import Member, Oddity

NAMED = (
    "recording_id",
    "event_id",
    "toy",
    "case",
    "serves",
    "sound",
    "recording_type",
    "condition",
    "channel",
    "take",
)


def member(path, *, crc32=7, block=0):
    return Member(path=path, n_bytes=1_056_044, crc32=crc32, block=block)


def recording(condition="normal", *, toy="ToyTrain", case=1, recording_type="IND", channel=1, take=1):
    return RecordingName(
        toy=toy, case=case, condition=condition, recording_type=recording_type, channel=channel, take=take
    )


def small_corpus():
    """Two cases of the train: normal and damaged IND, normal CNT, noise; four channels of two takes each."""
    kinds = (("normal", "IND"), ("ab01", "IND"), ("normal", "CNT"), ("noise", "CNT"))
    return [
        member(recording(condition, recording_type=kind, case=case, channel=channel, take=take).member, block=case)
        for case in (1, 2)
        for condition, kind in kinds
        for take in (1, 2)
        for channel in CHANNELS
    ]


def whole_corpus():
    """As many members as the published archives hold, under names made up by the grammar."""
    for toy in TOYS:
        conditions = {
            count: conditions_of(toy.name) if count.sound == "anomalous" else (count.sound,)
            for count in recording_counts(toy.name)
        }
        for count, choices in conditions.items():
            for number in range(count.n_takes):
                take, choice = divmod(number, len(choices))
                for channel in CHANNELS:
                    name = recording(
                        choices[choice],
                        toy=toy.name,
                        case=count.case,
                        recording_type=count.recording_type,
                        channel=channel,
                        take=take + 1,
                    )
                    yield member(name.member)


@settings(max_examples=20)
@given(st.permutations(small_corpus()))
def test_the_order_of_the_members_does_not_matter(members):
    assert build_index(members).equals(build_index(small_corpus()))


def test_an_index_is_sorted_and_has_its_schema(tmp_path):
    index = build_index(small_corpus())
    write_index(index, tmp_path / "index.parquet")

    assert index.schema.equals(INDEX_SCHEMA, check_metadata=True)
    assert index["recording_id"].to_pylist() == sorted(index["recording_id"].to_pylist())
    assert read_index(tmp_path / "index.parquet").equals(index)


def test_a_row_says_what_name_and_member_say():
    path = "ToyConveyor/case2/AnomalousSound_IND/2293030004_ToyConveyor_case2_ab93_IND_ch3_0004.wav"
    row = build_index([Member(path=path, n_bytes=960_044, crc32=0xFFFFFFFF, block=12)]).to_pylist()

    assert row == [
        {
            "recording_id": "2293030004_ToyConveyor_case2_ab93_IND_ch3_0004",
            "event_id": "ToyConveyor_case2_ab93_IND_0004",
            "toy": "ToyConveyor",
            "case": 2,
            "serves": [],
            "sound": "anomalous",
            "recording_type": "IND",
            "condition": "ab93",
            "channel": 3,
            "take": 4,
            "member": path,
            "n_bytes": 960_044,
            "crc32": 0xFFFFFFFF,
            "block": 12,
        }
    ]


def test_a_tree_has_no_checksums_and_an_empty_source_no_rows():
    index = build_index([member(recording().member, crc32=None)])

    assert index["crc32"].to_pylist() == [None]
    assert build_index([]).equals(INDEX_SCHEMA.empty_table())


def test_the_same_member_twice_is_a_conflict():
    twice = member(recording().member)

    with refused(IndexConflictError) as caught:
        build_index([twice, twice])

    assert caught.value.where == twice.path
    assert caught.value.actual == f"{twice.path} as well"


@pytest.mark.parametrize(
    ("one", "other"),
    [("Noise_case1_ch1_0001", "noise_case1_ch1_0001"), ("caf\u00e9_case1_ch1_1", "cafe\u0301_case1_ch1_1")],
    ids=["letters' case", "composed accents"],
)
def test_names_that_some_file_systems_hold_for_one_are_a_conflict(one, other):
    members = [member(f"ToyTrain/EnvironmentalNoise_CNT/{stem}.wav") for stem in (one, other)]

    with refused(IndexConflictError):
        build_index(members)


def test_one_channel_of_one_event_under_two_names_is_a_conflict():
    stems = ("3100110001_noise_case1_ch1_0001", "3100110009_noise_case1_ch1_0001")
    members = [member(f"ToyTrain/EnvironmentalNoise_CNT/{stem}.wav") for stem in stems]

    with refused(IndexConflictError):
        build_index(members)


@pytest.mark.parametrize(
    "path",
    [
        "ToyTrain/readme.wav",
        "ToyTrain/case1/NormalSound_IND/unknown.wav",
        "ToyTrain/case2/NormalSound_IND/3100010001_ToyTrain_case1_normal_IND_ch1_0001.wav",
        "ToyTrain/case1/NormalSound_IND/3101010001_ToyTrain_case1_ab01_IND_ch1_0001.wav",
        "ToyTrain/case1/NormalSound_IND/\udcff.wav",
    ],
)
def test_one_wrong_name_among_many_stops_the_index(path):
    with pytest.raises(NameGrammarError) as caught:
        build_index([*small_corpus(), member(path)])

    assert caught.value.where in {path, ascii(path)}


def test_all_wrong_names_are_in_one_error_with_the_options_that_leave_them_out():
    strange = [member(f"ToyTrain/case1/NormalSound_IND/strange_{number:02}.wav") for number in range(12)]
    moved = recording().member.replace("case1/", "case2/")

    with refused(NameGrammarError, "13") as caught:
        build_index([*small_corpus(), *strange, member(moved)])

    listed = caught.value.actual.splitlines()
    assert [line.strip().partition(": ")[0] for line in listed[:10]] == [one.path for one in strange[:10]]
    assert listed[10].strip().startswith("and 3 more")
    assert "--ignore strange_00.wav --ignore strange_01.wav" in caught.value.remedy


def test_a_file_in_another_case_s_folder_is_told_where_it_belongs():
    with refused(NameGrammarError) as caught:
        build_index([member(recording().member.replace("case1/", "case2/"))])

    assert caught.value.expected == "ToyTrain/case1/NormalSound_IND"
    assert caught.value.remedy.startswith("Move the file to ToyTrain/case1/NormalSound_IND")
    assert f"--ignore {recording().recording_id}.wav" in caught.value.remedy


def test_all_identifiers_that_stand_twice_are_in_one_error():
    twice = [member(recording(take=take).member.replace("31000", "91000")) for take in (1, 2)]

    with refused(IndexConflictError) as caught:
        build_index([*small_corpus(), *twice])

    assert all(one.path in caught.value.actual for one in twice)


def test_a_fault_of_every_wrong_file_is_listed_and_the_others_are_indexed():
    wrong = [
        "ToyTrain/readme.wav",
        recording().member.replace("case1/", "case2/"),
        "ToyTrain/EnvironmentalNoise_CNT/noise_1.wav",
    ]
    indexed = index_members([*map(member, wrong), *small_corpus()])

    assert sorted(fault.where for fault in indexed.faults) == sorted(wrong)
    assert indexed.table.equals(build_index(small_corpus()))


@settings(max_examples=50)
@given(st.lists(st.sampled_from([*small_corpus()]), unique=True), st.data())
def test_names_read_by_kinds_are_what_each_name_says(members, data):
    """Names in all forms, one by one against the table."""
    changed = []
    for one in members:
        folder, _, file_name = one.path.rpartition("/")
        digits, _, rest = file_name.partition("_")
        digits = data.draw(st.sampled_from((digits, digits, "0" * 10, "7", "")))
        rest = data.draw(st.sampled_from((rest, rest, rest.upper(), rest.replace("noise", "HO"))))
        changed.append(member("/".join((folder, "_".join(filter(None, (digits, rest)))))))
    index = index_members(changed).table

    assert len(index) == len(changed)
    for row in index.to_pylist():
        name = parse_member(row["member"])
        assert {column: row[column] for column in NAMED} == {
            column: list(name.serves) if column == "serves" else getattr(name, column) for column in NAMED
        }


def oddities(members, code=None):
    return [one for one in index_members(members).oddities if code in (None, one.code)]


def test_a_corpus_as_published_has_no_oddities():
    assert oddities(small_corpus()) == []
    assert oddities([]) == []


def test_digits_that_do_not_repeat_the_words_are_counted_and_kept():
    wrong = [member(recording(take=take).member.replace("31000", "91000")) for take in range(3, 18)]
    (odd,) = oddities([*small_corpus(), *wrong])

    assert (odd.code, odd.n, odd.examples) == ("digits", 15, tuple(one.path for one in wrong[:10]))
    assert build_index(wrong)["recording_id"][0].as_py() == "9100010003_ToyTrain_case1_normal_IND_ch1_0003"
    assert set(build_index(wrong)["condition"].to_pylist()) == {"normal"}


def test_digits_of_noise_are_not_compared():
    noise = recording("noise", recording_type="CNT").member

    assert oddities([member(noise.replace("31001", "99999"))]) == []


def test_missing_digits_and_other_capitals_are_counted():
    path = recording().member
    folder, _, name = path.rpartition("/")
    without, shouted = name.partition("_")[2], name.upper().replace("_0001", "_0009")
    found = oddities([member(f"{folder}/{one}") for one in (without, shouted)])

    assert [(one.code, one.n, one.examples) for one in found] == [
        ("digits", 2, (f"{folder}/{shouted}", f"{folder}/{without}")),
        ("capitals", 1, (f"{folder}/{shouted}",)),
    ]


def test_other_capitals_give_the_same_identifiers():
    parts = [one.path.rpartition("/") for one in small_corpus()]
    shouted = [member(f"{folder}/{name.upper()}") for folder, _, name in parts]
    columns = ["recording_id", "event_id", "toy", "case", "sound", "recording_type", "condition", "channel", "take"]

    assert build_index(shouted).select(columns).equals(build_index(small_corpus()).select(columns))


def test_unknown_words_of_noise_are_counted_by_whom_the_noise_serves():
    folder = "ToyTrain/EnvironmentalNoise_CNT"
    names = ["ToyTrain_HO_CNT_ch1_0001", "ToyTrain_HO_CNT_ch2_0001", "ToyTrain_N_CNT_ch1_0001", "ToyTrain_Env_ch1_0001"]
    members = [member(f"{folder}/{name}.wav") for name in names]
    found = oddities(members)

    assert [(one.code, one.n) for one in found] == [("noise_name", 1), ("noise_name", 2), ("noise_name", 1)]
    assert [one.what.partition("this noise serves ")[2] for one in found] == [
        "every case without noise of its own.",
        "cases 1 and 2.",
        "cases 3 and 4.",
    ]
    assert found[1].examples == (members[0].path, members[1].path)
    assert build_index(members)["serves"].to_pylist() == [[], [1, 2], [1, 2], [3, 4]]


@pytest.mark.parametrize(("usual", "odd"), [(1_056_044, 960_044), (500_044, 1_056_044)], ids=["published", "shorter"])
def test_a_length_that_is_not_the_usual_is_counted(usual, odd):
    takes = [replace(member(recording(take=take).member), n_bytes=usual if take > 2 else odd) for take in range(1, 12)]
    (found,) = oddities(takes)

    assert (found.code, found.n, found.examples) == ("length", 2, tuple(one.path for one in takes[:2]))


def test_the_published_length_is_usual_only_where_most_recordings_have_it():
    sizes = (960_044, 960_044, 1_056_044)
    takes = [replace(member(recording(take=take).member), n_bytes=size) for take, size in enumerate(sizes)]
    (found,) = usual_lengths(build_index(takes))

    assert (found.kind, found.usual_bytes, found.published_bytes, found.n_usual) == ("IND", 960_044, 1_056_044, 2)
    assert oddities([*takes[:2], replace(takes[2], n_bytes=960_100)]) == []  # a chunk beside the sound


def test_everything_odd_can_be_refused():
    found = oddities([member(recording().member.replace("31000", "91000"))])
    mine = Oddity(code="ignored", what="Files were left out because --ignore names them.", n=1)

    with pytest.raises(OddSourceError, match="--strict") as caught:
        refuse_oddities([*found, mine], "there")

    assert "91000" in caught.value.actual
    assert "ignored" not in caught.value.actual
    assert refuse_oddities([mine], "there") is None


def test_select_keeps_what_all_conditions_hold_for():
    index = build_index(small_corpus())
    kept = select(index, cases=[2], channels=(1, 3), sounds={"normal"}, recording_types=["IND"])

    assert kept["recording_id"].to_pylist() == [
        f"32000{channel}{take:04d}_ToyTrain_case2_normal_IND_ch{channel}_{take:04d}"
        for channel in (1, 3)
        for take in (1, 2)
    ]
    assert select(index).equals(index)
    assert select(index, sounds=[]).num_rows == 0


def test_noise_for_all_cases_stays_with_any_case():
    noise = recording("noise", toy="ToyCar", case=ALL_CASES, recording_type="CNT")
    members = [noise, recording(toy="ToyCar", case=1), recording(toy="ToyCar", case=2)]
    kept = select(build_index([member(name.member) for name in members]), cases=[2])

    assert kept["case"].to_pylist() == [ALL_CASES, 2]


def test_noise_of_several_cases_stays_with_each_of_them():
    folder = "ToyTrain/EnvironmentalNoise_CNT"
    members = [member(f"{folder}/ToyTrain_{word}_CNT_ch1_0001.wav") for word in ("HO", "N", "Env")]
    index = build_index([*members, member(recording(case=3).member), member(recording(case=1).member)])
    kept = select(index, cases=[3])["recording_id"].to_pylist()

    assert kept == [
        "3300010001_ToyTrain_case3_normal_IND_ch1_0001",
        "ToyTrain_Env_CNT_ch1_0001",
        "ToyTrain_N_CNT_ch1_0001",
    ]


def test_an_event_that_a_microphone_missed_is_listed():
    gone = {recording(case=2, channel=3, take=2).member, recording("ab01", channel=1).member}
    gone.add(recording("ab01", channel=2).member)
    index = build_index([each for each in small_corpus() if each.path not in gone])

    assert [(event.event_id, event.missing_channels) for event in missing_channels(index)] == [
        ("ToyTrain_case1_ab01_IND_0001", (1, 2)),
        ("ToyTrain_case2_normal_IND_0002", (3,)),
    ]


def test_a_channel_that_the_source_lacks_altogether_is_not_missing():
    index = build_index(small_corpus())

    assert missing_channels(select(index, channels=[1, 2])) == ()
    assert missing_channels(INDEX_SCHEMA.empty_table()) == ()


def test_the_whole_corpus_is_indexed():
    members = list(whole_corpus())
    index = build_index(members)

    assert index.num_rows == len(members) == 84_680
    assert missing_channels(index) == ()
    assert pc.count_distinct(index["event_id"]).as_py() == 84_680 // 4


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more"])
def test_a_file_that_is_no_index_is_an_error_that_says_how_to_make_one(tmp_path, content):
    path = tmp_path / "index.parquet"
    if content is not None:
        path.write_bytes(content)

    with refused(DatasetError, "--toy", "--out"):
        read_index(path)
