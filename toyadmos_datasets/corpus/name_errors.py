"""How a name that cannot be read is reported."""

from __future__ import annotations

from toyadmos_datasets.errors import NameGrammarError

REMEDY = "Give the file the name it has in the official archive, or move it out of the source; no name is guessed."


def name_error(
    what: str, where: str, *, expected: str | None = None, actual: str | None = None, remedy: str = REMEDY
) -> NameGrammarError:
    """Build the error for one name; characters that cannot be shown are escaped."""
    return NameGrammarError(
        what,
        where=showable(where),
        expected=expected,
        actual=None if actual is None else showable(actual),
        remedy=remedy,
    )


def showable(text: str) -> str:
    """Escape a name that holds control characters or bytes that are not UTF-8."""
    return text if text.isprintable() else ascii(text)
