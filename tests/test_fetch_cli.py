"""Fetching on the command line: prepare, plan, download, verify and cache against a server on this machine."""

from __future__ import annotations

import json

import pytest
from loopback import Fault, serving
from preparing import toyadmos, toyadmos_process
from wording import hold_printed

from toyadmos_datasets.archives.remote import fetch_schedule as fetch_estimate
from toyadmos_datasets.archives.remote.volume_list import write_manifest
from toyadmos_datasets.files.reading import sha256_of

CHANNEL_1 = ["--toy", "train", "--channels", "1", "--workers", "1"]


@pytest.fixture
def server(published, monkeypatch):
    monkeypatch.setattr(fetch_estimate, "REQUEST_BYTES", 0)
    with serving(published.files) as running_server:
        yield running_server


@pytest.fixture
def fetch(published, server, tmp_path):
    """The options that fetch from the server."""
    table = tmp_path / "volumes.csv"
    write_manifest(table, published.manifest.volumes)
    return ["--source", server.url, "--manifest", table, "--cache", tmp_path / "cache"]


def shards(folder):
    return {path.name: sha256_of(path) for path in folder.rglob("*.parquet")}


def test_preparing_from_the_web_gives_the_bytes_that_preparing_from_the_disk_gives(
    capsys, tmp_path, published, server, fetch
):
    local = ["--source", published.folder, "--cache", tmp_path / "other"]

    web = toyadmos(capsys, "prepare", *CHANNEL_1, *fetch, "--out", tmp_path / "web")
    disk = toyadmos(capsys, "prepare", *CHANNEL_1, *local, "--out", tmp_path / "disk")

    assert (web.status, disk.status) == (0, 0), web.err
    assert shards(tmp_path / "web") == shards(tmp_path / "disk")
    assert "Fetched" in web.err
    assert "Fetched" not in disk.err
    assert server.n_given < published.manifest.n_bytes


def test_several_workers_share_one_fetch(tmp_path, published, server, fetch):
    ran = toyadmos_process(
        "prepare", "--toy", "train", "--channels", "1", "--workers", "2", *fetch, "--out", tmp_path / "web"
    )

    assert ran.status == 0, ran.err
    assert ran.err.count("Fetched") == 1
    assert server.n_given <= published.manifest.n_bytes * 1.01


def test_the_same_again_fetches_nothing(capsys, tmp_path, server, fetch):
    toyadmos(capsys, "prepare", *CHANNEL_1, *fetch, "--out", tmp_path / "one")
    n_before = len(server.seen)

    again = toyadmos(capsys, "prepare", *CHANNEL_1, *fetch, "--out", tmp_path / "two")

    assert again.status == 0
    assert len(server.seen) == n_before


def test_without_keeping_archives_only_recordings_and_output_stay(capsys, tmp_path, fetch, published):
    ran = toyadmos(capsys, "prepare", *CHANNEL_1, *fetch, "--no-keep-archives", "--out", tmp_path / "web")

    kept = json.loads(toyadmos(capsys, "cache", "--cache", tmp_path / "cache", "--kind", "archives", "--json").out)
    assert ran.status == 0
    assert kept["entries"][0]["n_bytes"] < published.manifest.n_bytes / 4


def test_plan_tells_what_would_be_fetched(capsys, tmp_path, published, server, fetch):
    ran = toyadmos(capsys, "plan", *CHANNEL_1, *fetch, "--out", tmp_path / "web", "--json")
    text = toyadmos(capsys, "plan", *CHANNEL_1, *fetch, "--out", tmp_path / "web").out

    found = json.loads(ran.out)["fetch"]
    assert found["way"] == "blocks"
    assert 0 < found["n_missing"] < found["n_in_archive"] == published.manifest.n_bytes
    assert found["n_on_disk"] == found["n_missing"]
    assert server.n_given < found["n_missing"]
    for word in ("fetch ", "in the archive", "recordings in", "blocks of", "meanwhile", "at the end"):
        assert word in text


def test_a_broken_connection_costs_nothing_but_itself(capsys, tmp_path, server, fetch, published):
    toyadmos(capsys, "download", "--toy", "train", *fetch, "--dry-run")
    server.faults = [Fault(kind="cut", after=3000, times=3)]

    ran = toyadmos(capsys, "download", *CHANNEL_1[:4], *fetch, "--workers", "1", "--whole")

    assert ran.status == 0, ran.err
    assert "setbacks" in ran.err
    assert server.n_given <= published.manifest.n_bytes + 100


def test_download_fetches_without_preparing_and_verify_finds_it_right(capsys, tmp_path, server, fetch):
    got = toyadmos(capsys, "download", *CHANNEL_1, *fetch, "--sounds", "normal", "--json")
    n_before = len(server.seen)

    verdict = toyadmos(capsys, "verify", "--toy", "train", *fetch, "--json")

    assert got.status == 0, got.err
    assert json.loads(got.out)["estimate"]["n_members"] == 4
    assert verdict.status == 0, verdict.out
    assert json.loads(verdict.out)["is_good"]
    assert json.loads(verdict.out)["n_recordings"] >= 4
    assert len(server.seen) == n_before


def test_verify_finds_what_changed_on_the_disk_and_download_mends_it(capsys, tmp_path, fetch, published):
    toyadmos(capsys, "download", "--toy", "train", *fetch, "--whole")
    volume = next((tmp_path / "cache" / "archives").rglob("ToyTrain.7z.002"))
    with volume.open("r+b") as file:
        file.seek(20_000)
        file.write(b"damage")

    bad = toyadmos(capsys, "verify", "--toy", "train", *fetch)
    mended = toyadmos(capsys, "download", "--toy", "train", *fetch, "--whole")

    assert bad.status == 1
    assert "ToyTrain.7z.002" in next(line for line in bad.out.splitlines() if "wrong" in line)
    assert mended.status == 0
    assert volume.read_bytes() == (published.folder / volume.name).read_bytes()


def test_a_dry_run_fetches_nothing_but_the_header(capsys, server, fetch):
    ran = toyadmos(capsys, "download", *CHANNEL_1, *fetch, "--dry-run")

    assert ran.status == 0
    assert "by blocks" in ran.out
    assert server.n_given < 50_000


def test_a_manifest_is_written_from_good_volumes(capsys, tmp_path, published):
    ran = toyadmos(capsys, "verify", published.folder, "--toy", "train", "--write-manifest", tmp_path / "m.csv")

    assert ran.status == 0
    assert (tmp_path / "m.csv").read_text().splitlines()[0] == "name,bytes,md5"
    assert len((tmp_path / "m.csv").read_text().splitlines()) == 4


def test_a_manifest_that_is_written_is_told_as_json_on_request(capsys, tmp_path, published):
    table = tmp_path / "m.csv"
    ran = toyadmos(capsys, "verify", published.folder, "--toy", "train", "--write-manifest", table, "--json")
    told = json.loads(ran.out)

    assert told["path"] == str(table)
    assert [one["name"] for one in told["volumes"]] == [f"ToyTrain.7z.00{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize("place", [[], ["s3://bucket/folder"]])
def test_no_manifest_is_written_of_volumes_that_are_nowhere(capsys, tmp_path, place):
    ran = toyadmos(capsys, "verify", *place, "--toy", "train", "--write-manifest", tmp_path / "m.csv")

    assert ran.status == 2
    assert f"toyadmos verify FOLDER --toy train --write-manifest {tmp_path / 'm.csv'}" in ran.err
    assert not (tmp_path / "m.csv").exists()


def test_a_kind_that_no_cache_has_is_refused_by_an_empty_one_too(capsys, tmp_path):
    ran = toyadmos(capsys, "cache", "--cache", tmp_path / "empty", "--kind", "archive", "--clean")

    assert ran.status == 2
    assert "archives, recordings, simulated, features" in ran.err


def test_the_cache_is_listed_and_cleaned_by_toy(capsys, tmp_path, fetch):
    toyadmos(capsys, "download", *CHANNEL_1, *fetch)
    place = ["--cache", tmp_path / "cache"]

    listed = toyadmos(capsys, "cache", *place)
    other = toyadmos(capsys, "cache", *place, "--toy", "car", "--clean")
    still = toyadmos(capsys, "cache", *place)
    cleaned = toyadmos(capsys, "cache", *place, "--toy", "train", "--clean")
    empty = toyadmos(capsys, "cache", *place)

    assert "archives" in listed.out
    assert "ToyTrain" in listed.out
    assert other.status == 0
    assert still.out == listed.out
    assert "deleted" in cleaned.out
    assert empty.out.startswith("0 B in")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--parallel", "9", "So many connections"),
        ("--parallel", "0", "So many connections"),
        ("--limit-rate", "fast", "bytes a second"),
        ("--limit-rate", "0", "--limit-rate"),
        ("--sounds", "loud", "expected: normal, anomalous, noise"),
        ("--source", "http://example.org/x", "not an address"),
        ("--source", "/etc", "Only what is on the web"),
        ("--manifest", "/etc/hostname", "not a table of volumes"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_asked_for(capsys, server, fetch, option, value, message):
    ran = toyadmos(capsys, "download", *CHANNEL_1, *fetch, option, value)

    assert ran.status == 2
    assert message in ran.err
    assert "remedy" in ran.err
    assert not server.seen


def test_a_server_that_is_gone_is_an_error_that_names_it(capsys, tmp_path, fetch, server, monkeypatch):
    server.faults = [Fault(kind="status", status=404, times=100)]

    ran = toyadmos(capsys, "prepare", *CHANNEL_1, *fetch, "--out", tmp_path / "web")

    assert ran.status == 1
    hold_printed(ran.err)
    assert server.url in ran.err
    assert not (tmp_path / "web").exists()


@pytest.mark.parametrize("command", ["plan", "prepare", "download"])
def test_a_line_says_why_a_command_waits_for_a_busy_server(capsys, tmp_path, fetch, server, command):
    server.faults = [Fault(kind="status", status=503, headers={"Retry-After": "0"}, times=2)]

    chosen = CHANNEL_1[:2] if command == "download" else [*CHANNEL_1, "--out", tmp_path / "web"]
    ran = toyadmos(capsys, command, *chosen, *fetch)

    assert ran.status == 0
    assert "status 503 (Service Unavailable); try 2 of 8, the next in 1 s." in ran.err
    assert server.url in ran.err


@pytest.mark.parametrize("source", ["tree", "volumes"])
def test_a_source_on_the_disk_is_used_without_a_server(capsys, tmp_path, published, source):
    ran = toyadmos(
        capsys, "prepare", *CHANNEL_1, "--source", published.folder, "--cache", tmp_path / "c", "--out", tmp_path / "o"
    )

    assert ran.status == 0, ran.err
    assert not (tmp_path / "c" / "archives").exists()


def test_verify_says_that_nothing_was_downloaded_and_asks_nobody_about_a_licence(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("TOYADMOS_SOURCE", raising=False)
    ran = toyadmos(capsys, "verify", "--toy", "train", "--cache", tmp_path / "cache")

    assert ran.status == 1
    assert ran.err.startswith("error: Nothing of ToyTrain was downloaded.\n")
    assert "toyadmos download --toy train" in ran.err
    assert list(tmp_path.iterdir()) == []
