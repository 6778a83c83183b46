"""What a training tells, how many threads it takes, which stacks it sees, and how little memory its features need."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import dataclass, field

import numpy as np
import pytest
from baselines import NO_TORCH, SYSTEM
from preparing import toyadmos
from wording import hold_printed, refused

torch = pytest.importorskip("torch", reason=NO_TORCH)

from toyadmos_datasets.baseline import CODE, DCASE2020, KNN, PAPER, Autoencoder, fit, training_progress
from toyadmos_datasets.baseline.frames import Frames, frames_of
from toyadmos_datasets.baseline.training_loop import batches, steps_in_epoch
from toyadmos_datasets.baseline.training_progress import TrainingProgress
from toyadmos_datasets.engine.progress import Quiet
from toyadmos_datasets.errors import OptionError, OutputConflictError
from toyadmos_datasets.options.presets import changed
from toyadmos_datasets.options.training_options import TrainOptions
from toyadmos_datasets.runs import network_run
from toyadmos_datasets.runs.run_folder import read_run
from toyadmos_datasets.runs.thread_count import candidates, fewest, step_times, threads
from toyadmos_datasets.runs.trainer import train


@dataclass
class Clock:
    """A clock that goes on when it is told to."""

    now_s: float = 100.0

    def monotonic(self) -> float:
        return self.now_s


@dataclass
class Listening(Quiet):
    """Progress that remembers lines and bars."""

    lines: list[str] = field(default_factory=list)
    bars: list[tuple[int, str]] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, done: int, note: str = "") -> None:
        self.bars.append((done, note))


@pytest.fixture
def clock(monkeypatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(training_progress, "time", found)
    return found


def told(listening: Listening, **facts) -> TrainingProgress:
    return TrainingProgress(progress=listening, advance=listening.advance, **facts)


def test_within_an_epoch_steps_loss_rate_and_both_times_left_are_told(clock):
    listening = Listening()
    progress = told(listening, n_epochs=10, n_steps=1000, first_epoch=0)
    for step in range(1, 801):  # ten steps a second
        clock.now_s += 0.1
        progress.step(0, step, lambda: 2.5)

    estimate, line = listening.lines
    assert estimate == "10 epochs of 1000 steps take about 16 min 40 s, at 10 steps a second"
    assert line.startswith("epoch 1, step 6")
    assert ": loss 2.5, 10 steps a second, 3" in line
    assert line.endswith("15 min 34 s of the training")
    assert listening.bars[-1][1].startswith("epoch 1/10, 79")
    assert 100 < len(listening.bars) < 200  # a bar is drawn twice a second, whatever steps take


def test_the_loss_is_looked_at_only_when_it_is_shown(clock):
    looks = []
    progress = told(Listening(), n_epochs=1, n_steps=1000, first_epoch=0)
    for step in range(1, 1001):
        clock.now_s += 0.001
        progress.step(0, step, lambda: looks.append(1) or 0.0)

    assert len(looks) == 2


def test_a_training_that_goes_on_is_estimated_by_what_is_left(clock):
    listening = Listening()
    progress = told(listening, n_epochs=10, n_steps=100, first_epoch=8)
    clock.now_s += 6
    progress.step(8, 60, lambda: 1.0)
    clock.now_s += 4
    progress.epoch(9, 1.0)

    assert listening.lines == [
        "2 epochs of 100 steps take about 20 s, at 10 steps a second",
        "epoch 9 of 10: loss 1, 10 steps a second, 10 s left",
    ]
    assert [done for done, _ in listening.bars] == [60, 100]


def test_fit_tells_as_many_steps_as_it_does(monkeypatch):
    seen = []

    class Counting(Listening):
        def stage(self, what, total, unit):
            seen.append((what, total, unit))
            return super().stage(what, total, unit)

    preset = changed(PAPER, {"n_units": 8, "n_hidden": 0, "epochs": 3, "batch_inputs": 10})
    fit([np.zeros(8_000, "f4")] * 2, preset, device="cpu", progress=Counting())

    assert seen == [("training", 3 * 2, "steps")]  # 10 inputs a clip


@pytest.mark.parametrize("preset", [PAPER, CODE, DCASE2020], ids=lambda one: one.name)
@pytest.mark.parametrize("k", [1, 4, 1000])
def test_every_kth_stack_makes_an_epoch_a_kth_as_long_and_k_epochs_see_all(preset, k):
    system = changed(preset, {"every_kth_stack": k, "batch_inputs": 15, "validation_share": 0.0})
    lengths = [60, 40, 90]
    frames = Frames(values=np.zeros((190, system.n_mels), "f4"), bounds=np.cumsum([0, *lengths]))
    all_rows = np.sort(frames.rows(system))
    epochs = [list(batches(frames, system, seed=0, epoch=epoch)) for epoch in range(min(k, len(all_rows)))]
    seen = [np.concatenate(one) for one in epochs]

    assert steps_in_epoch(frames, system) == len(epochs[0])
    if k <= min(lengths) // 2:
        np.testing.assert_array_equal(np.sort(np.concatenate(seen)), all_rows)
    assert len(seen[0]) <= -(-len(all_rows) // k) + len(lengths)


def test_a_run_of_every_kth_stack_is_named_after_it(simulated_train, tmp_path, capsys):
    asked = ["--every-kth-stack", "20", "--set", "epochs=1", "--set", "n_units=8", "--device", "cpu", "--threads", "1"]
    ran = toyadmos(capsys, "train", simulated_train, "--out", tmp_path / "run", *asked)

    assert ran.status == 0, ran.err
    assert "paper*" in ran.out
    assert read_run(tmp_path / "run").system.changes["every_kth_stack"] == 20


def test_every_kth_stack_is_refused_where_nothing_is_stacked(tmp_path):
    with refused(OptionError) as caught:
        TrainOptions(dataset=tmp_path, out=tmp_path / "run", preset=KNN, every_kth_stack=5)

    assert caught.value.where == "every_kth_stack"


def test_the_fewest_threads_are_taken_that_others_do_not_beat_clearly():
    assert fewest({1: 10.0, 2: 6.0, 4: 3.0, 8: 2.9}) == 4
    assert fewest({1: 10.0, 2: 10.0, 4: 30.0}) == 1
    assert fewest({1: 10.0}) == 1


def test_no_more_threads_are_tried_than_torch_may_use():
    with threads(1):
        assert candidates() == [1]
    assert max(candidates()) <= torch.get_num_threads()
    assert candidates()[0] == 1


def test_a_trial_of_threads_leaves_model_and_threads_as_they_are():
    model, before = Autoencoder.of(changed(DCASE2020, {"n_units": 8})), torch.get_num_threads()
    state = {name: one.clone() for name, one in model.state_dict().items()}

    times = step_times(model, 16, DCASE2020.n_inputs, [1, 2])

    assert list(times) == [1, 2]
    assert min(times.values()) > 0
    assert torch.get_num_threads() == before
    assert all(torch.equal(one, state[name]) for name, one in model.state_dict().items())


def test_a_run_keeps_the_threads_that_a_trial_found_and_goes_on_with_no_others(simulated_train, tmp_path, monkeypatch):
    monkeypatch.setattr(network_run, "candidates", lambda: [1, 2])
    monkeypatch.setattr(network_run, "step_times", lambda *_: {1: 3.0, 2: 1.0})
    listening, used, real = Listening(), [], network_run.go_on

    def interrupted(*arguments, **named):
        used.append(torch.get_num_threads())
        raise KeyboardInterrupt

    options = TrainOptions(dataset=simulated_train, out=tmp_path, preset=changed(SYSTEM, {"epochs": 1}), device="cpu")
    monkeypatch.setattr(network_run, "go_on", interrupted)
    with threads(1), pytest.raises(KeyboardInterrupt):
        train(options, listening)
    monkeypatch.setattr(network_run, "step_times", lambda *_: {1: 1.0, 2: 3.0})
    monkeypatch.setattr(network_run, "go_on", real)
    with refused(OutputConflictError) as caught:
        train(TrainOptions(**(_fields(options) | {"threads": 1})))
    report = train(options)

    assert used == [2]
    assert "threads: 2; a step takes, by their number, 1: 3 s, 2: 1 s" in listening.lines
    assert caught.value.expected == "--threads 2"
    assert report.run.n_threads == json.loads((tmp_path / "run.json").read_text())["n_threads"] == 2


def _fields(options: TrainOptions) -> dict[str, object]:
    return {name: getattr(options, name) for name in ("dataset", "out", "preset", "device")}


def test_threads_are_refused_where_no_network_is_trained(simulated_train, tmp_path, capsys):
    ran = toyadmos(capsys, "train", simulated_train, "--preset", "knn", "--out", tmp_path / "run", "--threads", "2")

    assert ran.status == 2
    hold_printed(ran.err)


def test_memory_holds_the_frames_of_a_clip_however_many_there_are():
    n_clips, clip = 300, np.zeros(4_000, np.float32)
    frames_of([clip], KNN)  # what is made once is made now
    tracemalloc.start()
    found = frames_of((clip for _ in range(n_clips)), KNN)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found.values.shape == (n_clips * 8, 128)
    assert peak < found.values.nbytes / 2
