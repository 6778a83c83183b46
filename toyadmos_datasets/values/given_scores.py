"""Scores of another method, read as people have them: by event, by file name, or as DCASE baselines write them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from toyadmos_datasets.corpus.dcase_names import machine_of_scores
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.reading import raise_shortage, sha256_of
from toyadmos_datasets.values.parquet_files import open_in_own_memory, read_parquet

LABELS_NAME = "labels.csv"
"""What every export has beside its clips: a row for each, with all that is known of it."""

_FILE_COLUMNS = ("file_name", "filename", "file", "path")
_TELLING = ("event_id", "channel", "draw", "snr_db")
_FAULTS = (OSError, pa.ArrowException, ValueError, LookupError, TypeError, csv.Error)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenScores:
    """Scores that somebody else's method gave.

    Attributes:
        table: Columns ``event_id`` and ``score``, and ``channel``, ``draw``, ``snr_db`` where they are known.
        sha256: Hash of the file, or of the hashes of several.
    """

    table: pa.Table
    sha256: str


Named: TypeAlias = Mapping[str, Mapping[str, object]]
"""What tells each clip apart, by the name of its file."""


def read_given_scores(path: Path, *, machine: str, files: Named, labels: Path | None = None) -> GivenScores:
    """Read scores from a CSV or Parquet file, or from a folder of files as DCASE baselines write them.

    A row names its clip by ``event_id``, or by the name of a file: in a column ``file_name`` or, without a header, in
    the first of two columns. A name of a file is looked up in the export's table, or else among the files that are
    scored.

    Args:
        path: The file, or a folder with ``anomaly_score_<machine>_*.csv``.
        machine: Whose files are read of a folder: ``ToyCar``.
        files: What tells the clips that are scored apart, by the names of their files; empty where they are in shards.
        labels: The table of an export, or the export's folder.

    Raises:
        OptionError: A file cannot be read, has no scores, or names a clip that the export does not have.
    """
    places = _files_of(path, machine)
    tables = [_table_of(one) for one in places]
    hashes = [sha256_of(one) for one in places]
    by_name = files if labels is None else _by_file_name(labels)
    events = [_with_events(one, by_name, place) for one, place in zip(tables, places, strict=True)]
    table = pa.concat_tables(events, promote_options="default")
    joined = hashes[0] if len(places) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    return GivenScores(table=table, sha256=joined)


def _files_of(path: Path, machine: str) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(one for one in path.iterdir() if machine_of_scores(one.name) == machine)
    if not files:
        raise unusable(path, f"files called anomaly_score_{machine}_*.csv", "none")
    return files


def _table_of(path: Path) -> pa.Table:
    """Read a table with the column ``score`` and one that names clips."""
    try:
        if path.suffix.lower() == ".csv":
            with open_in_own_memory(path) as file:
                table = _of_csv(file)
        else:
            table = read_parquet(path, partial(unusable, path, "a CSV or Parquet file"))
    except _FAULTS as error:
        raise_shortage(error, path)
        raise unusable(path, "a CSV or Parquet file", error) from error
    names = [*_FILE_COLUMNS, "event_id"]
    if "score" not in table.column_names or not any(name in table.column_names for name in names):
        raise unusable(path, "the columns event_id and score", ", ".join(table.column_names))
    kind = table.schema.field("score").type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise unusable(path, "numbers as scores", f"values of the type {kind}")
    table = table.set_column(table.column_names.index("score"), "score", table["score"].cast(pa.float64()))
    if pc.any(pc.is_nan(table["score"])).as_py():
        raise unusable(path, "numbers as scores", "NaN")
    return table


def _of_csv(file: pa.BufferReader) -> pa.Table:
    """Read a CSV; one without a header is of a name and a score a row."""
    content = file.read()
    first = next(csv.reader(io.StringIO(content.split(b"\n", 1)[0].decode("utf-8"))), [])
    is_headless = len(first) == 2 and _is_number(first[1])
    names = [_FILE_COLUMNS[0], "score"] if is_headless else None
    return pyarrow.csv.read_csv(
        pa.BufferReader(content), read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False)
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _with_events(table: pa.Table, by_name: Named, path: Path) -> pa.Table:
    """Return a table by event, with what else tells clips apart."""
    if "event_id" in table.column_names:
        return table
    column = next(name for name in _FILE_COLUMNS if name in table.column_names)
    named = [str(one) for one in table[column].to_pylist()]
    unknown = [one for one in named if one not in by_name and _base(one) not in by_name]
    if unknown:
        raise unusable(path, "names of the files that were scored", f"{len(unknown)} others, such as {unknown[0]}")
    rows = [by_name.get(one) or by_name[_base(one)] for one in named]
    found = {name: [row[name] for row in rows] for name in _TELLING if rows and name in rows[0]}
    return pa.table(found | {"score": table["score"]})


def _by_file_name(labels: Path) -> dict[str, dict[str, object]]:
    """Return the rows of an export's table by path, and those of the test by name alone where one clip has it."""
    place = labels / LABELS_NAME if labels.is_dir() else labels
    try:
        with open_in_own_memory(place) as file:
            table = pyarrow.csv.read_csv(file)
        rows = table.select(["file_name", *(name for name in _TELLING if name in table.column_names)]).to_pylist()
    except _FAULTS as error:
        raise_shortage(error, place)
        raise unusable(place, f"{LABELS_NAME} of an export", error) from error
    by_path = {str(row["file_name"]): row for row in rows}
    tested = [one for one in by_path if "test" in one.split("/")]
    bases = Counter(map(_base, tested))  # clips of train and test may have one name: scores are of the test
    return {_base(one): by_path[one] for one in tested if bases[_base(one)] == 1} | by_path


def _base(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def unusable(path: Path, expected: str, actual: object) -> OptionError:
    """Return the error about scores that cannot be used."""
    return OptionError(
        "These scores cannot be used.",
        where=path,
        expected=expected,
        actual=actual,
        remedy="Write a CSV of event_id,score for the whole test split, with the columns channel, draw and snr_db "
        "where an event has several clips. Names of exported files are found with --labels.",
    )
