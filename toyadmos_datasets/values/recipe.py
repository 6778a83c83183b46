"""The recipe: the rows of a dataset before any audio is read; this is what users share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toyadmos_datasets.errors import DatasetError, ToyAdmosError
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.checked_json import canonical_json, checked, parse_json
from toyadmos_datasets.files.reading import raise_system_fault
from toyadmos_datasets.values.parquet_files import Explain, read_parquet
from toyadmos_datasets.values.recipe_parameters import Parameters, require_parameter_types
from toyadmos_datasets.values.recipe_rows import fault_of_rows


def column_digest(column: pa.ChunkedArray, kind: pa.DataType) -> bytes:
    """Hash the values of a column.

    Its parts are hashed apart, each as one stream over all chunks: whether each value is there (a byte each),
    then numbers as little-endian bytes, zero where there is none; or the lengths of texts and their bytes; or
    the lengths of lists and the parts of what they hold. So the hash follows from the values alone.

    Args:
        column: Numbers, texts, or lists of texts.
        kind: What the values are read as; a dictionary's values count, not their numbers.
    """
    digest = hashlib.sha256()
    for part in _parts_of(kind):
        stream = hashlib.sha256()
        for chunk in column.chunks:
            stream.update(part(chunk if chunk.type == kind else chunk.cast(kind)))
        digest.update(stream.digest())
    return digest.digest()


def _parts_of(kind: pa.DataType) -> Iterator[Callable[[pa.Array], memoryview]]:
    yield _presence
    if pa.types.is_list(kind):
        yield _lengths
        for part in _parts_of(kind.value_type):
            yield lambda chunk, part=part: part(chunk.flatten())  # type: ignore[misc]  # bound at once
    elif pa.types.is_string(kind):
        yield _lengths
        yield _texts
    else:
        yield _numbers


def _presence(chunk: pa.Array) -> memoryview:
    return memoryview(pc.is_valid(chunk).to_numpy(zero_copy_only=False).astype(np.uint8))


def _numbers(chunk: pa.Array) -> memoryview:
    values = (chunk.fill_null(0) if chunk.null_count else chunk).to_numpy(zero_copy_only=False)
    return memoryview(values.astype(values.dtype.newbyteorder("<"), copy=False)).cast("B")


def _lengths(chunk: pa.Array) -> memoryview:
    length_of = pc.binary_length if pa.types.is_string(chunk.type) else pc.list_value_length
    lengths = pc.fill_null(length_of(chunk), 0).to_numpy(zero_copy_only=False)
    return memoryview(lengths.astype("<i4")).cast("B")


def _texts(chunk: pa.Array) -> memoryview:
    """Return the bytes of all texts, one after the other; a null has none."""
    if not len(chunk):
        return memoryview(b"")
    whole = chunk.fill_null("") if chunk.null_count else chunk
    _, offsets, data = whole.buffers()
    bounds: npt.NDArray[np.int32] = np.frombuffer(offsets, dtype=np.int32)[whole.offset : whole.offset + len(whole) + 1]
    return memoryview(data or b"")[bounds[0] : bounds[-1]]


SCHEMA_VERSION = 2
"""Of a recipe as it was planned."""

GROWN_VERSION = 3
"""Of a recipe that configs were added to, which earlier versions of this package do not know."""

TOYS_VERSION = 4
"""Of a recipe of several toys, of which earlier versions of this package know nothing either."""

VERSIONS = (SCHEMA_VERSION, GROWN_VERSION, TOYS_VERSION)

_AGAIN = "Prepare the dataset again, or get the recipe again from its author."

HEADER_KEY = b"toyadmos_recipe"
"""Where in the metadata of a file's schema the parameters of a recipe are."""

RECIPE_SCHEMA = pa.schema(
    [
        pa.field("config", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("toy", pa.string(), nullable=False),
        pa.field("case", pa.int8(), nullable=False),
        pa.field("channel", pa.int8(), nullable=False),
        pa.field("recording_type", pa.string(), nullable=False),
        pa.field("condition", pa.string(), nullable=False),
        pa.field("take", pa.int32(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("draw", pa.int32(), nullable=False),
        pa.field("recording_ids", pa.list_(pa.string()), nullable=False),
        pa.field("target_start", pa.int64(), nullable=True),
        pa.field("target_length", pa.int64(), nullable=True),
        pa.field("noise_recording_ids", pa.list_(pa.string()), nullable=False),
        pa.field("noise_position", pa.float64(), nullable=True),
        pa.field("target_gain_db", pa.float64(), nullable=True),
        pa.field("noise_gain_db", pa.float64(), nullable=True),
        pa.field("snr_db", pa.float64(), nullable=True),
    ]
)
"""Columns of a recipe, a row an example, in the order of the dataset: config, split, event_id, draw, channel.

label is ``normal`` or ``anomalous``; channel 0 is the mean of the recordings in recording_ids. draw counts the
noise draws of one event, from 0. target_start and target_length say which window of the recordings the target is,
in samples at 48 kHz; null for the whole recording. A clean
example has no noise recordings. noise_position in [0, 1) says where in the noise recording the noise
begins: at floor(position x (n_noise - n_clip + 1)) samples. Either both gains are there or snr_db is;
then the noise's gain follows from the levels of the recordings.
"""


IS_EXCLUDED = pa.field("is_excluded", pa.bool_(), nullable=False)
FILE_SCHEMA = RECIPE_SCHEMA.append(IS_EXCLUDED)
"""Columns of a recipe in a file; `is_excluded` marks what was left out after it had been planned, at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedConfigs:
    """Configs that a recipe did not have at first.

    Attributes:
        configs: Their names, in order.
        parameters: What they were planned with, as `Recipe.parameters`.
    """

    configs: tuple[str, ...]
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Examples and what they were planned with.

    Attributes:
        examples: Table with `RECIPE_SCHEMA`.
        parameters: What the plan was made with, as JSON values; it explains the examples and is hashed with them.
        notes: Sentences that a reader of the dataset must know, such as a split smaller than the paper's.
        excluded: Examples that were planned and then left out, a table like `examples`. They go on to count for
            reference levels and headroom, so that the examples sound as they would beside them.
        added: Configs that were planned later, by themselves; their rows follow those of the earlier ones.
    """

    examples: pa.Table
    parameters: dict[str, Any]
    notes: tuple[str, ...] = ()
    excluded: pa.Table = field(default_factory=RECIPE_SCHEMA.empty_table)
    added: tuple[AddedConfigs, ...] = ()

    @property
    def parts(self) -> tuple[Recipe, ...]:
        """The recipes that were planned one after the other, each with its own rows; `joined_by` takes them back."""
        if not self.added:
            return (self,)
        later = [config for one in self.added for config in one.configs]
        first = replace(self._of(later, is_in=False), notes=self.notes)
        return (first, *(replace(self._of(one.configs), parameters=one.parameters) for one in self.added))

    def joined_by(self, part: Recipe) -> Recipe:
        """Return the recipe with the configs of another, which was planned by itself."""
        return Recipe(
            examples=pa.concat_tables([self.examples, part.examples]),
            parameters=self.parameters,
            notes=tuple(dict.fromkeys((*self.notes, *part.notes))),
            excluded=pa.concat_tables([self.excluded, part.excluded]),
            added=(*self.added, AddedConfigs(configs=tuple(part.configs), parameters=part.parameters)),
        )

    def only(self, configs: Collection[str]) -> Recipe:
        """Return the recipe of some configs of one plan."""
        return replace(self._of(configs), notes=self.notes)

    def renamed(self, names: Mapping[str, str]) -> Recipe:
        """Return the recipe of one plan with other names for its configs.

        Args:
            names: The new name of each config.
        """

        def named(table: pa.Table) -> pa.Table:
            """Give the rows the new names."""
            configs = pa.array([names[one] for one in table["config"].to_pylist()], pa.string())
            return table.set_column(table.schema.get_field_index("config"), table.schema.field("config"), configs)

        return replace(self, examples=named(self.examples), excluded=named(self.excluded))

    def of_toy(self, toy: str) -> Recipe:
        """Return the rows of a toy, all as if they were of one plan: to see which recordings they need."""
        rows, excluded = (one.filter(pc.equal(one["toy"], toy)) for one in (self.examples, self.excluded))
        return replace(self, examples=rows, excluded=excluded, added=())

    @property
    def toys(self) -> tuple[str, ...]:
        """The toys, in the order in which they came."""
        planned = (self.parameters, *(one.parameters for one in self.added))
        return tuple(dict.fromkeys(str(one.get("toy")) for one in planned))

    def parameters_of(self, config: str) -> dict[str, Any]:
        """Return what a config was planned with."""
        return next((one.parameters for one in self.added if config in one.configs), self.parameters)

    def _of(self, configs: Collection[str], *, is_in: bool = True) -> Recipe:
        names = pa.array(list(configs), pa.string())

        def some(table: pa.Table) -> pa.Table:
            """Choose rows by their config."""
            found = pc.is_in(table["config"], value_set=names)
            return table.filter(found if is_in else pc.invert(found))

        return Recipe(examples=some(self.examples), parameters=self.parameters, excluded=some(self.excluded))

    @property
    def planned(self) -> pa.Table:
        """All that was planned: the examples, and after them what was left out."""
        return pa.concat_tables([self.examples, self.excluded]) if len(self.excluded) else self.examples

    def marked(self) -> pa.Table:
        """Return all that was planned with `FILE_SCHEMA`; `unmarked` takes it back."""
        is_excluded = np.arange(len(self.planned)) >= len(self.examples)
        return self.planned.cast(RECIPE_SCHEMA).append_column(IS_EXCLUDED, pa.array(is_excluded))

    @property
    def sha256(self) -> str:
        """Hash of version, parameters and examples; it does not depend on how Arrow lays them out.

        It is the hash of the schema's version, the parameters' canonical JSON, the number of rows, and for each column
        of `RECIPE_SCHEMA` its name and the hashes of its parts (`values.recipe`): little-endian values, lengths and
        texts as one stream each, so that chunks, offsets into buffers, dictionaries and what stands behind a null
        have no say. Where examples were left out, theirs follow in the same way. Where configs were added, what they
        were planned with follows the parameters, and the version is `GROWN_VERSION`, or `TOYS_VERSION` of several toys.
        """
        planned = canonical_json(self.parameters)
        if self.added:
            planned += f"\x1d{canonical_json([asdict(one) for one in self.added])}"
        digest = hashlib.sha256(f"{self.version}\x1d{planned}".encode())
        for table in (self.examples, self.excluded) if len(self.excluded) else (self.examples,):
            digest.update(f"\x1d{len(table)}".encode())
            for column in RECIPE_SCHEMA:
                digest.update(f"\x1d{column.name}\x1d".encode())
                digest.update(column_digest(table[column.name], column.type))
        return digest.hexdigest()

    @property
    def version(self) -> int:
        """The version of the format that says all that is in it."""
        if len(self.toys) > 1:
            return TOYS_VERSION
        return GROWN_VERSION if self.added else SCHEMA_VERSION

    @property
    def configs(self) -> list[str]:
        """Names of the configs, in order of appearance."""
        names: list[str] = pc.unique(self.examples["config"]).to_pylist()
        return names

    @property
    def configs_sharing_noise(self) -> set[str]:
        """Configs whose splits were asked to share their noise, for itself or to be as the paper was."""
        found: set[str] = set()
        for part in self.parts:
            if part.parameters.get("is_noise_shared"):
                found |= set(part.configs)
            elif part.parameters.get("is_faithful"):
                found |= {config for config in part.configs if config.endswith("waspaa2019")}
        return found

    @property
    def recording_ids(self) -> list[str]:
        """Every recording that the examples need, and those left out, targets and noise, sorted."""
        names, planned = ("recording_ids", "noise_recording_ids"), self.planned
        distinct = [pc.unique(pc.list_flatten(planned[name])).cast(pa.string()) for name in names]
        both: list[str] = pc.unique(pa.chunked_array(distinct, pa.string())).to_pylist()
        return sorted(both)


def unmarked(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the examples of a table with `FILE_SCHEMA`, and what was left out."""
    rows, is_excluded = table.select(RECIPE_SCHEMA.names), table[IS_EXCLUDED.name]
    return rows.filter(pc.invert(is_excluded)), rows.filter(is_excluded)


def check_rows(recipe: Recipe, unreadable: Explain) -> None:
    """Raise unless all rows that were planned are valid.

    Raises:
        ToyAdmosError: As `unreadable` makes it: a row breaks a rule.
    """
    fault = fault_of_rows(recipe.planned, RECIPE_SCHEMA)
    if fault is not None:
        raise unreadable(str(fault))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What the metadata of a recipe's file hold."""

    parameters: dict[str, Any]
    notes: tuple[str, ...]
    added: tuple[AddedConfigs, ...] = ()


def header_of(recipe: Recipe) -> dict[str, Any]:
    """Return what a file says of a recipe beside its rows, as JSON values."""
    added = {"added": [asdict(one) for one in recipe.added]} if recipe.added else {}
    return {"parameters": recipe.parameters, "notes": list(recipe.notes)} | added


def check_added(recipe: Recipe, unreadable: Explain) -> None:
    """Raise unless every added config has rows, and belongs to one addition.

    Raises:
        ToyAdmosError: As `unreadable` makes it.
    """
    names = [config for one in recipe.added for config in one.configs]
    first = set(recipe.configs) - set(names)
    if recipe.added and (len(set(names)) < len(names) or not set(names) < set(recipe.configs) or not first):
        raise unreadable("added configs that are not those of the rows")


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe as one Parquet file, atomically."""
    header = {"version": recipe.version} | header_of(recipe)
    table = recipe.marked().replace_schema_metadata(
        {HEADER_KEY: canonical_json(header), "toyadmos_recipe_sha256": recipe.sha256}
    )
    with write_file(path) as file:
        pq.write_table(table, file, compression="zstd")


def read_recipe(path: Path) -> Recipe:
    """Read a recipe that `write_recipe` wrote.

    Raises:
        DatasetError: The file is missing, no recipe, one of a newer version, or was changed since it was written.
    """
    try:
        table = read_parquet(path, partial(_unreadable, path))
        content = parse_json(
            table.schema.metadata[HEADER_KEY], where=path, remedy=_AGAIN, what="The recipe is damaged."
        )
        version = content.pop("version")
        if version not in VERSIONS:
            raise _unreadable(path, f"version {version}")
        header = checked(_Header, content, what="The recipe is damaged.", where=path, remedy=_AGAIN)
        for one in (header.parameters, *(added.parameters for added in header.added)):
            require_parameter_types(Parameters, one, what="The recipe is damaged.", where=path, remedy=_AGAIN)
        examples, excluded = unmarked(table.cast(FILE_SCHEMA))
        recipe = Recipe(
            examples=examples,
            parameters=header.parameters,
            notes=header.notes,
            excluded=excluded,
            added=header.added,
        )
        promised = table.schema.metadata[b"toyadmos_recipe_sha256"].decode()
    except ToyAdmosError:
        raise
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise_system_fault(error, path)
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error
    if recipe.sha256 != promised:
        raise _unreadable(path, f"rows that hash to {recipe.sha256[:16]} and not to {promised[:16]}")
    check_rows(recipe, partial(_unreadable, path))
    check_added(recipe, partial(_unreadable, path))
    return recipe


def _unreadable(path: Path, actual: str) -> DatasetError:
    versions = " or ".join(map(str, VERSIONS))
    return DatasetError(
        "This is not a recipe that this version can read.",
        where=path,
        expected=f"a Parquet file with a toyadmos_recipe header, version {versions}, unchanged",
        actual=actual,
        remedy=_AGAIN,
    )
