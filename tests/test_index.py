import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toyadmos_datasets.corpus.damage import conditions_of
from toyadmos_datasets.corpus.names import RecordingName
from toyadmos_datasets.corpus.toys import ALL_CASES, CHANNELS, TOYS
from toyadmos_datasets.corpus.volumes import recording_counts
from toyadmos_datasets.errors import DatasetError, IndexConflictError, NameGrammarError
from toyadmos_datasets.index import build_index, missing_channels, select
from toyadmos_datasets.values.index import INDEX_SCHEMA, read_index, write_index
from toyadmos_datasets.values.source import Member


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

    with pytest.raises(IndexConflictError, match="have the same identifier") as caught:
        build_index([twice, twice])

    assert caught.value.where == twice.path
    assert caught.value.actual == f"{twice.path} as well"
    assert "Move one of the two out of the source" in caught.value.remedy


@pytest.mark.parametrize(
    ("one", "other"),
    [("Noise_case1_ch1_0001", "noise_case1_ch1_0001"), ("caf\u00e9_case1_ch1_1", "cafe\u0301_case1_ch1_1")],
    ids=["letters' case", "composed accents"],
)
def test_names_that_some_file_systems_hold_for_one_are_a_conflict(one, other):
    members = [member(f"ToyTrain/EnvironmentalNoise_CNT/{stem}.wav") for stem in (one, other)]

    with pytest.raises(IndexConflictError, match="have the same identifier"):
        build_index(members)


def test_one_channel_of_one_event_under_two_names_is_a_conflict():
    stems = ("3100110001_noise_case1_ch1_0001", "3100110009_noise_case1_ch1_0001")
    members = [member(f"ToyTrain/EnvironmentalNoise_CNT/{stem}.wav") for stem in stems]

    with pytest.raises(IndexConflictError, match="the same channel of one event"):
        build_index(members)


@pytest.mark.parametrize(
    "path",
    [
        "ToyTrain/readme.wav",
        "ToyTrain/case1/NormalSound_IND/unknown.wav",
        "ToyTrain/case2/NormalSound_IND/3100010001_ToyTrain_case1_normal_IND_ch1_0001.wav",
        "ToyTrain/case1/NormalSound_IND/3101010001_ToyTrain_case1_ab01_IND_ch1_0001.wav",
        "ToyTrain/case1/NormalSound_IND/3100020001_ToyTrain_case1_normal_IND_ch1_0001.wav",
        "ToyTrain/case1/NormalSound_IND/\udcff.wav",
    ],
)
def test_one_wrong_name_among_many_stops_the_index(path):
    with pytest.raises(NameGrammarError) as caught:
        build_index([*small_corpus(), member(path)])

    assert caught.value.where in {path, ascii(path)}


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

    with pytest.raises(DatasetError, match=r"toyadmos index SRC --toy TOY --out FILE"):
        read_index(path)
