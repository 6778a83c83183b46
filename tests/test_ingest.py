"""Ingesting: what lands in the store, of which recordings, and what is not read again."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import soxr
import tiny
from ingesting import CORPUS, N_RECORDINGS, RATE_HZ, Counting, contents, index_of, segments, tree, volumes, with_sound

from toyadmos_datasets.files.checked_json import read_json
from toyadmos_datasets.ingest.recordings import bytes_to_decode, ingest, store_for
from toyadmos_datasets.values import recording_store
from toyadmos_datasets.values.recording_store import read_catalogue

INGEST_AND_TELL_MEMORY = """
import sys
from pathlib import Path
from toyadmos_datasets.ingest import recordings
from toyadmos_datasets.archives import open_source
from toyadmos_datasets.ingest import build_index

place, cache, rate_hz = sys.argv[1:]
source = open_source(place, "ToyTrain")
store = recordings.store_for(Path(cache), source, int(rate_hz))
report = recordings.ingest(source, build_index(source.members()), store)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(report.n_ingested, peak.split()[1])
"""


@pytest.fixture(params=[tree, volumes], ids=["tree", "volumes"])
def make(request):
    return request.param


def test_recordings_are_resampled_whole_and_rounded(tmp_path, make):
    source = make(tmp_path, CORPUS.files())
    store = store_for(tmp_path, source, RATE_HZ)

    report = ingest(source, index_of(source), store)

    assert (report.n_ingested, report.n_reused, report.bad) == (N_RECORDINGS, 0, ())
    found = contents(store)
    for name in CORPUS.names():
        whole = soxr.resample(CORPUS.sound(name).astype(np.float32), 48_000, RATE_HZ, quality="HQ")
        assert found[name.recording_id][0] == np.rint(whole).astype(int).tolist()


def test_the_rate_of_the_corpus_keeps_the_samples_bit_for_bit(tmp_path, make):
    source = make(tmp_path, CORPUS.files())
    store = store_for(tmp_path, source, 48_000)

    ingest(source, index_of(source), store)

    found = contents(store)
    for name in CORPUS.names():
        assert found[name.recording_id][0] == CORPUS.sound(name).tolist()


def test_tree_and_volumes_give_the_same_recordings_with_any_number_of_workers(tmp_path):
    files = CORPUS.files()
    found = []
    for make_source in (tree, volumes):
        source = make_source(tmp_path, files)
        for workers in (1, 2):
            store = store_for(tmp_path / str(workers), source, RATE_HZ)
            ingest(source, index_of(source), store, workers=workers)
            found.append(contents(store))

    assert len(found[0]) == N_RECORDINGS
    assert all(one == found[0] for one in found[1:])


def test_what_is_in_the_store_is_not_read_again(tmp_path, make):
    source = Counting(source=make(tmp_path, CORPUS.files()))
    index = index_of(source)
    store = store_for(tmp_path, source, RATE_HZ)
    ingest(source, index.slice(0, 4), store)
    already = list(source.members_read)
    source.members_read.clear()

    report = ingest(source, index, store)

    assert (report.n_reused, report.n_ingested) == (4, N_RECORDINGS - 4)
    assert sorted([*already, *source.members_read]) == CORPUS.members()
    assert ingest(source, index, store).n_reused == N_RECORDINGS
    assert len(source.members_read) == N_RECORDINGS - 4


def test_only_what_is_asked_for_is_read(tmp_path, make):
    source = Counting(source=make(tmp_path, CORPUS.files()))
    index = index_of(source)

    ingest(source, index.slice(3, 2), store_for(tmp_path, source, RATE_HZ))

    assert sorted(source.members_read) == sorted(index.slice(3, 2)["member"].to_pylist())


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_ends_at_the_bytes_that_were_announced(tmp_path, make, workers):
    source = make(tmp_path, CORPUS.files())
    index = index_of(source).slice(2, 5)
    told: list[int] = []

    ingest(source, index, store_for(tmp_path, source, RATE_HZ), workers=workers, on_progress=told.append)

    assert told[-1] == bytes_to_decode(source, index)


def test_bytes_to_decode_reach_to_the_last_wanted_recording_of_each_block(tmp_path):
    source = volumes(tmp_path, CORPUS.files(), n_blocks=2)
    members = list(source.members())
    first = [member for member in members if member.block == 0]
    index = index_of(source)
    wanted = index.filter(pa.compute.equal(index["member"], first[2].path))

    assert bytes_to_decode(source, wanted) == sum(member.n_bytes for member in first[:3])
    assert bytes_to_decode(source, index.slice(0, 0)) == 0
    assert bytes_to_decode(source, index) == sum(member.n_bytes for member in members)


def test_the_store_is_one_a_source_a_rate_and_a_resampler(tmp_path):
    source = tree(tmp_path, CORPUS.files())
    other = tree(tmp_path / "other", CORPUS.files())

    stores = [
        store_for(tmp_path, source, 16_000),
        store_for(tmp_path, source, 48_000),
        store_for(tmp_path, other, 16_000),
    ]

    assert len({store.folder for store in stores}) == 3
    assert stores[0] == store_for(tmp_path, source, 16_000)
    assert not any(store.folder.exists() for store in stores)


def test_a_store_says_what_it_is(tmp_path):
    source = tree(tmp_path, CORPUS.files())
    store = store_for(tmp_path, source, RATE_HZ)

    ingest(source, index_of(source), store)

    said = read_json(store.folder / "store.json")
    assert (said["toy"], said["rate_hz"], said["source"]) == ("ToyTrain", RATE_HZ, source.identity)
    assert said["resampler"] == f"soxr-hq-{soxr.__libsoxr_version__}"


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.zeros(12_000), ["silent"]),
        (np.tile([30, -30], 6000), ["silent"]),
        (20_000 * np.sin(np.arange(12_000) / 10), []),
        (np.clip(60_000 * np.sin(np.arange(12_000) / 10), -32768, 32767), ["clipped"]),
        (3000 * np.sin(np.arange(12_000) / 10) + 600, ["dc"]),
        (np.clip(90_000 * np.sin(np.arange(12_000) / 10) + 30_000, -32768, 32767), ["clipped", "dc"]),
    ],
    ids=["digital silence", "near silence", "fine", "clipped", "dc", "clipped and dc"],
)
def test_silence_clipping_and_offset_are_flagged(tmp_path, make, samples, expected):
    source = make(tmp_path, with_sound(CORPUS.files(), "normal_IND_ch1_0002", samples))
    store = store_for(tmp_path, source, RATE_HZ)

    ingest(source, index_of(source), store)

    flags = {row["recording_id"]: row["flags"] for row in read_catalogue(store.folder).to_pylist()}
    assert flags.pop("3100010002_ToyTrain_case1_normal_IND_ch1_0002") == expected
    assert set(map(tuple, flags.values())) == {()}


def odd_headers(content: bytes) -> dict[str, bytes]:
    """The same recording with each odd header, by the flags that the store gives it."""
    size = len(content) - 44
    return {
        "header:riff_size": content[:4] + len(content).to_bytes(4, "little") + content[8:],
        "header:trailing_bytes": content + bytes(16),
        "header:riff_size header:padding": content + b"LIST\3\0\0\0odd",
        "header:riff_size header:unfinished": content[:4] + bytes(4) + content[8:40] + b"\xff" * 4 + content[44:],
        "header:riff_size header:data_size": content[:4]
        + bytes(4)
        + content[8:40]
        + (size + 1).to_bytes(4, "little")
        + content[44:],
    }


def test_odd_headers_are_flagged_and_leave_the_recordings_what_they_are(tmp_path, make):
    files = CORPUS.files()
    plain = make(tmp_path / "plain", files)
    store = store_for(tmp_path, plain, RATE_HZ)
    ingest(plain, index_of(plain), store)
    expected = {key: (row["samples_crc32"], "") for key, (_, row) in contents(store).items()}
    odd = odd_headers(files[tiny.only(files, "normal_IND_ch1_0002")])
    if make is tree:
        del odd["header:riff_size header:data_size"]  # half a sample may be missing there
    for flags, content in odd.items():
        source = make(tmp_path / flags, files | {tiny.only(files, "normal_IND_ch1_0002"): content})
        store = store_for(tmp_path, source, RATE_HZ)
        ingest(source, index_of(source), store)
        expected["3100010002_ToyTrain_case1_normal_IND_ch1_0002"] = (
            expected["3100010002_ToyTrain_case1_normal_IND_ch1_0002"][0],
            flags,
        )
        found = contents(store)

        assert {key: (row["samples_crc32"], " ".join(row["flags"])) for key, (_, row) in found.items()} == expected


def test_segments_are_closed_when_they_are_full(tmp_path, make, monkeypatch):
    source = make(tmp_path, CORPUS.files())
    store = store_for(tmp_path, source, RATE_HZ)
    monkeypatch.setattr(recording_store, "SEGMENT_BYTES", 20_000)  # a clip at 16 kHz is 8000 bytes, noise 16 000

    ingest(source, index_of(source), store)

    sizes = [
        sum(len(batch) for batch in pa.ipc.open_file(path).read_all()["samples"].to_pylist()) * 2
        for path in segments(store)
    ]
    assert len(sizes) >= 3
    assert all(size < 20_000 + 16_000 for size in sizes)
    assert len(contents(store)) == N_RECORDINGS


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process's memory is asked of Linux")
@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_ten_minutes_take_less_than_300_megabytes(tmp_path, rate_hz):
    long = tiny.TinyCorpus(n_normal=1, conditions=(), n_noise=1, channels=(1,))
    files = long.files()
    noise = tiny.only(files, "noise")
    samples = np.tile(np.random.default_rng(0).integers(-5000, 5000, 480_000), 60)
    tiny.write_tree(files | {noise: tiny.wav_bytes(samples)}, tmp_path)

    printed = subprocess.run(
        [sys.executable, "-c", INGEST_AND_TELL_MEMORY, str(tmp_path), str(tmp_path / "cache"), str(rate_hz)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    n_ingested, peak_kib = map(int, printed.split())
    assert n_ingested == 2
    assert peak_kib * 1024 < 300_000_000
