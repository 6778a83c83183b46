"""One bad recording among many, through the whole of `prepare`."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from loopback import Fault, serving
from preparing import options
from remote import publish
from tiny import TinyCorpus, only, write_tree, write_volumes

from toyadmos_datasets.archive.remote import estimate
from toyadmos_datasets.archive.remote.manifest import write_manifest
from toyadmos_datasets.archive.remote.opening import FetchChoices
from toyadmos_datasets.errors import TruncatedWavError
from toyadmos_datasets.prepare import PrepareReport, prepare

FILES = TinyCorpus(n_normal=6, conditions=("ab01",), n_noise=4, clip_s=0.1, noise_s=0.2).files()
BAD = only(FILES, "normal_IND_ch2_0002")


@pytest.fixture(params=[write_tree, write_volumes], ids=["tree", "volumes"])
def source(request, tmp_path):
    return request.param(FILES | {BAD: FILES[BAD][:-10]}, tmp_path / "source")


def events(report: PrepareReport) -> list[str]:
    shards = [pq.read_table(report.out / shard.path) for shard in report.manifest.shards]
    return sorted(event_id for shard in shards for event_id in shard["event_id"].to_pylist())


@pytest.mark.parametrize("channels", ["mix", "all", "2"])
def test_an_event_of_which_one_microphone_is_bad_is_skipped_and_all_others_survive(tmp_path, source, channels):
    report = prepare(options(source, tmp_path, protocols=("basic",), channels=channels, skip_bad=True))

    n_rows = 4 if channels == "all" else 1
    normal = [f"ToyTrain_case1_normal_IND_{take:04d}" for take in (1, 3, 4, 5, 6)]
    assert events(report) == sorted([*normal, "ToyTrain_case1_ab01_IND_0001"] * n_rows)
    assert [one.member for one in report.manifest.skipped] == [BAD]


def test_what_the_rounds_of_reading_have_ingested_is_added_up(tmp_path, source):
    report = prepare(options(source, tmp_path, protocols=("basic",), channels="2", skip_bad=True))

    assert (report.ingested.n_ingested, report.ingested.n_reused, len(report.ingested.bad)) == (6, 0, 1)


@pytest.mark.parametrize("skip_bad", [False, True])
def test_what_came_damaged_and_was_mended_is_neither_skipped_nor_forgotten(tmp_path, skip_bad, monkeypatch):
    monkeypatch.setattr(estimate, "REQUEST_BYTES", 0)  # blocks, not whole volumes, whose md5 would notice it first
    published, table = publish(tmp_path / "published", n_volumes=1), tmp_path / "volumes.csv"
    write_manifest(table, published.manifest.volumes)
    with serving(published.files) as server:
        of_the_header = Fault(kind="flip", after=published.manifest.n_bytes, times=2)
        server.faults = [of_the_header, Fault(kind="flip", after=150_000)]

        report = prepare(
            options(
                server.url,
                tmp_path,
                protocols=("basic",),
                channels="all",
                skip_bad=skip_bad,
                fetch=FetchChoices(manifest=table),
            )
        )

    assert report.manifest.skipped == ()
    n_recordings = len({one for one in TinyCorpus().members() if "noise" not in one})
    assert (report.ingested.n_ingested, report.ingested.n_reused) == (n_recordings, 0)


def test_a_bad_recording_of_a_mix_is_an_error_that_names_it_by_default(tmp_path, source):
    with pytest.raises(TruncatedWavError, match=Path(BAD).stem):
        prepare(options(source, tmp_path))
