"""Values that are typed as words with commas or blanks between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from toyadmos_datasets.errors import OptionError

Number = TypeVar("Number", int, float)


def words_of(values: list[str | None] | list[str] | None) -> list[str]:
    """Split values at commas and blanks, so that `--snr 6,0 --snr -6` is three."""
    return [word for value in values or [] if value for word in value.replace(",", " ").split()]


def numbers_of(value: str | None, option: str) -> tuple[int, ...] | None:
    """Read whole numbers with commas between them.

    Raises:
        OptionError: A word is none.
    """
    return None if value is None else tuple(number_of(word, int, option) for word in words_of([value]))


def number_of(word: str, kind: Callable[[str], Number], option: str) -> Number:
    """Read one number.

    Raises:
        OptionError: The word is none.
    """
    try:
        return kind(word)
    except ValueError as error:
        raise OptionError(
            "An option takes numbers.",
            where=option,
            expected="numbers with commas between them",
            actual=ascii(word),
            remedy=f"For instance: {option} 1,2",
        ) from error


def decibels_of(values: list[str] | None, option: str) -> tuple[float, ...]:
    """Read levels with commas between them; none where the option was not given.

    Raises:
        OptionError: A word is none.
    """
    return tuple(number_of(word, float, option) for word in words_of(values))
