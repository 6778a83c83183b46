"""Two who want the same archive: one fetches, the other waits and sees what that one brings."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor

from remote import CHANNEL_1, WAYS, Said, contents, fetched
from wording import refused

from toyadmos_datasets.archives.remote import fetch_session
from toyadmos_datasets.archives.remote.fetch_session import open_session
from toyadmos_datasets.archives.remote.fetching import use_fetched
from toyadmos_datasets.archives.remote.remote_opening import open_remote
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import BusyError
from toyadmos_datasets.files.lock import folder_lock


@WAYS
def test_a_second_fetch_of_an_archive_may_fail_instead_of_waiting(fetch_options, is_whole):
    source = open_remote(dataclasses.replace(fetch_options, wait=False, whole=is_whole))

    with folder_lock(fetch_options.folder), refused(BusyError):
        use_fetched(source, CHANNEL_1, contents, progress=Quiet())


@WAYS
def test_a_second_fetch_of_an_archive_waits_says_for_whom_and_fetches_what_is_still_missing(
    fetch_options, published, volume_server, is_whole
):
    open_remote(fetch_options)
    n_before, said = volume_server.n_given, Said()
    with ThreadPoolExecutor() as pool:
        with folder_lock(fetch_options.folder):
            second = pool.submit(fetched, fetch_options, progress=said, is_whole=is_whole)
            wait_until(lambda: said.lines)
            n_while_waiting = volume_server.n_given

        assert second.result() == contents(published.local)
    assert n_while_waiting == n_before
    assert f"held by process {os.getpid()} on {platform.node()}: waiting until it is done" in said.lines[0]
    assert volume_server.n_given <= published.manifest.n_bytes * 1.01


@WAYS
def test_two_fetchers_without_a_lock_still_give_right_bytes(fetch_options, published, monkeypatch, is_whole):
    monkeypatch.setattr(fetch_session, "fetch_lock", lambda *_, **_options: contextlib.nullcontext())
    source = open_remote(dataclasses.replace(fetch_options, whole=is_whole))
    with open_session(source, CHANNEL_1, Quiet()) as one, open_session(source, CHANNEL_1, Quiet()) as other:
        first, second = contents(one.source, CHANNEL_1), contents(other.source, CHANNEL_1)

    assert first == second == contents(published.local, CHANNEL_1)


def wait_until(is_so, *, within_s=60):
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)
