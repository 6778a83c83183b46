"""Oddities of headers and sound, and the examples that a user leaves out."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.reading import raise_shortage
from toyadmos_datasets.signal.wav import QUIRKS
from toyadmos_datasets.values.source import MAX_EXAMPLES, Oddity

HEADER_FLAG: Final = "header:"
"""What the flags of the recording store begin with that are about a file's header and not about its sound."""


def header_flags(quirks: Sequence[str]) -> list[str]:
    """Return the flags by which the store keeps quirks of a header, such as ``header:riff_size``."""
    return [f"{HEADER_FLAG}{quirk}" for quirk in quirks]


def header_oddities(catalogue: pa.Table) -> tuple[Oddity, ...]:
    """Count the odd headers among recordings, in the order of `QUIRKS`.

    Args:
        catalogue: Columns `recording_id` and `flags`, as `read_catalogue` has them; the recordings that are told about.

    Returns:
        An oddity a quirk that there is, with the code ``header_riff_size`` and so on; its examples are recording_ids.
    """
    flags = catalogue["flags"].combine_chunks()
    rows = pa.table({"flag": pc.list_flatten(flags), "row": pc.list_parent_indices(flags)})
    found = []
    for quirk, what in QUIRKS.items():
        odd = rows.filter(pc.equal(rows["flag"], f"{HEADER_FLAG}{quirk}"))["row"]
        if len(odd):
            examples = sorted(catalogue["recording_id"].take(odd).to_pylist())[:MAX_EXAMPLES]
            found.append(Oddity(code=f"header_{quirk}", what=what, n=len(odd), examples=tuple(examples)))
    return tuple(found)


SILENT = "silent"
"""Digital zeros only."""

HEALTH_FLAGS = (SILENT, "near_silent", "clipped", "dc", "dropout", "duplicate", "short", "long")
"""The words of the column `health`, in the order in which they are told; `rendering.example_health` defines them."""

OPTION = "--exclude"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCount:
    """How many examples of one label and condition have one flag.

    Attributes:
        flag: Of `HEALTH_FLAGS`.
        part: ``target``, or ``noise`` for a stretch of noise that is digital zeros.
        label: ``normal`` or ``anomalous``.
        condition: ``normal``, or the damage pattern.
        n_events: Events.
        n_clips: Clips.
    """

    flag: str
    part: str
    label: str
    condition: str
    n_events: int
    n_clips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is odd about the clips of a dataset, and what is left out of it.

    Attributes:
        counts: By flag, label and condition, in the order of `HEALTH_FLAGS`; none where nothing is odd.
        n_events: Events that ``--exclude`` with all of these flags would leave out.
        n_clips: Clips that it would leave out.
        n_clips_in_all: Clips that there are.
        n_left_out_events: Events that are left out already.
        n_left_out_clips: Their clips.
    """

    counts: tuple[HealthCount, ...] = ()
    n_events: int = 0
    n_clips: int = 0
    n_clips_in_all: int = 0
    n_left_out_events: int = 0
    n_left_out_clips: int = 0

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags that any clip has."""
        found = {count.flag for count in self.counts}
        return tuple(flag for flag in HEALTH_FLAGS if flag in found)

    @property
    def option(self) -> str:
        """What leaves out all that is odd, as it is typed."""
        return f"{OPTION} {','.join(self.flags)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """What a user wants left out of a dataset, event by event.

    Attributes:
        flags: Of `HEALTH_FLAGS`, in their order.
        ids: Names of recordings and events, sorted.
    """

    flags: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for flag in self.flags:
            if flag not in HEALTH_FLAGS:
                raise _unknown(flag)
        object.__setattr__(self, "flags", tuple(flag for flag in HEALTH_FLAGS if flag in self.flags))
        object.__setattr__(self, "ids", tuple(sorted(set(self.ids))))

    def __bool__(self) -> bool:
        return bool(self.flags or self.ids)

    def as_request(self) -> dict[str, Any]:
        """Return what the dataset's rows follow from, as JSON values: names by their hash; nothing for nothing."""
        if not self:
            return {}
        named = {"ids_sha256": hashlib.sha256("\n".join(self.ids).encode()).hexdigest()} if self.ids else {}
        return {"exclude": {"flags": list(self.flags)} | named}


def exclusion_of(values: Iterable[str]) -> Exclusion:
    """Read what was typed: flags with commas between them, or the path of a text file of names.

    A file has the id of a recording or an event a line; a path or the ending ``.wav`` around it is passed over, and so
    is what follows a ``#``.

    Raises:
        OptionError: A word is neither a flag nor a file, or a line is no name.
    """
    flags: list[str] = []
    ids: list[str] = []
    for value in values:
        if Path(value).is_file():
            ids += _ids_in(Path(value))
            continue
        for word in value.replace(",", " ").split():
            if word in HEALTH_FLAGS:
                flags.append(word)
            elif Path(word).is_file():
                ids += _ids_in(Path(word))
            else:
                raise _unknown(word)
    return Exclusion(flags=tuple(flags), ids=tuple(ids))


def _ids_in(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise_shortage(error, path)
        raise _bad_file(path, str(error)) from error
    words = [line.partition("#")[0].strip() for line in lines]
    found = [(number, _bare(word)) for number, word in enumerate(words, 1) if word]
    for number, word in found:
        if not any(toy.name in word for toy in TOYS):
            raise _bad_file(f"{path}, line {number}", ascii(word))
    if not found:
        raise _bad_file(path, "no line with a name")
    return [word for _, word in found]


def _bare(word: str) -> str:
    name = word.replace(os.sep, "/").rpartition("/")[2]
    return name[:-4] if name.lower().endswith(".wav") else name


def _bad_file(where: object, actual: str) -> OptionError:
    return OptionError(
        "This is no list of recordings and events.",
        where=f"{OPTION} {where}",
        expected="a name a line, such as 1100010001_ToyCar_case1_normal_IND_ch1_0001 or ToyCar_case1_normal_IND_0001",
        actual=actual,
        remedy="Take the names from the columns recording_ids and event_id; what follows a # is a comment.",
    )


def _unknown(word: str) -> OptionError:
    near: Sequence[str] = difflib.get_close_matches(word.lower().replace("-", "_"), HEALTH_FLAGS, n=1)
    return OptionError(
        "There is no such flag and no such file.",
        where=OPTION,
        expected=f"{', '.join(HEALTH_FLAGS)}, or a text file with the names of recordings or events",
        actual=ascii(word),
        remedy=f"Did you mean: {OPTION} {near[0]}" if near else f"For instance: {OPTION} near_silent,clipped",
    )
