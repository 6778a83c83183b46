"""Values of `--channels`: one microphone, the mean of all, several as one clip, or a row for each."""

from __future__ import annotations

import re
from collections.abc import Iterable

from toyadmos_datasets.corpus.toys import CHANNELS

MIX = "mix"
"""The mean of the four microphones."""

STACK = "stack"
"""The four microphones as the channels of one clip: another name of ``1,2,3,4``."""

ALL = "all"
"""A row for each microphone."""

CHANNELS_EXPECTED = f"{', '.join(map(str, CHANNELS))}, several in one clip such as 1,3, {MIX}, {STACK}, {ALL}"

CHANNELS_PATTERN = rf"^(?:(?!.*([1-4]).*\1)[1-4](?:,[1-4])*|{MIX}|{STACK}|{ALL})\Z"
"""Pattern of the values in recipes; no microphone occurs twice."""


def canonical_channels(choice: object) -> object:
    """Return the one way to write a choice, so that one request has one recipe: ``1, 3`` and (1, 3) are ``1,3``.

    An invalid value comes back unchanged, apart from blanks.
    """
    if isinstance(choice, Iterable) and not isinstance(choice, (str, bytes)):
        choice = ",".join(map(str, choice))
    if not isinstance(choice, str):
        return choice
    plain = choice.replace(" ", "")
    return STACK if plain == ",".join(map(str, CHANNELS)) else plain


def is_choice_of_channels(choice: str) -> bool:
    """Tell whether `--channels` accepts a value."""
    return re.fullmatch(CHANNELS_PATTERN, choice) is not None


def stacked_channels(choice: str | None) -> tuple[int, ...]:
    """Return the microphones that form the channels of one clip, in order; empty for clips of one channel."""
    if choice == STACK:
        return CHANNELS
    return tuple(map(int, choice.split(","))) if choice is not None and "," in choice else ()
