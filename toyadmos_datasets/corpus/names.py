"""The grammar of file names: ``3101010001_ToyTrain_case1_ab01_IND_ch1_0001.wav`` and what it stands for.

The ten digits repeat the name (toy, case, two digits of condition, 0 IND or 1 CNT, channel, four digits of
take), and the folder repeats it once more. The words decide: where the folder says something else, that is an
error; where the digits do, or are missing, they are kept as they are. Capitals are read as the corpus's. What the
names of noise recordings look like in full is not public, so those are read by `noise_names`, leniently and by
their folder. Nothing that is unknown ever counts as normal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, TypeGuard, cast

from toyadmos_datasets.corpus.damage import Damage, conditions_of, damage_of, has_condition
from toyadmos_datasets.corpus.name_errors import ignoring, name_error, remedy_for
from toyadmos_datasets.corpus.noise_names import (
    MAX_NOISE_TAKE,
    NOISE_FOLDER,
    NoiseStem,
    noise_event_id,
    read_noise_stem,
    unknown_words,
)
from toyadmos_datasets.corpus.toys import ALL_CASES, CHANNELS, TOYS, RecordingType, Sound
from toyadmos_datasets.errors import OptionError

NOISE = "noise"
NORMAL = "normal"
SUFFIX = ".wav"
MAX_TAKE = 9999

_PATTERN: Final = re.compile(
    r"(?:([0-9]+)_)?(Toy[A-Za-z]+)_case([0-9])_(normal|ab[0-9]{2})_(IND|CNT)_ch([0-9])_([0-9]{4})\.wav",
    re.ASCII | re.IGNORECASE,
)
_SHAPE: Final = "<ten digits>_<Toy>_case<N>_<normal|abNN>_<IND|CNT>_ch<1-4>_<four digits>.wav"
_TOYS: Final = {toy.name: toy for toy in TOYS}
_SPELLINGS: Final = {toy.name.lower(): toy.name for toy in TOYS}
_FOLDERS: Final = {("normal", "IND"): "NormalSound_IND", ("anomalous", "IND"): "AnomalousSound_IND"} | {
    ("normal", "CNT"): "NormalSound_CNT",
    ("noise", "CNT"): NOISE_FOLDER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingName:
    """What the name of a recording says.

    Attributes:
        toy: ``ToyTrain``.
        case: Number of the case; 0 for noise that is not of one case.
        condition: ``normal``, ``ab01`` and so on, or ``noise``.
        recording_type: ``IND`` (one start and stop) or ``CNT`` (ten minutes).
        channel: Microphone, 1 to 4.
        take: Number of the take within its condition.
        digits: The digits before the name where they do not repeat it, empty where there are none; None for the
            ten that do, and for noise, whose digits nobody knows.
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
    digits: str | None = None
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
    def unknown_words(self) -> tuple[str, ...]:
        """Words of a noise recording's name that nobody has seen; see `noise_names`."""
        return unknown_words(self.recording_id, _TOYS[self.toy]) if self.condition == NOISE else ()

    def may_serve(self, case: int) -> bool:
        """Whether this noise may be heard with a case: its name says that case, or none."""
        return self.case == case or (self.case == ALL_CASES and (not self.serves or case in self.serves))

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
    """Write a recording's file name.

    Examples:
        >>> import toyadmos_datasets as toyadmos
        >>> name = toyadmos.parse_name("3101010001_ToyTrain_case1_ab01_IND_ch1_0001")
        >>> toyadmos.format_name(name)
        '3101010001_ToyTrain_case1_ab01_IND_ch1_0001.wav'
    """
    if name.noise_stem:
        return name.noise_stem + SUFFIX
    digits = digits_of(name) if name.digits is None else name.digits
    words = (name.toy, _case_word(name.case), name.condition, name.recording_type, f"ch{name.channel}")
    return "_".join((*filter(None, [digits]), *words, f"{name.take:04d}{SUFFIX}"))


def digits_of(name: RecordingName) -> str:
    """Return the ten digits that repeat a name."""
    condition = name.condition[2:] if name.sound == "anomalous" else "00"
    is_cnt = int(name.recording_type == "CNT")
    return f"{_TOYS[name.toy].digit}{name.case}{condition}{is_cnt}{name.channel}{name.take:04d}"


def parse_name(file_name: str, *, folder: str | None = None) -> RecordingName:
    """Read a recording's file name, whatever its capitals.

    Args:
        file_name: With ``.wav``, without folders.
        folder: Where it lies, as in ``ToyTrain/case1/NormalSound_IND``; checked where given. Noise is
            known by its folder alone.

    Raises:
        NameGrammarError: The name is unknown, or its words contradict each other or its folder.

    Source:
        Names seen in public, and the folders of the extracted archives.
    """
    shown = file_name if folder is None else f"{folder}/{file_name}"
    if is_noise_folder(folder):
        return _parse_noise(file_name, toy=folder[: -len(NOISE_FOLDER) - 1], shown=shown)
    name = _parse_regular(file_name, shown=shown)
    if folder is not None and folder.lower() != name.folder.lower():
        raise name_error(
            "The folder contradicts the file's name.",
            shown,
            expected=name.folder,
            actual=folder,
            remedy=f"Move the file to {name.folder} if its name is right, or leave it out: {ignoring(file_name)}",
        )
    return name


def is_noise_folder(folder: str | None) -> TypeGuard[str]:
    """Whether a folder of the corpus holds noise, as in ``ToyTrain/EnvironmentalNoise_CNT``."""
    return folder is not None and folder.lower().endswith(f"/{NOISE_FOLDER}".lower())


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
            remedy=f"{remedy_for(file_name)} Noise is known by its folder, {NOISE_FOLDER}.",
        )
    digits, toy, case, condition, recording_type, channel, take = match.groups()
    try:
        name = RecordingName(
            toy=_SPELLINGS.get(toy.lower(), toy),
            case=int(case),
            condition=condition.lower(),
            recording_type=cast("RecordingType", recording_type.upper()),
            channel=int(channel),
            take=int(take),
        )
    except OptionError as error:
        raise name_error(error.what, shown, expected=error.expected, actual=error.actual) from error
    digits = digits or ""
    return name if digits == digits_of(name) else replace(name, digits=digits)


def _parse_noise(file_name: str, *, toy: str, shown: str) -> RecordingName:
    toy = _SPELLINGS.get(toy.lower(), toy)
    if toy not in _TOYS:
        raise name_error("The folder is not a toy's.", shown, expected=", ".join(_TOYS), actual=toy)
    stem = read_noise_stem(file_name, toy=_TOYS[toy], shown=shown)
    plain = _noise_of(stem, toy=toy) if stem.take <= MAX_TAKE and len(stem.cases) <= 1 else None
    if plain is not None and plain.recording_id == stem.stem:
        return plain
    return _noise_of(stem, toy=toy, noise_stem=stem.stem)


def _noise_of(stem: NoiseStem, *, toy: str, noise_stem: str = "") -> RecordingName:
    return RecordingName(
        toy=toy,
        case=stem.cases[0] if len(stem.cases) == 1 else ALL_CASES,
        condition=NOISE,
        recording_type="CNT",
        channel=stem.channel,
        take=stem.take,
        noise_stem=noise_stem,
        serves=stem.cases if len(stem.cases) > 1 else (),
    )


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
    if (name.noise_stem or name.serves) and name.condition != NOISE:
        return "Only noise may have a name of its own.", "no noise_stem, no serves", ascii(name.noise_stem)
    if name.digits is not None and (name.condition == NOISE or not re.fullmatch("[0-9]*", name.digits)):
        return "These cannot be the digits before a name.", "digits, and none of noise", ascii(name.digits)
    if name.serves and (name.case != ALL_CASES or not set(name.serves) <= set(_TOYS[name.toy].cases)):
        return "Noise cannot serve these cases.", f"case 0, and cases of {name.toy}", str(name.serves)
    return None
