"""A run that is killed, interrupted or out of room loses nothing that was whole, and the next one completes it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from preparing import COMMAND, hashes, options
from tiny import TinyCorpus, write_tree

from toyadmos_datasets.jobs.prepare import prepare

INTERRUPTED = "Interrupted. What was finished is kept; the same command goes on from there.\n"

KILLED_AT_EVERY_STEP = """
    import itertools, json, os, shutil, signal, sys
    from pathlib import Path
    from preparing import hashes, options
    from toyadmos_datasets.jobs.prepare import prepare

    source, place, finished = map(Path, sys.argv[1:4])
    more = {name: tuple(one) if isinstance(one, list) else one for name, one in json.loads(sys.argv[4]).items()}
    asked = options(source, place, protocols=("basic",), **more)

    def kill_at(last_step):
        seen = 0
        def counted(step):
            def call(*arguments, **named):
                nonlocal seen
                seen += not str(arguments[0]).endswith(".at") and "watch" not in str(arguments[0])
                if seen == last_step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return step(*arguments, **named)
            return call
        for name in ("replace", "rename", "unlink", "rmdir"):
            setattr(os, name, counted(getattr(os, name)))

    def run(last_step):
        child = os.fork()
        if child:
            return os.waitpid(child, 0)[1]
        os.fsync = lambda descriptor: None  # a killed process, unlike a machine without power, loses no page
        if last_step:
            kill_at(last_step)
        prepare(asked)
        os._exit(0)

    prepare(options(source, place, protocols=("basic",)))  # so that children find everything imported
    rows = []
    for last_step in itertools.count(1):
        shutil.rmtree(place, ignore_errors=True)
        if finished.exists():
            shutil.copytree(finished, place)
        first = run(last_step)
        seen = hashes(place / "out")
        again = run(0)
        rows.append([first, seen, again, hashes(place / "out"), sorted(path.name for path in place.rglob(".*"))])
        if first == 0:
            break
    print(json.dumps(rows))
"""

SLOW = """
    import time
    from toyadmos_datasets.engine.progress import Watch

    advance = Watch.advance

    def advance_slowly(self, amount=0, at=None):
        time.sleep(0.03)
        advance(self, amount, at)

    Watch.advance = advance_slowly
"""


def killed_at_every_step(source: Path, place: Path, finished: Path, **more: object) -> list[list]:
    """Kill a run before every step that changes a folder; return what was seen then and after the next run.

    Args:
        source: The recordings.
        place: Where the runs work.
        finished: What is there before each of them; nothing if it does not exist.
        more: What else is asked for.
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(KILLED_AT_EVERY_STEP)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "support"), str(Path(__file__).parent.parent)])
    }
    arguments = [str(source), str(place), str(finished), json.dumps(more)]
    printed = subprocess.run(
        [*command, *arguments], check=True, capture_output=True, text=True, timeout=120, env=environment
    )
    rows: list[list] = json.loads(printed.stdout)
    return rows


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    """A source of as few recordings as a dataset can be made from."""
    corpus = TinyCorpus(channels=(1,), n_normal=2, conditions=("ab01",), n_noise=0)
    return write_tree(corpus.files(), tmp_path_factory.mktemp("few"))


def test_a_kill_at_any_step_shows_nothing_half_made_and_the_next_run_completes_it(tmp_path, few):
    prepare(options(few, tmp_path / "undisturbed", protocols=("basic",)))
    expected = hashes(tmp_path / "undisturbed" / "out")
    rows = killed_at_every_step(few, tmp_path / "place", tmp_path / "none")

    assert len(rows) > 25
    assert {first for first, *_ in rows[:-1]} == {signal.SIGKILL}
    for _, seen, again, after, hidden in rows:
        assert seen.items() <= expected.items()
        assert "manifest.json" not in seen or seen == expected
        assert again == 0
        assert after == expected
        assert hidden == [".toyadmos.lock"]


def test_a_kill_at_any_step_of_a_replacement_shows_the_old_or_the_new_or_none(tmp_path, few):
    prepare(options(few, tmp_path / "undisturbed", protocols=("basic",)))
    prepare(options(few, tmp_path / "old", protocols=("basic",), container="flac"))
    old, new = hashes(tmp_path / "old" / "out"), hashes(tmp_path / "undisturbed" / "out")
    rows = killed_at_every_step(few, tmp_path / "place", tmp_path / "old", overwrite=True)
    states = ["old" if seen == old else "new" if seen == new else _torn(seen, old, new) for _, seen, *_ in rows]

    assert [state for state, _ in itertools.groupby(states)] == ["old", "none", "new"]
    for _, _, again, after, hidden in rows:
        assert again == 0
        assert after == new
        assert hidden == [".toyadmos.lock"]


def test_a_kill_at_any_step_of_an_addition_shows_the_old_or_the_new_and_the_next_run_completes_it(tmp_path):
    corpus = TinyCorpus(channels=(1,), n_normal=2, conditions=("ab01",), n_noise=2)
    source = write_tree(corpus.files(), tmp_path / "source")
    prepare(options(source, tmp_path / "old", protocols=("basic",)))
    old = hashes(tmp_path / "old" / "out")
    asked = {"snrs_db": (40.0,), "add": True, "headroom": "own"}
    rows = killed_at_every_step(source, tmp_path / "place", tmp_path / "old", **asked)
    new = rows[-1][1]
    states = ["new" if seen == new else "old" if seen.items() >= old.items() else "between" for _, seen, *_ in rows]

    assert len(rows) > 25
    assert [state for state, _ in itertools.groupby(states)] == ["old", "between", "new"]
    for _, seen, again, after, hidden in rows:
        shards = {path: sha256 for path, sha256 in seen.items() if path.startswith("data/")}
        assert {path: old[path] for path in old if path.startswith("data/")}.items() <= shards.items() <= new.items()
        assert seen["manifest.json"] in (old["manifest.json"], new["manifest.json"])
        assert again == 0
        assert after == new
        assert hidden == [".toyadmos.lock"]


def _torn(seen: dict[str, str], old: dict[str, str], new: dict[str, str]) -> str:
    """Call a folder that shows neither dataset: none, if it does not pretend to be one and mixes no shards."""
    shards = {path: sha256 for path, sha256 in seen.items() if path.startswith("data/")}
    is_pure = shards.items() <= old.items() or shards.items() <= new.items()
    return "none" if is_pure and "manifest.json" not in seen else "torn"


def start(source: Path, place: Path, *more: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a preparation as a terminal does, in a session of its own."""
    arguments = ["prepare", "--toy", "train", "--source", str(source), "--protocol", "basic", "--snr", "6", *more]
    return subprocess.Popen(
        [*COMMAND, *arguments, "--out", str(place / "out"), "--cache", str(place / "cache")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=dict(os.environ) | (env or {}),
    )


def session_is_empty(session: int, *, within_s: float) -> bool:
    """Tell whether every process of a session ends in time."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not any(_is_alive_in(process, session) for process in psutil.process_iter()):
            return True
        time.sleep(0.05)
    return False


def _is_alive_in(process: psutil.Process, session: int) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    return False


def test_kills_at_various_times_with_two_workers_end_in_the_same_dataset_and_leave_no_process(
    tmp_path, small_volumes, undisturbed, slow
):
    for moment_s in (1.2, 1.9, 2.6):
        process = start(small_volumes, tmp_path, "--workers", "2", env=slow)
        time.sleep(moment_s)
        process.kill()
        process.communicate()

        assert session_is_empty(process.pid, within_s=20)
        assert hashes(tmp_path / "out").items() <= undisturbed.items()

    prepare(options(small_volumes, tmp_path, workers=2, protocols=("basic",), snrs_db=(6.0,)))

    assert hashes(tmp_path / "out") == undisturbed
    assert list(tmp_path.rglob(".*.tmp")) == []


@pytest.fixture(scope="module")
def slow(tmp_path_factory) -> dict[str, str]:
    """Make a process and its workers take their time, so that there is a middle to interrupt them in."""
    folder = tmp_path_factory.mktemp("slow")
    (folder / "sitecustomize.py").write_text(textwrap.dedent(SLOW))
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parent.parent)])}


def wait_for(place: Path, pattern: str, *, within_s: float = 30) -> None:
    until = time.monotonic() + within_s
    while not any(place.glob(pattern)):
        assert time.monotonic() < until, f"{pattern} never appeared"
        time.sleep(0.01)


MOMENTS = {"reading": "cache/recordings/*/.*.tmp", "rendering": "out/.partial/data/*/.*.tmp"}
SIGNALS = {"Ctrl-C": [signal.SIGINT], "Ctrl-C twice": [signal.SIGINT, signal.SIGINT], "SIGTERM": [signal.SIGTERM]}


@pytest.mark.parametrize(
    "case",
    [
        ("reading", "1", "Ctrl-C"),
        ("rendering", "1", "SIGTERM"),
        ("reading", "2", "Ctrl-C twice"),
        ("reading", "2", "SIGTERM"),
        ("rendering", "2", "Ctrl-C"),
    ],
    ids=" ".join,
)
def test_an_interrupt_ends_a_run_soon_in_one_line_and_the_next_run_completes_it(
    tmp_path, small_volumes, undisturbed, slow, case
):
    moment, workers, signals = case
    process = start(small_volumes, tmp_path, "--workers", workers, env=slow)
    wait_for(tmp_path, MOMENTS[moment])
    began = time.monotonic()
    for number in SIGNALS[signals]:
        os.killpg(process.pid, number)
        time.sleep(0.1)
    out, err = process.communicate(timeout=30)
    took_s = time.monotonic() - began

    assert (process.returncode, out, err) == (130, "", INTERRUPTED)
    assert took_s < 10
    assert session_is_empty(process.pid, within_s=10)
    assert hashes(tmp_path / "out") == {}

    prepare(options(small_volumes, tmp_path, protocols=("basic",), snrs_db=(6.0,)))

    assert hashes(tmp_path / "out") == undisturbed
    assert list(tmp_path.rglob(".*.tmp")) == []


@pytest.mark.parametrize("delay_s", [0.005, 0.02, 0.2, 0.5])
def test_an_interrupt_while_the_program_starts_is_one_line_too(tmp_path, delay_s):
    code = "from toyadmos_datasets.cli import main; print('ready', flush=True); main()"
    arguments = ["prepare", "--toy", "train", "--source", "simulate:medium"]
    places = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, *places], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()

    assert (process.returncode, err) == (130, INTERRUPTED)


def test_an_interrupt_in_a_destructor_ends_the_program():
    code = """
        import sys
        from toyadmos_datasets import cli

        class Swallowing:
            def __del__(self):
                raise KeyboardInterrupt

        sys.argv = ["toyadmos", "--version"]
        sys.modules["toyadmos_datasets.cli.main"] = type(sys)("main")
        sys.modules["toyadmos_datasets.cli.main"].start = lambda *_: Swallowing() and None
        cli.main()
        print("went on")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True, timeout=30
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", INTERRUPTED)


BUSY = """
    import hashlib, sys
    from toyadmos_datasets import cli

    def start(*_):
        print("ready", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"one call", b"into a library", 10**9)

    sys.modules["toyadmos_datasets.cli.main"] = type(sys)("main")
    sys.modules["toyadmos_datasets.cli.main"].start = start
    cli.main()
"""


@pytest.mark.parametrize(
    ("signals", "within_s"), [(SIGNALS["Ctrl-C"], 10), (SIGNALS["SIGTERM"], 10), (SIGNALS["Ctrl-C twice"], 4)]
)
def test_a_program_that_is_busy_in_a_library_answers_at_once_and_ends_soon(signals, within_s):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BUSY)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        began = time.monotonic()
        for number in signals:
            process.send_signal(number)
            time.sleep(0.2)
        line = process.stderr.readline()
        answered_s = time.monotonic() - began
        process.communicate(timeout=30)
        ended_s = time.monotonic() - began
    finally:
        process.kill()

    assert (process.returncode, line) == (130, INTERRUPTED)
    assert answered_s < 2
    assert ended_s < within_s


BUSY_WORKERS = """
    import hashlib, sys
    from toyadmos_datasets import cli
    from toyadmos_datasets.engine import run_tasks

    def work(number, watch):
        watch.advance(1)
        print("ready", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"one call", b"into a library", 10**9)

    def start(*_):
        return len(list(run_tasks(work, range(2), workers=2)))

    sys.modules["toyadmos_datasets.cli.main"] = type(sys)("main")
    sys.modules["toyadmos_datasets.cli.main"].start = start
    cli.main()
"""


@pytest.mark.parametrize("signals", ["Ctrl-C", "SIGTERM"])
def test_workers_that_are_busy_in_a_library_end_with_the_program(signals):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BUSY_WORKERS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        for number in SIGNALS[signals]:
            os.killpg(process.pid, number)
        process.wait(timeout=30)
        took_s = time.monotonic() - began

    assert process.returncode == 130
    assert took_s < 10
    assert session_is_empty(process.pid, within_s=3)


def test_what_was_read_before_an_interrupt_is_not_read_again(tmp_path, small_volumes, slow):
    process = start(small_volumes, tmp_path, "--workers", "1", env=slow)
    wait_for(tmp_path, "out/.partial")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    report = prepare(options(small_volumes, tmp_path, protocols=("basic",), snrs_db=(6.0,)))

    assert report.ingested is not None
    assert report.ingested.n_ingested == 0


def test_two_preparations_of_one_folder_at_once_do_not_meet(tmp_path, small_volumes, undisturbed, slow):
    first = start(small_volumes, tmp_path, "--workers", "1", env=slow)
    wait_for(tmp_path, MOMENTS["reading"])
    first.send_signal(signal.SIGSTOP)  # it holds the folder for as long as the second takes
    second = start(small_volumes, tmp_path, "--workers", "1")
    out, err = second.communicate(timeout=120)
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=120)

    assert (second.returncode, out) == (1, "")
    assert err.startswith("error: Another process is writing to this folder.\n")
    assert f"  actual:   held by process {first.pid} on {os.uname().nodename}\n" in err
    assert "  remedy:   Wait until it is done or stop it, then run the same command again.\n" in err
    assert first.returncode == 0
    assert hashes(tmp_path / "out") == undisturbed
