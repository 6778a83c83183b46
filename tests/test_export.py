"""Exports for others' tools: their names, their tables, and nothing half-made."""

from __future__ import annotations

import csv
import errno
import glob
import gzip
import io
import itertools
import json
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from preparing import hashes, options, toyadmos
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets.errors import DatasetError, DiskFullError, OptionError, OutputConflictError
from toyadmos_datasets.exporting import LAYOUTS, ExportOptions, export_dataset
from toyadmos_datasets.exporting import export_layouts as export_formats
from toyadmos_datasets.files import atomic, job_folder
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.shards import row_groups

MIX = "snr_6db"
OF_ONE_CHANNEL = [layout for layout in LAYOUTS if layout != "dcase2026"]
"""Layouts that take clips of one channel; the other is tested in test_near_and_far.py."""


def rows_of(dataset: Path, config: str) -> list[dict]:
    shards = [one for shards in read_manifest(dataset).configs[config].values() for one in shards]
    return [row for one in shards for group in row_groups(dataset, one) for row in group.to_pylist()]


def export(dataset: Path, out: Path, layout: str, config: str | None = MIX):
    return export_dataset(ExportOptions(folder=dataset, layout=layout, out=out, config=config))


def labels(out: Path) -> list[dict[str, str]]:
    with (out / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def samples_of(row: dict) -> np.ndarray:
    return soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="int16")[0]


@pytest.fixture(scope="module")
def all_channels(tmp_path_factory) -> Path:
    """Two cases on four microphones, some clips a little longer than others."""
    place = tmp_path_factory.mktemp("all")
    files = TinyCorpus(toy="ToyCar", cases=(1, 2), n_normal=6, n_noise=4).files()
    asked = options(write_tree(files, place / "source"), place, toy="ToyCar", protocols=("basic",), channels="all")
    return prepare(asked).out


@pytest.fixture(scope="module")
def encoded(prepared, tmp_path_factory) -> dict[str, Path]:
    """The same dataset in each encoding."""
    place = tmp_path_factory.mktemp("packed")
    asked = options(prepared.parent / "source", place, protocols=("basic",), snrs_db=(6.0,), container="flac")
    return {"wav": prepared, "flac": prepare(asked).out}


def test_the_challenge_of_2020_finds_every_clip_by_its_rules(all_channels, tmp_path):
    # Source: y-kawagu/dcase2020_task2_baseline, as read: its patterns and its expression for ids.
    export(all_channels, tmp_path / "out", "dcase2020", "clean")
    base = tmp_path / "out" / "dev_data"
    machines = sorted(glob.glob(f"{base}/*"))
    train = sorted(glob.glob(f"{machines[0]}/train/*.wav"))
    test = sorted(glob.glob(f"{machines[0]}/test/*.wav"))
    ids = sorted(set(itertools.chain.from_iterable(re.findall("id_[0-9][0-9]", path) for path in test)))
    normal = [path for one in ids for path in glob.glob(f"{machines[0]}/test/normal_{one}*.wav")]
    anomalous = [path for one in ids for path in glob.glob(f"{machines[0]}/test/anomaly_{one}*.wav")]
    rows = rows_of(all_channels, "clean")

    assert [Path(one).name for one in machines] == ["ToyCar"]
    assert ids == ["id_01", "id_02"]
    assert len(train) == sum(row["event_id"] is not None for row in rows) - len(test)
    assert len(anomalous) == sum(row["label"] for row in rows)
    assert sorted(normal + anomalous) == test
    assert all(re.fullmatch(r"(normal|anomaly)_id_\d\d_\d{8}\.wav", Path(path).name) for path in train + test)
    assert len({soundfile.info(path).frames for path in train + test}) == 1  # its training array takes one length


def test_the_challenge_of_2023_finds_every_clip_by_its_rules(all_channels, tmp_path):
    # Source: nttcslab/dcase2023_task2_baseline_ae, as read: its patterns, and that section 00 is the only one.
    export(all_channels, tmp_path / "out", "dcase2023", "clean")
    machine = tmp_path / "out" / "dev_data" / "raw" / "ToyCar"
    found = {
        (split, label): glob.glob(f"{machine}/{split}/section_00_*_{label}_*.wav")
        for split in ("train", "test")
        for label in ("normal", "anomaly")
    }
    every = [str(path) for path in machine.rglob("*.wav")]
    with (machine / "attributes_00.csv").open(newline="") as file:
        attributes = list(csv.DictReader(file))
    rows = rows_of(all_channels, "clean")

    assert sorted(itertools.chain.from_iterable(found.values())) == sorted(every)  # each found once
    assert found["train", "anomaly"] == []
    assert len(found["test", "anomaly"]) == sum(row["label"] for row in rows)
    assert list(attributes[0]) == ["file_name", "d1p", "d1v", "d2p", "d2v", "d3p", "d3v"]
    assert {f"{machine.parent}/{one['file_name']}" for one in attributes} == set(every)
    one = attributes[0]
    assert Path(one["file_name"]).stem.endswith(f"_case_{one['d1v']}_mic_{one['d2v']}_noise_{one['d3v']}")


@pytest.mark.parametrize("encoding", ["wav", "flac"])
@pytest.mark.parametrize("layout", OF_ONE_CHANNEL)
def test_every_clip_is_there_with_its_samples_and_all_that_is_known(encoded, tmp_path, layout, encoding):
    report = export(encoded[encoding], tmp_path / "out", layout)
    table = labels(tmp_path / "out")
    rows = rows_of(encoded[encoding], MIX)

    assert sum(report.n_clips.values()) == len(table) == len(rows)
    for one, row in zip(table, rows, strict=True):
        assert one["event_id"] == row["event_id"]
        assert one["label"] == ("normal", "anomalous")[row["label"]]
        assert float(one["snr_db"]) == 6
        assert one["recording_ids"] == " ".join(row["recording_ids"])
        if layout == "webdataset":
            path, _, name = one["file_name"].partition(".tar/")
            with tarfile.open(tmp_path / "out" / f"{path}.tar") as tar:
                content = tar.extractfile(name).read()
            assert content == row["audio"]["bytes"]
        else:
            found, _ = soundfile.read(tmp_path / "out" / one["file_name"], dtype="int16")
            np.testing.assert_array_equal(found, samples_of(row)[: int(one["n_samples_exported"])])


@pytest.mark.parametrize("encoding", ["wav", "flac"])
def test_a_sample_of_a_webdataset_is_a_clip_and_its_facts_under_one_key(encoded, tmp_path, encoding):
    export(encoded[encoding], tmp_path / "out", "webdataset")
    with tarfile.open(tmp_path / "out" / MIX / "train-00000-of-00001.tar") as tar:
        names = tar.getnames()
        facts = json.load(tar.extractfile(names[1]))

    assert all(name.count(".") == 1 for name in names)
    assert [name.split(".")[1] for name in names[:2]] == [encoding, "json"]
    assert names[0].split(".")[0] == names[1].split(".")[0]
    assert facts["label"] == "normal"
    assert facts["split"] == "train"


def test_manifests_of_lhotse_name_files_lengths_and_labels(prepared, tmp_path):
    export(prepared, tmp_path / "out", "lhotse")
    recordings, supervisions = (
        [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        for path in (tmp_path / "out" / MIX / f"test_{kind}.jsonl.gz" for kind in ("recordings", "supervisions"))
    )

    assert [one["id"] for one in recordings] == [one["recording_id"] for one in supervisions]
    for one, held in zip(recordings, supervisions, strict=True):
        info = soundfile.info(tmp_path / "out" / one["sources"][0]["source"])
        assert (info.frames, info.samplerate) == (one["num_samples"], one["sampling_rate"])
        assert held["duration"] == one["duration"] == info.frames / info.samplerate
        assert held["custom"]["label"] in {"normal", "anomalous"}


def cut_export(dataset: Path, out: Path, layout: str, monkeypatch, n_files: int = 3) -> None:
    """Export to a disk that takes one file less than `n_files`."""
    original, left = export_formats.write_file, [n_files]

    def write_file(path):
        left[0] -= 1
        if left[0] == 0:
            raise DiskFullError("full", where=path)
        return original(path)

    with monkeypatch.context() as patch:
        for module in (job_folder, export_formats):
            patch.setattr(module, "write_file", write_file)
        with pytest.raises(DiskFullError):
            export(dataset, out, layout)


@pytest.mark.parametrize("layout", OF_ONE_CHANNEL)
def test_an_export_that_was_cut_goes_on_to_the_same_bytes(prepared, tmp_path, monkeypatch, layout):
    whole = tmp_path / "whole"
    export(prepared, whole, layout)
    cut_export(prepared, tmp_path / "cut", layout, monkeypatch)
    visible = [path.name for path in (tmp_path / "cut").iterdir() if not path.name.startswith(".")]
    export(prepared, tmp_path / "cut", layout)

    assert visible == []
    assert hashes(tmp_path / "cut") == hashes(whole)
    assert not (tmp_path / "cut" / ".partial").exists()


@pytest.mark.parametrize(("layout", "suffix"), [("wav", "wav"), ("webdataset", "tar")])
def test_what_an_export_that_was_cut_has_finished_stays_and_needs_no_room_again(
    prepared, tmp_path, monkeypatch, layout, suffix
):
    out, files = tmp_path / "cut", tmp_path / "cut" / ".partial" / "files"
    cut_export(prepared, out, layout, monkeypatch, n_files=2)
    done = {path.relative_to(files): path.stat() for path in files.rglob(f"*.{suffix}")}
    n_bytes = sum(one.n_bytes for shards in read_manifest(prepared).configs[MIX].values() for one in shards)
    monkeypatch.setattr(atomic, "free_bytes", lambda _: n_bytes - 1)
    export(prepared, out, layout)

    assert done
    assert {path: (out / path).stat().st_ino for path in done} == {path: facts.st_ino for path, facts in done.items()}


def test_a_commit_that_was_cut_goes_on(prepared, tmp_path):
    out = tmp_path / "out"
    export(prepared, out, "wav")
    before = hashes(out)
    (out / ".partial" / "files").mkdir(parents=True)
    shutil.move(out / "export.json", out / ".partial" / "job.json")
    shutil.move(out / "labels.csv", out / ".partial" / "files" / "labels.csv")
    export(prepared, out, "wav")

    assert hashes(out) == before


def test_the_same_export_again_finds_it_done_and_another_is_refused(prepared, tmp_path):
    out = tmp_path / "out"
    export(prepared, out, "wav")
    before = hashes(out)

    assert export(prepared, out, "wav").was_done
    for layout, config in (("dcase2020", MIX), ("wav", "clean")):
        with refused(OutputConflictError):
            export(prepared, out, layout, config)
    assert hashes(out) == before


def test_what_is_refused_is_told_what_differs_and_no_more(prepared, tmp_path):
    export(prepared, tmp_path / "out", "wav")
    with pytest.raises(OutputConflictError) as raised:
        export(prepared, tmp_path / "out", "dcase2020")

    assert (raised.value.expected, raised.value.actual) == ('layout="dcase2020"', 'layout="wav"')


def test_an_export_that_may_not_be_read_is_not_called_another(prepared, tmp_path, monkeypatch):
    export(prepared, tmp_path / "out", "wav")
    before, opening = hashes(tmp_path / "out"), Path.open

    def refusing(path: Path, *arguments, **named):
        if path.name == "export.json":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opening(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(DatasetError) as caught:
        export(prepared, tmp_path / "out", "wav")
    monkeypatch.undo()

    assert "EACCES" in str(caught.value.actual)
    assert hashes(tmp_path / "out") == before


def test_a_folder_of_others_is_not_touched(prepared, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with refused(OutputConflictError, "thesis.txt"):
        export(prepared, tmp_path, "wav")

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_clips_of_several_channels_have_no_place_in_the_challenges(tmp_path):
    files = TinyCorpus(n_normal=6, n_noise=4).files()
    asked = options(write_tree(files, tmp_path / "source"), tmp_path, protocols=("basic",), channels="stack")
    dataset = prepare(asked).out
    with refused(OptionError, "--layout dcase2020"):
        export(dataset, tmp_path / "out", "dcase2020", "clean")
    export(dataset, tmp_path / "wav", "wav", "clean")

    assert {soundfile.info(path).channels for path in (tmp_path / "wav").rglob("*.wav")} == {4}


def test_the_command_tells_what_it_did_and_refuses_what_is_invalid(capsys, prepared, tmp_path):
    good = toyadmos(capsys, "export", prepared, "--layout", "dcase2020", "--out", tmp_path / "a")
    again = toyadmos(capsys, "export", prepared, "--layout", "dcase2020", "-o", tmp_path / "a", "--json")
    layout = toyadmos(capsys, "export", prepared, "--layout", "kaldi", "--out", tmp_path / "b")
    config = toyadmos(capsys, "export", prepared, "--layout", "wav", "--out", tmp_path / "b", "--config", "x")
    nothing = toyadmos(capsys, "export", tmp_path / "no", "--layout", "wav", "--out", tmp_path / "b")

    assert good.out.startswith(f"Exported: {tmp_path / 'a'} (clean as dcase2020: ")
    assert json.loads(again.out)["was_done"]
    assert (layout.status, config.status, nothing.status) == (2, 2, 1)
    assert "dcase2020, dcase2023, dcase2026, wav, webdataset, lhotse" in layout.err
    assert "clean, snr_6db" in config.err
    assert not (tmp_path / "b").exists()
