"""The clips of a dataset's shards, a row group at a time, and the one check that every reader of shards makes.

A shard is compared with its hash when a process first reads it. What was found is remembered with the size, the time of
the last change and the inode of the file, and holds as long as these do. A change that leaves all three alone, as a
failing disk may make, is found by the next process, and by ``toyadmos verify``, which always reads.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.files.job_folder import is_committing
from toyadmos_datasets.files.reading import file_errors, is_there, raise_system_fault, sha256_of
from toyadmos_datasets.units import Bytes, Hertz, Seconds
from toyadmos_datasets.values.dcase_folder import (
    ONE_CLIP,
    PREFIX,
    DcaseClip,
    chosen_machine,
    content_hash,
    dcase_clips,
    dcase_manifest,
    dcase_root,
    is_dcase,
    scored_rows,
)
from toyadmos_datasets.values.manifest import MANIFEST_NAME, Manifest, Shard, check_shard_sizes, read_manifest
from toyadmos_datasets.values.parquet_files import PARQUET_FAULTS, footer_fault


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """What stays as it is while nobody touches a file.

    Attributes:
        n_bytes: Its size.
        mtime_ns: When it was last changed.
        inode: Its number in the file system.
    """

    n_bytes: Bytes
    mtime_ns: int
    inode: int


def state_of(stat: os.stat_result) -> FileState:
    """Return what a file's facts say of its state."""
    return FileState(n_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, inode=stat.st_ino)


def check_shards(folder: Path, shards: Iterable[Shard]) -> None:
    """Compare shards with their sizes and hashes, unless this process did so and they are untouched since.

    Raises:
        DatasetError: A shard is missing, has another size, or was changed; or the dataset was replaced meanwhile.
    """
    for shard in shards:
        try:
            _check_shard(folder, shard)
        except DatasetError:
            require_current(folder, shard)
            raise


def _check_shard(folder: Path, shard: Shard) -> None:
    check_shard_sizes(folder, [shard])
    path = folder / shard.path
    with _naming(path):
        actual = _known_sha256(path, state_of(path.stat()))
    if actual != shard.sha256:
        raise changed(path, shard.sha256, actual)


def require_current(folder: Path, shard: Shard) -> None:
    """Raise if the dataset was replaced since its manifest was read, so that its shards are others.

    Raises:
        DatasetError: The manifest no longer lists the shard, or the new one is not there yet.
    """
    with file_errors(folder):
        has_manifest = is_there(folder / MANIFEST_NAME)
        is_replacing = is_committing(folder, MANIFEST_NAME)
    if not is_replacing and (not has_manifest or shard in read_manifest(folder).shards):
        return
    raise DatasetError(
        "The dataset was replaced while it was read.",
        where=folder / shard.path,
        expected=f"sha256 {shard.sha256}",
        actual="no manifest yet" if is_replacing else "a manifest that does not list it",
        remedy="Load it again, or run the same command again.",
    )


def changed(path: object, expected: str, actual: str) -> DatasetError:
    """Return the error for a shard whose bytes are not those that were written."""
    return DatasetError(
        "A shard was changed since it was written.",
        where=path,
        expected=f"sha256 {expected}",
        actual=f"sha256 {actual}",
        remedy="Prepare the folder again with the same command and --overwrite.",
    )


@functools.lru_cache(maxsize=100_000)
def _known_sha256(path: Path, _state: FileState) -> str:
    return sha256_of(path)


def row_groups(folder: Path, shard: Shard, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the row groups of a shard, one after the other, so that memory holds one of them.

    Args:
        folder: The prepared folder.
        shard: The shard, which is compared with its hash first.
        columns: Which columns; None for all.

    Raises:
        DatasetError: The file is missing, was changed, or cannot be read.
    """
    check_shards(folder, [shard])
    with _reading(folder / shard.path) as parquet:
        fault = footer_fault(parquet.metadata)
        if fault is not None or parquet.metadata.num_rows != shard.n_rows:
            raise pa.ArrowInvalid(fault or f"{parquet.metadata.num_rows} rows, and not {shard.n_rows}")
        for number in range(parquet.num_row_groups):
            yield parquet.read_row_group(number, columns=columns)


def columns_of_shard(folder: Path, shard: Shard, columns: Sequence[str]) -> pa.Table:
    """Return some columns of a shard, without reading its clips: only the pages that are read are compared.

    Args:
        folder: The prepared folder.
        shard: The shard.
        columns: Which columns.

    Raises:
        DatasetError: The file is missing, has another size, or its columns cannot be read.
    """
    check_shard_sizes(folder, [shard])
    path = folder / shard.path
    with _naming(path), path.open("rb") as file:
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
        fault = footer_fault(parquet.metadata)
        if fault is not None or parquet.metadata.num_rows != shard.n_rows:
            raise pa.ArrowInvalid(fault or f"{parquet.metadata.num_rows} rows, and not {shard.n_rows}")
        table = parquet.read(columns=list(columns))
        table.validate(full=True)
        return table


def clip_rows(
    folder: Path, shards: Iterable[Shard], *, is_wanted: Callable[[str], bool] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the clips of some shards with what is known of them, in order; memory holds a row group.

    Args:
        folder: The prepared folder.
        shards: The shards, each of which is compared with its hash first.
        is_wanted: Whether a column is; None for all.

    Raises:
        DatasetError: A file is missing, was changed, or cannot be read.
    """
    for shard in shards:
        for group in row_groups(folder, shard):
            wanted = [name for name in group.column_names if is_wanted is None or is_wanted(name)]
            yield from group.select(wanted).to_pylist()


def row_of_shard(path: Path, number: int, columns: Sequence[str]) -> dict[str, Any]:
    """Return one row of a shard that was compared with its hash before.

    Args:
        path: The shard.
        number: The row, from 0.
        columns: Which columns, where the shard has them.

    Raises:
        DatasetError: The file is missing or damaged.
    """
    with _reading(path) as shard:
        group = 0
        while number >= (n_rows := shard.metadata.row_group(group).num_rows):
            number, group = number - n_rows, group + 1
        known = [name for name in columns if name in shard.schema_arrow.names]
        row: dict[str, Any] = shard.read_row_group(group, columns=known).slice(number, 1).to_pylist()[0]
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOfConfig:
    """One split of one config of a prepared folder.

    Attributes:
        folder: The prepared folder.
        manifest: Its manifest.
        config: Name of the config.
        split: Name of the split.
    """

    folder: Path
    manifest: Manifest
    config: str
    split: str

    @property
    def shards(self) -> list[Shard]:
        """The Parquet files, in order."""
        return self.manifest.configs[self.config][self.split]

    @property
    def toy(self) -> str:
        """The toy, ``ToyTrain``."""
        return self.manifest.toy_of(self.config)

    @property
    def n_clips(self) -> int:
        """Rows in all shards."""
        return sum(shard.n_rows for shard in self.shards)

    def check(self) -> None:
        """Raise unless the shards are what the manifest says.

        Raises:
            DatasetError: A shard is missing or was changed.
        """
        check_shards(self.folder, self.shards)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Read the rows in order, a row group at a time; audio stays encoded.

        Raises:
            DatasetError: A shard is missing or was changed; this is known before the first row.
        """
        self.check()
        yield from clip_rows(self.folder, self.shards)

    @property
    def by_file_name(self) -> dict[str, dict[str, object]]:
        """What tells each clip, by the name of its file, where clips are files."""
        return {}

    def known(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Read some columns of the rows, in order.

        Raises:
            DatasetError: A shard is missing or was changed.
        """
        for shard in self.shards:
            for group in row_groups(self.folder, shard, columns):
                yield from group.to_pylist()


@dataclass(frozen=True, slots=True, kw_only=True)
class DcaseSplit(SplitOfConfig):
    """One split of one machine of a folder in a layout of DCASE, whose files were compared when it was opened.

    Attributes:
        of_splits: The clips of each split of the machine.
    """

    of_splits: dict[str, list[DcaseClip]]

    @property
    def clips(self) -> list[DcaseClip]:
        """The clips of the split."""
        return self.of_splits[self.split]

    def check(self) -> None:
        """Do nothing: the hash of the files was taken when the split was opened."""

    def rows(self) -> Iterator[dict[str, Any]]:
        """Read the rows in order, a file at a time.

        Raises:
            DatasetError: A clip has no label.
        """
        yield from scored_rows(self.clips)

    def known(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Return some columns of the rows; recordings are the files themselves, and no noise is known.

        Folders of different years have clips of the same name, so that the content is a part of the event's.
        """
        for clip in self.clips:
            content = content_hash(clip.path) if "recording_hashes" in columns else ""
            known = clip.columns() | ONE_CLIP | {"recording_hashes": [content], "noise_recording_hashes": []}
            event_id = f"{known['event_id']} {content}".rstrip()
            yield {name: event_id if name == "event_id" else known[name] for name in columns}

    @property
    def by_file_name(self) -> dict[str, dict[str, object]]:
        """What tells each clip of the machine, by the name of its file; where splits share a name, that of this one."""
        clips = [*(clip for clips in self.of_splits.values() for clip in clips), *self.clips]
        return {clip.path.name: {"event_id": clip.event_id} for clip in clips}


def open_split(folder: Path, config: str | None, split: str) -> SplitOfConfig:
    """Find a split of a prepared folder, or of a folder in a layout of DCASE; no config means the first.

    Args:
        folder: The folder, or ``dcase:DIR``.
        config: Its config; of ``dcase:DIR`` the machine.
        split: Its split.

    Raises:
        DatasetError: There is no dataset.
        OptionError: It has no such config or split, or the config is of several toys.
    """
    if is_dcase(folder):
        return _dcase_split(dcase_root(folder), config, split)
    manifest = read_manifest(folder)
    chosen = config if config is not None else next(iter(manifest.audio_configs), "")
    if chosen in manifest.joint_configs:
        raise OptionError(
            "Systems are trained and scored on one toy at a time.",
            where="--config",
            expected=", ".join(manifest.audio_configs),
            actual=f"{chosen}, of {manifest.toys_text}",
            remedy="Choose a config of one toy; what is of several can be loaded and exported.",
        )
    _require_one_of(chosen, manifest.audio_configs, "--config")
    _require_one_of(split, manifest.configs[chosen], f"split of {chosen}")
    return SplitOfConfig(folder=folder.absolute(), manifest=manifest, config=chosen, split=split)


def _dcase_split(root: Path, machine: str | None, split: str) -> DcaseSplit:
    chosen, splits = chosen_machine(dcase_clips(root), machine)
    _require_one_of(split, splits, f"split of {chosen}")
    return DcaseSplit(
        folder=Path(f"{PREFIX}{root}"),
        manifest=dcase_manifest(root, chosen, splits),
        config=chosen,
        split=split,
        of_splits=splits,
    )


def cases_of(split: SplitOfConfig) -> tuple[int, ...]:
    """Return the cases in a split, ascending.

    Raises:
        DatasetError: A shard is missing or was changed.
    """
    return tuple(sorted({row["case"] for row in split.known(["case"])}))


def _require_one_of(asked: str, choices: Iterable[str], where: str) -> None:
    if asked not in choices:
        raise OptionError(
            "The dataset has no such part.",
            where=where,
            expected=", ".join(choices),
            actual=asked,
            remedy="Choose one that it has.",
        )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a shard; whatever fails until it is closed is one error."""
    with _naming(path), path.open("rb") as file:  # Arrow itself opens no path with bytes that are no UTF-8
        yield pq.ParquetFile(file)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except DatasetError:
        raise
    except PARQUET_FAULTS as error:
        raise_system_fault(error, path)
        raise DatasetError(
            "A shard cannot be read.",
            where=path,
            expected="a Parquet file, as it was written",
            actual=error,
            remedy="Look for what else is damaged: toyadmos verify DIR",
        ) from error


def clip_seconds(folder: Path, shards: Iterable[Shard], rate_hz: Hertz) -> Seconds:
    """Return how long the clips of shards last in all; only the column with their lengths is read.

    Raises:
        DatasetError: A shard cannot be read.
    """
    n_samples = 0
    for shard in shards:
        with _naming(folder / shard.path), (folder / shard.path).open("rb") as file:
            n_samples += pc.sum(pq.read_table(file, columns=["n_samples"])["n_samples"]).as_py() or 0
    return n_samples / rate_hz
