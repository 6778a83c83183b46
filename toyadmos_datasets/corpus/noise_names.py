"""File names of environmental noise: read leniently, since no listing of them is public.

What is known: ToyCar's carry ``caseAll``, the others' ``case<N>``, and all hold ``ch<K>`` and end in the
digits of the take. What stands in the condition's place is unknown, so the folder alone makes a file noise.
What a name does say must not contradict itself, the folder or the toy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from toyadmos_datasets.corpus.name_errors import name_error
from toyadmos_datasets.corpus.toys import ALL_CASES, CHANNELS, Toy

NOISE_FOLDER = "EnvironmentalNoise_CNT"
MAX_NOISE_TAKE = 2**31 - 1
"""Takes are kept as 32-bit integers."""

_CHANNEL: Final = re.compile(r"_?(?<![A-Za-z])ch([0-9]+)")
_CASE: Final = re.compile(r"(?<![A-Za-z])case([0-9]+|All)(?![A-Za-z0-9])")
_TOY: Final = re.compile(r"Toy[A-Z][a-z]+")
_TAKE: Final = re.compile(r"(?<![0-9])(?<!ch)(?<!case)([0-9]+)\Z")
_DIGITS: Final = re.compile(r"\A[0-9]{10}_")
_NOT_NOISE: Final = re.compile(r"(?:\A|_)(normal|ab[0-9]{2}|IND)(?=_|\Z)")
_SHAPE: Final = "...case<N or All>..._ch<1-4>_<take>.wav"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseStem:
    """What the name of a noise recording says.

    Attributes:
        case: Number of the case, or 0 where it serves all.
        channel: Microphone, 1 to 4.
        take: Number of the take.
    """

    case: int
    channel: int
    take: int


def read_noise_stem(file_name: str, *, toy: Toy, shown: str) -> NoiseStem:
    """Read the name of a file in the noise folder of `toy`.

    Args:
        file_name: With ``.wav``, without folders.
        toy: Whose folder it is.
        shown: Where the file is, for the error.

    Raises:
        NameGrammarError: Case, channel or take is missing or named twice, or the name contradicts the folder.

    Source:
        The authors' scripts, which look for ``*case<N>*ch<K>*.wav``; observations of ToyCar's ``caseAll``.
    """
    stem = file_name.removesuffix(".wav")
    if stem == file_name or not file_name.isprintable() or "/" in file_name or "\\" in file_name:
        raise name_error("This is not a file name of the corpus.", shown, expected=_SHAPE, actual=file_name)
    stranger = _NOT_NOISE.search(stem)
    if stranger:
        raise name_error(
            "A recording of a running toy lies among the noise.", shown, expected="noise", actual=stranger[1]
        )
    for named in _TOY.findall(stem):
        if named != toy.name:
            raise name_error("The folder contradicts the file's name.", shown, expected=toy.name, actual=named)
    take = _TAKE.search(stem)
    if take is None or len(take[1]) > 10 or int(take[1]) > MAX_NOISE_TAKE:
        raise name_error("The take is not in the file's name.", shown, expected=_SHAPE, actual=file_name)
    return NoiseStem(
        case=_case_of(stem, toy=toy, shown=shown), channel=_channel_of(stem, shown=shown), take=int(take[1])
    )


def noise_event_id(stem: str, *, toy: str) -> str:
    """Name what the four microphones share: the name without digits and channel, with the toy."""
    event = _CHANNEL.sub("", _DIGITS.sub("", stem)).lstrip("_")
    return event if toy in event else f"{toy}_{event}"


def _case_of(stem: str, *, toy: Toy, shown: str) -> int:
    named = set(_CASE.findall(stem))
    if not named and toy.noise_is_shared:
        return ALL_CASES
    cases = {"All": ALL_CASES} | {str(case): case for case in toy.cases}
    if len(named) != 1 or not named <= cases.keys():
        expected = " or ".join(f"case{case}" for case in cases)
        raise name_error(
            f"The name of {toy.name}'s noise does not say one case.",
            shown,
            expected=expected,
            actual=", ".join(f"case{case}" for case in sorted(named)) or "no case",
        )
    return cases[named.pop()]


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
