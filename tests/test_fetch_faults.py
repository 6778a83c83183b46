"""Random faults and kills: the right bytes or a clear error, and little fetched twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from loopback import Fault, serving
from remote import contents

from toyadmos_datasets.archives.remote import fetch_options
from toyadmos_datasets.archives.remote import fetch_schedule as fetch_estimate
from toyadmos_datasets.archives.remote.fetch_options import FetchOptions
from toyadmos_datasets.archives.remote.fetching import use_fetched
from toyadmos_datasets.archives.remote.remote_opening import open_remote
from toyadmos_datasets.archives.remote.volume_copies import VolumeCopy
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import ToyAdmosError

N_KILLS = 50
UNSYNCED_BYTES = 1 << 18
PIECE_BYTES = 1 << 16
N_CONNECTIONS = 2

HARMLESS = st.builds(
    Fault,
    kind=st.sampled_from(["cut", "short", "status", "chunked", "no length", "wrong length"]),
    after=st.integers(0, 200_000),
    times=st.integers(1, 2),
    headers=st.sampled_from([{}, {"Retry-After": "0"}, {"Retry-After": "x"}]),
)
ANY = HARMLESS | st.builds(
    Fault,
    kind=st.sampled_from(["whole", "refuse range", "wrong range", "wrong total", "long", "html", "gzip", "flip"]),
    after=st.integers(0, 200_000),
    times=st.integers(1, 3),
)
SLOW_TO_SET_UP = settings(
    max_examples=15,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Recordings(dict):
    """Recordings by path, described by their number: a test that fails shows no megabytes."""

    def __repr__(self):
        return f"{len(self)} recordings"


@pytest.fixture(scope="module")
def right(published):
    return Recordings(contents(published.local))


@pytest.fixture(autouse=True)
def by_bytes_alone(monkeypatch):
    monkeypatch.setattr(fetch_estimate, "REQUEST_BYTES", 0)


def wanted_of(right, part):
    return {path for path in right if part in path}


def fetched(options, wanted):
    source = open_remote(options)
    return Recordings(use_fetched(source, wanted, lambda readable: contents(readable, wanted), progress=Quiet()))


@SLOW_TO_SET_UP
@given(faults=st.lists(ANY, max_size=6), part=st.sampled_from(["_ch1_", "case1", "noise"]), is_whole=st.booleans())
def test_any_faults_end_in_the_right_bytes_or_in_an_error_that_a_later_run_mends(
    tmp_path_factory, published, right, faults, part, is_whole
):
    wanted = wanted_of(right, part)
    expected = Recordings({path: right[path] for path in wanted})
    with serving(published.files) as server:
        options = published.options(server, tmp_path_factory.mktemp("copies"), whole=is_whole)
        server.faults = list(faults)
        try:
            assert fetched(options, wanted) == expected
        except ToyAdmosError as error:
            assert error.remedy  # noqa: PT017  # either is right; what must not be is a wrong byte
        server.faults = []

        assert fetched(options, wanted) == expected


@SLOW_TO_SET_UP
@given(faults=st.lists(HARMLESS, max_size=3), is_whole=st.booleans())
def test_an_interruption_of_the_connection_costs_no_byte_twice(tmp_path_factory, published, right, faults, is_whole):
    with serving(published.files) as server:
        options = published.options(server, tmp_path_factory.mktemp("copies"), whole=is_whole)
        server.faults = list(faults)

        assert fetched(options, set(right)) == right
        # What was on its way when the client hung up is given, and not fetched.
        assert server.n_given <= published.manifest.n_bytes + sum(fault.times for fault in faults) * (2 << 16)


FETCHER = textwrap.dedent(
    """
    import os, sys
    from pathlib import Path

    from loopback import serving
    from toyadmos_datasets.archives.remote import fetch_schedule, transfer
    from toyadmos_datasets.archives.remote.http_request import origin_named
    from toyadmos_datasets.archives.remote.volume_list import VolumeList, describe_volumes
    from toyadmos_datasets.archives.remote.fetch_options import FetchOptions
    from toyadmos_datasets.archives.remote.remote_opening import open_remote
    from toyadmos_datasets.engine.progress import Quiet

    url, volumes, folder, unsynced, piece, is_whole = sys.argv[1:]
    fetch_schedule.REQUEST_BYTES = 0
    transfer.MAX_UNSYNCED_BYTES = int(unsynced)
    fetch_schedule.PIECE_BYTES = int(piece)
    options = FetchOptions(
        origin=origin_named(url),
        manifest=VolumeList(toy="ToyTrain", volumes=describe_volumes(Path(volumes), "ToyTrain")),
        folder=Path(folder),
        whole=is_whole == "1",
    )

    def run():
        source = open_remote(options)
        source.fetch({one.path for one in source.members()}, progress=Quiet())

    for _ in sys.stdin:  # a line, a fetch in a process of its own, its number, its status
        child = os.fork()
        if not child:
            try:
                run()
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    """
)


@pytest.mark.parametrize("is_whole", [False, True], ids=["blocks", "volumes"])
def test_a_fetch_that_is_killed_again_and_again_ends_in_the_right_bytes(tmp_path, published, right, is_whole):
    random = np.random.default_rng(20)
    n_kills = n_done = 0
    with serving(published.files, rate_bytes_per_s=2e6) as server:
        folder = tmp_path / "copies"
        words = [server.url, published.folder, folder, UNSYNCED_BYTES, PIECE_BYTES, int(is_whole)]
        fetcher = subprocess.Popen(
            [sys.executable, "-c", FETCHER, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "support"), *sys.path])},
        )
        with fetcher:
            while n_kills < N_KILLS // 2:
                fetcher.stdin.write("again\n")
                fetcher.stdin.flush()
                child = int(fetcher.stdout.readline())
                time.sleep(random.uniform(0, 0.35))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                status = int(fetcher.stdout.readline())
                n_kills += status == -signal.SIGKILL
                n_done += status == 0
                assert status in {0, -signal.SIGKILL}
                if status == 0:  # it was faster than the kill: all is there; begin anew
                    for path in folder.iterdir():
                        path.unlink() if path.is_file() else None
            fetcher.stdin.close()
        budget = (n_done + 1) * published.manifest.n_bytes
        lost = n_kills * (UNSYNCED_BYTES + N_CONNECTIONS * (2 << 16))
        source = open_remote(published.options(server, folder, whole=is_whole))
        source.fetch(set(right), progress=Quiet())

        assert Recordings(contents(source)) == right
        assert server.n_given <= budget + lost
    for volume in published.manifest.volumes:
        there, real = (folder / volume.name).read_bytes(), (published.folder / volume.name).read_bytes()
        for start, stop in VolumeCopy(folder, volume).present:
            assert there[start:stop] == real[start:stop]


def test_the_promise_holds_for_any_number_of_connections(published):
    with serving({}) as server, pytest.raises(ToyAdmosError):
        published.options(server, Path("x"), parallel=fetch_options.MAX_CONNECTIONS + 1)

    assert FetchOptions.__dataclass_fields__["parallel"].default == N_CONNECTIONS
