"""What nobody could verify about names: prepared all the same, counted, shown, and refused on request."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from preparing import options, toyadmos
from small import SMALL, basic
from tiny import only, write_tree, write_volumes
from wording import hold_printed, refused

from toyadmos_datasets.auditing import audit
from toyadmos_datasets.errors import NameGrammarError, OddSourceError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.preview import preview
from toyadmos_datasets.values.manifest import read_manifest

NOISE = ("noise_CNT", "HO_CNT")


def with_odd_digits(files: dict[str, bytes]) -> dict[str, bytes]:
    """The train's digit is 4, and noise names say HO."""
    changed = {}
    for member, content in files.items():
        folder, _, name = member.rpartition("/")
        name = name.replace("case1_noise", "HO") if "noise" in name else f"4{name[1:]}"
        changed[f"{folder}/{name}"] = content
    return changed


def with_capitals(files: dict[str, bytes]) -> dict[str, bytes]:
    changed = {}
    for member, content in files.items():
        folder, _, name = member.rpartition("/")
        changed[f"{folder}/{name.removesuffix('.wav').upper()}.wav"] = content
    return changed


@pytest.fixture(scope="module")
def odd_tree(tmp_path_factory, small_files) -> Path:
    return write_tree(with_odd_digits(small_files), tmp_path_factory.mktemp("odd"))


BASIC = {"protocols": ("basic",), "snrs_db": (6.0,)}
N_RUNNING = sum(name.sound != "noise" for name in SMALL.names())
N_NOISE = len(SMALL.names()) - N_RUNNING


def test_digits_of_another_form_and_strange_noise_give_a_clean_dataset(odd_tree, tmp_path):
    report = prepare(options(odd_tree, tmp_path, workers=1, **BASIC))
    verdict = audit(tmp_path / "out")

    assert [(one.code, one.n) for one in report.manifest.oddities] == [("digits", N_RUNNING), ("noise_name", N_NOISE)]
    assert [one.oddities for one in report.as_found] == [report.manifest.oddities]
    assert read_manifest(tmp_path / "out").oddities == report.manifest.oddities
    assert [one for one in verdict.findings if one.severity in {"leak", "problem"}] == []


def test_capitals_give_the_recipe_and_the_shards_of_the_names_as_published(small_files, small_tree, tmp_path):
    shouted = write_tree(with_capitals(small_files), tmp_path / "tree")
    packed = write_volumes(small_files, tmp_path / "volumes")
    manifests = [
        prepare(options(source, tmp_path / name, workers=1, **BASIC)).manifest
        for name, source in (("plain", small_tree), ("capitals", shouted), ("packed", packed))
    ]

    assert len({manifest.recipe_sha256 for manifest in manifests}) == 1
    assert len({manifest.shards for manifest in manifests}) == 1
    assert [one.code for one in manifests[1].oddities] == ["capitals"]
    ids = pq.read_table(tmp_path / "capitals" / "out" / "recipe.parquet")["recording_ids"].to_pylist()
    assert {one for some in ids for one in some} <= {name.recording_id for name in SMALL.names()}


@pytest.mark.parametrize("run", [prepare, preview])
def test_a_strict_run_refuses_what_is_odd_before_anything_is_made(odd_tree, tmp_path, run):
    with pytest.raises(OddSourceError, match="--strict") as caught:
        run(options(odd_tree, tmp_path, workers=1, strict=True, **BASIC))

    assert f"digits: {N_RUNNING}" in caught.value.actual
    assert "serves cases 1 and 2" in caught.value.actual
    assert not (tmp_path / "out").exists()


def test_a_strict_run_takes_a_source_as_published(small_tree, tmp_path):
    assert prepare(options(small_tree, tmp_path, workers=1, strict=True, **BASIC)).manifest.oddities == ()


def test_a_strict_run_refuses_odd_headers_when_they_are_read(small_files, tmp_path):
    first = only(small_files, "normal_IND_ch1_0001")
    files = small_files | {first: small_files[first][:4] + b"\x01\0\0\0" + small_files[first][8:]}
    source = write_volumes(files, tmp_path / "volumes")

    with pytest.raises(OddSourceError, match="--strict") as caught:
        prepare(options(source, tmp_path, workers=1, strict=True, **BASIC))

    assert "header_riff_size" in caught.value.actual
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_dataset_that_is_there_shows_what_was_tolerated_and_a_strict_run_refuses_it(capsys, odd_tree, tmp_path):
    arguments = ["prepare", *basic(odd_tree, "--out", tmp_path / "out", "--cache", tmp_path / "cache")]
    first, again, strict = (toyadmos(capsys, *arguments, *more) for more in ((), (), ("--strict",)))
    told = f"  tolerated: The ten digits of names do not repeat their words, or are missing. (digits: {N_RUNNING})"

    assert (first.status, again.status, strict.status) == (0, 0, 1)
    assert told in first.out
    assert "missing: case 1, anomalous IND, channel 1: 2 of 270 takes" in first.out
    assert "Nothing to do" in again.out
    assert told.strip() in again.out
    assert "--strict accepts nothing else" in strict.err


@pytest.mark.parametrize("command", ["index", "plan", "prepare"])
def test_json_has_what_was_found_whole(capsys, odd_tree, tmp_path, command):
    of_source = [odd_tree, "--toy", "train"] if command == "index" else basic(odd_tree, "--out", tmp_path / "out")
    ran = toyadmos(capsys, command, *of_source, "--cache", tmp_path / "cache", "--json")
    found = json.loads(ran.out)["as_found"]

    assert (found["toy"], found["is_simulated"], found["n_recordings"]) == ("ToyTrain", False, len(SMALL.names()))
    assert [(one["code"], one["n"]) for one in found["oddities"]] == [("digits", N_RUNNING), ("noise_name", N_NOISE)]
    assert len(found["counts"]) == 16
    assert "case 4, noise CNT: 0 of 72 takes" in found["missing"]


@pytest.mark.parametrize("command", ["index", "verify"])
def test_strict_is_an_exit_status_too(capsys, odd_tree, command):
    lenient, strict = (toyadmos(capsys, command, odd_tree, "--toy", "train", *more) for more in ((), ("--strict",)))

    assert lenient.status == (0 if command == "index" else 3)
    assert strict.status == 1
    assert "digits" in strict.out + strict.err


def test_as_found_stands_at_the_end_of_index_and_plan(capsys, odd_tree, tmp_path):
    index = toyadmos(capsys, "index", odd_tree, "--toy", "train")
    plan = toyadmos(capsys, "plan", *basic(odd_tree, "--out", tmp_path / "out", "--cache", tmp_path / "cache"))
    block = index.err[index.err.index("As found:") :]

    assert block.splitlines()[1] == f"  {len(SMALL.names())} recordings of 28256 published; 0 of 16 kinds are complete"
    assert plan.out.endswith(block)


def test_a_report_is_written_of_a_source_that_cannot_be_indexed(capsys, small_files, tmp_path):
    strange = {f"ToyTrain/case1/NormalSound_IND/strange_{number}.wav": b"x" for number in range(3)}
    source = write_tree(small_files | strange, tmp_path / "secret")
    ran = toyadmos(capsys, "index", source, "--toy", "train", "--report", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    mended = toyadmos(capsys, "index", source, "--toy", "train", "--ignore", "strange_*.wav")

    assert ran.status == 1
    hold_printed(ran.err)
    assert [one["n"] for one in report["problems"]] == [3]
    assert "secret" not in json.dumps(report)
    assert report["as_found"]["n_recordings"] == len(small_files)
    assert mended.status == 0


def test_the_remedy_of_an_unknown_name_works_as_it_is_typed(capsys, small_files, tmp_path):
    source = write_tree(small_files | {"ToyTrain/case1/NormalSound_IND/a [copy] 1.wav": b"x"}, tmp_path / "tree")
    ran = toyadmos(capsys, "index", source, "--toy", "train")
    remedy = "--ignore 'a [[]copy] 1.wav'"

    assert remedy in ran.err
    assert toyadmos(capsys, "index", source, "--toy", "train", "--ignore", "a [[]copy] 1.wav").status == 0


def test_a_report_is_not_written_into_the_source(capsys, small_files, tmp_path):
    source = write_tree(small_files, tmp_path)
    ran = toyadmos(capsys, "index", source, "--toy", "train", "--report", source / "ToyTrain" / "report.json")

    assert ran.status == 1
    assert not (source / "ToyTrain" / "report.json").exists()


def test_an_unknown_name_is_never_tolerated(small_files, tmp_path):
    strange = {"ToyTrain/case1/NormalSound_IND/3100010009_ToyTrain_case1_normal_IND_ch1_9.wav": b"x"}

    with refused(NameGrammarError):
        prepare(options(write_tree(small_files | strange, tmp_path / "tree"), tmp_path, workers=1, **BASIC))
