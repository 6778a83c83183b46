"""Sharing to the Hub: privacy, one commit, faults, and a token that shows nowhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hostile_servers import behaving, silent
from hub_stand_in import TOKEN, Fault, Repository, hub_stand_in
from huggingface_hub import constants
from huggingface_hub.utils import get_session
from preparing import hashes, toyadmos, toyadmos_process
from wording import refused

from toyadmos_datasets.builder import load_dataset
from toyadmos_datasets.errors import DatasetError, LicenseError, OutputConflictError, ShareError
from toyadmos_datasets.sharing import ShareOptions, destination, fetch_recipe
from toyadmos_datasets.sharing import hub as hub_module
from toyadmos_datasets.sharing.share_job import share_dataset
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.verifying import verify_shared

# How huggingface_hub calls its own client.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

ADDRESS = "hf://datasets/user/toy"
WITHOUT_AUDIO = {"README.md", "dataset.toyrecipe"} | {
    f"rows/{config}/{split}.parquet" for config in ("clean", "snr_6db") for split in ("train", "test")
}


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(destination, "WAITS_S", (0, 0, 0))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with hub_stand_in() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def shared(folder: Path, **changed):
    return share_dataset(ShareOptions(folder=folder, destination=ADDRESS, **changed))


def test_by_default_only_the_recipe_goes_to_a_new_private_repository(prepared, hub, tmp_path):
    report = shared(prepared)
    again = shared(prepared)
    repository = hub.repositories["user/toy"]

    assert not report.has_audio
    assert repository.private
    assert set(repository.files) - {".gitattributes"} == WITHOUT_AUDIO
    assert repository.n_commits == 2
    assert again.was_done
    assert fetch_recipe(ADDRESS, tmp_path / "r.toyrecipe").recipe.sha256 == read_manifest(prepared).recipe_sha256


def test_what_is_on_the_hub_is_shown_rebuilt_and_filled_in_by_its_address(
    capsys, prepared, hub, tmp_path, datasets_cache
):
    hub.repositories["user/toy"] = Repository(private=False)
    shared(prepared)
    where = ["--source", prepared.parent / "source", "--cache", tmp_path / "cache", "--workers", 1]
    shown = toyadmos(capsys, "recipe", "show", ADDRESS, "--json")
    rebuilt = toyadmos(capsys, "recipe", "rebuild", ADDRESS, "--out", tmp_path / "again", *where)
    filled = load_dataset(ADDRESS, "snr_6db", source=prepared.parent / "source", cache=tmp_path / "cache")
    with refused(DatasetError, "source="):
        load_dataset(ADDRESS)

    assert json.loads(shown.out)["recipe_sha256"] == read_manifest(prepared).recipe_sha256
    assert rebuilt.status == 0
    assert {split: rows["event_id"] for split, rows in filled.items()} == {
        split: rows["event_id"] for split, rows in load_dataset(prepared, "snr_6db").items()
    }
    assert verify_shared(ADDRESS).is_good


def test_audio_goes_to_a_private_repository_in_one_commit(prepared, hub):
    report = shared(prepared, with_audio=True)
    repository = hub.repositories["user/toy"]

    assert report.has_audio
    assert repository.private
    assert set(repository.files) - {".gitattributes"} == set(hashes(prepared))
    assert repository.n_commits == 2
    assert verify_shared(ADDRESS).is_good


def test_a_dry_run_makes_no_repository(prepared, hub):
    report = shared(prepared, with_audio=True, dry_run=True)

    assert len(report.sent) == len(hashes(prepared))
    assert hub.repositories == {}


def test_audio_goes_to_no_public_repository(prepared, hub):
    hub.repositories["user/toy"] = Repository(private=False)
    with refused(LicenseError, "--recipe-only"):
        shared(prepared, with_audio=True)

    assert hub.uploads() == []
    assert shared(prepared).sent  # the recipe may


def test_a_repository_that_becomes_public_while_audio_is_sent_gets_no_commit(prepared, hub, monkeypatch):
    hub.repositories["user/toy"] = Repository()
    original = destination.ask

    def ask(attempt, **told):
        if "commit" in told["what"]:
            hub.repositories["user/toy"].private = False
        return original(attempt, **told)

    monkeypatch.setattr("toyadmos_datasets.sharing.hub.ask", ask)
    with refused(LicenseError):
        shared(prepared, with_audio=True)

    assert hub.repositories["user/toy"].n_commits == 1


def test_a_repository_that_becomes_public_with_the_commit_is_told(prepared, hub):
    hub.on_commit = lambda repository: setattr(repository, "private", False)
    with refused(LicenseError):
        shared(prepared, with_audio=True)

    with refused(LicenseError):
        shared(prepared)


def test_an_upload_that_was_cut_goes_on_with_missing_shards_only(prepared, hub):
    hub.faults = [Fault(pattern="^PUT /lfs/", after=2, times=100, status=400)]
    with refused(ShareError):
        shared(prepared, with_audio=True)
    assert hub.repositories["user/toy"].n_commits == 1

    hub.faults, before = [], hub.uploads()[:2]
    shared(prepared, with_audio=True)

    shards = [shard.sha256 for shard in read_manifest(prepared).shards]
    after = hub.uploads()[3:]
    assert before == shards[:2]
    assert after[:2] == shards[2:]
    assert not set(before) & set(after)
    assert verify_shared(ADDRESS).is_good


@pytest.mark.parametrize(
    "fault",
    [
        Fault(pattern="/commit/", status=409),
        Fault(pattern="/commit/", status=412),
        Fault(pattern="/commit/", status=500, times=2),
        Fault(pattern="objects/batch", status=500),
        Fault(pattern="GET /api/datasets/", status=503),
        Fault(pattern="whoami", status=500),
        Fault(pattern="/commit/", is_cut=True),
    ],
    ids=lambda fault: f"{fault.pattern} {'cut' if fault.is_cut else fault.status}",
)
def test_what_the_hub_refuses_in_passing_is_asked_again(prepared, hub, fault):
    hub.faults = [Fault(**vars(fault))]
    shared(prepared)

    assert hub.faults[0].times == 0
    assert verify_shared(ADDRESS).is_good


def test_what_the_hub_refuses_to_the_end_is_an_error(prepared, hub):
    hub.faults = [Fault(pattern="/commit/", status=500, times=100)]
    with refused(ShareError, "500"):
        shared(prepared)

    assert hub.repositories["user/toy"].n_commits == 1


def test_what_somebody_else_commits_meanwhile_is_not_overwritten(prepared, hub):
    hub.repositories["user/toy"] = Repository()

    def interfere(repository):
        hub.on_commit = None
        repository.files["data/clean/train-00000-of-00001.parquet"] = b"theirs"
        repository.n_commits += 1

    hub.on_commit = interfere
    with refused(OutputConflictError):
        shared(prepared)

    assert "dataset.toyrecipe" not in hub.repositories["user/toy"].files


def test_another_dataset_is_replaced_only_when_asked(prepared, hub):
    shared(prepared, with_audio=True)
    with refused(OutputConflictError, "--overwrite"):
        shared(prepared)
    report = shared(prepared, overwrite=True)

    assert set(report.removed) == set(hashes(prepared)) - {"README.md"}
    assert set(hub.repositories["user/toy"].files) - {".gitattributes"} == WITHOUT_AUDIO


def test_what_others_left_there_is_not_touched(prepared, hub):
    hub.repositories["user/toy"] = Repository(files={"README.md": b"# mine", "train.parquet": b"mine"})
    with refused(OutputConflictError, "train.parquet"):
        shared(prepared, overwrite=True)


def test_a_tampered_copy_is_found(prepared, hub):
    shared(prepared, with_audio=True)
    path = read_manifest(prepared).shards[0].path
    files = hub.repositories["user/toy"].files
    files[path] = files[path][:-1] + b"x"
    (problem,) = verify_shared(ADDRESS).problems

    assert problem.path == f"{ADDRESS}/{path}"
    assert "changed" in problem.what


@pytest.mark.parametrize(
    ("token", "role"),
    [
        ("", "write"),
        ("hf_wrong", "write"),
        (TOKEN, "read"),
    ],
)
def test_a_token_that_will_not_do_is_an_error_before_anything_is_sent(prepared, hub, monkeypatch, token, role):
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere/token")
    hub.role = role
    with refused(ShareError, "HF_TOKEN"):
        shared(prepared)

    assert {one for one in hub.requests if "agent-harnesses" not in one} <= {"GET /api/whoami-v2"}


def test_a_hub_that_cannot_be_reached_is_not_said_to_refuse_the_token(prepared, hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with refused(ShareError) as caught:
        shared(prepared)

    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("canary", "is_argument"),
    [("hf_wrongCanary0123456789", True), ("hf_odd\nCanary0123456789", False), ("hf_ödd_Canary0123456789", True)],
)
def test_a_wrong_token_shows_in_no_output_and_no_file(prepared, hub, tmp_path, canary, is_argument):
    folder = Path(shutil.copytree(prepared, tmp_path / "copy"))
    words = ["share", folder, ADDRESS, "--debug", "--json", *(["--token", canary] if is_argument else [])]
    env = {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": "" if is_argument else canary,
        "HF_HUB_VERBOSITY": "debug",
        "HF_HUB_DISABLE_XET": "1",
    }
    ran = toyadmos_process(*words, env=env)

    assert ran.status in {1, 2}
    assert "token" in ran.err
    assert "Canary" not in ran.out + ran.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"Canary" in path.read_bytes()]


def test_the_right_token_shows_in_no_output_and_no_file_whatever_happens(prepared, hub, tmp_path):
    folder = Path(shutil.copytree(prepared, tmp_path / "copy"))
    env = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_VERBOSITY": "debug", "HF_HUB_DISABLE_XET": "1"}
    good = toyadmos_process("share", folder, ADDRESS, "--debug", "--with-audio", env=env)
    verified = toyadmos_process("verify", ADDRESS, "--debug", "--workers", 1, env=env)
    hub.faults = [Fault(pattern="GET /api/datasets/", status=403, times=100)]
    bad = toyadmos_process("share", folder, ADDRESS, "--debug", "--with-audio", env=env)

    assert (good.status, verified.status, bad.status) == (0, 0, 1)
    for ran in (good, verified, bad):
        assert TOKEN not in ran.out + ran.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_the_command_shares_and_fetches(capsys, prepared, hub, tmp_path):
    sent = toyadmos(capsys, "share", prepared, ADDRESS)
    fetched = toyadmos(capsys, "fetch-recipe", ADDRESS, "-o", tmp_path / "r.toyrecipe")
    folder = toyadmos(capsys, "fetch-recipe", ADDRESS, "-o", tmp_path)
    nothing = toyadmos(capsys, "fetch-recipe", "hf://datasets/user/other", "-o", tmp_path / "s.parquet")

    assert sent.out.startswith(f"Shared the recipe, without audio: {ADDRESS}\nSent 6 files")
    assert fetched.out.startswith(f"Fetched: {tmp_path / 'r.toyrecipe'}, recipe ")
    assert (folder.status, nothing.status) == (2, 1)
    assert "toyadmos share again" in nothing.err
    assert [path.name for path in tmp_path.iterdir()] == ["r.toyrecipe"]


def test_a_hub_that_takes_a_connection_and_never_answers_is_an_error_soon(prepared, monkeypatch):
    monkeypatch.setattr(destination, "WAITS_S", ())
    monkeypatch.setattr(hub_module, "ANSWER_S", 0.2)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    before = get_session().timeout
    with behaving(silent()) as port:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
        with pytest.raises(ShareError) as caught:
            shared(prepared)

    assert "Timeout" in str(caught.value.actual)
    assert get_session().timeout == before
