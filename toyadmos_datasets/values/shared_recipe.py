"""The file for sharing: a recipe with all that is needed to render the same bytes, and to detect differences.

One Parquet file. Its rows are those of the recipe, each with the hash of its samples; its header says what the
recordings were, how they were rendered, with which versions, and what came out. It holds no audio.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.errors import DatasetError, OptionError, ToyAdmosError
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.checked_json import Count, Sha256, canonical_json, checked, parse_json
from toyadmos_datasets.files.reading import raise_system_fault
from toyadmos_datasets.signal.clip_codec import DIGEST_BYTES
from toyadmos_datasets.units import Decibels
from toyadmos_datasets.values.manifest import Addition, SkippedRecording, is_shard_path
from toyadmos_datasets.values.parquet_files import PARQUET_FAULTS, read_parquet
from toyadmos_datasets.values.recipe import (
    FILE_SCHEMA,
    AddedConfigs,
    Recipe,
    check_added,
    check_rows,
    header_of,
    unmarked,
)
from toyadmos_datasets.values.recipe_parameters import Parameters, Request, SourceFacts, require_parameter_types

FORMAT_VERSION = 4

SUFFIX = ".toyrecipe"
SHARED_NAME = f"dataset{SUFFIX}"
"""The recipe, where it is shared without audio."""

_UNREADABLE = "This is not a shared recipe that this version can read."
_GET_AGAIN = "Get the file again from its author; it is made with: toyadmos recipe export DIR -o FILE"
_DIGEST = pa.field("samples_digest", pa.binary(DIGEST_BYTES), nullable=True)
"""Null for what was left out after it had been planned: it was never mixed."""

_SCHEMA = FILE_SCHEMA.append(_DIGEST)
_DELTA = {
    "recording_ids.list.element": "DELTA_BYTE_ARRAY",
    "event_id": "DELTA_BYTE_ARRAY",
    "take": "DELTA_BINARY_PACKED",
}
"""Columns that repeat little but resemble their neighbours; the others but the hashes are kept as dictionaries."""

_DELTA_TEXTS = ("recording_ids", "event_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedShard:
    """What became of one shard.

    Attributes:
        path: Relative to the dataset's folder, forward slashes.
        config: Its config.
        split: Its split.
        n_rows: Examples in it.
        n_bytes: Its size.
        sha256: Hash of the file.
        audio_sha256: Hash of the encoded audio in it.
        columns_sha256: Hash of the values of its other columns.
    """

    path: str
    config: str
    split: str
    n_rows: Count
    n_bytes: Count
    sha256: Sha256
    audio_sha256: Sha256
    columns_sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedRecipe:
    """A recipe and what it gave where it was rendered.

    Attributes:
        toy: ``ToyTrain``; of several toys the first.
        recipe: The examples.
        digests: Hash of the samples of each example, ``binary(16)``.
        source: Identity of the source, whether it is simulated, and hashes of its recordings' checksums.
        request: What the folder was prepared with, as JSON values.
        versions: Versions of what the bytes depend on.
        headroom_db: How much every example was attenuated.
        shards: The shards, in order.
        skipped: Recordings that could not be read there.
        additions: What was added later, and what is of further toys, in order; `toy`, `request`, `source`, `versions`
            and `headroom_db` are those of the first preparation.
    """

    toy: str
    recipe: Recipe
    digests: pa.Array
    source: dict[str, Any]
    request: dict[str, Any]
    versions: dict[str, str]
    headroom_db: Decibels
    shards: tuple[SharedShard, ...]
    skipped: tuple[SkippedRecording, ...] = ()
    additions: tuple[Addition, ...] = ()

    @property
    def toys(self) -> tuple[str, ...]:
        """The toys, in the order in which they came."""
        return tuple(dict.fromkeys((self.toy, *(one.toy for one in self.additions))))

    def toy_of(self, config: str) -> str:
        """Return the toy of a config."""
        return next((one.toy for one in self.additions if config in one.configs), self.toy)

    @property
    def requests(self) -> tuple[dict[str, Any], ...]:
        """What was asked for, one after the other."""
        return (self.request, *(one.request for one in self.additions))

    def header(self) -> dict[str, Any]:
        """Return everything but the rows, as JSON values."""
        return {
            "version": FORMAT_VERSION,
            "toy": self.toy,
            "recipe_sha256": self.recipe.sha256,
            **header_of(self.recipe),
            "additions": [asdict(one) for one in self.additions],
            "source": self.source,
            "request": self.request,
            "versions": self.versions,
            "headroom_db": self.headroom_db,
            "shards": [asdict(shard) for shard in self.shards],
            "skipped": [asdict(one) for one in self.skipped],
        }

    @property
    def sha256(self) -> str:
        """Hash of all that is in the file; it does not depend on how Arrow lays it out."""
        return _sha256_of(self.header(), self.digests)


def _sha256_of(header: dict[str, Any], digests: pa.Array) -> str:
    """Hash a header, which has the hash of the rows, and the digests."""
    state = hashlib.sha256(canonical_json(header).encode())
    state.update(b"".join(digests.to_pylist()))
    return state.hexdigest()


def write_shared_recipe(shared: SharedRecipe, path: Path) -> None:
    """Write the file, atomically."""
    header = shared.header()
    metadata = {"toyrecipe": canonical_json(header), "toyrecipe_sha256": _sha256_of(header, shared.digests)}
    of_excluded = pa.nulls(len(shared.recipe.excluded), _DIGEST.type)
    rows = shared.recipe.marked().append_column(_DIGEST, pa.chunked_array([shared.digests, of_excluded]))
    plain = {*_DELTA, _DIGEST.name}
    leaves = {"noise_recording_ids": "noise_recording_ids.list.element", "recording_ids": "recording_ids.list.element"}
    with write_file(path) as file:
        pq.write_table(
            rows.replace_schema_metadata(metadata),
            file,
            compression="zstd",
            compression_level=9,
            use_dictionary=[leaf for name in rows.column_names if (leaf := leaves.get(name, name)) not in plain],
            column_encoding=_DELTA,
            write_statistics=False,
            row_group_size=max(len(rows), 1),
        )


def read_shared_recipe(path: Path) -> SharedRecipe:
    """Read what `write_shared_recipe` wrote.

    Raises:
        DatasetError: The file is missing, something else, of a newer version, or was changed since it was written.
    """
    try:
        table = read_parquet(path, partial(_unreadable, path), deltas=_DELTA_TEXTS)
        metadata = table.schema.metadata or {}
        if b"toyrecipe" not in metadata:
            raise _unreadable(path, "a Parquet file of something else")
        content = parse_json(metadata[b"toyrecipe"], where=path, remedy=_GET_AGAIN, what=_UNREADABLE)
        version = content.pop("version")
        if version != FORMAT_VERSION:
            raise _unreadable(path, f"version {version}")
        header = checked(_Header, content, what=_UNREADABLE, where=path, remedy=_GET_AGAIN)
        shared = _shared_of(header, table.cast(_SCHEMA))
        found = shared.header()
        promised, actual = metadata[b"toyrecipe_sha256"].decode(), _sha256_of(found, shared.digests)
    except ToyAdmosError:
        raise
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise_system_fault(error, path)
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error
    if (promised, header.recipe_sha256) != (actual, found["recipe_sha256"]):
        raise _unreadable(path, f"content that hashes to {actual[:16]} and not to {promised[:16]}: it was changed")
    told: list[tuple[type[object], dict[str, Any]]] = [(Parameters, header.parameters), (SourceFacts, header.source)]
    told += [(SourceFacts, one.source) for one in shared.additions]
    told += [(Parameters, one.parameters) for one in header.added]
    told += [(Request, one) for one in shared.requests]
    for kind, content in told:
        require_parameter_types(kind, content, what=_UNREADABLE, where=path, remedy=_GET_AGAIN)
    check_rows(shared.recipe, partial(_unreadable, path))
    check_added(shared.recipe, partial(_unreadable, path))
    _require_names(shared, path)
    return shared


def is_shared_recipe(path: Path) -> bool:
    """Tell a shared recipe from a plain one, by what is in it."""
    try:
        with path.open("rb") as file:
            return b"toyrecipe" in (pq.read_schema(file).metadata or {})
    except PARQUET_FAULTS as error:
        raise_system_fault(error, path)
        return path.name.endswith(SUFFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What the metadata of the file hold, as `SharedRecipe.header` writes it."""

    toy: str
    recipe_sha256: Sha256
    parameters: dict[str, Any]
    notes: tuple[str, ...]
    source: dict[str, Any]
    request: dict[str, Any]
    versions: dict[str, str]
    headroom_db: Decibels
    shards: tuple[SharedShard, ...]
    skipped: tuple[SkippedRecording, ...]
    added: tuple[AddedConfigs, ...] = ()
    additions: tuple[Addition, ...] = ()


def _shared_of(header: _Header, table: pa.Table) -> SharedRecipe:
    examples, excluded = unmarked(table)
    return SharedRecipe(
        toy=header.toy,
        recipe=Recipe(
            examples=examples,
            parameters=header.parameters,
            notes=header.notes,
            excluded=excluded,
            added=header.added,
        ),
        digests=table[_DIGEST.name].slice(0, len(examples)).combine_chunks(),
        source=header.source,
        request=header.request,
        versions=header.versions,
        headroom_db=header.headroom_db,
        shards=header.shards,
        skipped=header.skipped,
        additions=header.additions,
    )


def _require_names(shared: SharedRecipe, path: Path) -> None:
    """Refuse what no export wrote: another toy, or names that would lead out of the folder."""
    for name in shared.toys:
        try:
            toy_named(name)
        except OptionError as error:
            raise _unreadable(path, f"a toy called {name!a}") from error
    first, *later = shared.recipe.parts
    told = [(shared.toy, first), *zip((one.toy for one in shared.additions if one.configs), later, strict=False)]
    for toy, part in told:
        named = {*pc.unique(part.planned["toy"]).to_pylist(), part.parameters.get("toy")}
        if named != {toy}:
            raise _unreadable(path, f"rows of {', '.join(sorted(map(ascii, {*named, toy})))}")
    stray = next((one.path for one in shared.shards if not is_shard_path(one.path, one.config, one.split)), None)
    if stray is not None:
        raise _unreadable(path, f"a shard at {stray!a}")


def _unreadable(path: Path, actual: str) -> DatasetError:
    return DatasetError(
        _UNREADABLE,
        where=path,
        expected=f"a {SUFFIX} file, version {FORMAT_VERSION}, unchanged",
        actual=actual,
        remedy=_GET_AGAIN,
    )
