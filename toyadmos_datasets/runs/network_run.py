"""A run's network: trained with checkpoints, and loaded again."""

from __future__ import annotations

import contextlib
import hashlib
import time
from dataclasses import asdict, replace
from pathlib import Path

from toyadmos_datasets.baseline.autoencoder import Autoencoder
from toyadmos_datasets.baseline.detector import Detector, device_named
from toyadmos_datasets.baseline.frames import Frames
from toyadmos_datasets.baseline.training_loop import OnEpoch, Training, batches, begin, go_on
from toyadmos_datasets.baseline.training_progress import TrainingProgress
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.checked_json import write_json
from toyadmos_datasets.options.presets import Preset
from toyadmos_datasets.options.training_options import TrainOptions
from toyadmos_datasets.runs.checkpoint import (
    load_model,
    load_weights,
    newest_checkpoint,
    restore,
    save_checkpoint,
)
from toyadmos_datasets.runs.run_folder import HISTORY_NAME, WEIGHTS_NAME, History, Run, write_run
from toyadmos_datasets.runs.tensor_files import packed, write_tensors
from toyadmos_datasets.runs.thread_count import candidates, fewest, step_times, threads
from toyadmos_datasets.units import Seconds

CHECKPOINT_EVERY_S: Seconds = 10.0
"""What a kill costs at most, beside the epoch that was running; writing takes a fraction of a second."""


def train_network(options: TrainOptions, frames: Frames, run: Run, progress: Progress) -> tuple[Run, list[float], int]:
    """Train into a run's folder, from its newest checkpoint on.

    Returns:
        The run, with its number of threads; the mean loss of every epoch; and the number of epochs that an earlier
        process had done.
    """
    model = Autoencoder.of(options.preset, seed=options.seed)
    training = begin(model, frames, options.preset, seed=options.seed, device=options.device)
    run = _with_threads(run, training, frames, progress)
    write_run(options.out, run)
    checkpoint = newest_checkpoint(options.out, training.detector)
    if checkpoint is not None:
        restore(training, checkpoint)
    n_resumed = training.epochs_done
    with threads(run.n_threads) if run.n_threads else contextlib.nullcontext():
        go_on(training, frames, _keeper(options.out), progress, what=f"training {run.toy}, {run.config}")
    losses = training.detector.history
    weights = training.detector.as_arrays()
    history = History(
        losses=tuple(losses),
        validation_losses=tuple(training.detector.validation_history),
        weights_sha256=hashlib.sha256(packed(weights)).hexdigest(),
    )
    write_json(options.out / HISTORY_NAME, asdict(history))
    write_tensors(options.out / WEIGHTS_NAME, weights)  # last: with it the run is done
    return run, losses, n_resumed


def _with_threads(run: Run, training: Training, frames: Frames, progress: Progress) -> Run:
    """Return a run with the threads that it is trained with: those it was begun with, or those that a trial finds."""
    if run.device != "cpu":
        return replace(run, n_threads=None)
    if run.n_threads is not None:
        return run
    preset, counts = training.detector.preset, candidates()
    if len(counts) == 1:
        return replace(run, n_threads=counts[0])
    n_rows = len(next(batches(frames, preset, seed=run.seed, epoch=0)))
    times = step_times(training.detector.model, n_rows, preset.n_inputs, counts)
    n_threads = fewest(times)
    found = ", ".join(f"{count}: {taken_s:.2g} s" for count, taken_s in times.items())
    progress.say(f"threads: {n_threads}; a step takes, by their number, {found}")
    return replace(run, n_threads=n_threads)


def _keeper(folder: Path) -> OnEpoch:
    """Return what writes a checkpoint and says so: after the first epoch, the last, and now and then between."""
    last_s = -CHECKPOINT_EVERY_S

    def keep(training: Training, told: TrainingProgress) -> None:
        """Write a checkpoint if it is time for one, and tell how far the training is."""
        nonlocal last_s
        is_last = training.epochs_done == training.detector.preset.epochs
        if is_last or time.monotonic() - last_s >= CHECKPOINT_EVERY_S:
            save_checkpoint(folder, training)
            last_s = time.monotonic()
            told.epoch(training.epochs_done, training.detector.history[-1])

    return keep


def load_network(folder: Path, preset: Preset, *, device: str = "auto") -> Detector:
    """Load the model of a run: the finished one, or the newest checkpoint of one that was stopped.

    Raises:
        DatasetError: Nothing of it is whole.
    """
    detector = Detector(Autoencoder.of(preset), preset)
    if (folder / WEIGHTS_NAME).exists():
        load_weights(detector, folder)
    else:
        checkpoint = newest_checkpoint(folder, detector)
        if checkpoint is None:
            raise DatasetError(
                "The run has no weights yet.",
                where=folder,
                expected=f"{WEIGHTS_NAME}, or a checkpoint",
                actual="neither",
                remedy="Run the same toyadmos train again: it begins or goes on.",
            )
        load_model(detector, checkpoint)
    detector.eval()
    detector.to(device_named(device))
    return detector
