"""The builder: the rows of `prepare`, built by `datasets`, kept under a name that all of them follow from."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import datasets
import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from preparing import listing, options
from tiny import TinyCorpus, without, write_tree
from wording import refused

from toyadmos_datasets import load_dataset
from toyadmos_datasets.builder import ToyAdmos, ToyAdmosConfig
from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.errors import OptionError, SourceNotFoundError, WavError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.planning import PROTOCOL_NAMES

pytestmark = [
    pytest.mark.usefixtures("datasets_cache"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

FILES = TinyCorpus(n_normal=40, conditions=("ab01",), n_noise=4, channels=(1,)).files()


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A corpus, `source`, and the dataset that `prepare` makes of it, `out`, by way of the store in `cache`."""
    folder = tmp_path_factory.mktemp("builder")
    write_tree(FILES, folder / "source")
    prepare(options(folder / "source", folder, protocols=("basic",), snrs_db=(6.0,)))
    return folder


def builder(place: Path, name: str = "train-basic", **changes: object) -> ToyAdmos:
    return ToyAdmos(name, **{"source": place / "source", "cache": place / "cache"} | changes)


def bytes_of(loaded: datasets.Dataset) -> list[dict[str, object]]:
    return list(loaded.cast_column("audio", datasets.Audio(decode=False)))


@pytest.mark.parametrize(
    ("changes", "config"), [({"snr_db": 6}, "snr_6db"), ({"snr_db": 6, "config": "clean"}, "clean")]
)
def test_it_builds_the_rows_that_prepare_writes(place, changes, config):
    built = builder(place, **changes)
    built.download_and_prepare(num_proc=2)
    rows = built.as_dataset()
    expected = load_dataset(place / "out", config, decode=False)

    assert list(rows) == list(expected) == ["train", "test"]
    for split in expected:
        assert bytes_of(rows[split]) == list(expected[split])
        assert rows[split].features["label"].names == ["normal", "anomalous"]


def test_audio_is_decoded_without_torch_and_as_is_asked(place):
    built = builder(place, snr_db=6)
    built.download_and_prepare()

    assert built.as_dataset("train")[0]["audio"]["array"].dtype == np.float32
    assert built.as_dataset("train", decode="int16")[0]["audio"]["array"].dtype == np.int16
    assert built.as_dataset("train", decode=False)[0]["audio"]["bytes"].startswith(b"RIFF")


def test_stems_and_stacked_microphones_are_built_and_loaded(tmp_path):
    write_tree(TinyCorpus(n_normal=8).files(), tmp_path / "source")
    built = builder(tmp_path, snr_db=6, stems=True, channels="stack")
    built.download_and_prepare()
    rows = built.as_dataset("train")
    wanted = options(tmp_path / "source", tmp_path, protocols=("basic",), snrs_db=(6.0,), stems=True, channels="stack")
    expected = load_dataset(prepare(wanted).out, "snr_6db", "train")

    assert rows.column_names == expected.column_names
    for row, other in zip(rows, expected, strict=True):
        for name in ("audio", "target", "noise"):
            assert row[name]["array"].shape == (4, row["n_samples"])
            assert np.array_equal(row[name]["array"], other[name]["array"])
        assert np.allclose(row["target"]["array"] + row["noise"]["array"], row["audio"]["array"], atol=2 / 32768)


def test_streaming_renders_the_same_rows(place):
    streamed = builder(place, snr_db=6).as_streaming_dataset("test")
    expected = load_dataset(place / "out", "snr_6db", "test")

    assert [row["event_id"] for row in streamed] == expected["event_id"]
    assert all(
        np.array_equal(row["audio"]["array"], other["audio"]["array"])
        for row, other in zip(streamed, expected, strict=True)
    )


def test_the_recording_store_is_that_of_the_command_line(place, tmp_path):
    before = listing(place / "cache" / "recordings")
    built = builder(place, cache_dir=str(tmp_path))
    built.download_and_prepare()
    segments = {name for name in before if name.endswith(".arrow")}

    assert {name for name in listing(place / "cache" / "recordings") if name.endswith(".arrow")} == segments


@pytest.mark.parametrize("source", ["nowhere", "simulate:tiny", "record", "https://example.org/volumes/"])
def test_making_a_builder_opens_nothing(tmp_path, monkeypatch, source):
    asked: list[str] = []
    monkeypatch.setattr(
        "toyadmos_datasets.jobs.prepare_options.resolve_source", lambda source, *_, **__: asked.append(source)
    )
    monkeypatch.setattr("socket.socket", None)
    made = builder(tmp_path, source=source)

    assert made.info.features["label"].names == ["normal", "anomalous"]
    assert asked == []
    assert listing(tmp_path).keys() == {"."}


def test_what_was_built_is_found_by_another_builder_that_builds_nothing(place):
    builder(place, snr_db=6).download_and_prepare()

    assert bytes_of(builder(place, snr_db=6).as_dataset("test")) == list(
        load_dataset(place / "out", "snr_6db", "test", decode=False)
    )


def test_every_toy_and_protocol_has_a_config():
    names = {config.name for config in ToyAdmos.BUILDER_CONFIGS}

    assert len(names) == len(TOYS) * len(PROTOCOL_NAMES)
    assert {"car-waspaa2019", "conveyor-basic", "train-waspaa2019"} <= names


CHANGES = [
    {"seed": 1},
    {"snr_db": 3},
    {"config": "clean"},
    {"cases": (1,)},
    {"channels": "1"},
    {"rate_hz": 8000},
    {"encoding": "flac"},
    {"bit_depth": 24},
    {"headroom_db": 6},
    {"max_events": 3},
    {"snr_reference": "clip"},
    {"shared_noise": True},
    {"stems": True},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_what_changes_the_rows_changes_where_they_are_kept(place, change):
    before = builder(place, snr_db=6)
    after = builder(place, **{"snr_db": 6} | change)

    assert before.cache_dir == builder(place, snr_db=6).cache_dir
    assert before.cache_dir == builder(place, snr_db=6, workers=2).cache_dir
    assert before.cache_dir != after.cache_dir


def test_another_source_or_other_versions_change_where_rows_are_kept(place, tmp_path, monkeypatch):
    write_tree(without(FILES, "_0040."), tmp_path / "source")
    before = builder(place).cache_dir

    assert builder(place, source=tmp_path / "source").cache_dir != before
    monkeypatch.setattr("toyadmos_datasets.builder.builder_config.versions", lambda: {"numpy": "99"})
    assert builder(place).cache_dir != before


def test_parquet_is_written_where_fsspec_can_write(place):
    built = builder(place, snr_db=6)
    built.download_and_prepare("memory://built", file_format="parquet")
    memory = fsspec.filesystem("memory")
    files = sorted(path for path in memory.ls("/built", detail=False) if path.endswith(".parquet"))
    train = next(path for path in files if "train" in path)
    with memory.open(train) as file:
        rows = pq.read_table(file)
    memory.rm("/built", recursive=True)

    assert len(files) == 2
    assert rows.to_pylist() == list(load_dataset(place / "out", "snr_6db", "train", decode=False))
    assert datasets.Features.from_arrow_schema(rows.schema) == built.info.features


BUILDING = """
    import sys, datasets
    datasets.disable_progress_bars()
    from toyadmos_datasets import load_dataset
    source, cache = sys.argv[1:]
    print(load_dataset("train", "basic", split="test", source=source, cache=cache, snr_db=0)["event_id"])
"""


def test_two_processes_may_build_the_same_at_once(place, tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(BUILDING), str(place / "source"), str(tmp_path / "store")]
    environment = os.environ | {"HF_DATASETS_CACHE": str(tmp_path / "hf")}
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1] != ""


def test_a_toy_is_built_by_load_dataset(place):
    rows = load_dataset(
        "train", "basic", "test[:3]", source=place / "source", cache=place / "cache", snr_db=6, num_proc=2
    )

    assert rows["event_id"] == load_dataset(place / "out", "snr_6db", "test[:3]")["event_id"]
    assert rows[0]["audio"]["array"].dtype == np.float32


@pytest.mark.parametrize(
    ("act", "where"),
    [
        (lambda place: builder(place, "train-nonsense"), "name"),
        (lambda place: builder(place, nonsense=1), "nonsense"),
        (lambda place: builder(place, options={"seed": 1}), "options"),
        (lambda place: builder(place, snrs_db=(6,)), "snrs_db"),
        (lambda place: builder(place, protocols=("basic",)), "protocols"),
        (lambda place: builder(place, bit_depth=24).as_streaming_dataset("test", decode="int16"), "decode"),
        (lambda place: load_dataset("train", "basic", source=place / "source", decode="int8"), "decode"),
        (lambda place: load_dataset("train", "basic", source=place / "source", bit_depth=24, decode="int16"), "decode"),
        (lambda place: builder(place, channels="7"), "--channels"),
        (lambda place: load_dataset("train", "basic", "nonsense", source=place / "source"), "split"),
        (lambda place: builder(place).as_streaming_dataset("nonsense"), "split"),
        (lambda place: builder(place).as_streaming_dataset("test[:3]"), "split"),
    ],
)
def test_an_invalid_argument_is_refused(place, act, where):
    with pytest.raises(OptionError) as caught:
        act(place)

    assert caught.value.where == where


def test_an_unknown_config_of_the_protocol_is_answered_with_those_that_there_are(place):
    with refused(OptionError) as caught:
        builder(place, snr_db=6, config="snr_3db").download_and_prepare()

    assert caught.value.expected == "clean, snr_6db"


def test_errors_of_the_stages_come_as_they_are(tmp_path):
    files = FILES | {next(name for name in FILES if "normal" in name): b"RIFF"}
    write_tree(files, tmp_path / "source")

    with pytest.raises(SourceNotFoundError):
        builder(tmp_path, source=tmp_path / "nowhere").download_and_prepare()
    with pytest.raises(WavError):
        builder(tmp_path).download_and_prepare()


def test_a_config_can_be_made_by_hand(place):
    config = ToyAdmosConfig(name="mine", toy="train", protocol="basic", source=str(place / "source"))

    assert config.prepare_options().plan.protocols == ("basic",)
