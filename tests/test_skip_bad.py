"""One bad recording among many, through the whole of `prepare`."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from preparing import options
from tiny import TinyCorpus, only, write_tree, write_volumes

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


def test_a_bad_recording_of_a_mix_is_an_error_that_names_it_by_default(tmp_path, source):
    with pytest.raises(TruncatedWavError, match=Path(BAD).stem):
        prepare(options(source, tmp_path))
