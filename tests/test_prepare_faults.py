"""Sources that no dataset can be made of: an error that names what and where, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from preparing import options
from tiny import TinyCorpus, only, write_tree, write_volumes
from wording import refused

from toyadmos_datasets.errors import (
    CorruptMemberError,
    NameGrammarError,
    PlanError,
    SourceError,
    SourceNotFoundError,
    TruncatedWavError,
)
from toyadmos_datasets.jobs.prepare import prepare

FILES = TinyCorpus(n_normal=5, n_noise=3).files()
BOTH = {"protocols": ("basic", "waspaa2019"), "snrs_db": (6.0,)}


def test_a_missing_source_makes_nothing(tmp_path):
    with refused(SourceNotFoundError):
        prepare(options(tmp_path / "nowhere", tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_cannot_be_made_leaves_nothing(tmp_path):
    source = write_tree(FILES, tmp_path / "source")
    with pytest.raises(PlanError):
        prepare(options(source, tmp_path, cases=(2,)))

    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_one_bad_recording_is_an_error_that_names_it_and_leaves_no_output(tmp_path):
    bad = only(FILES, "normal_IND_ch1_0003")
    source = write_tree(FILES | {bad: FILES[bad][:-100]}, tmp_path / "source")
    with pytest.raises(TruncatedWavError) as caught:
        prepare(options(source, tmp_path, **BOTH))

    assert bad in caught.value.where
    assert not (tmp_path / "out").exists()


def test_a_bad_recording_is_skipped_on_request_and_the_manifest_the_card_and_the_report_list_it(tmp_path):
    bad = only(FILES, "normal_IND_ch1_0003")
    source = write_tree(FILES | {bad: FILES[bad][:-100]}, tmp_path / "source")
    report = prepare(options(source, tmp_path, skip_bad=True, protocols=("basic",)))
    ids = [one for shard in report.manifest.shards for one in _recording_ids(tmp_path / "out" / shard.path)]

    assert [one.member for one in report.manifest.skipped] == [bad]
    assert "This WAV file is shorter than its header says." in report.manifest.skipped[0].reason
    assert Path(bad).stem not in ids
    assert "1 recording could not be used and was skipped" in (tmp_path / "out" / "README.md").read_text()


def _recording_ids(shard: Path) -> list[str]:
    return [one for ids in pq.read_table(shard, columns=["recording_ids"])["recording_ids"].to_pylist() for one in ids]


def test_a_flipped_bit_in_a_volume_is_an_error_and_no_dataset_appears(tmp_path):
    source = write_volumes(FILES, tmp_path / "source")
    volume = source / "ToyTrain.7z.001"
    content = bytearray(volume.read_bytes())
    content[len(content) // 2] ^= 1
    volume.write_bytes(content)
    with pytest.raises(CorruptMemberError):
        prepare(options(source, tmp_path, **BOTH))

    assert not (tmp_path / "out").exists()


SPOILT_VOLUMES = {
    "the first is missing": lambda first, last: first.unlink(),
    "the last is missing": lambda first, last: last.unlink(),
    "the first is truncated": lambda first, last: os.truncate(first, first.stat().st_size - 1),
    "the last is truncated": lambda first, last: os.truncate(last, last.stat().st_size - 1),
    "the last has something behind its end": lambda first, last: last.write_bytes(last.read_bytes() + b"\0"),
    "the last is there twice": lambda first, last: shutil.copy(last, last.with_suffix(".0002")),
}


@pytest.mark.parametrize("spoil", SPOILT_VOLUMES.values(), ids=SPOILT_VOLUMES)
def test_volumes_that_are_not_the_whole_archive_are_an_error_before_anything_is_made(tmp_path, spoil):
    source = write_volumes(FILES, tmp_path / "source")
    spoil(source / "ToyTrain.7z.001", source / "ToyTrain.7z.002")
    with pytest.raises(SourceError) as caught:
        prepare(options(source, tmp_path, **BOTH))

    assert "ToyTrain.7z.00" in str(caught.value)
    assert caught.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_name_that_is_not_in_the_grammar_is_an_error_before_anything_is_made(tmp_path):
    member = only(FILES, "normal_IND_ch1_0003")
    source = write_tree(
        FILES | {member.replace("normal", "odd", 1).replace("_normal_", "_odd_"): b""}, tmp_path / "source"
    )
    with pytest.raises(NameGrammarError):
        prepare(options(source, tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == ["source"]
