"""Tasks here and in processes: results, progress, a stop by signal, a worker's death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest
from wording import refused

from toyadmos_datasets.engine import LazyTasks, Stopped, Watch, processors, run_tasks, usable_workers
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import WorkerError

STOP_WITHIN_S = 10

DRIVER = """
    import sys, time
    from pathlib import Path
    from toyadmos_datasets.engine import Stopped, run_tasks

    def work(task, watch):
        folder, looks_up, number = task
        try:
            for _ in range(600 if number else 3):
                if looks_up:
                    watch.advance(1, at=f"clip-{number}")
                (folder / f"{number}.started").touch()
                time.sleep(0.05)
        except Stopped:
            (folder / f"{number}.kept").touch()
            raise
        return number

    if __name__ == "__main__":
        folder, workers, looks_up = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "looks-up"
        try:
            for result in run_tasks(work, [(folder, looks_up, number) for number in range(6)], workers=workers):
                (folder / f"{result}.result").touch()
        except KeyboardInterrupt:
            (folder / "interrupted").touch()
            raise SystemExit(130)
"""


def double(task: int, watch: Watch) -> int:
    watch.advance(task, at=f"clip-{task}")
    return 2 * task


def process_id(task: int, watch: Watch) -> int:
    time.sleep(0.05)
    return os.getpid()


def fail_at_two(task: int, watch: Watch) -> int:
    watch.advance(1)
    if task == 2:
        raise ValueError(f"task {task} cannot be done")
    return task


def fail_while_another_runs(task: tuple[Path, str], watch: Watch) -> None:
    folder, what = task
    (folder / f"{what}.started").touch()
    while what == "bad" and not (folder / "good.started").exists():
        time.sleep(0.01)
    if what == "bad":
        raise ValueError("a bad recording")
    try:
        for _ in range(600):
            watch.advance(1)
            time.sleep(0.05)
    except Stopped:
        (folder / f"{what}.kept").touch()
        raise


def die_once(task: tuple[Path, int], watch: Watch) -> int:
    folder, number = task
    watch.advance(1, at=f"clip-{number}")
    if number == 3 and not (folder / "died").exists():
        (folder / "died").touch()
        time.sleep(0.3)  # so that the others finish before
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_of(number: int, watch: Watch) -> None:
    watch.advance(1, at="clip-0")
    os.kill(os.getpid(), number)


def swallow_errors(task: int, watch: Watch) -> str:
    ask_all_to_stop(watch)
    try:
        watch.advance(1)
    except Exception:  # noqa: BLE001  # that it does not catch a stop is the point
        return "swallowed"
    return "went on"


def ask_all_to_stop(watch: Watch) -> None:
    (watch.folder / "stop").touch()


def none_for_all(task: int, watch: Watch) -> None:
    watch.advance(1)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_task_gives_its_result(workers):
    assert sorted(run_tasks(double, range(7), workers=workers)) == [0, 2, 4, 6, 8, 10, 12]


def test_lazy_tasks_are_made_when_their_turn_comes_and_not_before():
    made = []

    def make(number: int) -> int:
        made.append(number)
        return 10 * number

    tasks = LazyTasks(3, make)
    results = run_tasks(double, tasks)

    assert (len(tasks), made) == (3, [])
    assert (next(results), made) == (0, [0])
    assert [*results] == [20, 40]
    assert [*tasks[1:]] == [10, 20]


def test_one_worker_keeps_the_order():
    assert list(run_tasks(double, [3, 1, 2])) == [6, 2, 4]


def test_no_tasks_give_no_results():
    assert list(run_tasks(double, [], workers=2)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_may_return_none(workers):
    assert list(run_tasks(none_for_all, [1, 2, 3], workers=workers)) == [None, None, None]


def test_one_worker_is_this_process():
    assert set(run_tasks(process_id, range(3))) == {os.getpid()}


def test_more_workers_are_other_processes():
    assert os.getpid() not in set(run_tasks(process_id, range(4), workers=2))


ASKED_FOR_99 = """
    import os, sys, time
    import psutil
    from toyadmos_datasets.engine import run_tasks

    def work(number, watch):
        time.sleep(0.05)
        children = psutil.Process(os.getppid()).children()
        return os.getpid(), sum("loky" in " ".join(one.cmdline()) for one in children)

    if __name__ == "__main__":
        results = list(run_tasks(work, range(60), workers=99))
        print(len({pid for pid, _ in results}), max(n for _, n in results))
"""


def test_processes_exceed_the_processors_by_one_at_most_whatever_is_asked_for(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(ASKED_FOR_99))
    done = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True, timeout=120)
    n_used, n_children = map(int, done.stdout.split())

    assert n_used <= processors() + 1
    assert n_children <= processors() + 1 + 2  # and two that watch over shared memory


@pytest.mark.parametrize(("asked", "n_processors", "used"), [(99, 2, 3), (2, 2, 2), (1, 1, 1), (4, 8, 4)])
def test_the_workers_that_are_used_follow_from_the_processors(monkeypatch, asked, n_processors, used):
    monkeypatch.setattr("toyadmos_datasets.engine.processor_count.processors", lambda: n_processors)

    assert usable_workers(asked) == used


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_task_is_raised_as_it_is(workers):
    with refused(ValueError):
        list(run_tasks(fail_at_two, range(4), workers=workers))


def test_an_error_of_one_task_lets_the_others_keep_what_they_have(tmp_path):
    tasks = [(tmp_path, "bad"), (tmp_path, "good"), (tmp_path, "later")]

    with refused(ValueError) as caught:
        list(run_tasks(fail_while_another_runs, tasks, workers=2))

    assert _names(tmp_path, "*.kept") == ["good.kept"]
    assert not (tmp_path / "later.started").exists()
    assert "in fail_while_another_runs" in str(caught.value.__cause__)


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_ends_with_everything_done(workers):
    told: list[int] = []

    list(run_tasks(double, range(7), workers=workers, on_progress=told.append))

    assert told[-1] == 21
    assert told == sorted(told)


@pytest.mark.parametrize("workers", [1, 2])
def test_tasks_that_have_ended_leave_no_report_to_be_read_again_and_again(tmp_path, monkeypatch, workers):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    n_reports = [len(list(tmp_path.rglob("*.at"))) for _ in run_tasks(double, range(20), workers=workers)]

    assert len(n_reports) == 20
    assert n_reports[-1] == 0
    assert workers > 1 or max(n_reports) == 0


def test_results_come_back_while_others_are_still_running():
    results = run_tasks(process_id, range(20), workers=2)
    start = time.monotonic()

    next(results)

    first_after_s = time.monotonic() - start
    list(results)
    assert first_after_s < (time.monotonic() - start) * 0.8


def test_nothing_is_left_in_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    list(run_tasks(double, range(3)))

    assert list(tmp_path.iterdir()) == []


def test_the_handlers_of_signals_are_as_before_afterwards():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    list(run_tasks(double, range(3)))

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_tasks_run_from_another_thread_than_the_main_one():
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.extend(run_tasks(double, [1, 2])))

    thread.start()
    thread.join()

    assert found == [2, 4]


def test_a_task_cannot_swallow_a_stop_by_catching_every_error():
    with pytest.raises(KeyboardInterrupt):
        list(run_tasks(swallow_errors, [1]))


def test_a_watch_that_nobody_watches_does_nothing():
    watch = Watch()

    watch.advance(3, at="clip")

    assert not isinstance(watch.folder, Path)


def test_a_stop_is_no_error():
    assert not issubclass(Stopped, Exception)


def test_quiet_progress_takes_everything_and_shows_nothing(capsys):
    quiet = Quiet()

    with quiet.stage("Reading", 10, "bytes") as on_progress:
        on_progress(5)
    quiet.say("something")

    assert capsys.readouterr() == ("", "")


def test_a_killed_worker_is_an_error_that_names_what_it_was_working_on(tmp_path):
    tasks = [(tmp_path, number) for number in range(4)]

    with pytest.raises(WorkerError) as caught:  # what the other worker was doing is named, too
        list(run_tasks(die_once, tasks, workers=2))

    assert caught.value.code == "worker"
    assert "clip-3" in str(caught.value.where)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_memory_killed_is_told_from_one_that_crashed(number):
    with pytest.raises(WorkerError) as caught:
        list(run_tasks(die_of, [number] * 2, workers=2))

    assert caught.value.code == "worker"
    assert number.name in str(caught.value.actual)


def test_the_run_after_a_killed_worker_gives_every_result(tmp_path):
    tasks = [(tmp_path, number) for number in range(4)]
    with pytest.raises(WorkerError):
        list(run_tasks(die_once, tasks, workers=2))

    assert sorted(run_tasks(die_once, tasks, workers=2)) == [0, 1, 2, 3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_stops_everything_soon_and_keeps_what_is_done(tmp_path, workers, number):
    driver, workers_seen = _start_driver(tmp_path, workers)
    sent_at = time.monotonic()
    driver.send_signal(number)

    _, stderr = driver.communicate(timeout=STOP_WITHIN_S)

    assert time.monotonic() - sent_at < STOP_WITHIN_S
    assert (driver.returncode, stderr) == (130, "")
    assert _names(tmp_path, "*.result") == ["0.result"]
    assert (tmp_path / "interrupted").exists()
    assert _names(tmp_path, "*.kept") == [f"{one}.kept" for one in range(1, workers + 1)]
    assert not _still_alive(workers_seen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_is_left_to_the_driver(tmp_path, number):
    driver, workers_seen = _start_driver(tmp_path, 2)
    os.killpg(driver.pid, number)

    _, stderr = driver.communicate(timeout=STOP_WITHIN_S)

    assert (driver.returncode, stderr) == (130, "")
    assert _names(tmp_path, "*.kept") == ["1.kept", "2.kept"]
    assert not _still_alive(workers_seen)


def test_the_workers_of_a_driver_that_is_killed_keep_what_they_have_and_end(tmp_path):
    driver, workers_seen = _start_driver(tmp_path, 2)
    driver.kill()

    driver.communicate(timeout=STOP_WITHIN_S)

    assert not _still_alive(workers_seen)
    assert _names(tmp_path, "*.kept") == ["1.kept", "2.kept"]


def test_a_second_signal_does_not_wait_for_tasks_that_do_not_look(tmp_path):
    driver, workers_seen = _start_driver(tmp_path, 2, looks_up=False)
    sent_at = time.monotonic()
    driver.send_signal(signal.SIGINT)
    time.sleep(0.5)
    driver.send_signal(signal.SIGINT)

    _, stderr = driver.communicate(timeout=STOP_WITHIN_S)

    assert time.monotonic() - sent_at < STOP_WITHIN_S
    assert driver.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert not _still_alive(workers_seen)


def _start_driver(
    folder: Path, workers: int, *, looks_up: bool = True
) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Start tasks in a process of its own, the first of which is done and the next running."""
    script = folder / "driver.py"
    script.write_text(textwrap.dedent(DRIVER))
    driver = subprocess.Popen(
        [sys.executable, str(script), str(folder), str(workers), "looks-up" if looks_up else "deaf"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    awaited = ["0.result", *(f"{number}.started" for number in range(1, workers + 1))]
    limit = time.monotonic() + 30
    while not all((folder / name).exists() for name in awaited):
        if time.monotonic() > limit or driver.poll() is not None:
            driver.kill()
            pytest.fail(f"the tasks did not start: {driver.communicate()[1]}")
        time.sleep(0.02)
    return driver, psutil.Process(driver.pid).children(recursive=True)


def _names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def _still_alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=STOP_WITHIN_S)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
