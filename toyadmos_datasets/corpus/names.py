"""The grammar of file names: ``3101010001_ToyTrain_case1_ab01_IND_ch1_0001.wav`` and what it stands for.

The ten digits repeat the name (toy, case, two digits of condition, 0 IND or 1 CNT, channel, four digits of
take), the folder repeats it once more, and all three have to agree. What the names of noise recordings
look like in full is not public, so those are read by `noise_names`, leniently and by their folder.
Nothing that is unknown ever counts as normal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast

from toyadmos_datasets.corpus.damage import Damage, conditions_of, damage_of, has_condition
from toyadmos_datasets.corpus.name_errors import REMEDY, name_error
from toyadmos_datasets.corpus.noise_names import (
    MAX_NOISE_TAKE,
    NOISE_FOLDER,
    NoiseStem,
    noise_event_id,
    read_noise_stem,
)
from toyadmos_datasets.corpus.toys import ALL_CASES, CHANNELS, TOYS, RecordingType, Sound
from toyadmos_datasets.errors import OptionError

NOISE = "noise"
NORMAL = "normal"
SUFFIX = ".wav"
MAX_TAKE = 9999

_PATTERN: Final = re.compile(
    r"([0-9]{10})_(Toy[A-Za-z]+)_case([0-9])_(normal|ab[0-9]{2})_(IND|CNT)_ch([0-9])_([0-9]{4})\.wav"
)
_SHAPE: Final = "<ten digits>_<Toy>_case<N>_<normal|abNN>_<IND|CNT>_ch<1-4>_<four digits>.wav"
_TOYS: Final = {toy.name: toy for toy in TOYS}
_FOLDERS: Final = {("normal", "IND"): "NormalSound_IND", ("anomalous", "IND"): "AnomalousSound_IND"} | {
    ("normal", "CNT"): "NormalSound_CNT",
    ("noise", "CNT"): NOISE_FOLDER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingName:
    """What the name of a recording says.

    Attributes:
        toy: ``ToyTrain``.
        case: Number of the case; 0 for noise that serves all cases.
        condition: ``normal``, ``ab01`` and so on, or ``noise``.
        recording_type: ``IND`` (one start and stop) or ``CNT`` (ten minutes).
        channel: Microphone, 1 to 4.
        take: Number of the take within its condition.
        serves: For noise that its name files under several cases: which; its case is 0 then.
        noise_stem: The file's name without ``.wav`` where that is not how `format_name` would write it,
            which happens with noise only; empty otherwise.

    Raises:
        OptionError: There can be no such recording.
    """

    toy: str
    case: int
    condition: str
    recording_type: RecordingType
    channel: int
    take: int
    noise_stem: str = ""
    serves: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        fault = _fault_of(self)
        if fault is not None:
            what, expected, actual = fault
            raise OptionError(
                what,
                where="RecordingName",
                expected=expected,
                actual=actual,
                remedy="Give what the corpus has; toyadmos_datasets.corpus.toys.TOYS lists it.",
            )

    @property
    def sound(self) -> Sound:
        """``normal``, ``anomalous`` or ``noise``."""
        if self.condition == NORMAL:
            return "normal"
        return "noise" if self.condition == NOISE else "anomalous"

    @property
    def recording_id(self) -> str:
        """The file's name without ``.wav``."""
        return format_name(self).removesuffix(SUFFIX)

    @property
    def event_id(self) -> str:
        """What the four microphones share: the name without digits and channel."""
        if self.noise_stem:
            return noise_event_id(self.noise_stem, toy=self.toy)
        return "_".join((self.toy, _case_word(self.case), self.condition, self.recording_type, f"{self.take:04d}"))

    @property
    def folder(self) -> str:
        """Where the corpus keeps it: ``ToyTrain/case1/NormalSound_IND``."""
        kind = _FOLDERS[self.sound, self.recording_type]
        return f"{self.toy}/{kind}" if self.condition == NOISE else f"{self.toy}/case{self.case}/{kind}"

    @property
    def member(self) -> str:
        """Folder and file name, with forward slashes."""
        return f"{self.folder}/{format_name(self)}"

    @property
    def damage(self) -> Damage | None:
        """State of each part of the toy; None for noise, where no toy runs."""
        return None if self.condition == NOISE else damage_of(self.toy, self.condition)


def format_name(name: RecordingName) -> str:
    """Write a recording's file name."""
    if name.noise_stem:
        return name.noise_stem + SUFFIX
    words = (name.toy, _case_word(name.case), name.condition, name.recording_type, f"ch{name.channel}")
    return f"{_digits_of(name)}_{'_'.join(words)}_{name.take:04d}{SUFFIX}"


def parse_name(file_name: str, *, folder: str | None = None) -> RecordingName:
    """Read a recording's file name.

    Args:
        file_name: With ``.wav``, without folders.
        folder: Where it lies, as in ``ToyTrain/case1/NormalSound_IND``; checked where given. Noise is
            known by its folder alone.

    Raises:
        NameGrammarError: The name is unknown, or contradicts itself or its folder.

    Source:
        Names seen in public, and the folders of the extracted archives.
    """
    shown = file_name if folder is None else f"{folder}/{file_name}"
    if folder is not None and folder.endswith(f"/{NOISE_FOLDER}"):
        return _parse_noise(file_name, toy=folder.removesuffix(f"/{NOISE_FOLDER}"), shown=shown)
    name = _parse_regular(file_name, shown=shown)
    if folder is not None and folder != name.folder:
        raise name_error("The folder contradicts the file's name.", shown, expected=name.folder, actual=folder)
    return name


def parse_member(member: str) -> RecordingName:
    """Read a path inside a source: ``ToyTrain/case1/NormalSound_IND/....wav``.

    Raises:
        NameGrammarError: The name is unknown, or contradicts itself or its folder.
    """
    folder, _, file_name = member.rpartition("/")
    return parse_name(file_name, folder=folder)


def _parse_regular(file_name: str, *, shown: str) -> RecordingName:
    match = _PATTERN.fullmatch(file_name)
    if match is None:
        raise name_error(
            "This is not a file name of the corpus.",
            shown,
            expected=_SHAPE,
            actual=file_name,
            remedy=f"{REMEDY} Noise is known by its folder, {NOISE_FOLDER}.",
        )
    digits, toy, case, condition, recording_type, channel, take = match.groups()
    try:
        name = RecordingName(
            toy=toy,
            case=int(case),
            condition=condition,
            recording_type=cast("RecordingType", recording_type),
            channel=int(channel),
            take=int(take),
        )
    except OptionError as error:
        raise name_error(error.what, shown, expected=error.expected, actual=error.actual) from error
    expected = _digits_of(name)
    if digits != expected:
        raise name_error("The ten digits contradict the rest of the name.", shown, expected=expected, actual=digits)
    return name


def _parse_noise(file_name: str, *, toy: str, shown: str) -> RecordingName:
    if toy not in _TOYS:
        raise name_error("The folder is not a toy's.", shown, expected=", ".join(_TOYS), actual=toy)
    stem = read_noise_stem(file_name, toy=_TOYS[toy], shown=shown)
    plain = _noise_of(stem, toy=toy) if stem.take <= MAX_TAKE else None
    if plain is not None and format_name(plain) == file_name:
        return plain
    return _noise_of(stem, toy=toy, noise_stem=file_name.removesuffix(SUFFIX))


def _noise_of(stem: NoiseStem, *, toy: str, noise_stem: str = "") -> RecordingName:
    return RecordingName(
        toy=toy,
        case=stem.case,
        condition=NOISE,
        recording_type="CNT",
        channel=stem.channel,
        take=stem.take,
        noise_stem=noise_stem,
    )


def _digits_of(name: RecordingName) -> str:
    condition = name.condition[2:] if name.sound == "anomalous" else "00"
    is_cnt = int(name.recording_type == "CNT")
    return f"{_TOYS[name.toy].digit}{name.case}{condition}{is_cnt}{name.channel}{name.take:04d}"


def _case_word(case: int) -> str:
    return "caseAll" if case == ALL_CASES else f"case{case}"


def _fault_of(name: RecordingName) -> tuple[str, str, str] | None:
    """Say what is impossible about a recording: the sentence, what was expected, what is there."""
    toy = _TOYS.get(name.toy)
    if toy is None:
        return "There is no such toy.", ", ".join(_TOYS), ascii(name.toy)
    cases = (ALL_CASES, *toy.cases) if name.condition == NOISE else toy.cases
    if name.case not in cases:
        return f"{name.toy} has no such case.", ", ".join(map(str, cases)), str(name.case)
    if name.channel not in CHANNELS:
        return "There is no such channel.", "1 to 4", str(name.channel)
    highest = MAX_NOISE_TAKE if name.noise_stem else MAX_TAKE
    if not 0 <= name.take <= highest:
        return "There is no such take.", f"0 to {highest}", str(name.take)
    return _condition_fault_of(name)


def _condition_fault_of(name: RecordingName) -> tuple[str, str, str] | None:
    if name.condition != NOISE and not has_condition(name.toy, name.condition):
        known = f"normal, or ab01 to {conditions_of(name.toy)[-1]}"
        return f"{name.toy} has no such condition.", known, ascii(name.condition)
    if (name.sound, name.recording_type) not in _FOLDERS:
        known = ", ".join(f"{sound} {recording_type}" for sound, recording_type in _FOLDERS)
        return "There are no such recordings.", known, f"{name.sound} {name.recording_type}"
    if name.noise_stem and name.condition != NOISE:
        return "Only noise may have a name of its own.", "no noise_stem", ascii(name.noise_stem)
    return None
