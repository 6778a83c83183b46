"""Configs of log-mel features beside those of clips."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
from preparing import hashes, options, toyadmos
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets import load_dataset
from toyadmos_datasets.errors import DiskFullError, OptionError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.preview import preview
from toyadmos_datasets.options.render_options import LogMel
from toyadmos_datasets.rendering import logmel_shards
from toyadmos_datasets.signal.logmel import log_mel
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.shards import row_groups
from toyadmos_datasets.verifying import verify_dataset

SETTINGS = LogMel(n_fft=512, n_hop=128, n_mels=40, scale="ln", fmin_hz=50.0)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return write_tree(TinyCorpus(n_normal=6, n_noise=4).files(), tmp_path_factory.mktemp("source"))


def asked(source: Path, place: Path, **changed):
    return options(source, place, protocols=("basic",), snrs_db=(6.0,), channels="1", log_mel=SETTINGS, **changed)


@pytest.fixture(scope="module")
def featured(source, tmp_path_factory) -> Path:
    return prepare(asked(source, tmp_path_factory.mktemp("featured"))).out


def rows_of(folder: Path, config: str) -> list[dict]:
    shards = [one for shards in read_manifest(folder).configs[config].values() for one in shards]
    return [row for one in shards for group in row_groups(folder, one) for row in group.to_pylist()]


@pytest.mark.parametrize("config", ["clean", "snr_6db"])
def test_a_row_holds_the_features_of_its_clip_and_all_that_is_known_of_it(featured, config):
    clips, spectra = rows_of(featured, config), rows_of(featured, f"{config}_logmel")

    assert len(clips) == len(spectra)
    for clip, row in zip(clips, spectra, strict=True):
        mono, _ = soundfile.read(io.BytesIO(clip.pop("audio")["bytes"]), dtype="float32")
        found = np.array(row.pop("logmel"), np.float32)
        np.testing.assert_array_equal(found, log_mel(mono, SETTINGS))
        assert row == clip


def test_a_folder_with_features_is_whole_and_names_its_settings(featured):
    card = (featured / "README.md").read_text()

    assert list(read_manifest(featured).configs) == ["clean", "snr_6db", "clean_logmel", "snr_6db_logmel"]
    assert read_manifest(featured).request["features"] == SETTINGS.as_parameters()
    assert verify_dataset(featured).is_good
    assert "| `n_mels` | 40 |" in card
    assert "ln of the mel spectrogram" in card


@pytest.mark.parametrize("load", [datasets.load_dataset, load_dataset], ids=["plain", "ours"])
def test_features_open_as_arrays_of_frames_and_bands(featured, load, tmp_path):
    loaded = load(str(featured), "clean_logmel", split="train", cache_dir=str(tmp_path))
    first = loaded.with_format("numpy")[0]["logmel"]

    assert first.dtype == np.float32
    assert first.shape == (SETTINGS.n_frames(4000), 40)
    np.testing.assert_array_equal(first, np.array(rows_of(featured, "clean_logmel")[0]["logmel"], np.float32))
    assert loaded.features["label"].names == ["normal", "anomalous"]


def test_neither_workers_nor_a_cut_change_a_byte(source, featured, tmp_path, monkeypatch):
    original, left = logmel_shards.write_file, [2]

    def write_file(path):
        left[0] -= 1
        if left[0] == 0:
            raise DiskFullError("full", where=path)
        return original(path)

    monkeypatch.setattr(logmel_shards, "write_file", write_file)
    with pytest.raises(DiskFullError):
        prepare(asked(source, tmp_path))
    assert not (tmp_path / "out" / "manifest.json").exists()
    prepare(asked(source, tmp_path, workers=2))

    assert hashes(tmp_path / "out") == hashes(featured)


def test_the_folder_may_have_a_name_of_any_bytes(source, featured, tmp_path):
    place = tmp_path / os.fsdecode(b"byte \xff")

    prepare(asked(source, tmp_path, out=place))

    assert hashes(place) == hashes(featured)


def test_the_clips_are_those_that_come_without_features(source, featured, tmp_path):
    without = prepare(options(source, tmp_path, protocols=("basic",), snrs_db=(6.0,), channels="1")).out
    same = {
        path: sha256 for path, sha256 in hashes(featured).items() if path.startswith("data/") and "logmel" not in path
    }

    assert {path: sha256 for path, sha256 in hashes(without).items() if path.startswith("data/")} == same


def test_recipes_and_audits_are_about_the_clips(capsys, source, featured, tmp_path):
    exported = toyadmos(capsys, "recipe", "export", featured, "-o", tmp_path / "a.toyrecipe", "--workers", 1)
    rebuilt = toyadmos(
        capsys,
        *("recipe", "rebuild", tmp_path / "a.toyrecipe", "--source", source, "--out", tmp_path / "out"),
        *("--cache", tmp_path / "cache", "--workers", 1),
    )
    audited = toyadmos(capsys, "audit", featured, "--json", "--workers", 1)

    assert (exported.status, rebuilt.status) == (0, 0), exported.err + rebuilt.err
    assert hashes(tmp_path / "out" / "data") == hashes(featured / "data")
    assert json.loads(audited.out)["n_clips"] == len(rows_of(featured, "clean")) + len(rows_of(featured, "snr_6db"))


@pytest.mark.parametrize("words", [("train",), ("export", "--layout", "wav")], ids=["train", "export"])
def test_what_needs_clips_says_which_configs_have_them(capsys, featured, tmp_path, words):
    ran = toyadmos(capsys, words[0], featured, *words[1:], "--config", "clean_logmel", "--out", tmp_path / "out")

    assert ran.status == 2
    assert "expected: clean, snr_6db\n" in ran.err


@pytest.mark.parametrize("run", [prepare, preview])
def test_clips_of_several_channels_have_no_features_and_nothing_is_read_to_say_so(source, tmp_path, run):
    asked = options(source, tmp_path, protocols=("basic",), channels="stack", log_mel=SETTINGS)
    with refused(OptionError, "--channels"):
        run(asked)

    assert not list(asked.cache.rglob("*.arrow"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--features", "mfcc"), "expected: logmel"),
        (("--n-mels", "64"), "--features logmel"),
        (("--features", "logmel", "--logmel-scale", "bel"), "dB or ln"),
        (("--features", "logmel", "--fmax", "9000"), "half the rate"),
        (("--features", "logmel", "--hop", "2000"), "1 to 1024 samples"),
        (("--features", "logmel", "--power", "3"), "1 or 2"),
    ],
)
def test_invalid_features_are_refused(capsys, tmp_path, words, says):
    ran = toyadmos(capsys, "prepare", "--toy", "train", "--source", "simulate:tiny", "--out", tmp_path / "out", *words)

    assert ran.status == 2
    assert says in ran.err
    assert not (tmp_path / "out").exists()
