"""Names of members as columns.

Recordings whose paths differ only in their ten digits and their take are of one kind. `parse_member` reads one name
of each kind; all others of the kind follow from it by columns, since neither digits nor take can make a name wrong.
Names that are not of this shape are read one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.names import SUFFIX, RecordingName, parse_member
from toyadmos_datasets.errors import NameGrammarError
from toyadmos_datasets.values.index import INDEX_SCHEMA
from toyadmos_datasets.values.source import Member

_N_DIGITS = len("3100010001")
_TAKE = slice(-len("0001.wav"), -len(SUFFIX))
_WORDS = slice(_N_DIGITS, _TAKE.start)
_OF_MEMBERS = ("member", "n_bytes", "crc32", "block")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """Members of one kind.

    Attributes:
        name: The name of the first.
        members: All of them.
        digits: The ten digits of each.
        takes: The four digits of the take of each.
    """

    name: RecordingName
    members: list[Member]
    digits: list[str]
    takes: list[str]

    @property
    def words(self) -> str:
        """What stands between digits and take in the recording_id of each."""
        return self.name.recording_id[_N_DIGITS : -len("0001")]

    @property
    def event(self) -> str:
        """What stands before the take in the event_id of each."""
        return self.name.event_id[: -len("0001")]


def read_names(members: Sequence[Member]) -> tuple[pa.Table, list[NameGrammarError]]:
    """Read the names of members.

    Returns:
        A row for every member whose name can be read, in no certain order; and an error for every other.
    """
    shaped: dict[tuple[str, str], tuple[list[Member], list[str], list[str]]] = {}
    others: list[Member] = []
    for member in members:
        folder, _, file_name = member.path.rpartition("/")
        digits, take, words = file_name[:_N_DIGITS], file_name[_TAKE], file_name[_WORDS]
        numbers = digits + take
        if len(numbers) == _N_DIGITS + 4 and numbers.isdecimal() and numbers.isascii() and words[-1:] == "_":
            alike = shaped.setdefault((folder, words + file_name[_TAKE.stop :]), ([], [], []))
            alike[0].append(member)
            alike[1].append(digits)
            alike[2].append(take)
        else:
            others.append(member)
    kinds = []
    for alike in shaped.values():
        try:
            name = parse_member(alike[0][0].path)
        except NameGrammarError:
            others += alike[0]
        else:
            kinds.append(_Kind(name=name, members=alike[0], digits=alike[1], takes=alike[2]))
    single, errors = _one_by_one(others)
    return pa.concat_tables([_rows_of(kinds), single]), errors


def _rows_of(kinds: Sequence[_Kind]) -> pa.Table:
    number = pa.array(np.repeat(np.arange(len(kinds)), [len(kind.members) for kind in kinds]))

    def spread(column: str, values: Sequence[object]) -> pa.Array:
        """Give every recording the value of its kind."""
        return pa.array(values, INDEX_SCHEMA.field(column).type).take(number)

    digits = pa.array([one for kind in kinds for one in kind.digits], pa.string())
    take = pa.array([one for kind in kinds for one in kind.takes], pa.string())
    words = spread("recording_id", [kind.words for kind in kinds])
    event = spread("event_id", [kind.event for kind in kinds])
    columns = {
        "recording_id": pc.binary_join_element_wise(digits, words, take, ""),
        "event_id": pc.binary_join_element_wise(event, take, ""),
        "take": take.cast(pa.int32()),
        **{
            column: spread(column, [getattr(kind.name, column) for kind in kinds])
            for column in ("toy", "case", "serves", "sound", "recording_type", "condition", "channel")
        },
    }
    return _with_members(columns, [member for kind in kinds for member in kind.members])


def _one_by_one(members: Sequence[Member]) -> tuple[pa.Table, list[NameGrammarError]]:
    names: list[RecordingName] = []
    named: list[Member] = []
    errors = []
    for member in members:
        try:
            names.append(parse_member(member.path))
            named.append(member)
        except NameGrammarError as error:
            errors.append(error)
    of_names = [name for name in INDEX_SCHEMA.names if name not in _OF_MEMBERS]
    columns = {
        column: pa.array([getattr(name, column) for name in names], INDEX_SCHEMA.field(column).type)
        for column in of_names
    }
    return _with_members(columns, named), errors


def _with_members(columns: dict[str, pa.Array], members: Sequence[Member]) -> pa.Table:
    of_members = {
        "member": [member.path for member in members],
        "n_bytes": [member.n_bytes for member in members],
        "crc32": [member.crc32 for member in members],
        "block": [member.block for member in members],
    }
    return pa.table(columns | of_members, schema=INDEX_SCHEMA)
