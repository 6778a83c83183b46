"""The licence stands before the first fetch, is asked for once, and is itself fetched and checked."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from loopback import Fault, serving
from preparing import toyadmos
from remote import Said
from wording import refused

from toyadmos_datasets.archives.remote.license_consent import require_license
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopy
from toyadmos_datasets.archives.remote.volume_list import VolumeList, published_manifest, write_manifest
from toyadmos_datasets.corpus.volumes import Volume
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import FetchError, LicenseError, VolumeError
from toyadmos_datasets.files.lock import folder_lock

TEXT = b"%PDF what is allowed and what is not" * 100
FILE = Volume(name="LICENSE.pdf", n_bytes=len(TEXT), md5=hashlib.md5(TEXT, usedforsecurity=False).hexdigest())


@pytest.fixture
def server(published):
    with serving({**published.files, FILE.name: TEXT}) as running_server:
        yield running_server


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOYADMOS_ACCEPT_LICENSE", raising=False)


@pytest.fixture
def options(published, server, tmp_path):
    manifest = VolumeList(toy="ToyTrain", volumes=published.manifest.volumes, license_file=FILE)
    return published.options(server, tmp_path / "archives" / "tiny", manifest=manifest)


class Asked:
    """Somebody who answers, and what they were shown."""

    def __init__(self, answer):
        self.answer = answer
        self.texts = []

    def __call__(self, text):
        self.texts.append(text)
        return self.answer


def test_nobody_to_ask_is_an_error_that_says_how_and_nothing_is_fetched(options, server):
    with refused(LicenseError) as caught:
        require_license(options, is_accepted=False, ask=None)

    assert "--accept-license" in caught.value.remedy
    assert "TOYADMOS_ACCEPT_LICENSE=1" in caught.value.remedy
    assert not server.seen


def test_the_question_shows_what_it_allows_and_where_it_is(options):
    asked = Asked(answer=True)

    require_license(options, is_accepted=False, ask=asked)

    assert "internal evaluation only" in asked.texts[0]
    assert "must not be passed on" in asked.texts[0]
    assert "https://zenodo.org/records/3351307/files/LICENSE.pdf" in asked.texts[0]
    kept = next(options.folder.parent.rglob("LICENSE.pdf"))
    assert str(kept) in asked.texts[0]
    assert kept.read_bytes() == TEXT


def test_a_yes_is_remembered(options, server):
    require_license(options, is_accepted=False, ask=Asked(answer=True))
    again, n_before = Asked(answer=False), len(server.seen)

    require_license(options, is_accepted=False, ask=again)
    require_license(options, is_accepted=False, ask=None)

    assert not again.texts
    assert len(server.seen) == n_before


def test_a_no_is_an_error_and_is_asked_again(options):
    for _ in range(2):
        asked = Asked(answer=False)
        with refused(LicenseError):
            require_license(options, is_accepted=False, ask=asked)
        assert asked.texts


def test_another_licence_is_asked_for_again(options, server, tmp_path):
    require_license(options, is_accepted=True, ask=None)
    other = dataclasses.replace(FILE, md5="0" * 32)
    changed = dataclasses.replace(options, manifest=dataclasses.replace(options.manifest, license_file=other))

    with pytest.raises(LicenseError):
        require_license(changed, is_accepted=False, ask=None)


def test_the_option_is_remembered_and_the_variable_is_not(options, monkeypatch):
    monkeypatch.setenv("TOYADMOS_ACCEPT_LICENSE", "1")
    require_license(options, is_accepted=False, ask=None)
    monkeypatch.delenv("TOYADMOS_ACCEPT_LICENSE")
    with pytest.raises(LicenseError):
        require_license(options, is_accepted=False, ask=None)

    require_license(options, is_accepted=True, ask=None)
    require_license(options, is_accepted=False, ask=None)


def test_a_licence_that_is_not_the_published_one_is_an_error(options, server):
    server.faults = [Fault(kind="flip", after=10, name=FILE.name, times=10)]

    with refused(VolumeError):
        require_license(options, is_accepted=True, ask=None)


def test_a_licence_that_comes_damaged_once_is_fetched_again(options, server):
    server.faults = [Fault(kind="flip", after=10, name=FILE.name)]

    require_license(options, is_accepted=True, ask=None)


LACKING = pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=404),
        Fault(kind="status", status=403),
        Fault(kind="html"),
        Fault(kind="refuse range"),
    ],
    ids=["absent", "refused", "a web page", "another"],
)


@LACKING
def test_a_server_without_the_licence_serves_users_who_accepted_it_before(options, server, fault):
    require_license(options, is_accepted=True, ask=None)
    elsewhere = dataclasses.replace(options, folder=options.folder.parent.parent / "other" / "tiny")
    server.faults = [dataclasses.replace(fault, name=FILE.name, times=100)]
    asked = Asked(answer=False)

    require_license(elsewhere, is_accepted=False, ask=None)
    require_license(elsewhere, is_accepted=False, ask=asked)

    assert not asked.texts


@LACKING
@pytest.mark.parametrize("is_in_ci", [False, True])
def test_a_server_without_the_licence_serves_users_who_accept_it_now_and_tells_where_it_is(
    options, server, fault, monkeypatch, is_in_ci
):
    server.faults = [dataclasses.replace(fault, name=FILE.name, times=100)]
    said = Said()
    if is_in_ci:
        monkeypatch.setenv("TOYADMOS_ACCEPT_LICENSE", "1")

    require_license(options, is_accepted=not is_in_ci, ask=None, progress=said)

    assert any("https://zenodo.org/records/3351307/files/LICENSE.pdf" in line for line in said.lines)


@LACKING
def test_a_user_who_has_not_accepted_the_licence_is_told_where_to_read_it_if_the_server_lacks_it(
    options, server, fault
):
    server.faults = [dataclasses.replace(fault, name=FILE.name, times=100)]
    asked = Asked(answer=True)

    with refused(LicenseError) as caught:
        require_license(options, is_accepted=False, ask=asked)

    assert not asked.texts
    assert server.url in caught.value.where
    assert "https://zenodo.org/records/3351307/files/LICENSE.pdf" in caught.value.expected
    assert "--accept-license" in caught.value.remedy
    require_license(options, is_accepted=True, ask=None)  # as the remedy says


def test_a_server_that_is_out_of_reach_is_not_said_to_lack_the_licence(options, server):
    server.faults = [Fault(kind="status", name=FILE.name, times=100)]

    with refused(FetchError):
        require_license(options, is_accepted=True, ask=None)


def test_a_process_that_waited_for_the_licence_uses_the_fetched_one(options, server):
    folder = options.folder.parent / f"license-{FILE.md5[:12]}"

    class Bringing(Quiet):
        def say(self, text):  # it waits: meanwhile the other, which has the folder, is done
            copy = VolumeCopy(folder, FILE)
            with copy.writer(0) as writer:
                writer.write(TEXT)
            copy.verify()
            others.close()

    with contextlib.ExitStack() as others:
        others.enter_context(folder_lock(folder))
        with ThreadPoolExecutor() as pool:
            pool.submit(require_license, options, is_accepted=True, ask=None, progress=Bringing()).result()

    assert not server.seen


def test_the_record_has_a_licence():
    license_file = published_manifest("ToyTrain").license_file

    assert license_file is not None
    assert license_file.name == "LICENSE.pdf"


def test_the_record_is_the_default_and_asks_for_its_licence_before_anything_else(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("TOYADMOS_SOURCE", raising=False)

    ran = toyadmos(capsys, "prepare", "--toy", "train", "--cache", tmp_path / "cache", "--out", tmp_path / "out")

    assert ran.status == 1
    assert "https://zenodo.org/records/3351307/files/LICENSE.pdf" in ran.err
    assert "--accept-license" in ran.err
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "out").exists()


def test_the_command_stops_before_anything_is_fetched(capsys, tmp_path, server, published):
    table = tmp_path / "volumes.csv"
    write_manifest(table, [*published.manifest.volumes, FILE])
    fetch = ["--toy", "train", "--source", server.url, "--manifest", table, "--cache", tmp_path / "cache"]

    refused = toyadmos(capsys, "download", *fetch, "--dry-run")
    n_seen = len(server.seen)
    accepted = toyadmos(capsys, "download", *fetch, "--dry-run", "--accept-license")
    remembered = toyadmos(capsys, "plan", *fetch)

    assert refused.status == 1
    assert "--accept-license" in refused.err
    assert n_seen == 0
    assert accepted.status == 0, accepted.err
    assert remembered.status == 0, remembered.err
