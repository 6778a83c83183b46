"""Every way in which `datasets` makes a dataset of another, and what becomes of the clips on it.

Run as a script, with whatever version of `datasets` is on the path, so that the oldest and the newest are asked the
same: ``python deriving.py FOLDER=int16 FOLDER=float32 SCRATCH`` prints as JSON the methods that nobody has thought of,
and for each way what came of it: ``same``, the error, or what is ``WRONG``.
"""

from __future__ import annotations

import inspect
import json
import multiprocessing
import pickle
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import soxr
from datasets.distributed import split_dataset_by_node

from toyadmos_datasets import Audio, as_plain_audio, decode_with_soundfile, load_dataset
from toyadmos_datasets.signal.resampling import QUALITY

CLASSES = (datasets.Dataset, datasets.DatasetDict, datasets.IterableDataset, datasets.IterableDatasetDict)
ENCODED, DECODED = {"bytes", "path"}, {"array", "sampling_rate", "path"}
CLIP_COLUMNS = {"audio", "sound", "again"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is derived from: a config of a prepared folder, in its four forms, and another config."""

    folder: Path
    scratch: Path
    decode: str
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))

    def load(self, config: str = "clean", split: str | None = "train", **changes: Any) -> Any:
        return load_dataset(self.folder, config, split, **{"decode": self.decode} | changes)

    @property
    def rows(self) -> datasets.Dataset:
        return self.load()

    @property
    def splits(self) -> datasets.DatasetDict:
        return self.load(split=None)

    @property
    def stream(self) -> datasets.IterableDataset:
        return self.load(streaming=True)

    @property
    def streams(self) -> datasets.IterableDatasetDict:
        return self.load(split=None, streaming=True)

    def place(self) -> str:
        return str(self.scratch / f"place-{next(self.numbers)}")

    def saved(self, rows: Any) -> str:
        place = self.place()
        rows.save_to_disk(place)
        return place

    def written(self, rows: datasets.Dataset, kind: str, **options: Any) -> str:
        place = f"{self.place()}.{kind}"
        getattr(rows, f"to_{kind}")(place, **options)
        return place

    def clips(self) -> dict[str, list[np.ndarray]]:
        """What each clip is, by its path; configs may call several alike."""
        found: dict[str, list[np.ndarray]] = {}
        for config in ("clean", "snr_6db"):
            for split in self.load(config, None).values():
                for row in split:
                    found.setdefault(row["audio"]["path"], []).append(row["audio"]["array"])
        return found


def count(row: dict[str, Any]) -> dict[str, int]:
    return {"n": len(row["audio"]["array"])}


def all_of(row: dict[str, Any]) -> bool:
    return row["audio"]["array"] is not None


def flip(row: dict[str, Any]) -> dict[str, Any]:
    return {"audio": row["audio"] | {"array": row["audio"]["array"][..., ::-1]}}


def flip_some(row: dict[str, Any], number: int) -> dict[str, Any]:
    return flip(row) if number % 2 else {}


def copied(row: dict[str, Any]) -> dict[str, Any]:
    return {"again": row["audio"]}


def same(array: np.ndarray) -> list[np.ndarray]:
    return [array]


def flipped(array: np.ndarray) -> list[np.ndarray]:
    return [array[..., ::-1]]


def some_flipped(array: np.ndarray) -> list[np.ndarray]:
    return [array, array[..., ::-1]]


def in_numpy(array: np.ndarray) -> list[np.ndarray]:
    """As the format numpy has it, which makes int64 of every integer unless it is told otherwise."""
    return [array.astype(np.int64) if array.dtype.kind == "i" else array]


def at_8_khz(array: np.ndarray) -> list[np.ndarray]:
    return [soxr.resample(array.T, 16000, 8000, quality=QUALITY).T]


def rows_again(features: datasets.Features, folder: str, decode: str) -> Iterator[dict[str, Any]]:
    yield from load_dataset(folder, "clean", "train", decode=decode).select_columns(list(features))


def first_of(rows: Any) -> Any:
    return next(iter(rows))["audio"]


def _in_a_spawned_process(rows: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return [{"audio": pool.apply(first_of, (rows,))}]


def _generated(source: Source, kind: Any) -> Any:
    features = source.rows.select_columns(["audio", "event_id"]).features
    given = {"features": features, "folder": str(source.folder), "decode": source.decode}
    return kind.from_generator(rows_again, features=features, gen_kwargs=given)


def _plain(source: Source, **options: Any) -> datasets.Features:
    return datasets.Features({**source.rows.features, "audio": datasets.Audio(**options)})


def _also(features: datasets.Features, **more: object) -> datasets.Features:
    features.update(more)
    return features


def _changed(rows: Any, change: Callable[[Any], object]) -> Any:
    change(rows)
    return rows


def _sql(source: Source) -> Any:
    with closing(sqlite3.connect(f"{source.place()}.db")) as connection:
        source.rows.to_sql("clips", connection, if_exists="replace")
        return datasets.Dataset.from_sql("select * from clips", connection)


Way = tuple[Callable[[Source], Any], Callable[[np.ndarray], list[np.ndarray]]]
OF_DATASET = {
    "add_column": lambda rows: rows.add_column("z", list(range(len(rows)))),
    "add_item": lambda rows: rows.add_item(rows[0]),
    "align_labels_with_mapping": lambda rows: rows.align_labels_with_mapping({"normal": 1, "anomalous": 0}, "label"),
    "batch": lambda rows: rows.batch(2),
    "cast": lambda rows: rows.cast(rows.features),
    "cast_column: ours": lambda rows: rows.cast_column("audio", rows.features["audio"]),
    "cast_column: another": lambda rows: rows.cast_column("take", datasets.Value("string")),
    "cast_column: plain": lambda rows: rows.cast_column("audio", datasets.Audio()),
    "cast_column: plain, twice": lambda rows: rows.cast_column("audio", datasets.Audio(decode=False)).cast_column(
        "audio", datasets.Audio()
    ),
    "cast_column: not decoded": lambda rows: rows.cast_column("audio", datasets.Audio(decode=False)),
    "class_encode_column": lambda rows: rows.class_encode_column("toy"),
    "filter": lambda rows: rows.filter(all_of),
    "filter: to nothing and more": lambda rows: datasets.concatenate_datasets([rows.filter(lambda _: False), rows]),
    "flatten": lambda rows: rows.flatten(),
    "flatten: not decoded": lambda rows: rows.cast_column("audio", datasets.Audio(decode=False)).flatten(),
    "flatten_indices": lambda rows: rows.shuffle(seed=1).flatten_indices(),
    "map": lambda rows: rows.map(count),
    "map: found again": lambda rows: (rows.map(count), rows.map(count))[1],
    "map: in processes": lambda rows: rows.map(count, num_proc=2),
    "map: in batches": lambda rows: rows.map(lambda some: {"n": [1] * len(some["audio"])}, batched=True),
    "map: in memory": lambda rows: rows.map(count, keep_in_memory=True),
    "map: plain features": lambda rows: rows.map(
        lambda _: {}, features=datasets.Features({**rows.features, "audio": datasets.Audio()})
    ),
    "map: a copy": lambda rows: rows.map(copied, features=_also(rows.features, again=datasets.Audio())),
    "map: a copy, by plain features": lambda rows: rows.map(
        copied, features=datasets.Features({**rows.features, "again": datasets.Audio()})
    ),
    "map: bytes as they are": lambda rows: (
        rows.cast_column("audio", datasets.Audio(decode=False))
        .map(lambda row: {"audio": {"bytes": row["audio"]["bytes"], "path": row["audio"]["path"]}})
        .cast_column("audio", datasets.Audio())
    ),
    "remove_columns": lambda rows: rows.remove_columns(["toy", "label"]),
    "rename_column": lambda rows: rows.rename_column("audio", "sound"),
    "rename_column: and cast": lambda rows: rows.rename_column("audio", "sound").cast_column("sound", datasets.Audio()),
    "rename_columns": lambda rows: rows.rename_columns({"audio": "sound", "toy": "machine"}),
    "repeat": lambda rows: rows.repeat(2),
    "reset_format": lambda rows: _changed(rows, lambda one: one.reset_format()),
    "select": lambda rows: rows.select([2, 0, 1]),
    "select: and save": lambda rows: rows.select([2, 0, 1]).select(range(2)),
    "select_columns": lambda rows: rows.select_columns(["audio", "take"]),
    "set_format": lambda rows: _changed(rows, lambda one: one.set_format(None, ["audio"])),
    "set_transform": lambda rows: _changed(rows, lambda one: one.set_transform(lambda some: some)),
    "shard": lambda rows: rows.shard(2, 0),
    "shuffle": lambda rows: rows.shuffle(seed=1),
    "skip": lambda rows: rows.skip(1),
    "sort": lambda rows: rows.sort("take"),
    "take": lambda rows: rows.take(2),
    "to_iterable_dataset": lambda rows: rows.to_iterable_dataset(),
    "to_iterable_dataset: of a map": lambda rows: rows.map(count).to_iterable_dataset(num_shards=2),
    "to_iterable_dataset: cast": lambda rows: rows.to_iterable_dataset().cast_column("audio", datasets.Audio()),
    "train_test_split": lambda rows: rows.train_test_split(2, seed=1),
    "with_format": lambda rows: rows.with_format("python"),
    "with_format: numpy": lambda rows: rows.with_format("numpy", dtype=rows[0]["audio"]["array"].dtype),
    "with_transform": lambda rows: rows.with_transform(lambda some: some),
}
OF_ROWS_ALONE = {"with_format: numpy", "map: plain features, of one", "filter: to nothing and more", "map: features"}
"""What is said in a way that only a single split understands."""

OF_STREAM = {
    "add_column": lambda rows: rows.add_column("z", list(range(len(list(rows))))),
    "batch": lambda rows: rows.batch(2),
    "cast": lambda rows: rows.cast(rows.features),
    "cast_column: plain": lambda rows: rows.cast_column("audio", datasets.Audio()),
    "cast_column: plain, twice": OF_DATASET["cast_column: plain, twice"],
    "cast_column: not decoded": OF_DATASET["cast_column: not decoded"],
    "cast_column: another": OF_DATASET["cast_column: another"],
    "decode": lambda rows: rows.decode(),
    "decode: in threads": lambda rows: rows.decode(num_threads=2),
    "decode: not, and again": lambda rows: rows.decode(False).decode(),
    "filter": lambda rows: rows.filter(all_of),
    "map": lambda rows: rows.map(count),
    "map: twice": lambda rows: rows.map(count).map(count),
    "map: features": lambda rows: rows.map(lambda _: {}, features=rows.features),
    "map: plain features, of one": OF_DATASET["map: plain features"],
    "map: in batches": OF_DATASET["map: in batches"],
    "remove_columns": OF_DATASET["remove_columns"],
    "rename_column": OF_DATASET["rename_column"],
    "rename_column: and cast": OF_DATASET["rename_column: and cast"],
    "rename_columns": OF_DATASET["rename_columns"],
    "repeat": lambda rows: rows.repeat(2),
    "reshard": lambda rows: rows.reshard(),
    "select_columns": OF_DATASET["select_columns"],
    "shard": lambda rows: rows.shard(1, 0),
    "shuffle": lambda rows: rows.shuffle(seed=1),
    "skip": lambda rows: rows.skip(1),
    "take": lambda rows: rows.take(2),
    "with_format": lambda rows: rows.with_format(None),
}
FROM_FILES = {
    "from_csv": lambda source, kind: kind.from_csv(source.written(source.rows, "csv"), features=source.rows.features),
    "from_json": lambda source, kind: kind.from_json(
        source.written(source.rows, "json"), features=source.rows.features
    ),
    "from_parquet": lambda source, kind: kind.from_parquet(source.written(source.rows, "parquet")),
    "from_parquet: of a map": lambda source, kind: kind.from_parquet(
        source.written(source.rows.map(flip).map(flip), "parquet")
    ),
    "from_dict": lambda source, kind: kind.from_dict(source.rows[:3], features=source.rows.features),
    "from_list": lambda source, kind: kind.from_list(list(source.rows), features=source.rows.features),
    "from_file": lambda source, kind: kind.from_file(source.rows.map(count).cache_files[0]["filename"]),
    "from_generator": _generated,
    "from_pandas": lambda source, kind: kind.from_pandas(source.rows.to_pandas(), features=source.rows.features),
}


def _with_features(splits: Any) -> Any:
    """Give a DatasetDict the features of its splits, as a Dataset has them."""
    splits.features = next(iter(splits.values())).features
    return splits


def ways() -> dict[str, Way]:
    """Return every way by its name, which begins with the class and the method, and what the clips then are."""
    made: dict[str, Way] = {}
    for kind, attribute, named in (
        (datasets.Dataset, "rows", OF_DATASET),
        (datasets.DatasetDict, "splits", OF_DATASET),
        (datasets.IterableDataset, "stream", OF_STREAM),
        (datasets.IterableDatasetDict, "streams", OF_STREAM),
    ):
        of_splits = issubclass(kind, dict)
        for name in (name for name in named if _has(kind, name) and not (of_splits and name in OF_ROWS_ALONE)):
            made[f"{kind.__name__}.{name}"] = (_from_attribute(named[name], attribute), same)
    for kind in (datasets.Dataset, datasets.DatasetDict, datasets.IterableDataset):
        for name in (name for name in FROM_FILES if _has(kind, name)):
            made[f"{kind.__name__}.{name}"] = (partial(_from_kind, FROM_FILES[name], kind), same)
    return made | BY_HAND


def _has(kind: type, name: str) -> bool:
    return hasattr(kind, name.partition(":")[0])


def _from_attribute(way: Callable[[Any], Any], attribute: str) -> Callable[[Source], Any]:
    def make(source: Source) -> Any:
        rows = getattr(source, attribute)
        return way(_with_features(rows) if isinstance(rows, dict) else rows)

    return make


def _from_kind(way: Callable[[Source, Any], Any], kind: Any, source: Source) -> Any:
    return way(source, kind)


BY_HAND: dict[str, Way] = {
    "Dataset.from_buffer": (
        lambda source: datasets.Dataset.from_buffer(
            pa.py_buffer(Path(source.rows.map(count).cache_files[0]["filename"]).read_bytes())
        ),
        same,
    ),
    "Dataset.from_generator: found again": (
        lambda source: (_generated(source, datasets.Dataset), _generated(source, datasets.Dataset))[1],
        same,
    ),
    "Dataset.from_sql": (_sql, same),
    "Dataset.load_from_disk": (lambda source: datasets.Dataset.load_from_disk(source.saved(source.rows)), same),
    "Dataset.load_from_disk: of a map": (
        lambda source: datasets.Dataset.load_from_disk(source.saved(source.rows.map(count).select([1, 0]))),
        same,
    ),
    "DatasetDict.load_from_disk": (
        lambda source: datasets.DatasetDict.load_from_disk(source.saved(source.splits)),
        same,
    ),
    "Dataset.cast_column: 8 kHz": (
        lambda source: source.rows.cast_column("audio", datasets.Audio(sampling_rate=8000)),
        at_8_khz,
    ),
    "Dataset.cast_column: 8 kHz, of a map": (
        lambda source: source.rows.map(count).cast_column("audio", datasets.Audio(sampling_rate=8000)).map(count),
        at_8_khz,
    ),
    "Dataset.cast: 8 kHz": (lambda source: source.rows.cast(_plain(source, sampling_rate=8000)), at_8_khz),
    "DatasetDict.cast_column: 8 kHz": (
        lambda source: source.splits.cast_column("audio", datasets.Audio(sampling_rate=8000)),
        at_8_khz,
    ),
    "IterableDataset.cast_column: 8 kHz": (
        lambda source: source.stream.cast_column("audio", datasets.Audio(sampling_rate=8000)),
        at_8_khz,
    ),
    "IterableDataset.cast: 8 kHz": (lambda source: source.stream.cast(_plain(source, sampling_rate=8000)), at_8_khz),
    "Dataset.cast_column: mono": (
        lambda source: source.rows.cast_column("audio", datasets.Audio(num_channels=1)),
        same,
    ),
    "Dataset.with_format: numpy, by itself": (lambda source: source.rows.with_format("numpy"), in_numpy),
    "IterableDataset.with_format: numpy": (lambda source: source.stream.with_format("numpy"), in_numpy),
    "Dataset.map: new audio": (lambda source: source.rows.map(flip), flipped),
    "Dataset.map: new audio, found again": (
        lambda source: (source.rows.map(flip), source.rows.map(flip))[1].map(count),
        flipped,
    ),
    "Dataset.map: new audio in some": (
        lambda source: source.rows.map(flip_some, with_indices=True),
        some_flipped,
    ),
    "Dataset.map: halves": (lambda source: source.rows.map(lambda row: {"audio": _halved(row)}), lambda a: [a / 2]),
    "DatasetDict.map: new audio": (lambda source: source.splits.map(flip), flipped),
    "IterableDataset.map: new audio": (lambda source: source.stream.map(flip), flipped),
    "IterableDataset.map: new audio, with features": (
        lambda source: source.stream.map(flip, features=source.stream.features),
        flipped,
    ),
    "concatenate_datasets: two SNRs": (
        lambda source: datasets.concatenate_datasets([source.rows, source.load("snr_6db")]),
        same,
    ),
    "concatenate_datasets: two SNRs, cast": (
        lambda source: datasets.concatenate_datasets([source.rows, source.load("snr_6db")]).cast_column(
            "audio", datasets.Audio(sampling_rate=8000)
        ),
        at_8_khz,
    ),
    "concatenate_datasets: other columns, cast": (
        lambda source: datasets.concatenate_datasets(
            [source.rows.map(count), source.load("snr_6db").remove_columns("toy")]
        ).cast_column("audio", datasets.Audio(sampling_rate=8000)),
        at_8_khz,
    ),
    "concatenate_datasets: side by side": (
        lambda source: datasets.concatenate_datasets(
            [source.rows, datasets.Dataset.from_dict({"z": list(range(len(source.rows)))})], axis=1
        ),
        same,
    ),
    "concatenate_datasets: side by side, ours, cast": (
        lambda source: datasets.concatenate_datasets(
            [source.rows.select_columns(["take"]), source.rows.select_columns(["audio"])], axis=1
        ).cast_column("audio", datasets.Audio(sampling_rate=8000)),
        at_8_khz,
    ),
    "concatenate_datasets: a type and another": (
        lambda source: datasets.concatenate_datasets(
            [source.rows, source.load(decode="float32" if source.decode == "int16" else "int16")]
        ),
        same,
    ),
    "concatenate_datasets: plain and ours": (
        lambda source: datasets.concatenate_datasets([source.rows, as_plain_audio(source.rows)]),
        same,
    ),
    "concatenate_datasets: streams": (
        lambda source: datasets.concatenate_datasets([source.stream, source.load("snr_6db", streaming=True)]),
        same,
    ),
    "concatenate_datasets: streams, cast": (
        lambda source: datasets.concatenate_datasets(
            [source.stream, source.load("snr_6db", streaming=True)]
        ).cast_column("audio", datasets.Audio(sampling_rate=8000)),
        at_8_khz,
    ),
    "IterableDataset.map: with features, then 8 kHz": (
        lambda source: source.stream.map(lambda _: {}, features=source.stream.features).cast_column(
            "audio", datasets.Audio(sampling_rate=8000)
        ),
        at_8_khz,
    ),
    "concatenate_datasets: streams, the first mapped": (
        lambda source: datasets.concatenate_datasets(
            [source.stream.map(lambda _: {}, features=source.stream.features), source.stream]
        ),
        same,
    ),
    "concatenate_datasets: mapped streams": (
        lambda source: datasets.concatenate_datasets([source.stream.map(count), source.stream.map(count)]),
        same,
    ),
    "interleave_datasets": (
        lambda source: datasets.interleave_datasets([source.rows, source.load("snr_6db")]),
        same,
    ),
    "interleave_datasets: streams": (
        lambda source: datasets.interleave_datasets([source.stream, source.load("snr_6db", streaming=True)]),
        same,
    ),
    "load_from_disk": (lambda source: datasets.load_from_disk(source.saved(source.splits)), same),
    "load_from_disk: ours": (lambda source: load_dataset(source.saved(source.splits)), same),
    "load_from_disk: ours, one split": (lambda source: load_dataset(source.saved(source.rows)), same),
    "load_from_disk: ours, streaming": (
        lambda source: load_dataset(source.saved(source.splits), split="train", streaming=True),
        same,
    ),
    "load_from_disk: cast to ours": (
        lambda source: datasets.load_from_disk(source.saved(source.rows)).cast_column(
            "audio", Audio(sampling_rate=8000, sample_type=source.decode)
        ),
        at_8_khz,
    ),
    "load_dataset": (
        lambda source: datasets.load_dataset("parquet", data_files=source.written(source.rows, "parquet")),
        same,
    ),
    "load_dataset: streaming": (
        lambda source: datasets.load_dataset(
            "parquet", data_files=source.written(source.rows, "parquet"), streaming=True
        ),
        same,
    ),
    "load_dataset: a prepared folder, then ours": (
        lambda source: decode_with_soundfile(
            datasets.load_dataset(str(source.folder), "clean"), sample_type=source.decode
        ),
        same,
    ),
    "load_dataset: a prepared folder as it goes, then ours": (
        lambda source: decode_with_soundfile(
            datasets.load_dataset(str(source.folder), "clean", streaming=True), sample_type=source.decode
        ),
        same,
    ),
    "as_plain_audio: and back": (
        lambda source: decode_with_soundfile(as_plain_audio(source.splits), sample_type=source.decode),
        same,
    ),
    "split_dataset_by_node": (lambda source: split_dataset_by_node(source.rows, 0, 2), same),
    "split_dataset_by_node: streams": (lambda source: split_dataset_by_node(source.stream, 0, 2), same),
    "pickle": (lambda source: pickle.loads(pickle.dumps(source.rows.map(count))), same),
    "pickle: a stream": (lambda source: pickle.loads(pickle.dumps(source.stream)), same),
    "spawn": (lambda source: _in_a_spawned_process(source.rows), same),
    "spawn: concatenated": (
        lambda source: _in_a_spawned_process(datasets.concatenate_datasets([source.rows, source.load("snr_6db")])),
        same,
    ),
    "spawn: a stream": (lambda source: _in_a_spawned_process(source.stream), same),
}


def _halved(row: dict[str, Any]) -> dict[str, Any]:
    return row["audio"] | {"array": row["audio"]["array"] / 2}


OTHERS = {
    "add_elasticsearch_index",
    "add_faiss_index",
    "add_faiss_index_from_external_arrays",
    "cleanup_cache_files",
    "drop_index",
    "formatted_as",
    "get_index",
    "get_nearest_examples",
    "get_nearest_examples_batch",
    "is_index_initialized",
    "iter",
    "list_indexes",
    "load_elasticsearch_index",
    "load_faiss_index",
    "load_state_dict",
    "push_to_hub",
    "save_faiss_index",
    "save_to_disk",
    "search",
    "search_batch",
    "set_epoch",
    "state_dict",
    "to_csv",
    "to_dict",
    "to_json",
    "to_list",
    "to_pandas",
    "to_parquet",
    "to_polars",
    "to_sql",
    "to_tf_dataset",
    "unique",
}
"""Methods that give no dataset."""

ELSEWHERE = {
    "from_polars",
    "from_spark",
    "from_text",
}
"""Methods that need packages that are not here, or whose rows are lines of text."""


def unknown_methods() -> list[str]:
    """Return the methods of this version that no way begins with, and that are not known to give no dataset."""
    thought_of = {name.partition(":")[0] for name in ways()}
    found = []
    for kind in CLASSES:
        of_datasets = [one for one in kind.__mro__ if one.__module__.startswith("datasets")]
        names = {name for one in of_datasets for name in vars(one) if callable(getattr(kind, name))}
        for name in sorted(name for name in names if not name.startswith("_") and name not in ELSEWHERE):
            gives = str(inspect.signature(getattr(kind, name)).return_annotation)
            if f"{kind.__name__}.{name}" not in thought_of and (name not in OTHERS or "Dataset" in gives):
                found.append(f"{kind.__name__}.{name}")
    return found


def outcome(way: Way, source: Source, clips: dict[str, list[np.ndarray]]) -> str:
    """Go one way; tell what became of the clips."""
    make, change = way
    try:
        derived = make(source)
        splits = derived.values() if isinstance(derived, dict) else [derived]
        seen = [clip for rows in splits for row in rows for clip in _clips(row)]
    except Exception as error:  # noqa: BLE001  # an error is an answer
        return f"{type(error).__name__}: {str(error).splitlines()[0][:90] if str(error) else ''}"
    if not seen:
        return "WRONG: no clip"
    return next((wrong for clip in seen if (wrong := _wrong(clip, change, clips))), "same")


def _clips(row: dict[str, Any]) -> Iterator[Any]:
    """Find the clips of a row, also in lists, as `batch` gives them."""
    if "audio.bytes" in row:
        yield {"bytes": row["audio.bytes"], "path": row["audio.path"]}
    for name in CLIP_COLUMNS & row.keys():
        yield from row[name] if isinstance(row[name], list) else [row[name]]


def _wrong(clip: Any, change: Callable[[np.ndarray], list[np.ndarray]], clips: dict[str, list[np.ndarray]]) -> str:
    """Tell what is wrong with a clip, in a word; nothing if it is what its source was."""
    if not isinstance(clip, dict) or set(clip) not in (ENCODED, DECODED):
        return f"WRONG: {type(clip).__name__}"
    sources = clips.get(clip["path"]) or [one for several in clips.values() for one in several]
    expected = [one for source in sources for one in change(source)]
    if set(clip) == ENCODED:
        return "" if clip["bytes"].startswith((b"fLaC", b"RIFF")) else "WRONG: bytes"
    array = clip["array"]
    if not isinstance(array, np.ndarray):
        return f"WRONG: {type(array).__name__}"
    if (array.dtype, array.shape) not in [(one.dtype, one.shape) for one in expected]:
        return f"WRONG: {array.dtype} {array.shape}"
    return "" if any(np.array_equal(array, one) for one in expected) else "WRONG: samples"


def main() -> None:
    datasets.disable_progress_bars()
    *asked, scratch = sys.argv[1:]
    outcomes: dict[str, dict[str, str]] = {}
    for folder, decode in (one.rsplit("=", 1) for one in asked):
        source = Source(folder=Path(folder), scratch=Path(scratch), decode=decode)
        clips = source.clips()
        outcomes[f"{Path(folder).name}={decode}"] = {name: outcome(way, source, clips) for name, way in ways().items()}
    print(json.dumps({"version": datasets.__version__, "unknown": unknown_methods(), "outcomes": outcomes}))  # noqa: T201


if __name__ == "__main__":
    main()
