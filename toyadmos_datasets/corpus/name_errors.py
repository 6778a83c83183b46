"""Errors for invalid file names."""

from __future__ import annotations

import glob
from collections.abc import Sequence

from toyadmos_datasets.errors import CONTINUED, IndexConflictError, NameGrammarError, ToyAdmosError
from toyadmos_datasets.escaping import shell_word

MAX_LISTED = 10
"""How many names an error lists; it counts all."""


def name_error(
    what: str, where: str, *, expected: str | None = None, actual: str | None = None, remedy: str | None = None
) -> NameGrammarError:
    """Build the error for one name; characters that cannot be shown are escaped."""
    return NameGrammarError(
        what,
        where=showable(where),
        expected=expected,
        actual=None if actual is None else showable(actual),
        remedy=remedy or remedy_for(where.rpartition("/")[2]),
    )


def names_error(errors: Sequence[ToyAdmosError]) -> ToyAdmosError:
    """Return one error that lists all that is wrong with names: itself if it is one.

    Args:
        errors: One for each file, in the order in which they are listed.

    Returns:
        A `NameGrammarError` where a name cannot be read, else an `IndexConflictError`.
    """
    if len(errors) == 1:
        return errors[0]
    is_grammar = any(isinstance(error, NameGrammarError) for error in errors)
    lines = [f"{error.where}: {error.what[:-1]} ({error.actual}; expected {error.expected})" for error in errors]
    more = [f"and {len(errors) - MAX_LISTED} more: toyadmos verify SRC --toy TOY"] if len(errors) > MAX_LISTED else []
    files = [str(error.where).rpartition("/")[2] for error in errors]
    kind = NameGrammarError if is_grammar else IndexConflictError
    return kind(
        f"{len(errors)} files cannot be indexed by their names."
        if is_grammar
        else f"{len(errors)} files have the identifier of another file.",
        where=errors[0].where,
        expected="names of the corpus, in the folders that they name, each once",
        actual=CONTINUED.join([*lines[:MAX_LISTED], *more]),
        remedy=f"Give these files the names and folders that they have in the official archive, or leave them out: "
        f"{ignoring(*files)}",
    )


def remedy_for(file_name: str) -> str:
    """Say what to do about a file whose name is unknown."""
    return (
        "Give the file the name that it has in the official archive, or leave it out; no name is guessed. "
        f"The same command with: {ignoring(file_name)}"
    )


def ignoring(*file_names: str) -> str:
    """Return the options that leave files out; where they are many, the first of them."""
    names = sorted(set(file_names))
    options = " ".join(f"--ignore {shell_word(_pattern(one))}" for one in names[:MAX_LISTED])
    return options if len(names) <= MAX_LISTED else f"{options} and so on; one PATTERN with * may stand for many"


def _pattern(file_name: str) -> str:
    """Return a pattern of this name that can be typed."""
    return glob.escape("".join(one if one.isprintable() else "\0" for one in file_name)).replace("\0", "?")


def showable(text: str) -> str:
    """Escape a name that holds control characters or bytes that are not UTF-8."""
    return text if text.isprintable() else ascii(text)
