"""One contract for every engine: threads, this machine's processes, a Dask cluster, a Ray cluster."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clusters import dask_cluster, ray_cluster
from engine_tasks import Large, die, double, fail_at_two, keep_until_stopped, look_seldom, measure_large, none_for_all

from toyadmos_datasets.engine import Engine, LazyTasks, opened_engine, run_tasks
from toyadmos_datasets.engine.progress import Watch
from toyadmos_datasets.engine.tasks import MOST_LOSSES, TASKS_A_SLOT
from toyadmos_datasets.errors import DiskFullError, EngineError, MissingExtraError, WavError, WorkerError

N_SLOTS = 2

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)


@pytest.fixture(scope="module", params=["threads", "processes", "dask", "ray"])
def engine(request, tmp_path_factory) -> Iterator[Engine | None]:
    """An engine of two slots; None for this machine's own processes."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "watched").mkdir()
    match request.param:
        case "processes":
            yield None
        case "threads":
            with ThreadPoolExecutor(N_SLOTS) as pool, opened_engine("local", pool, workers=1) as found:
                yield replace(found, place=folder / "watched")
        case "dask":
            with dask_cluster(folder) as cluster, opened_engine(cluster.address, None, workers=1) as found:
                await_slots(found)
                yield replace(found, place=folder / "watched", n_slots=N_SLOTS)
        case "ray":
            pytest.importorskip("ray", reason="Ray is no part of this environment: `make ray` runs this")
            with ray_cluster(folder) as address, pytest.MonkeyPatch.context() as patch:
                patch.setenv("RAY_ADDRESS", address)
                with opened_engine("ray", None, workers=1) as found:
                    yield replace(found, place=folder / "watched", n_slots=N_SLOTS)


def await_slots(engine: Engine) -> None:
    """Wait until both workers of a cluster have come."""
    until = time.monotonic() + 60
    while len(list(engine.on_each_worker(len, ("",)))) < N_SLOTS:
        assert time.monotonic() < until, "the workers did not come"
        time.sleep(0.2)


def run(function: Any, tasks: Any, engine: Engine | None, **more: Any) -> Iterator[Any]:
    return run_tasks(function, tasks, workers=N_SLOTS, engine=engine, **more)


def test_every_task_gives_its_result_and_nothing_is_left(engine):
    assert sorted(run(double, range(9), engine)) == list(range(0, 18, 2))
    assert engine is None or list(engine.place.iterdir()) == []


def test_one_task_runs_on_the_engine_too(engine):
    assert list(run(double, [4], engine)) == [8]


def test_a_task_may_return_none(engine):
    assert list(run(none_for_all, [1, 2, 3], engine)) == [None, None, None]


def test_at_most_twice_the_slots_are_made_before_a_result_is_there(engine):
    made: list[int] = []
    tasks = LazyTasks(40, lambda number: made.append(number) or number)

    results = run(double, tasks, engine)
    next(results)

    assert len(made) <= TASKS_A_SLOT * N_SLOTS
    assert len(list(results)) == 39
    assert made == list(range(40))


def test_an_error_of_a_task_is_raised_as_it_is(engine):
    with pytest.raises(WavError) as caught:
        list(run(fail_at_two, range(4), engine))

    assert caught.value.where == "clip-2"
    assert "in fail_at_two" in str(caught.value.__cause__)


def test_progress_ends_with_everything_done(engine):
    told: list[int] = []

    list(run(double, range(7), engine, on_progress=told.append))

    assert told[-1] == 21
    assert told == sorted(told)


def test_a_value_that_all_tasks_share_is_pickled_once(engine):
    large = Large(b"0" * 1_000_000, [])

    found = list(run(measure_large, [(large, number) for number in range(6)], engine, shared=large))

    assert sorted(found) == [(number, 1_000_000) for number in range(6)]
    assert large.pickled == [1]


def test_a_full_disk_for_temporary_files_lets_the_shared_value_travel_with_each_task(monkeypatch):
    def full(path: Path) -> None:
        raise DiskFullError("The disk is full.", where=path)

    monkeypatch.setattr("toyadmos_datasets.engine.attempts.write_file", full)
    large = Large(b"0" * 1000, [])

    found = list(run(measure_large, [(large, number) for number in range(3)], None, shared=large))

    assert sorted(found) == [(number, 1000) for number in range(3)]
    assert large.pickled == [1, 1, 1]


def test_a_signal_cancels_what_waits_and_lets_what_runs_keep_what_it_has(engine, tmp_path):
    results = run(keep_until_stopped, [(tmp_path, number) for number in range(8)], engine)
    first = next(results)
    until = time.monotonic() + 60
    while len(begun(tmp_path)) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)

    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        list(results)

    assert first == 0
    assert {path.stem for path in tmp_path.glob("*.kept")} == begun(tmp_path) - {"0"}
    assert len(begun(tmp_path)) <= 1 + N_SLOTS


def test_a_second_signal_leaves_at_once_and_the_tasks_stop_by_themselves(engine, tmp_path):
    results = run(look_seldom, [(tmp_path, number) for number in range(8)], engine)
    next(results)
    until = time.monotonic() + 60
    while len(begun(tmp_path)) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)

    signal.raise_signal(signal.SIGINT)
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        list(results)

    if engine is not None:  # the processes of this machine are killed instead
        until = time.monotonic() + 60
        while {path.stem for path in tmp_path.glob("*.kept")} != begun(tmp_path) - {"0"}:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_the_engine_is_of_use_after_errors_and_stops(engine):
    assert sorted(run(double, range(5), engine)) == [0, 2, 4, 6, 8]


def begun(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.begun")}


class Losing(Executor):
    """Loses the first attempts of some tasks.

    Args:
        how: ``cancelled``, or ``junk`` in the place of their outcomes.
        n_times: How often each task of an odd number is lost.
    """

    def __init__(self, how: str, n_times: int) -> None:
        self.how = how
        self.left: dict[str, int] = {}
        self.n_times = n_times
        self.pool = ThreadPoolExecutor(N_SLOTS)

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        watch = next(one for one in args if isinstance(one, Watch))
        left = self.left.setdefault(watch.name, self.n_times * (int(watch.name) % 2))
        if not left:
            return self.pool.submit(function, *args, **kwargs)
        self.left[watch.name] -= 1
        lost: Future[Any] = Future()
        if self.how == "cancelled":
            lost.cancel()
            lost.set_running_or_notify_cancel()
        else:
            lost.set_result("another task's")
        return lost


@pytest.mark.parametrize("how", ["cancelled", "junk"])
def test_a_task_that_an_engine_loses_is_run_again_three_times(how):
    engine = Engine(executor=Losing(how, MOST_LOSSES), name="losing", n_slots=N_SLOTS)

    assert MOST_LOSSES == 3
    assert sorted(run(double, range(6), engine)) == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize("how", ["cancelled", "junk"])
def test_a_task_that_is_lost_more_often_is_an_error_that_names_it(how):
    engine = Engine(executor=Losing(how, MOST_LOSSES + 1), name="losing", n_slots=N_SLOTS)

    with pytest.raises(WorkerError) as caught:
        list(run(double, range(2), engine))

    assert caught.value.where == "task 2 of 2"


class Refusing(Executor):
    """Takes two calls and then no more, as a cluster whose scheduler died."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(N_SLOTS)
        self.n_calls = itertools.count()

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if next(self.n_calls) >= 2:
            raise RuntimeError("cannot schedule new futures")
        return self.pool.submit(function, *args, **kwargs)


def test_an_engine_that_takes_no_tasks_any_more_is_an_error_and_not_a_shorter_list():
    engine = Engine(executor=Refusing(), name="refusing", n_slots=N_SLOTS)
    found = []

    with pytest.raises(WorkerError) as caught:
        found.extend(run(double, range(6), engine))

    assert "cannot schedule new futures" in str(caught.value.actual)


def test_workers_that_die_of_a_task_are_an_error_that_names_what_they_worked_on():
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415  # only here
    from multiprocessing import get_context  # noqa: PLC0415

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        engine = Engine(executor=pool, name="pool", n_slots=1)
        with pytest.raises(WorkerError) as caught:
            list(run_tasks(die, [7], engine=engine))

    assert caught.value.where == "clip-7"


def test_an_engine_that_is_not_there_is_an_error(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("toyadmos_datasets.engine.dask_cluster.CONNECT_S", 0.5)

    with pytest.raises(EngineError) as caught, opened_engine("dask://127.0.0.1:1", None, workers=1):
        pass

    assert caught.value.where == "dask://127.0.0.1:1"


def test_an_engine_that_is_not_installed_names_its_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(MissingExtraError) as caught, opened_engine("ray://127.0.0.1:10001", None, workers=1):
        pass

    assert "[ray]" in str(caught.value.remedy)


def test_a_sign_of_life_that_is_just_being_written_over_is_no_silence(tmp_path):
    (tmp_path / "driver").write_text("")

    Watch(tmp_path, silence_s=60).advance()

    assert (tmp_path / "task.at").exists()
