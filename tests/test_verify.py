"""Verifying datasets and sources: everything that is wrong is told, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import py7zr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import TinyCorpus, cut, only, wav_bytes, without, write_tree, write_volumes
from wording import refused

from toyadmos_datasets.corpus.volumes import RecordingCount, Volume
from toyadmos_datasets.errors import DatasetError, SourceNotFoundError, VolumeError
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.recipe import read_recipe
from toyadmos_datasets.verifying import is_prepared, source_verification, verify_dataset, verify_source

CORPUS = TinyCorpus(n_normal=2, channels=(1, 2), n_noise=1)


class Listener:
    """Progress that remembers."""

    def __init__(self):
        self.stages = []

    @contextlib.contextmanager
    def stage(self, what, total, unit):
        done = [0]
        yield done.append
        self.stages.append((what, total, unit, done[-1]))

    def say(self, text):
        raise AssertionError(text)


@pytest.fixture
def files():
    return CORPUS.files()


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x01
    path.write_bytes(content)


def paths_below(folder: Path, verdict) -> list[str]:
    return [Path(one.path).relative_to(folder).as_posix() for one in verdict.problems]


def test_a_manifest_tells_a_dataset_from_a_source(prepared, tmp_path):
    assert is_prepared(prepared)
    assert not is_prepared(tmp_path)
    assert not is_prepared(prepared / "data")
    assert not is_prepared(tmp_path / "nothing")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_whole_dataset_has_no_problems(prepared, workers):
    manifest = read_manifest(prepared)
    verdict = verify_dataset(prepared, workers=workers)

    assert verdict.is_good
    assert verdict.problems == ()
    assert (verdict.toy, verdict.n_shards) == ("ToyTrain", 4)
    assert verdict.n_rows == sum(shard.n_rows for shard in manifest.shards)
    assert verdict.n_bytes == sum((prepared / shard.path).stat().st_size for shard in manifest.shards)


def test_progress_counts_the_bytes_that_are_read(prepared):
    listener = Listener()
    verdict = verify_dataset(prepared, listener)

    assert listener.stages == [("Verifying dataset", verdict.n_bytes, "bytes", verdict.n_bytes)]


@pytest.mark.parametrize("workers", [1, 2])
def test_all_damaged_shards_are_told_with_their_hashes(copy, workers):
    shards = sorted(read_manifest(copy).shards, key=lambda shard: shard.path)
    (copy / shards[0].path).unlink()
    os.truncate(copy / shards[1].path, 1000)
    flip(copy / shards[3].path, 2000)
    verdict = verify_dataset(copy, workers=workers)

    assert not verdict.is_good
    assert paths_below(copy, verdict) == [shards[0].path, shards[1].path, shards[3].path]
    assert [one.what for one in verdict.problems] == [
        "A shard is missing.",
        "A shard has another size than it was written with.",
        "A shard was changed since it was written.",
    ]
    assert [one.actual for one in verdict.problems[:2]] == ["no file", "1000 bytes"]
    assert verdict.problems[2].actual == f"sha256 {hashlib.sha256((copy / shards[3].path).read_bytes()).hexdigest()}"
    for one, shard in zip(verdict.problems, (shards[0], shards[1], shards[3]), strict=True):
        assert one.expected == f"{shard.n_bytes} bytes, sha256 {shard.sha256}"
        assert "--overwrite" in one.remedy


@settings(max_examples=25)
@given(data=st.data())
def test_any_flipped_bit_is_found(prepared, tmp_path_factory, data):
    shard = data.draw(st.sampled_from(read_manifest(prepared).shards))
    place = data.draw(st.integers(0, shard.n_bytes - 1))
    folder = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("flip") / "dataset"))
    flip(folder / shard.path, place)

    assert paths_below(folder, verify_dataset(folder)) == [shard.path]


def test_a_shard_that_cannot_be_read_is_a_problem(copy):
    shard = read_manifest(copy).shards[0]
    path = copy / shard.path
    path.unlink()
    path.mkdir()
    verdict = verify_dataset(copy)

    assert [(one.what, one.path) for one in verdict.problems] == [("A shard is missing.", str(path))]


def test_a_manifest_that_counts_other_rows_is_a_problem(copy):
    content = json.loads((copy / "manifest.json").read_text())
    content["shards"][0]["n_rows"] += 1
    (copy / "manifest.json").write_text(json.dumps(content))
    (problem,) = verify_dataset(copy).problems

    assert problem.what == "A shard and the manifest disagree."
    assert problem.expected == f"{content['shards'][0]['n_rows']} rows"
    assert problem.actual == f"{content['shards'][0]['n_rows'] - 1} rows"


def test_a_shard_that_nobody_listed_is_a_problem(copy):
    stray = copy / "data" / "clean" / "train-00001-of-00002.parquet"
    shutil.copy(copy / "data" / "clean" / "train-00000-of-00001.parquet", stray)
    (problem,) = verify_dataset(copy).problems

    assert problem.path == str(stray)
    assert "does not list" in problem.what
    assert "Move it out" in problem.remedy


def test_what_datasets_passes_over_is_no_problem(copy):
    (copy / ".partial" / "data").mkdir(parents=True)
    (copy / ".partial" / "data" / "train-00000-of-00001.parquet").write_bytes(b"x")
    (copy / "notes.txt").write_text("mine")

    assert verify_dataset(copy).is_good


def test_a_missing_recipe_and_a_missing_card_are_both_told(copy):
    (copy / "recipe.parquet").unlink()
    (copy / "README.md").unlink()
    verdict = verify_dataset(copy)

    assert paths_below(copy, verdict) == ["README.md", "recipe.parquet"]
    assert verdict.problems[0].what.startswith("The card is missing")
    assert all(one.remedy for one in verdict.problems)


def test_the_recipe_of_another_dataset_is_a_problem(copy):
    content = json.loads((copy / "manifest.json").read_text())
    content["recipe_sha256"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(content))
    (problem,) = verify_dataset(copy).problems

    assert problem.path == str(copy / "recipe.parquet")
    assert problem.expected == f"the recipe {'0' * 64}"


@settings(max_examples=25)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_damaged_recipe_is_a_problem_or_reads_the_same(prepared, tmp_path_factory, share):
    folder = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("flip") / "dataset"))
    path = folder / "recipe.parquet"
    flip(path, int(share * path.stat().st_size))
    found = paths_below(folder, verify_dataset(folder))

    assert found == ["recipe.parquet"] or read_recipe(path).sha256 == read_manifest(prepared).recipe_sha256


def test_a_truncated_recipe_is_a_problem(copy):
    os.truncate(copy / "recipe.parquet", (copy / "recipe.parquet").stat().st_size // 2)

    assert paths_below(copy, verify_dataset(copy)) == ["recipe.parquet"]


@pytest.mark.parametrize(
    ("text", "actual"),
    [
        ("", "ValueError"),
        ("# Title\n---\nconfigs: []\n---\n", "does not begin with front matter"),
        ("---\nlicense: other\n---\n", "KeyError"),
        ("---\n- x\n---\n", "TypeError"),
        ("---\n{\n---\n", "ParserError"),
        ("---\nconfigs:\n- config_name: clean\n---\n", "the configs clean"),
        ("---\nconfigs:\n- config_name: 6\n---\n", "the configs 6"),
    ],
)
def test_a_card_without_the_configs_is_a_problem(copy, text, actual):
    (copy / "README.md").write_text(text)
    (problem,) = verify_dataset(copy).problems

    assert problem.path == str(copy / "README.md")
    assert problem.expected == "front matter with the configs clean, snr_6db"
    assert actual in problem.actual


def test_a_folder_without_a_manifest_is_an_error(tmp_path):
    with refused(DatasetError):
        verify_dataset(tmp_path)


def test_a_problem_reads_like_an_error(copy):
    (copy / "README.md").unlink()
    (problem,) = verify_dataset(copy).problems

    assert str(problem).splitlines() == [
        problem.what,
        f"  where:    {copy / 'README.md'}",
        f"  expected: {problem.expected}",
        "  actual:   no file",
        f"  remedy:   {problem.remedy}",
    ]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("write", [write_tree, write_volumes])
def test_a_whole_source_has_no_problems(files, tmp_path, write, workers):
    listener = Listener()
    verdict = verify_source(write(files, tmp_path / "src"), "ToyTrain", listener, workers=workers)
    n_bytes = sum(map(len, files.values()))

    assert verdict.is_good
    assert verdict.kind == ("tree" if write is write_tree else "volumes")
    assert (verdict.toy, verdict.n_recordings, verdict.n_bytes) == ("ToyTrain", len(files), n_bytes)
    assert (verdict.is_simulated, verdict.n_volumes_compared, verdict.as_found.incomplete) == (False, 0, ())
    assert listener.stages[0] == ("Reading ToyTrain", n_bytes, "bytes", n_bytes)


def test_one_recording_under_two_names_is_told_with_both(files, tmp_path):
    noise = only(files, "noise_CNT_ch1_0001")
    other = f"{Path(noise).parent.as_posix()}/{Path(noise).name.split('_', 1)[1]}"  # without its ten digits
    (problem,) = verify_source(write_tree(files | {other: files[noise]}, tmp_path), "ToyTrain").problems

    assert problem.path.endswith(other)
    assert noise in problem.actual
    assert problem.remedy


def test_a_toy_may_be_called_by_its_short_name(files, tmp_path):
    tree = write_tree(files, tmp_path)

    assert verify_source(tree, "train") == verify_source(tree, "ToyTrain")


def test_takes_are_counted_beside_the_published_ones(files, tmp_path):
    verdict = verify_source(write_tree(files, tmp_path), "ToyTrain")
    counts = {
        (one.case, one.sound, one.recording_type): (one.n_takes, one.n_published) for one in verdict.as_found.counts
    }

    assert counts[1, "normal", "IND"] == (2, 1350)
    assert counts[1, "anomalous", "IND"] == (2, 270)
    assert counts[1, "noise", "CNT"] == (1, 72)
    assert counts[4, "normal", "CNT"] == (0, 74)
    assert verdict.is_good


def test_an_event_without_a_channel_is_told_and_no_problem(files, tmp_path):
    some = without(files, "normal_IND_ch2_0001")
    verdict = verify_source(write_tree(some, tmp_path), "ToyTrain")

    assert verdict.is_good
    assert [(one.event_id, one.missing_channels) for one in verdict.as_found.incomplete] == [
        ("ToyTrain_case1_normal_IND_0001", (2,))
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_all_bad_recordings_of_a_tree_are_told(files, tmp_path, workers):
    cut_off, slow, empty = (only(files, part) for part in ("ab01_IND_ch1", "ab02_IND_ch2", "normal_IND_ch1_0002"))
    files[cut_off] = files[cut_off][:-100]
    files[slow] = wav_bytes(CORPUS.sound(CORPUS.names()[0]), rate_hz=44_100)
    files[empty] = b""
    strange = "ToyTrain/case1/NormalSound_IND/strange.wav"
    files[strange] = files[only(files, "normal_IND_ch1_0001")]
    verdict = verify_source(write_tree(files, tmp_path), "ToyTrain", workers=workers)

    assert [one.path for one in verdict.problems] == sorted([cut_off, slow, empty, strange])
    by_path = {one.path: one for one in verdict.problems}
    assert by_path[slow].expected.startswith("48000 Hz")
    assert by_path[slow].actual.startswith("44100 Hz")
    assert "shorter than its header" in by_path[cut_off].what
    assert "empty" in by_path[empty].what
    assert "not a file name of the corpus" in by_path[strange].what
    assert all(one.expected and one.actual and one.remedy for one in verdict.problems)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("write", [write_tree, write_volumes])
def test_odd_headers_of_whole_recordings_are_counted_and_no_problem(files, tmp_path, write, workers):
    first, second = (only(files, part) for part in ("ab01_IND_ch1", "ab02_IND_ch2"))
    files[first] = files[first][:4] + bytes(4) + files[first][8:]
    files[second] += bytes(16)
    verdict = verify_source(write(files, tmp_path / "src"), "ToyTrain", workers=workers)

    assert verdict.is_good
    assert [(one.code, one.n, one.examples) for one in verdict.as_found.oddities] == [
        ("header_riff_size", 1, (first,)),
        ("header_trailing_bytes", 1, (second,)),
    ]


def stored_volumes(files: dict[str, bytes], folder: Path) -> list[Path]:
    """Write volumes of one block that is not packed, so that a test can damage a recording of its choice."""
    archive = folder / "ToyTrain.7z"
    with py7zr.SevenZipFile(archive, "w", filters=[{"id": py7zr.FILTER_COPY}]) as container:
        container.set_encoded_header_mode(False)
        for member, content in files.items():
            container.writestr(content, member)
    return cut(archive, 2)


@pytest.mark.parametrize("within", [0, 2, 30, -1], ids=["RIFF", "header", "format", "samples"])
def test_a_corrupt_recording_does_not_hide_those_behind_it(files, tmp_path, within):
    volumes = stored_volumes(files, tmp_path)
    bad = [only(files, part) for part in ("ab01_IND_ch1", "ab02_IND_ch1")]
    starts = dict(zip(files, _starts(files), strict=True))
    for member in bad:
        place = 32 + starts[member] + within % len(files[member])
        size = volumes[0].stat().st_size
        flip(volumes[place >= size], place % size)
    verdict = verify_source(tmp_path, "ToyTrain")

    assert len(verdict.problems) == 2
    for one, member in zip(verdict.problems, bad, strict=True):
        assert one.path.startswith(member)
        assert one.expected.startswith("CRC32 ")
        assert one.actual.startswith("CRC32 ")
        assert "ToyTrain.7z.00" in one.path + one.remedy


def _starts(files: dict[str, bytes]) -> list[int]:
    sizes = [len(content) for content in files.values()]
    return [sum(sizes[:number]) for number in range(len(sizes))]


def test_a_flipped_bit_in_packed_volumes_is_told_of_its_block_alone(files, tmp_path):
    folder = write_volumes(files, tmp_path / "volumes", n_blocks=3)
    flip(folder / "ToyTrain.7z.001", 2000)
    verdict = verify_source(folder, "ToyTrain")
    last_blocks = list(files)[len(files) // 3 + 1 :]

    assert not verdict.is_good
    assert not [one for one in verdict.problems for member in last_blocks if one.path.startswith(member)]


def published(volumes: list[Path], **changed: str) -> tuple[Volume, ...]:
    return tuple(
        Volume(
            name=path.name,
            n_bytes=path.stat().st_size,
            md5=changed.get(path.name[-3:], hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()),
        )
        for path in volumes
    )


def test_volumes_of_the_published_size_are_compared_with_the_published_hashes(files, tmp_path, monkeypatch):
    volumes = stored_volumes(files, tmp_path)
    listener = Listener()
    monkeypatch.setattr(source_verification, "published_volumes", lambda _: published(volumes))
    verdict = verify_source(tmp_path, "ToyTrain", listener)
    n_bytes = sum(path.stat().st_size for path in volumes)

    assert verdict.is_good
    assert verdict.n_volumes_compared == 2
    assert listener.stages[1] == ("Comparing ToyTrain with what was published", n_bytes, "bytes", n_bytes)


def test_a_volume_that_is_not_the_published_one_is_a_problem(files, tmp_path, monkeypatch):
    volumes = stored_volumes(files, tmp_path)
    true = published(volumes)
    monkeypatch.setattr(source_verification, "published_volumes", lambda _: published(volumes, **{"002": "f" * 32}))
    (problem,) = verify_source(tmp_path, "ToyTrain").problems

    assert problem.path == str(volumes[1])
    assert problem.expected == f"md5 {'f' * 32}"
    assert problem.actual == f"md5 {true[1].md5}"
    assert problem.remedy == "Fetch ToyTrain.7z.002 again."


def test_where_nothing_can_be_read_an_error_is_raised(files, tmp_path):
    (write_volumes(files, tmp_path / "volumes", n_volumes=3) / "ToyTrain.7z.002").unlink()

    with refused(VolumeError):
        verify_source(tmp_path / "volumes", "ToyTrain")
    with pytest.raises(SourceNotFoundError):
        verify_source(tmp_path / "nothing", "ToyTrain")


@pytest.fixture
def as_published(monkeypatch):
    """Let the small corpus be the published one, on two microphones."""
    counts = Counter((name.case, name.sound, name.recording_type) for name in CORPUS.names() if name.channel == 1)
    table = tuple(
        RecordingCount(toy="ToyTrain", case=case, sound=sound, recording_type=kind, n_takes=n)
        for (case, sound, kind), n in counts.items()
    )
    monkeypatch.setattr("toyadmos_datasets.ingest.source_report.recording_counts", lambda _: table)
    monkeypatch.setattr("toyadmos_datasets.ingest.source_report.CHANNELS", CORPUS.channels)


@pytest.mark.usefixtures("as_published")
@pytest.mark.parametrize("write", [write_tree, write_volumes])
def test_a_corpus_that_lacks_nothing_is_complete(files, tmp_path, write):
    verdict = verify_source(write(files, tmp_path / "src"), "ToyTrain")

    assert (verdict.state, verdict.is_good, verdict.as_found.missing) == ("complete", True, ())


@pytest.mark.usefixtures("as_published")
@pytest.mark.parametrize("gone", ["normal_IND_ch2_0001", "ab01", "noise_CNT_ch1"])
def test_a_corpus_that_lacks_a_recording_is_partial_and_good(files, tmp_path, gone):
    verdict = verify_source(write_tree(without(files, gone), tmp_path), "ToyTrain")

    assert (verdict.state, verdict.is_good) == ("partial", True)
    assert verdict.as_found.missing


@pytest.mark.usefixtures("as_published")
def test_a_corpus_with_a_bad_recording_is_wrong_whatever_is_missing(files, tmp_path):
    files = without(files, "ab02")
    files[only(files, "ab01_IND_ch1")] = b""

    assert verify_source(write_tree(files, tmp_path), "ToyTrain").state == "wrong"


def test_a_simulated_corpus_is_called_so(simulated):
    verdict = verify_source(simulated / "tree", "ToyTrain", workers=2)

    assert (verdict.state, verdict.is_good) == ("simulated", True)


def test_everything_that_is_wrong_with_names_is_told(files, tmp_path):
    noise = only(files, "noise_CNT_ch1_0001")
    first = only(files, "normal_IND_ch1_0001")
    wrong = {
        noise.replace("3100110001_", ""): "same channel",
        first.replace("31000", "91000"): "same channel",
        first.replace("case1/", "case2/"): "contradicts",
        "ToyTrain/case1/NormalSound_IND/strange.wav": "not a file name",
        "ToyTrain/case1/NormalSound_IND/stranger.wav": "not a file name",
        "ToyTrain/EnvironmentalNoise_CNT/noise_case1_ch9_0001.wav": "one channel",
    }
    tree = write_tree(files | dict.fromkeys(wrong, files[first]), tmp_path)
    verdict = verify_source(tree, "ToyTrain")

    assert len(verdict.problems) == len(wrong)
    for problem in verdict.problems:
        (what,) = {what for path, what in wrong.items() if path in problem.path or path in problem.actual}
        assert what in problem.what


def test_what_is_odd_is_wrong_in_a_strict_verification(files, tmp_path):
    first = only(files, "normal_IND_ch1_0001")
    files[first.replace("31000", "91000")] = files.pop(first)
    tree = write_tree(files, tmp_path)
    (problem,) = verify_source(tree, "ToyTrain", strict=True).problems

    assert verify_source(tree, "ToyTrain").is_good
    assert "91000" in problem.actual
