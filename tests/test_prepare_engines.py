"""A dataset is the same on every engine, whatever dies meanwhile; workers that do not fit are refused before work."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import psutil
import pytest
from clusters import DaskCluster, dask_cluster, environment, ray_cluster
from dying import put_tokens
from preparing import COMMAND, hashes, options

from toyadmos_datasets.archives.remote.volume_list import write_manifest
from toyadmos_datasets.engine import opened_engine
from toyadmos_datasets.engine.preflight import asking, prove, require_seen
from toyadmos_datasets.errors import DatasetError, EngineError, OptionError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.recording_store import read_catalogue

DRILLS = bool(os.environ.get("TOYADMOS_DRILLS"))
N_KILLS = 24 if DRILLS else 2
KILLS_A_RUN = 2
SEED = int(os.environ.get("TOYADMOS_DRILLS_SEED", "0"))

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[DaskCluster]:
    """Two workers that die where they find a token."""
    folder = tmp_path_factory.mktemp("dask")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOYADMOS_TOKENS", str(folder / "tokens"))
        with dask_cluster(folder, worker_arguments=("--preload", "dying"), cwd=folder) as found:
            yield found


def asked(source: Path, place: Path, **changed: object) -> PrepareOptions:
    return options(source, place, **{"protocols": ("basic",), "snrs_db": (6.0,)} | changed)


def left_in(place: Path) -> list[Path]:
    return list(place.rglob(".*.tmp"))


def test_threads_make_the_same_bytes_and_leave_nothing(tmp_path, small_volumes, undisturbed):
    with ThreadPoolExecutor(2) as pool:
        report = prepare(asked(small_volumes, tmp_path, executor=pool))

        assert pool.submit(len, "it stays open").result() == 13

    assert hashes(report.out) == undisturbed
    assert left_in(tmp_path) == []


def test_a_pool_of_the_standard_library_makes_the_same_bytes_with_paths_that_were_relative(
    tmp_path, small_volumes, undisturbed, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=os.chdir, initargs=(elsewhere,)) as pool:
        report = prepare(asked(small_volumes, Path(), executor=pool))

    assert report.out == tmp_path / "out"
    assert hashes(report.out) == undisturbed


def test_a_dask_cluster_makes_the_same_bytes_from_the_command_line(tmp_path, small_volumes, undisturbed, cluster):
    words = ["prepare", "--toy", "train", "--source", small_volumes, "--protocol", "basic", "--snr", "6"]
    words += ["--out", tmp_path / "out", "--cache", tmp_path / "cache", "--engine", cluster.address]
    done = subprocess.run(
        [*COMMAND, *map(str, words)], check=False, capture_output=True, text=True, timeout=300, env=environment()
    )

    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "out") == undisturbed
    assert left_in(tmp_path) == []


def test_a_ray_cluster_makes_the_same_bytes(tmp_path, small_volumes, undisturbed, monkeypatch):
    pytest.importorskip("ray", reason="Ray is no part of this environment: `make ray` runs this")
    short = Path("/tmp") / f"toyadmos-ray-{os.getpid()}"  # noqa: S108  # sockets in it have short paths only
    short.mkdir()
    with ray_cluster(short) as address:
        monkeypatch.setenv("RAY_ADDRESS", address)
        report = prepare(asked(small_volumes, tmp_path, engine="ray"))

    assert hashes(report.out) == undisturbed
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("when", ["after", "during"])
def test_workers_killed_at_random_moments_or_right_after_a_task_change_no_byte(
    when, tmp_path, small_volumes, undisturbed, cluster
):
    tokens, moments = cluster.folder / "tokens", random.Random(f"{SEED} {when}")  # noqa: S311  # moments, no secrets
    for number in range(N_KILLS // KILLS_A_RUN):
        place = tmp_path / str(number)
        names = [f"{when}-{number}.{kill}-{moments.uniform(0, 0.3):.3f}" for kill in range(KILLS_A_RUN)]
        put_tokens(tokens, *names)
        report = prepare(asked(small_volumes, place, engine=cluster.address))

        assert hashes(report.out) == undisturbed
        assert all((tokens / f"taken.{name}").exists() for name in names)
        prepare(asked(small_volumes, place, engine=cluster.address, overwrite=True))
        assert hashes(report.out) == undisturbed
        assert left_in(place) == []


DRIVER = """
    import sys
    from pathlib import Path
    from dataclasses import replace
    from engine_tasks import keep_until_stopped
    from toyadmos_datasets.engine import opened_engine, run_tasks, tasks

    tasks.SILENCE_S = 2.0
    folder, address = Path(sys.argv[1]), sys.argv[2]
    with opened_engine(address, None, workers=1) as engine:
        engine = replace(engine, place=folder, n_slots=2)
        list(run_tasks(keep_until_stopped, [(folder, number) for number in range(8)], workers=2, engine=engine))
"""


def test_the_tasks_of_a_driver_that_is_killed_end_and_those_that_wait_never_begin(tmp_path, cluster):
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(DRIVER), str(tmp_path), cluster.address]
    driver = subprocess.Popen(command, env=environment())
    await_files(tmp_path, "[1-9].begun", 2)
    driver.kill()
    driver.wait()
    begun = {path.stem for path in tmp_path.glob("*.begun")} - {"0"}
    await_files(tmp_path, "*.kept", len(begun))
    time.sleep(1)

    assert {path.stem for path in tmp_path.glob("*.begun")} - {"0"} == begun
    assert {path.stem for path in tmp_path.glob("*.kept")} == begun


def await_files(folder: Path, pattern: str, n_files: int) -> None:
    until = time.monotonic() + 90
    while len(list(folder.glob(pattern))) < n_files:
        assert time.monotonic() < until, f"{pattern} never came to {n_files}"
        time.sleep(0.05)


def test_the_run_after_a_killed_driver_completes_the_dataset_and_leaves_nothing(
    tmp_path, small_volumes, undisturbed, cluster
):
    words = ["prepare", "--toy", "train", "--source", small_volumes, "--protocol", "basic", "--snr", "6"]
    words += ["--out", tmp_path / "out", "--cache", tmp_path / "cache", "--engine", cluster.address]
    driver = subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
    )
    until = time.monotonic() + 60
    while not list(tmp_path.glob("cache/recordings/*/*.rows.arrow")) and driver.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    driver.kill()
    driver.wait()
    left = left_in(tmp_path)
    report = prepare(asked(small_volumes, tmp_path, engine=cluster.address))

    assert left
    assert hashes(report.out) == undisturbed
    assert left_in(tmp_path) == []


HERE = Path("/proc/self/cwd")
"""A folder under one absolute path that is another one for a process that runs elsewhere."""


def needs_proc() -> None:
    if not HERE.exists():
        pytest.skip("this system has no /proc: no folder is another one for a worker")


def test_a_worker_that_does_not_see_the_output_is_refused_before_work(tmp_path, small_volumes, monkeypatch):
    needs_proc()
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(here)
    place = {"out": HERE / "out", "cache": tmp_path / "cache"}
    blind = {"mp_context": get_context("spawn"), "initializer": os.chdir, "initargs": (elsewhere,)}
    with ProcessPoolExecutor(2, **blind) as pool, pytest.raises(EngineError) as caught:
        prepare(asked(small_volumes, tmp_path, executor=pool, **place))

    assert str(HERE / "out") in str(caught.value.where)
    assert os.uname().nodename in str(caught.value.where)
    assert list(elsewhere.iterdir()) == []
    assert list(here.rglob("*.parquet")) == []
    assert left_in(tmp_path) == []


def test_one_blind_worker_of_a_dask_cluster_is_refused_before_work(
    tmp_path, small_volumes, undisturbed, monkeypatch, cluster
):
    needs_proc()
    monkeypatch.chdir(cluster.folder)
    place = {"out": HERE / "seen", "cache": tmp_path / "cache"}
    cluster.start_worker(cwd=tmp_path)
    blind = psutil.Process(cluster.processes[-1].pid)
    with opened_engine(cluster.address, None, workers=1) as engine:
        until = time.monotonic() + 90
        while len(list(engine.on_each_worker(len, ("",)))) < 3:
            assert time.monotonic() < until
            time.sleep(0.2)
    with pytest.raises(EngineError) as caught:
        prepare(asked(small_volumes, tmp_path, engine=cluster.address, **place))
    cluster.end_last()
    psutil.wait_procs([blind], timeout=10)

    assert str(HERE / "seen") in str(caught.value.where)
    assert list((cluster.folder / "seen").rglob("*.parquet")) == []
    assert list(tmp_path.rglob("*.rows.arrow")) == []
    assert hashes(prepare(asked(small_volumes, tmp_path, engine=cluster.address, **place)).out) == undisturbed


def test_a_worker_with_other_versions_is_refused(tmp_path):
    with asking((tmp_path,), None) as proof:
        other = replace(proof, versions=(*proof.versions[:-1], ("toyadmos-datasets", "0.0.1")))

        with pytest.raises(EngineError) as caught:
            prove(other)

    assert caught.value.expected == "toyadmos-datasets 0.0.1"
    assert os.uname().nodename in str(caught.value.where)


def test_a_worker_that_sees_another_source_is_refused(tmp_path):
    source = tmp_path / "ToyTrain.7z.001"
    source.write_bytes(b"one archive")
    with asking((tmp_path / "out",), source) as proof:
        source.write_bytes(b"one byte off")

        with pytest.raises(EngineError) as caught:
            prove(proof)

    assert str(source.parent) in str(caught.value.where)


def test_what_a_worker_writes_elsewhere_is_missed(tmp_path, monkeypatch):
    monkeypatch.setattr("toyadmos_datasets.engine.preflight.VISIBLE_WITHIN_S", 0.2)
    with asking((tmp_path,), None) as proof:
        proved = prove(proof)
        for path in proved.written:
            path.unlink()

        with pytest.raises(EngineError) as caught:
            require_seen(proof, proved)

    assert str(tmp_path) in str(caught.value.where)
    assert left_in(tmp_path) == []


def test_a_shard_that_a_worker_wrote_elsewhere_is_an_error_and_not_a_dataset_without_it(
    tmp_path, small_volumes, monkeypatch
):
    rendering = "toyadmos_datasets.rendering.render_job.run_tasks"

    def losing_files(*arguments: object, **named: object) -> Iterator[object]:
        from toyadmos_datasets.engine import run_tasks  # noqa: PLC0415  # the real one

        for number, shard in enumerate(run_tasks(*arguments, **named)):
            if number == 0:
                (tmp_path / "out" / ".partial" / shard.path).unlink()
            yield shard

    with monkeypatch.context() as patch:
        patch.setattr(rendering, losing_files)
        with pytest.raises(DatasetError):
            prepare(asked(small_volumes, tmp_path))

    assert hashes(tmp_path / "out") == {}
    assert read_manifest(prepare(asked(small_volumes, tmp_path)).out).shards


def test_what_a_file_system_shows_late_is_waited_for_and_not_ingested_twice(
    tmp_path, small_volumes, undisturbed, monkeypatch
):
    reading, looks = "toyadmos_datasets.jobs.prepare.read_catalogue", []

    def late(folder: Path) -> object:
        looks.append(folder)
        found = read_catalogue(folder)
        return found.slice(0, 0) if len(looks) in {2, 3} else found  # the first is before anything is ingested

    monkeypatch.setattr(reading, late)
    with ThreadPoolExecutor(2) as pool:
        report = prepare(asked(small_volumes, tmp_path, executor=pool))

    assert len(looks) >= 4
    assert hashes(report.out) == undisturbed
    ids = read_catalogue(next((tmp_path / "cache" / "recordings").iterdir()))["recording_id"]
    assert report.ingested.n_ingested == len(ids)


def test_a_cluster_refuses_what_is_still_to_be_fetched(tmp_path, published, volume_server):
    table = tmp_path / "volumes.csv"
    write_manifest(table, published.manifest.volumes)
    fetch = FetchChoices(manifest=table)
    with ThreadPoolExecutor(1) as pool, pytest.raises(OptionError) as caught:
        prepare(asked(volume_server.url, tmp_path, executor=pool, fetch=fetch))

    assert "toyadmos download" in str(caught.value.remedy)
