import re
import string
from dataclasses import replace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from wording import refused

from toyadmos_datasets.corpus.damage import conditions_of
from toyadmos_datasets.corpus.names import RecordingName, format_name, parse_member, parse_name
from toyadmos_datasets.corpus.toys import ALL_CASES, CHANNELS, TOYS, toy_named
from toyadmos_datasets.errors import NameGrammarError, OptionError

SEEN_IN_PUBLIC = (
    "1100010001_ToyCar_case1_normal_IND_ch1_0001.wav",
    "1101010001_ToyCar_case1_ab01_IND_ch1_0001.wav",
    "1100110001_ToyCar_case1_normal_CNT_ch1_0001.wav",
    "1222010003_ToyCar_case2_ab22_IND_ch1_0003.wav",
    "1252010002_ToyCar_case2_ab52_IND_ch1_0002.wav",
    "2200031642_ToyConveyor_case2_normal_IND_ch3_1642.wav",
)
NORMAL_TRAIN = "3100010007_ToyTrain_case1_normal_IND_ch1_0007.wav"
NOISE_FOLDER = "ToyTrain/EnvironmentalNoise_CNT"


@st.composite
def running_toys(draw):
    toy = draw(st.sampled_from(TOYS))
    condition = draw(st.sampled_from(("normal", *conditions_of(toy.name))))
    return RecordingName(
        toy=toy.name,
        case=draw(st.sampled_from(toy.cases)),
        condition=condition,
        recording_type=draw(st.sampled_from(("IND", "CNT"))) if condition == "normal" else "IND",
        channel=draw(st.sampled_from(CHANNELS)),
        take=draw(st.integers(0, 9999)),
    )


@st.composite
def plain_noise(draw):
    toy = draw(st.sampled_from(TOYS))
    return RecordingName(
        toy=toy.name,
        case=draw(st.sampled_from((ALL_CASES, *toy.cases))),
        condition="noise",
        recording_type="CNT",
        channel=draw(st.sampled_from(CHANNELS)),
        take=draw(st.integers(0, 9999)),
    )


@st.composite
def noise_members(draw):
    """Noise names as they might be: digits or none, toy or none, anything in the condition's place."""
    toy = draw(st.sampled_from(TOYS))
    words = [
        draw(st.sampled_from(("", "3100110002", "0000000000", "7"))),
        draw(st.sampled_from(("", toy.name))),
        draw(
            st.sampled_from(
                ("", "caseAll", "case1-2", "case12", "case1_case2", "case9", *(f"case{n}" for n in toy.cases))
            )
        ),
        draw(st.sampled_from(("", "N", "HO", "noise", "Env", "bruit-é", "環境音"))),
        draw(st.sampled_from(("", "CNT"))),
        f"ch{draw(st.sampled_from(CHANNELS))}",
        str(draw(st.integers(0, 2**31 - 1))).zfill(draw(st.integers(0, 5))),
    ]
    return f"{toy.name}/EnvironmentalNoise_CNT/{'_'.join(filter(None, words))}.wav"


@pytest.mark.parametrize("name", SEEN_IN_PUBLIC)
def test_names_seen_in_public_are_read_and_written_back(name):
    parsed = parse_name(name)

    assert format_name(parsed) == name
    assert parsed.recording_id == name.removesuffix(".wav")


def test_a_name_says_toy_case_condition_type_channel_and_take():
    name = parse_name("1222010003_ToyCar_case2_ab22_IND_ch1_0003.wav")

    assert name == RecordingName(
        toy="ToyCar", case=2, condition="ab22", recording_type="IND", channel=1, take=3, noise_stem=""
    )
    assert (name.sound, name.event_id) == ("anomalous", "ToyCar_case2_ab22_IND_0003")
    assert name.damage.damaged_parts == ("gears", "tires", "voltage")


@given(st.one_of(running_toys(), plain_noise()))
def test_every_recording_of_the_grammar_is_read_back_from_its_path(name):
    assert parse_member(name.member) == name


@given(running_toys())
def test_the_file_name_alone_is_enough_when_a_toy_runs(name):
    assert parse_name(format_name(name)) == name


@given(running_toys(), st.from_regex(r"([0-9]{1,12})?", fullmatch=True))
def test_digits_before_a_name_are_kept_whatever_they_say(name, digits):
    written = "_".join(filter(None, [digits, format_name(name).partition("_")[2]]))
    parsed = parse_name(written, folder=name.folder)

    assert format_name(parsed) == written
    assert parsed.recording_id == written.removesuffix(".wav")
    assert parsed.event_id == name.event_id
    assert replace(parsed, digits=None) == name
    assert (parsed.digits is None) == (written == format_name(name))


@given(st.one_of(running_toys(), plain_noise()), st.data())
def test_capitals_make_no_other_recording(name, data):
    folder, _, written = name.member.rpartition("/")
    changed = "".join(data.draw(st.sampled_from((one.lower(), one.upper()))) for one in written)
    parsed = parse_name(changed, folder=folder)

    assert parsed == name
    assert (parsed.recording_id, parsed.event_id) == (name.recording_id, name.event_id)


@pytest.mark.parametrize(
    ("file_name", "folder"),
    [
        ("3100010007_TOYTRAIN_Case1_Normal_ind_CH1_0007.wav", None),
        ("3100010007_ToyTrain_case1_normal_IND_ch1_0007.WAV", None),
        ("3100010007_toytrain_case1_normal_IND_ch1_0007.wav", "toytrain/Case1/normalsound_ind"),
    ],
)
def test_names_are_read_with_other_capitals(file_name, folder):
    assert parse_name(file_name, folder=folder).member == f"ToyTrain/case1/NormalSound_IND/{NORMAL_TRAIN}"


@given(noise_members())
def test_noise_keeps_its_name_whatever_stands_in_it(member):
    name = parse_member(member)

    assert (name.sound, name.condition, name.recording_type, name.damage) == ("noise", "noise", "CNT", None)
    assert name.member == member
    assert parse_member(name.member) == name


@given(st.one_of(running_toys(), plain_noise()), st.permutations(CHANNELS))
def test_the_four_channels_of_a_take_are_one_event(name, channels):
    takes = [
        RecordingName(
            toy=name.toy,
            case=name.case,
            condition=name.condition,
            recording_type=name.recording_type,
            channel=channel,
            take=name.take,
        )
        for channel in channels
    ]

    assert len({take.event_id for take in takes}) == 1
    assert len({take.recording_id for take in takes}) == 4


@given(noise_members(), st.sampled_from(CHANNELS))
def test_the_channels_of_oddly_named_noise_are_one_event(member, channel):
    here = parse_member(member)
    there = parse_member(member.replace(f"_ch{here.channel}_", f"_ch{channel}_"))

    assert here.event_id == there.event_id
    assert here.event_id.count(here.toy) >= 1


@given(running_toys(), st.data())
def test_one_changed_character_never_changes_what_the_folder_says(name, data):
    written = format_name(name)
    position = data.draw(st.integers(0, len(written) - 1))
    alphabet = string.digits if written[position].isdigit() else string.printable
    changed = written[:position] + data.draw(st.sampled_from(alphabet)) + written[position + 1 :]
    try:
        parsed = parse_name(changed, folder=name.folder)
    except NameGrammarError:
        return

    assert format_name(parsed).lower() == changed.lower()
    assert (parsed.toy, parsed.case, parsed.sound, parsed.recording_type) == (
        name.toy,
        name.case,
        name.sound,
        name.recording_type,
    )


@given(running_toys(), running_toys())
def test_a_file_in_the_folder_of_another_kind_is_an_error(name, other):
    assume(name.folder != other.folder)

    with pytest.raises(NameGrammarError) as caught:
        parse_name(format_name(name), folder=other.folder)

    assert (caught.value.expected, caught.value.actual) == (name.folder, other.folder)


@given(running_toys(), st.sampled_from(TOYS))
def test_a_running_toy_among_the_noise_is_an_error(name, toy):
    with pytest.raises(NameGrammarError):
        parse_name(format_name(name), folder=f"{toy.name}/EnvironmentalNoise_CNT")


@given(
    st.one_of(st.text(), st.from_regex(r"[0-9]{10}_Toy(Car|Train)_case[0-9]_[a-z0-9]+_(IND|CNT)_ch[0-9]_[0-9]{4}\.wav"))
)
@example("")
@example(NORMAL_TRAIN + "\n")
@example(NORMAL_TRAIN.replace("0007", "\N{ARABIC-INDIC DIGIT ZERO}" * 4))
@example(NORMAL_TRAIN.upper())
@example("normal.wav")
def test_text_that_is_not_a_name_is_never_taken_for_one(text):
    try:
        name = parse_name(text)
    except NameGrammarError:
        return

    assert format_name(name).lower() == text.lower()  # only what the grammar writes may get this far
    assert re.search(rf"_{name.condition}_", text, re.IGNORECASE)


@given(st.text())
def test_text_in_the_noise_folder_is_noise_or_an_error(text):
    try:
        name = parse_name(text, folder=NOISE_FOLDER)
    except NameGrammarError:
        return

    assert name.sound == "noise"


@pytest.mark.parametrize(
    ("name", "expected", "actual"),
    [
        ("readme.wav", "<ten digits>_", "readme.wav"),
        (NORMAL_TRAIN.replace("Train", "Plane"), "ToyCar, ToyConveyor, ToyTrain", "'ToyPlane'"),
        ("3500010007_ToyTrain_case5_normal_IND_ch1_0007.wav", "1, 2, 3, 4", "5"),
        ("2400010007_ToyConveyor_case4_normal_IND_ch1_0007.wav", "1, 2, 3", "4"),
        ("3155010007_ToyTrain_case1_ab55_IND_ch1_0007.wav", "ab01 to ab54", "'ab55'"),
        ("1154010007_ToyCar_case1_ab54_IND_ch1_0007.wav", "ab01 to ab53", "'ab54'"),
        ("3100010007_ToyTrain_case1_ab00_IND_ch1_0007.wav", "ab01 to ab54", "'ab00'"),
        ("3100050007_ToyTrain_case1_normal_IND_ch5_0007.wav", "1 to 4", "5"),
        ("3101110007_ToyTrain_case1_ab01_CNT_ch1_0007.wav", "normal CNT", "anomalous CNT"),
        ("3100110007_ToyTrain_case1_noise_CNT_ch1_0007.wav", "<ten digits>_", "noise"),
    ],
)
def test_a_wrong_name_is_explained(name, expected, actual):
    with refused(NameGrammarError) as caught:
        parse_name(name)

    assert caught.value.where == name
    assert expected in caught.value.expected
    assert actual in caught.value.actual
    assert f"--ignore {name}" in caught.value.remedy


def test_noise_outside_its_folder_is_told_where_it_belongs():
    with refused(NameGrammarError):
        parse_name("3100110007_ToyTrain_case1_noise_CNT_ch1_0007.wav")


@pytest.mark.parametrize(
    ("name", "actual"),
    [
        ("noise_case1_0001.wav", "no channel"),
        ("noise_case1_ch5_0001.wav", "ch5"),
        ("noise_case1_ch1_ch2_0001.wav", "ch1, ch2"),
        ("noise_case1_ch1.wav", "noise_case1_ch1.wav"),
        ("noise_case1_ch1_99999999999.wav", "99999999999"),
        ("ToyCar_case1_noise_ch1_0001.wav", "ToyCar"),
        ("noise_case1_ch1_0001.flac", "flac"),
        ("toycar_case1_noise_ch1_0001.wav", "ToyCar"),
        ("..\\noise_case1_ch1_0001.wav", "noise_case1"),
        ("3101010007_ToyTrain_case1_ab01_CNT_ch1_0007.wav", "ab01"),
        ("3100010007_ToyTrain_case1_noise_IND_ch1_0007.wav", "IND"),
    ],
)
def test_noise_that_contradicts_itself_or_says_too_little_is_explained(name, actual):
    with refused(NameGrammarError) as caught:
        parse_name(name, folder=NOISE_FOLDER)

    assert caught.value.where == f"{NOISE_FOLDER}/{name}"
    assert actual in caught.value.actual


@pytest.mark.parametrize(
    ("toy", "file_name", "served"),
    [
        ("ToyTrain", "ToyTrain_HO_CNT_ch1_0001.wav", (1, 2)),
        ("ToyTrain", "3100110001_ToyTrain_caseAll_ho_CNT_ch1_0001.wav", (1, 2)),
        ("ToyTrain", "ToyTrain_N_CNT_ch1_0001.wav", (3, 4)),
        ("ToyTrain", "noise_case1-2_ch1_0001.wav", (1, 2)),
        ("ToyTrain", "noise_case1+2_ch1_0001.wav", (1, 2)),
        ("ToyTrain", "noise_case1_case2_ch1_0001.wav", (1, 2)),
        ("ToyTrain", "noise_Case12_ch1_0001.wav", (1, 2)),
        ("ToyConveyor", "noise_case1-2-3_ch1_0001.wav", (1, 2, 3)),
    ],
)
def test_noise_may_serve_several_cases(toy, file_name, served):
    name = parse_name(file_name, folder=f"{toy}/EnvironmentalNoise_CNT")

    assert (name.case, name.serves) == (ALL_CASES, served)
    assert name.unknown_words
    assert [case for case in (1, 2, 3, 4) if name.may_serve(case)] == list(served)


@pytest.mark.parametrize(
    ("toy", "file_name"),
    [
        ("ToyTrain", "noise_ch1_0001.wav"),
        ("ToyTrain", "noise_caseAll_ch1_0001.wav"),
        ("ToyTrain", "noise_HO_N_ch1_0001.wav"),
        ("ToyTrain", "noise_case9_ch1_0001.wav"),
        ("ToyTrain", "noise_case1_case9_ch1_0001.wav"),
        ("ToyTrain", "noise_case1_2_ch1_0001.wav"),
        ("ToyTrain", "noise_case1-4_ch1_0001.wav"),
        ("ToyConveyor", "noise_HO_ch1_0001.wav"),
    ],
)
def test_noise_whose_case_is_not_clear_is_never_given_to_the_first(toy, file_name):
    name = parse_name(file_name, folder=f"{toy}/EnvironmentalNoise_CNT")

    assert (name.case, name.serves) == (ALL_CASES, ())
    assert name.unknown_words


@pytest.mark.parametrize("word", ["N", "HO", "Env"])
def test_a_numbered_case_says_more_than_any_other_word(word):
    name = parse_name(f"3300110001_ToyTrain_case3_{word}_CNT_ch1_0001.wav", folder=NOISE_FOLDER)

    assert (name.case, name.serves, name.unknown_words) == (3, (), (word,))


@given(plain_noise())
def test_only_words_that_nobody_expects_are_strange(name):
    is_expected = name.case != ALL_CASES or toy_named(name.toy).noise_is_shared

    assert name.unknown_words == (() if is_expected else ("caseAll",))
    assert parse_member(name.member.replace("_noise_", "_Env_")).unknown_words == (
        ("Env",) if is_expected else ("caseAll", "Env")
    )


def test_the_car_may_leave_its_noise_without_a_case():
    name = parse_name("1000110002_ToyCar_noise_CNT_ch3_0002.wav", folder="ToyCar/EnvironmentalNoise_CNT")

    assert (name.case, name.channel, name.take) == (ALL_CASES, 3, 2)
    assert name.event_id == "ToyCar_noise_CNT_0002"
    assert name.unknown_words == ()


@pytest.mark.parametrize("folder", ["ToyPlane", "ToyTrain/case1", "", "x/ToyTrain"])
def test_noise_of_an_unknown_toy_is_an_error(folder):
    with refused(NameGrammarError):
        parse_name("noise_case1_ch1_0001.wav", folder=f"{folder}/EnvironmentalNoise_CNT")


@pytest.mark.parametrize(
    "member", [NORMAL_TRAIN, f"ToyTrain/{NORMAL_TRAIN}", f"/ToyTrain/case1/NormalSound_IND/{NORMAL_TRAIN}"]
)
def test_a_member_that_is_not_where_the_corpus_has_it_is_an_error(member):
    with refused(NameGrammarError):
        parse_member(member)


@pytest.mark.parametrize("odd", ["\udcff", "\x00", "\n", "\x1b[2J", "\u202e"])
def test_characters_that_cannot_be_shown_are_escaped_in_the_error(odd):
    with pytest.raises(NameGrammarError) as caught:
        parse_name(f"noise{odd}_case1_ch1_0001.wav", folder=NOISE_FOLDER)

    assert odd not in caught.value.where
    assert odd not in caught.value.actual
    assert str(caught.value).encode()  # a lone surrogate could not be printed


def test_an_impossible_recording_cannot_be_made():
    with refused(OptionError):
        RecordingName(toy="ToyTrain", case=0, condition="normal", recording_type="IND", channel=1, take=1)
    with refused(OptionError):
        RecordingName(toy="ToyTrain", case=1, condition="normal", recording_type="IND", channel=1, take=10_000)
    with refused(OptionError):
        RecordingName(
            toy="ToyTrain", case=1, condition="normal", recording_type="IND", channel=1, take=1, noise_stem="x"
        )


@pytest.mark.parametrize("name", ["train", "ToyTrain", "toytrain", "TRAIN"])
def test_a_toy_answers_to_its_name_and_its_short_name(name):
    assert toy_named(name).digit == 3


def test_an_unknown_toy_is_answered_with_the_choices():
    with refused(OptionError) as caught:
        toy_named("plane")

    assert "--toy train" in caught.value.remedy
