"""Sharing to what fsspec writes to: memory, files, and S3 where s3fs and moto are installed."""

from __future__ import annotations

import importlib.util
import json
import shutil
import uuid
from pathlib import Path

import fsspec
import pytest
from preparing import hashes, options, toyadmos
from s3_server import s3_server
from wording import hold_printed, refused

from toyadmos_datasets.errors import DatasetError, LicenseError, OutputConflictError, ShareError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.sharing import ShareOptions, destination, fetch_recipe
from toyadmos_datasets.sharing.bucket import RECORD_NAME
from toyadmos_datasets.sharing.share_job import share_dataset
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.verifying import verify_shared

HAS_S3 = all(map(importlib.util.find_spec, ("s3fs", "moto", "werkzeug")))
NO_S3 = "S3 is tested in a run of its own: PYTHONPATH=.venv/s3 pytest tests/test_share_bucket.py, as make test does"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(destination, "WAITS_S", (0, 0, 0))


@pytest.fixture(scope="module")
def s3():
    if not HAS_S3:
        pytest.skip(NO_S3)
    with s3_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "CANARYKEY0123456789A")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-that-must-show-nowhere")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        fsspec.filesystem("s3").mkdir("bucket")
        yield server


@pytest.fixture(params=["memory", "file", "s3"])
def address(request, tmp_path):
    """A place that nobody has written to."""
    if request.param == "s3":
        request.getfixturevalue("s3")
        return f"s3://bucket/{uuid.uuid4().hex}/toy"
    return f"memory://{uuid.uuid4().hex}/toy" if request.param == "memory" else f"file://{tmp_path}/shared/toy"


@pytest.fixture
def memory():
    return f"memory://{uuid.uuid4().hex}/toy"


def shared(folder: Path, address: str, **changed):
    return share_dataset(ShareOptions(folder=folder, destination=address, may_share_audio=True, **changed))


def files_at(address: str) -> dict[str, bytes]:
    system, root = fsspec.core.url_to_fs(address)
    system.invalidate_cache()
    found = {path.removeprefix(root.rstrip("/") + "/"): system.cat_file(path) for path in system.find(root)}
    found.pop(RECORD_NAME, None)
    return found


def copy_of(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_a_dataset_arrives_whole_and_a_second_run_sends_nothing(prepared, address):
    first = shared(prepared, address)
    second = shared(prepared, address)

    assert set(first.sent) == set(hashes(prepared)) == set(files_at(address))
    assert first.sent[-1] == "manifest.json"
    assert all(files_at(address)[name] == (prepared / name).read_bytes() for name in hashes(prepared))
    assert second.was_done
    assert second.n_held == len(first.sent)
    assert verify_shared(address).is_good


def test_a_dry_run_touches_nothing_and_names_what_would_be_sent(prepared, address):
    report = shared(prepared, address, dry_run=True)

    assert set(report.sent) == set(hashes(prepared))
    assert not fsspec.core.url_to_fs(address)[0].exists(address)


def test_a_replacement_that_was_cut_while_it_removed_what_was_there_goes_on(prepared, tmp_path, memory, monkeypatch):
    larger = prepare(options(prepared.parent / "source", tmp_path, protocols=("basic",), snrs_db=(6.0, 0.0, -6.0))).out
    shared(larger, memory)
    system = fsspec.filesystem("memory")
    remove = type(system).rm_file

    def cut(self, path):
        if "snr_minus_6db" in path:
            raise KeyboardInterrupt
        remove(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(type(system), "rm_file", cut)
        with pytest.raises(KeyboardInterrupt):
            shared(prepared, memory, overwrite=True)
    assert "manifest.json" not in files_at(memory)
    shared(prepared, memory, overwrite=True)

    assert set(files_at(memory)) == set(hashes(prepared))
    assert verify_shared(memory).is_good


def test_audio_goes_nowhere_without_the_users_word(prepared, memory):
    with refused(LicenseError, "--recipe-only"):
        share_dataset(ShareOptions(folder=prepared, destination=memory))

    assert files_at(memory) == {}


class Interrupting:
    """Lets a number of files through, and then none."""

    def __init__(self, system, monkeypatch, n_files: int) -> None:
        self.left, self.original, self.seen = n_files, system.put_file, []
        monkeypatch.setattr(type(system), "put_file", lambda _, *arguments, **named: self.put(*arguments, **named))

    def put(self, source, place, **named):
        if not self.left:
            raise OSError("the line is dead")
        self.left -= 1
        self.seen.append(place)
        return self.original(source, place, **named)


def test_an_upload_that_was_cut_goes_on_with_missing_shards_only(prepared, memory, monkeypatch):
    system = fsspec.filesystem("memory")
    line = Interrupting(system, monkeypatch, 2)
    with refused(ShareError):
        shared(prepared, memory)
    assert "manifest.json" not in files_at(memory)
    with refused(DatasetError):
        verify_shared(memory)

    line.left = 100
    report = shared(prepared, memory)

    shards = [shard.path for shard in read_manifest(prepared).shards]
    assert [place.partition("/toy/")[2] for place in line.seen] == shards  # each of them once
    assert set(report.sent) == {*shards[2:], "recipe.parquet", "README.md", "manifest.json"}
    assert verify_shared(memory).is_good


def test_a_failure_that_passes_is_tried_again(prepared, memory, monkeypatch):
    system = fsspec.filesystem("memory")
    original, failures = system.pipe_file, ["409", "412", "500"]

    def pipe_file(_, path, content, **named):
        if failures and path.endswith("recipe.parquet"):
            raise OSError(failures.pop())
        return original(path, content, **named)

    monkeypatch.setattr(type(system), "pipe_file", pipe_file)
    shared(prepared, memory)

    assert failures == []
    assert verify_shared(memory).is_good


def test_a_refusal_is_not_tried_again(prepared, memory, monkeypatch):
    tries = []

    def find(*_, **__):
        tries.append(1)
        raise PermissionError("Access Denied")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "find", find)
    with refused(ShareError):
        shared(prepared, memory)

    assert tries == [1]


def test_a_file_that_arrived_in_part_is_sent_again(prepared, memory):
    shared(prepared, memory)
    path = read_manifest(prepared).shards[0].path
    system, root = fsspec.core.url_to_fs(memory)
    system.pipe_file(f"{root}/{path}", files_at(memory)[path][:-1])
    report = shared(prepared, memory)

    assert report.sent == (path, "manifest.json")
    assert verify_shared(memory).is_good


@pytest.mark.parametrize("record", [b"", b"[]", b'{"sent": 1}'])
def test_a_record_that_is_damaged_lets_everything_be_sent_again(prepared, memory, record):
    shared(prepared, memory)
    system, root = fsspec.core.url_to_fs(memory)
    system.pipe_file(f"{root}/{RECORD_NAME}", record)
    report = shared(prepared, memory)

    assert set(report.sent) == set(hashes(prepared))
    assert verify_shared(memory).is_good


def test_a_damaged_shard_is_not_passed_on(prepared, memory, tmp_path):
    copy = copy_of(prepared, tmp_path)
    path = copy / read_manifest(copy).shards[1].path
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with refused(DatasetError):
        shared(copy, memory)

    assert "manifest.json" not in files_at(memory)


def test_the_recipe_alone_has_no_audio_and_comes_back(prepared, address, tmp_path):
    report = share_dataset(ShareOptions(folder=prepared, destination=address, with_audio=False))
    fetched = fetch_recipe(address, tmp_path / "r.toyrecipe")

    rows = {f"rows/{config}/{split}.parquet" for config in ("clean", "snr_6db") for split in ("train", "test")}
    assert set(files_at(address)) == {"README.md", "dataset.toyrecipe", *rows} == set(report.sent)
    assert report.sent[-1] == "dataset.toyrecipe"
    assert fetched.recipe.sha256 == read_manifest(prepared).recipe_sha256
    assert fetched.has_hashes
    assert fetch_recipe(address, tmp_path / "r.toyrecipe").was_there
    assert verify_shared(address).is_good
    assert "no audio" in files_at(address)["README.md"].decode()


def test_another_dataset_is_replaced_only_when_asked_and_leaves_nothing_behind(prepared, address):
    shared(prepared, address, with_audio=False)
    with refused(OutputConflictError, "--overwrite"):
        shared(prepared, address)
    report = shared(prepared, address, overwrite=True)

    assert report.removed[0] == "dataset.toyrecipe"
    assert {path.partition("/")[0] for path in report.removed[1:]} == {"rows"}
    assert set(files_at(address)) == set(hashes(prepared))
    assert verify_shared(address).is_good


def test_what_others_left_there_is_not_touched(prepared, address):
    system, root = fsspec.core.url_to_fs(address)
    system.makedirs(root, exist_ok=True)
    system.pipe_file(f"{root}/thesis.txt", b"mine")
    with refused(OutputConflictError, "thesis.txt"):
        shared(prepared, address, overwrite=True)

    assert files_at(address) == {"thesis.txt": b"mine"}


def test_every_kind_of_damage_of_a_copy_is_told(prepared, address):
    shared(prepared, address)
    shards = [shard.path for shard in read_manifest(prepared).shards]
    system, root = fsspec.core.url_to_fs(address)
    flipped = bytearray(files_at(address)[shards[0]])
    flipped[-9] ^= 1
    system.pipe_file(f"{root}/{shards[0]}", bytes(flipped))
    system.pipe_file(f"{root}/{shards[1]}", bytes(flipped[:-100]))
    system.rm_file(f"{root}/{shards[2]}")
    system.pipe_file(f"{root}/data/clean/train-00007-of-00009.parquet", b"x")
    system.rm_file(f"{root}/README.md")
    system.pipe_file(f"{root}/recipe.parquet", b"x")
    verdict = verify_shared(address)

    told = {one.path.removeprefix(f"{address}/"): one.what for one in verdict.problems}
    assert told == {
        shards[0]: "A shard was changed since it was written.",
        shards[1]: "A shard has another size than it was written with.",
        shards[2]: "A shard is missing.",
        "data/clean/train-00007-of-00009.parquet": "There is a shard that the manifest does not list.",
        "README.md": "The card is missing: datasets would not find the configs.",
        "recipe.parquet": "This is not a recipe that this version can read.",
    }
    assert all("toyadmos share DIR" in one.remedy for one in verdict.problems)


def test_a_recipe_that_was_changed_is_neither_fetched_nor_verified(prepared, memory, tmp_path):
    shared(prepared, memory, with_audio=False)
    system, root = fsspec.core.url_to_fs(memory)
    content = files_at(memory)["dataset.toyrecipe"]
    system.pipe_file(f"{root}/dataset.toyrecipe", content[:100] + bytes(50) + content[150:])
    with refused(DatasetError):
        fetch_recipe(memory, tmp_path / "r.toyrecipe")

    assert not (tmp_path / "r.toyrecipe").exists()
    assert [one.path for one in verify_shared(memory).problems] == [f"{memory}/dataset.toyrecipe"]


def test_a_server_that_cannot_be_reached_is_not_said_to_lack_the_recipe(tmp_path):
    with refused(ShareError):
        fetch_recipe("http://127.0.0.1:9/a.toyrecipe", tmp_path / "r.toyrecipe")


def test_the_recipe_of_another_dataset_is_not_fetched(prepared, memory, tmp_path):
    shared(prepared, memory)
    system, root = fsspec.core.url_to_fs(memory)
    manifest = json.loads(files_at(memory)["manifest.json"])
    manifest["recipe_sha256"] = "0" * 64
    system.pipe_file(f"{root}/manifest.json", json.dumps(manifest).encode())
    with refused(DatasetError):
        fetch_recipe(memory, tmp_path / "r.toyrecipe")


def test_a_file_that_holds_something_else_is_not_overwritten_by_a_recipe(prepared, memory, tmp_path):
    shared(prepared, memory, with_audio=False)
    out = tmp_path / "notes.txt"
    out.write_text("mine")
    with refused(OutputConflictError):
        fetch_recipe(memory, out)

    assert out.read_text() == "mine"


def test_a_recipe_that_stands_alone_is_fetched(prepared, tmp_path):
    fetched = fetch_recipe(f"file://{prepared}/recipe.parquet", tmp_path / "r.toyrecipe")

    assert fetched.recipe.sha256 == read_manifest(prepared).recipe_sha256
    assert not fetched.has_hashes


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("somewhere", "For a folder on this machine: file:///"),
        ("nonsense://bucket/x", "no such kind of address"),
        ("https://example.org/x", "Nothing can be written to a web address"),
        ("s3://user:secret@bucket/x", "A user or a password stands in an address"),
        ("hf://user/name", "hf://datasets/user/name"),
        ("hf://datasets/user/name/folder", "hf://datasets/user/name"),
        ("hf://datasets/user/name@main", "hf://datasets/user/name"),
    ],
)
def test_invalid_addresses_are_refused(capsys, prepared, address, says):
    ran = toyadmos(capsys, "share", prepared, address, "--i-may-share-audio")

    assert ran.status == 2
    assert says in ran.err
    assert "secret" not in ran.err


def test_the_command_tells_what_it_did(capsys, prepared, memory):
    dry = toyadmos(capsys, "share", prepared, memory, "--i-may-share-audio", "--dry-run")
    first = toyadmos(capsys, "share", prepared, memory, "--i-may-share-audio", "--json")
    second = toyadmos(capsys, "share", prepared, memory, "--i-may-share-audio")
    verified = toyadmos(capsys, "verify", memory)

    assert dry.out.startswith(f"Would send the dataset with its audio to {memory}: 7 files")
    assert json.loads(first.out)["sent"][-1] == "manifest.json"
    assert second.out == f"Nothing to do: {memory} already holds the dataset with its audio.\n"
    assert verified.out.endswith("Everything is as it should be.\n")
    assert verified.status == 0


def test_contradicting_options_and_a_folder_without_a_dataset_are_refused(capsys, prepared, tmp_path, memory):
    both = toyadmos(capsys, "share", prepared, memory, "--with-audio", "--recipe-only")
    nothing = toyadmos(capsys, "share", tmp_path, memory, "--recipe-only")

    assert (both.status, nothing.status) == (2, 1)
    assert "contradict" in both.err
    hold_printed(nothing.err)


@pytest.mark.parametrize("status", [500, 503, 409, 412])
def test_what_s3_refuses_in_passing_is_asked_again(prepared, s3, status):
    address = f"s3://bucket/{uuid.uuid4().hex}"
    s3.faults = {r"^PUT .*/data/": [status] * 2}
    shared(prepared, address)

    assert s3.faults == {r"^PUT .*/data/": []}
    assert verify_shared(address).is_good


def test_an_s3_upload_that_fails_for_good_goes_on_later_with_missing_shards_only(prepared, s3):
    address = f"s3://bucket/{uuid.uuid4().hex}"
    shards = [shard.path for shard in read_manifest(prepared).shards]
    s3.faults = {rf"^PUT .*/{shards[2]}": [500] * 1000}
    with refused(ShareError, shards[2]) as caught:
        shared(prepared, address)
    s3.faults = {}
    report = shared(prepared, address)

    assert set(report.sent) == {*shards[2:], "recipe.parquet", "README.md", "manifest.json"}
    assert verify_shared(address).is_good
    assert "canary" not in str(caught.value).lower()


def test_a_bucket_that_is_not_there_is_an_error_at_once(prepared, s3):
    with refused(ShareError, "s3://no-such-bucket/x"):
        shared(prepared, "s3://no-such-bucket/x")


def test_a_recipe_is_fetched_to_a_path_in_words(prepared, tmp_path, capsys):
    assert toyadmos(capsys, "recipe", "export", prepared, "-o", tmp_path / "a.toyrecipe").status == 0

    fetched = fetch_recipe(f"file://{tmp_path}/a.toyrecipe", str(tmp_path / "b.toyrecipe"))

    assert fetched.path == tmp_path / "b.toyrecipe"
    assert fetched.path.exists()
