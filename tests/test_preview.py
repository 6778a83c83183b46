"""A plan tells beforehand what prepare then does, and touches nothing."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from preparing import listing, options
from tiny import PACKED, STORED, TinyCorpus, write_tree, write_volumes

from toyadmos_datasets.errors import BusyError, PlanError
from toyadmos_datasets.files.lock import folder_lock
from toyadmos_datasets.ingest.recordings import ingest as ingest_recordings
from toyadmos_datasets.jobs import preview as preview_module
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.jobs.preview import preview
from toyadmos_datasets.jobs.sources import simulated_folder
from toyadmos_datasets.planning.recipe_plan import SplitCount
from toyadmos_datasets.values.recording_store import read_catalogue

CORPUS = TinyCorpus(n_normal=6, n_noise=4, clip_s=1.0, noise_s=1.5)
CHOICES: list[dict[str, Any]] = [
    {"protocols": ("basic",), "snrs_db": (6.0, -6.0)},
    {"protocols": ("waspaa2019",), "bit_depth": 24},
    {"protocols": ("basic",), "channels": "all", "max_events": 1},
    {"protocols": ("basic",), "container": "flac", "rate_hz": 48_000},
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("sources")
    files = CORPUS.files()
    return {
        "tree": write_tree(files, place / "tree"),
        "volumes": write_volumes(files, place / "volumes", n_blocks=6),
    }


def counts_of(folder: Path) -> Counter[tuple[str, str, str]]:
    """Clips of a prepared dataset by config, split and label."""
    found: Counter[tuple[str, str, str]] = Counter()
    for path in sorted((folder / "data").rglob("*.parquet")):
        labels = pq.read_table(path, columns=["label"])["label"].to_pylist()
        config, split = path.parent.name, path.name.split("-")[0]
        found.update((config, split, ("normal", "anomalous")[label]) for label in labels)
    return found


def samples_in(cache: Path) -> int:
    """Bytes of samples in the recording store."""
    stores = list((cache / "recordings").iterdir()) if cache.exists() else []
    return sum(2 * n for store in stores for n in read_catalogue(store)["n_samples"].to_pylist())


def decoded_while(request: PrepareOptions, monkeypatch: pytest.MonkeyPatch) -> int:
    """Prepare; return the bytes that came out of the decoders, as the work itself reports them."""
    reported = [0]

    def watched(*arguments: Any, **named: Any) -> Any:
        named["on_progress"] = reported.append
        return ingest_recordings(*arguments, **named)

    monkeypatch.setattr("toyadmos_datasets.jobs.prepare.ingest", watched)
    prepare(request)
    return max(reported)


@pytest.mark.parametrize("kind", ["tree", "volumes"])
@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: " ".join(map(str, choice.values())))
def test_its_numbers_are_what_prepare_then_does(tmp_path, sources, monkeypatch, kind, choice):
    request = options(sources[kind], tmp_path, **choice)
    told = preview(request)
    n_decoded_bytes = decoded_while(request, monkeypatch)
    shards = list((tmp_path / "out" / "data").rglob("*.parquet"))
    n_written_bytes = sum(path.stat().st_size for path in shards)

    assert {(one.config, one.split, one.label): one.n_clips for one in told.counts} == counts_of(tmp_path / "out")
    assert told.n_decoded_bytes == n_decoded_bytes
    assert told.n_shards == len(shards)
    # A WAV header of 44 bytes is counted with a recording's samples, and a whole sample is kept of a part of one.
    assert samples_in(tmp_path / "cache") == pytest.approx(told.n_store_bytes, abs=48 * told.n_recordings)
    assert n_written_bytes / 2 < told.n_dataset_bytes < n_written_bytes * 2
    assert (told.kind, told.state) == (kind, "new")


def test_it_tells_what_the_dataset_takes_in_either_encoding(tmp_path, sources):
    told = preview(options(sources["tree"], tmp_path, protocols=("basic",)))
    taken = {}
    for container in ("wav", "flac"):
        prepare(options(sources["tree"], tmp_path, protocols=("basic",), container=container, overwrite=True))
        taken[container] = sum(path.stat().st_size for path in (tmp_path / "out" / "data").rglob("*.parquet"))

    assert set(told.n_bytes_encoded) == set(taken)
    assert told.n_bytes_encoded["wav"] == told.n_dataset_bytes
    assert told.n_bytes_encoded["flac"] < told.n_bytes_encoded["wav"]
    assert all(n_bytes / 2 < told.n_bytes_encoded[name] < n_bytes * 2 for name, n_bytes in taken.items())


def test_it_touches_nothing(tmp_path, sources):
    for choice in CHOICES:
        before = {kind: listing(source) for kind, source in sources.items()} | {"place": listing(tmp_path)}
        for source in sources.values():
            preview(options(source, tmp_path, **choice))

        assert {kind: listing(source) for kind, source in sources.items()} | {"place": listing(tmp_path)} == before


def test_it_touches_neither_a_cache_nor_a_dataset_that_is_there(tmp_path, sources):
    prepare(options(sources["tree"], tmp_path, protocols=("basic",)))
    before = listing(tmp_path)
    preview(options(sources["tree"], tmp_path, protocols=("basic",)))
    preview(options(sources["tree"], tmp_path, protocols=("basic",), overwrite=True))

    assert listing(tmp_path) == before


def test_what_is_in_the_cache_is_not_counted_again(tmp_path, sources):
    prepare(options(sources["volumes"], tmp_path, protocols=("basic",)))
    told = preview(options(sources["volumes"], tmp_path, protocols=("basic",), out=tmp_path / "other"))

    assert told.n_in_cache == told.n_recordings > 0
    assert (told.n_blocks, told.n_packed_bytes, told.n_decoded_bytes, told.n_store_bytes) == (0, 0, 0, 0)
    assert told.n_dataset_bytes > 0


def test_a_dataset_that_is_there_costs_nothing(tmp_path, sources):
    prepare(options(sources["tree"], tmp_path, protocols=("basic",)))
    told = preview(options(sources["tree"], tmp_path, protocols=("basic",)))

    assert (told.state, told.n_dataset_bytes, told.expected_s) == ("done", 0, 0.0)


def test_events_and_clips_differ_where_every_channel_is_a_row(tmp_path, sources):
    told = preview(options(sources["tree"], tmp_path, protocols=("basic",), channels="all", max_events=1))

    assert SplitCount(config="clean", split="test", label="anomalous", n_events=1, n_clips=4) in told.counts


def test_more_workers_are_expected_to_take_less_time(tmp_path, sources, monkeypatch):
    monkeypatch.setattr(preview_module, "START_S", 0.0)
    one, two = (preview(options(sources["volumes"], tmp_path, workers=workers)).expected_s for workers in (1, 2))

    assert one == pytest.approx(2 * two)


@pytest.mark.parametrize(("filters", "n_unknown"), [(PACKED, 1), (STORED, 0)], ids=["LZMA2", "Copy"])
def test_whether_workers_can_share_a_large_block_is_told_as_not_known_where_only_its_chunks_tell(
    tmp_path, monkeypatch, filters, n_unknown
):
    monkeypatch.setattr(preview_module, "START_S", 0.0)
    archive = write_volumes(CORPUS.files(), tmp_path / "volumes", n_blocks=1, filters=filters)
    one, two = (preview(options(archive, tmp_path, workers=workers)) for workers in (1, 2))

    decode_s = two.n_decoded_bytes / preview_module.ARCHIVE_BYTES_A_S
    assert (one.n_unknown_blocks, two.n_unknown_blocks) == (0, n_unknown)
    assert one.longest_s == one.expected_s
    assert two.longest_s == pytest.approx(one.expected_s / 2 + decode_s / 2)
    assert two.expected_s == pytest.approx(one.expected_s / 2 if n_unknown else two.longest_s)


def test_what_is_to_be_decoded_or_rendered_is_expected_to_take_its_time(tmp_path, sources):
    prepare(options(sources["volumes"], tmp_path, protocols=("basic",), snrs_db=(6.0,)))
    choices = {"out": tmp_path / "other", "protocols": ("basic",)}

    def expected_s(place: Path, source: Path, **more: Any) -> float:
        return preview(options(source, place, **choices | more)).expected_s

    kept, not_kept = (expected_s(place, sources["volumes"]) for place in (tmp_path, tmp_path / "nothing"))
    tree = expected_s(tmp_path / "nothing", sources["tree"])
    mixed_too = expected_s(tmp_path, sources["volumes"], snrs_db=(6.0,))
    assert kept < tree < not_kept
    assert kept < mixed_too


def test_a_folder_that_prepare_would_refuse_is_told_and_no_error(tmp_path, sources):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    told = preview(options(sources["tree"], tmp_path))
    free = preview(options(sources["tree"], tmp_path, out=tmp_path / "free"))

    assert told.state == "conflict"
    assert "thesis.tex" in told.conflict
    assert (told.counts, free.conflict) == (free.counts, None)


def test_what_cannot_be_planned_is_refused(tmp_path, sources):
    with pytest.raises(PlanError):
        preview(options(sources["tree"], tmp_path, cases=(4,)))


def test_a_folder_that_is_being_written_can_be_looked_at(tmp_path, sources):
    request = options(sources["tree"], tmp_path)
    with folder_lock(tmp_path / "out"):
        told = preview(request)
        with pytest.raises(BusyError):
            prepare(request)

    assert told.state == "new"


def test_a_simulated_corpus_that_is_not_there_yet_is_planned_as_it_will_be_and_not_made(tmp_path, simulated):
    request = options(Path("simulate:tiny"), tmp_path, protocols=("basic",), snrs_db=(6.0,))
    told = preview(request)
    untouched = list(tmp_path.iterdir())
    shutil.copytree(simulated, simulated_folder(tmp_path / "cache", "ToyTrain", "tiny"))
    made = preview(request)

    assert untouched == []
    assert told.n_simulated_bytes == sum(path.stat().st_size for path in simulated.rglob("*.wav"))
    assert told.expected_s > made.expected_s
    assert replace(told, n_simulated_bytes=0, expected_s=made.expected_s, longest_s=made.longest_s) == made
