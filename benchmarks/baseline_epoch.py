"""What does an epoch of the paper's autoencoder cost over a naive loop, over its products, and with threads that spin?

Method: clips of noise, in memory at 16 kHz, go through three jobs, each in a fresh process, in turn, several
rounds. `kept` trains an epoch from features that were computed before (that once is timed apart); `naive` trains the
same model with the same optimiser, and for each clip computes librosa's features anew and stacks frames by copying;
`products` does the forward and backward pass of as many inputs on one fixed batch, and nothing else. One thread,
unless --threads says otherwise.

The second part (`--only waiting`) runs `kept` with as many threads as there are cores, with `OMP_WAIT_POLICY` as it is
by default (threads that wait spin) and as the command line sets it (PASSIVE: they sleep); first with nothing beside it
that this script starts, then beside as many processes as there are cores that do nothing but compute.

    python benchmarks/baseline_epoch.py                                     1000 clips of 11 s: three minutes a job
    python benchmarks/baseline_epoch.py --clips 100 --rounds 3 --threads 2  the same ratios in five minutes
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

import librosa
import numpy as np
import torch
from machine import n_cores, print_heading
from rounds import spread

from toyadmos_datasets.baseline.autoencoder import Autoencoder
from toyadmos_datasets.baseline.frames import Frames, frames_of
from toyadmos_datasets.baseline.training_loop import begin, go_on
from toyadmos_datasets.options.presets import PAPER, changed

ONE_EPOCH = changed(PAPER, {"epochs": 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a job took: its epoch, what came once before it or after it, and memory at its peak."""

    epoch_cpu_s: float
    epoch_wall_s: float
    features_cpu_s: float = 0.0
    evaluation_cpu_s: float = 0.0
    peak_mb: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=11.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=("epoch", "waiting"), help="a part of it")
    parser.add_argument("--smoke", action="store_true", help="one round of three short clips")
    parser.add_argument("--job", choices=sorted(JOBS), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    n_clips, seconds = (3, 1.0) if chosen.smoke else (chosen.clips, chosen.seconds)
    if chosen.job:
        torch.set_num_threads(chosen.threads)
        found = JOBS[chosen.job](n_clips, seconds)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform == "linux" else 1e6)
        print(json.dumps(asdict(found) | {"peak_mb": peak_mb}))
        return
    print_heading(
        f"An epoch of the paper's autoencoder, {n_clips} clips of {seconds:g} s, {chosen.threads} threads, "
        f"torch {torch.__version__}"
    )
    n_rounds = 1 if chosen.smoke else chosen.rounds
    if chosen.only != "waiting":
        report(n_clips, seconds, n_rounds, chosen.threads)
    if chosen.only != "epoch":
        report_waiting(n_clips, seconds, n_rounds)


def report_waiting(n_clips: int, seconds: float, n_rounds: int) -> None:
    """Run `kept` with threads that spin and that sleep, alone and beside others; print times and ratios."""
    for beside, n_busy in (("alone", 0), ("beside others", n_cores())):
        found: dict[str, list[Measured]] = {name: [] for name in WAITING}
        with busy(n_busy):
            for _ in range(n_rounds):
                for name, some in found.items():
                    some.append(measured("kept", n_clips, seconds, n_cores(), WAITING[name]))
        for name, some in found.items():
            print(
                f"{beside}, {name}: epoch, CPU s {spread(one.epoch_cpu_s for one in some)}, wall s "
                f"{spread(one.epoch_wall_s for one in some)}"
            )
        pairs = list(zip(found["default"], found["PASSIVE"], strict=True))
        cpus, walls = ([getattr(a, f) / getattr(b, f) for a, b in pairs] for f in ("epoch_cpu_s", "epoch_wall_s"))
        print(f"{beside}, default / PASSIVE: CPU {spread(cpus)}, wall {spread(walls)}")


WAITING: dict[str, dict[str, str]] = {"default": {}, "PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"}}


@contextlib.contextmanager
def busy(n_processes: int) -> Iterator[None]:
    """Keep so many cores busy."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n_processes)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measured(
    job: str, n_clips: int, seconds: float, n_threads: int, environment: Mapping[str, str] = MappingProxyType({})
) -> Measured:
    """Run a job in a process of its own."""
    command = [sys.executable, __file__, "--job", job, "--clips", str(n_clips), "--seconds", str(seconds)]
    command += ["--threads", str(n_threads)]
    outside = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=outside | dict(environment))
    return Measured(**json.loads(said.stdout.splitlines()[-1]))


def report(n_clips: int, seconds: float, n_rounds: int, n_threads: int) -> None:
    """Run every job once a round, and print times and ratios within the rounds."""
    found: dict[str, list[Measured]] = {name: [] for name in JOBS}
    for _ in range(n_rounds):
        for name, some in found.items():
            some.append(measured(name, n_clips, seconds, n_threads))
    for name, some in found.items():
        print(
            f"{name:<9} epoch, CPU s {spread(one.epoch_cpu_s for one in some)}, wall s "
            f"{spread(one.epoch_wall_s for one in some)}, peak MB {spread(one.peak_mb for one in some)}"
        )
    kept = found["kept"]
    print(f"features, once, CPU s: {spread(one.features_cpu_s for one in kept)}")
    print(f"evaluation, clips a CPU second: {spread(n_clips / one.evaluation_cpu_s for one in kept)}")
    for over, of in (("naive", "kept"), ("products", "kept")):
        pairs = list(zip(found[over], found[of], strict=True))
        ratios = [a.epoch_cpu_s / b.epoch_cpu_s for a, b in pairs]
        walls = [a.epoch_wall_s / b.epoch_wall_s for a, b in pairs]
        print(f"{over} / {of}: CPU {spread(ratios)}, wall {spread(walls)}")


def clips(n_clips: int, seconds: float) -> Iterator[np.ndarray]:
    """Yield noise at 16 kHz, the same in every job."""
    for number in range(n_clips):
        yield np.random.default_rng(number).normal(0, 0.05, int(seconds * PAPER.rate_hz)).astype(np.float32)


def kept(n_clips: int, seconds: float) -> Measured:
    sound = list(clips(n_clips, seconds))
    start_s = time.process_time()
    frames = frames_of(sound, ONE_EPOCH)
    features_s = time.process_time() - start_s
    training = begin(Autoencoder.of(PAPER), frames, ONE_EPOCH, seed=0, device="cpu")
    cpu_s, wall_s = timed(lambda: go_on(training, frames))
    evaluation_s, _ = timed(lambda: training.detector.score(frames))
    return Measured(epoch_cpu_s=cpu_s, epoch_wall_s=wall_s, features_cpu_s=features_s, evaluation_cpu_s=evaluation_s)


def naive(n_clips: int, seconds: float) -> Measured:
    sound = list(clips(n_clips, seconds))
    model = Autoencoder.of(PAPER)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, amsgrad=True, fused=True)

    def epoch() -> None:
        for mono in sound:
            mel = librosa.feature.melspectrogram(y=mono, sr=16_000, n_fft=512, hop_length=256, n_mels=64, center=False)
            log_mel = np.log(mel.T + 1e-10)
            stacked = [log_mel[i - 10 : i + 11].ravel() for i in range(10, len(log_mel) - 10)]
            step(model, optimiser, torch.from_numpy(np.array(stacked)))

    librosa.feature.melspectrogram(y=sound[0], sr=16_000)  # librosa's first call imports and compiles
    cpu_s, wall_s = timed(epoch)
    return Measured(epoch_cpu_s=cpu_s, epoch_wall_s=wall_s)


def products(n_clips: int, seconds: float) -> Measured:
    n_frames = (int(seconds * PAPER.rate_hz) - PAPER.n_fft) // PAPER.n_hop + 1
    frames = Frames(values=np.zeros((n_frames, 64), np.float32), bounds=np.array([0, n_frames]))
    n_steps = -(-n_clips * len(frames.rows(PAPER)) // PAPER.batch_inputs)
    model, x = Autoencoder.of(PAPER), torch.randn(PAPER.batch_inputs, PAPER.n_inputs)
    cpu_s, wall_s = timed(lambda: [step(model, None, x) for _ in range(n_steps)])
    return Measured(epoch_cpu_s=cpu_s, epoch_wall_s=wall_s)


def step(model: torch.nn.Module, optimiser: torch.optim.Optimizer | None, x: torch.Tensor) -> None:
    model.zero_grad()
    ((x - model(x)).square().sum(dim=1) / 21).mean().backward()
    if optimiser is not None:
        optimiser.step()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the processor time and the wall time of some work."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu_s, time.perf_counter() - wall_s


JOBS: dict[str, Callable[[int, float], Measured]] = {"kept": kept, "naive": naive, "products": products}

if __name__ == "__main__":
    main()
