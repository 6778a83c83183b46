"""One bad recording among many, through the whole of `prepare`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from loopback import Fault, serving
from preparing import options
from remote import publish
from tiny import TinyCorpus, only, wav_bytes, write_tree, write_volumes
from wording import refused

from toyadmos_datasets.archives.remote import fetch_schedule as fetch_estimate
from toyadmos_datasets.archives.remote.volume_list import write_manifest
from toyadmos_datasets.errors import PlanError, TruncatedWavError
from toyadmos_datasets.jobs.prepare import PrepareReport, prepare
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.values.health import Exclusion

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
    monkeypatch.setattr(
        fetch_estimate, "REQUEST_BYTES", 0
    )  # blocks, not whole volumes, whose md5 would notice it first
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


@pytest.mark.parametrize(
    ("bad", "n", "shown"),
    [("noise_CNT_ch1", 4, "noise_CNT_ch1_0001: "), ("ab01_IND_ch1", 1, "ab01_IND_ch1_0001: ")],
)
def test_an_error_about_what_is_missing_says_what_was_skipped_and_why(tmp_path, bad, n, shown):
    files = {one: content[:-10] if bad in one else content for one, content in FILES.items()}
    tree = write_tree(files, tmp_path / "source")

    with pytest.raises(PlanError) as caught:
        prepare(options(tree, tmp_path, protocols=("basic",), channels="1", snrs_db=(6.0,), skip_bad=True))

    said = "4 recordings were skipped because they" if n > 1 else "1 recording was skipped because it"
    assert f"; {said} could not be read (--skip-bad): " in caught.value.actual
    assert shown in caught.value.actual
    assert "This WAV file is shorter than its header says." in caught.value.actual
    assert ("and 1 more" in caught.value.actual) == (n > 3)


def test_an_error_about_what_exclude_leaves_says_what_was_skipped_too(tmp_path):
    files = TinyCorpus(n_normal=6, conditions=("ab01",), n_anomalous=2, n_noise=4, clip_s=0.1, noise_s=0.2).files()
    short, silent = (only(files, f"ab01_IND_ch1_{take:04d}") for take in (1, 2))
    zeros = wav_bytes(np.zeros(4800, dtype=np.int16))
    tree = write_tree(files | {short: files[short][:-10], silent: zeros}, tmp_path / "source")
    asked = options(
        tree, tmp_path, protocols=("basic",), channels="1", skip_bad=True, exclude=Exclusion(flags=("silent",))
    )

    with refused(PlanError) as caught:
        prepare(asked)

    assert caught.value.actual.startswith("all left out, by events: silent 1; 1 recording was skipped because it")
    assert Path(short).stem in caught.value.actual


def test_a_bad_recording_of_a_mix_is_an_error_that_names_it_by_default(tmp_path, source):
    with pytest.raises(TruncatedWavError, match=Path(BAD).stem):
        prepare(options(source, tmp_path))
