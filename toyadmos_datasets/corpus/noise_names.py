"""File names of environmental noise: read leniently, since no listing of them is public.

What is known: ToyCar's carry ``caseAll``, the others' ``case<N>``, and all hold ``ch<K>`` and end in the
digits of the take. What stands in the condition's place is unknown, so the folder alone makes a file noise.
What a name says of toy and channel must not contradict itself or the folder. Unknown words are tolerated, and
`unknown_words` tells them, so that an index can count them.

Whom noise serves: the case or the cases that its name says (``case1``, ``case1-2``, ``case1_case2``, ``case12``);
where it says none, the cases of the scale that it says (the train's ``HO`` and ``N``); otherwise every case
without noise of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from toyadmos_datasets.corpus.name_errors import name_error
from toyadmos_datasets.corpus.toys import ALL_CASES, CHANNELS, TOYS, Toy

NOISE_FOLDER = "EnvironmentalNoise_CNT"
MAX_NOISE_TAKE = 2**31 - 1
"""Takes are kept as 32-bit integers."""

SCALES: Final = {"ToyTrain": {"HO": (1, 2), "N": (3, 4)}}
"""Cases of each scale of a toy, whose noise was recorded once for both.

Source:
    Koizumi et al., WASPAA 2019, section 3 and Table 1: two sets of noise for the train, and its cases by scale.
"""

_FLAGS: Final = re.ASCII | re.IGNORECASE
_CHANNEL: Final = re.compile(r"_?(?<![A-Za-z])ch([0-9]+)", _FLAGS)
_CASE: Final = re.compile(r"(?<![A-Za-z])case(all|[0-9]+(?:[-+&,~][0-9]+)*(?:_[0-9](?=_))?)(?![A-Za-z0-9])", _FLAGS)
_TOY: Final = re.compile(r"Toy[A-Z][a-z]+")
_ANY_TOY: Final = re.compile("|".join(toy.name for toy in TOYS), _FLAGS)
_TAKE: Final = re.compile(r"(?<![0-9])(?<!ch)(?<!case)([0-9]+)\Z", _FLAGS)
_DIGITS: Final = re.compile(r"\A[0-9]+_", _FLAGS)
_NOT_NOISE: Final = re.compile(r"(?:\A|_)(normal|ab[0-9]{2}|IND)(?=_|\Z)", _FLAGS)
_SUFFIX: Final = re.compile(r"\.wav\Z", _FLAGS)
_SHAPE: Final = "...case<N or All>..._ch<1-4>_<take>.wav"
_WORDS: Final = {"noise": "noise", "cnt": "CNT"}
"""Words of this package's own noise names, as it spells them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseStem:
    """What the name of a noise recording says.

    Attributes:
        stem: The name without ``.wav``, its known words as the corpus spells them.
        cases: Numbers of the cases that it serves; none where it serves every case without noise of its own.
        channel: Microphone, 1 to 4.
        take: Number of the take.
    """

    stem: str
    cases: tuple[int, ...]
    channel: int
    take: int


def read_noise_stem(file_name: str, *, toy: Toy, shown: str) -> NoiseStem:
    """Read the name of a file in the noise folder of `toy`.

    Args:
        file_name: With ``.wav``, without folders.
        toy: Whose folder it is.
        shown: Where the file is, for the error.

    Raises:
        NameGrammarError: Channel or take is missing or named twice, or the name contradicts the folder.

    Source:
        The authors' scripts, which look for ``*case<N>*ch<K>*.wav``; observations of ToyCar's ``caseAll``.
    """
    stem = _SUFFIX.sub("", file_name)
    if stem == file_name or not file_name.isprintable() or "/" in file_name or "\\" in file_name:
        raise name_error("This is not a file name of the corpus.", shown, expected=_SHAPE, actual=file_name)
    stranger = _NOT_NOISE.search(stem)
    if stranger:
        raise name_error(
            "A recording of a running toy lies among the noise.", shown, expected="noise", actual=stranger[1]
        )
    stem = _as_spelt(stem, toy)
    for named in _TOY.findall(stem):
        if named != toy.name:
            raise name_error("The folder contradicts the file's name.", shown, expected=toy.name, actual=named)
    take = _TAKE.search(stem)
    if take is None or len(take[1]) > 10 or int(take[1]) > MAX_NOISE_TAKE:
        raise name_error("The take is not in the file's name.", shown, expected=_SHAPE, actual=file_name)
    return NoiseStem(
        stem=stem,
        cases=_cases_of(stem, toy) or _cases_of_scale(stem, toy),
        channel=_channel_of(stem, shown=shown),
        take=int(take[1]),
    )


def noise_event_id(stem: str, *, toy: str) -> str:
    """Name what the four microphones share: the name without digits and channel, with the toy."""
    event = _CHANNEL.sub("", _DIGITS.sub("", stem)).lstrip("_")
    return event if toy in event else f"{toy}_{event}"


def unknown_words(stem: str, toy: Toy) -> tuple[str, ...]:
    """Return what of a noise recording's name nobody has seen, in order; ``no case`` where a case is to be expected."""
    known = {toy.name, "noise", "CNT", *(f"case{case}" for case in toy.cases)}
    if toy.noise_is_shared:
        known.add("caseAll")
    rest = _TAKE.sub("", _CHANNEL.sub("", _DIGITS.sub("", stem)))
    strange = [word for word in rest.split("_") if word and word not in known]
    cases = _CASE.findall(stem)
    if not cases and not toy.noise_is_shared:
        strange.append("no case")
    elif len(cases) > 1:
        strange.append("several cases")
    return tuple(strange)


def _as_spelt(stem: str, toy: Toy) -> str:
    """Spell the words that are known as the corpus does; of the others nobody knows how."""
    stem = _ANY_TOY.sub(lambda found: _NAMES[found[0].lower()], stem)
    stem = _CASE.sub(lambda found: "caseAll" if found[1].lower() == "all" else f"case{found[1]}", stem)
    stem = _CHANNEL.sub(lambda found: found[0].lower(), stem)
    words = _WORDS | {scale.lower(): scale for scale in SCALES.get(toy.name, {})}
    return "_".join(words.get(word.lower(), word) for word in stem.split("_"))


_NAMES: Final = {toy.name.lower(): toy.name for toy in TOYS}


def _cases_of(stem: str, toy: Toy) -> tuple[int, ...]:
    """Return the cases that a name says; none where it says all, none, or what is not clear."""
    named: set[int] = set()
    for text in _CASE.findall(stem):
        first, *more = re.split(r"[-+&,~]", text)
        apart = [first, *more] if more else list(first.lstrip("0"))
        cases = [int(one) if one.isdigit() else ALL_CASES for one in apart]
        is_long_range = more and re.search("[-~]", text) and any(b - a != 1 for a, b in pairwise(cases))
        if not set(cases) <= set(toy.cases) or is_long_range:
            return ()
        named |= set(cases)
    return tuple(sorted(named))


def _cases_of_scale(stem: str, toy: Toy) -> tuple[int, ...]:
    """Return the cases of the one scale that a name says, where it says no numbered case."""
    scales = SCALES.get(toy.name, {})
    named = {word for word in re.split(r"[_\W]", stem) if word in scales}
    numbered = [text for text in _CASE.findall(stem) if text != "All"]
    return scales[named.pop()] if len(named) == 1 and not numbered else ()


def _channel_of(stem: str, *, shown: str) -> int:
    named = set(_CHANNEL.findall(stem))
    channels = {str(channel): channel for channel in CHANNELS}
    if len(named) != 1 or not named <= channels.keys():
        raise name_error(
            "The name does not say one channel.",
            shown,
            expected="ch1, ch2, ch3 or ch4",
            actual=", ".join(f"ch{channel}" for channel in sorted(named)) or "no channel",
        )
    return channels[named.pop()]
