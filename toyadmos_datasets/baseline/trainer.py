"""`toyadmos train`: from a prepared folder to a run, in steps that survive being cut off."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toyadmos_datasets.baseline.checkpoint import (
    load_model,
    load_weights,
    newest_checkpoint,
    packed,
    restore,
    save_checkpoint,
    write_tensors,
)
from toyadmos_datasets.baseline.detector import Autoencoder, Detector, device_named
from toyadmos_datasets.baseline.frames import featured, held_features
from toyadmos_datasets.baseline.leakage import learnt_clips
from toyadmos_datasets.baseline.run_folder import (
    HISTORY_NAME,
    RUN_NAME,
    WEIGHTS_NAME,
    History,
    Run,
    read_history,
    read_run,
    write_run,
)
from toyadmos_datasets.baseline.training_loop import Training, begin, go_on
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.files.checked_json import write_json
from toyadmos_datasets.files.job_folder import JobFolder
from toyadmos_datasets.options.training_options import TrainOptions
from toyadmos_datasets.units import Seconds
from toyadmos_datasets.values.shards import SplitOfConfig, cases_of, open_split

CHECKPOINT_EVERY_S: Seconds = 10.0
"""What a kill costs at most, beside the epoch that was running; writing takes a fraction of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """What was done.

    Attributes:
        out: Folder of the run.
        run: What was trained on what.
        losses: Mean loss of every epoch.
        n_resumed: Epochs that an earlier process had done.
        wall_s: Time that this one took.
        was_done: Whether the folder held the finished run already.
    """

    out: Path
    run: Run
    losses: list[float] = field(default_factory=list)
    n_resumed: int = 0
    wall_s: Seconds = 0.0
    was_done: bool = False


def train_each_seed(options: TrainOptions, progress: Progress | None = None) -> list[TrainReport]:
    """Train as many runs as the options ask for, which differ in their seed alone; see `train`."""
    return [train(one, progress) for one in options.each_seed()]


def train(options: TrainOptions, progress: Progress | None = None) -> TrainReport:
    """Train a system on the normal clips of a config, going on where an earlier process was stopped.

    Raises:
        DatasetError: The dataset is damaged, or its training split has anomalous clips.
        OptionError: There is no such config or device, or several seeds are asked for.
        OutputConflictError: The folder holds another run.
        BusyError: Another process trains into the folder.
    """
    if options.seeds != 1:
        raise OptionError(
            "One run has one seed.",
            where="--seeds",
            expected=1,
            actual=options.seeds,
            remedy="Train each: train_each_seed(options)",
        )
    shown = progress or Quiet()
    split = open_split(options.dataset, options.config, "train")
    run = _run_of(options, split)
    folder = _folder_of(run, options.out)
    if (options.out / RUN_NAME).exists():
        folder.require_same(_request_of(read_run(options.out)), folder.other)
    with folder.held(), held_features(split.toy):
        if (options.out / WEIGHTS_NAME).exists():
            losses = list(read_history(options.out).losses)
            return TrainReport(out=options.out, run=run, losses=losses, n_resumed=len(losses), was_done=True)
        write_run(options.out, run)
        return _train(options, split, run, shown)


def _train(options: TrainOptions, split: SplitOfConfig, run: Run, progress: Progress) -> TrainReport:
    data = featured(split, options.preset, progress)
    if any(data.rows["label"].to_pylist()):
        raise DatasetError(
            "The training split has anomalous clips.",
            where=f"{options.dataset}, config {split.config}",
            expected="label 0 in every row",
            remedy="Prepare it with a protocol that trains on normal clips: waspaa2019 or basic",
        )
    model = Autoencoder.of(options.preset, seed=options.seed)
    training = begin(model, data.frames, options.preset, seed=options.seed, device=options.device)
    checkpoint = newest_checkpoint(options.out, training.detector)
    if checkpoint is not None:
        restore(training, checkpoint)
    n_resumed, start_s = training.epochs_done, time.monotonic()
    with progress.stage(f"training {run.toy}, {run.config}", options.preset.epochs, "epochs") as done:
        go_on(training, data.frames, _keeper(options, done, progress))
    losses = training.detector.history
    weights = training.detector.state_dict()
    history = History(
        losses=tuple(losses),
        validation_losses=tuple(training.detector.validation_history),
        weights_sha256=hashlib.sha256(packed(weights)).hexdigest(),
    )
    write_json(options.out / HISTORY_NAME, asdict(history))
    write_tensors(options.out / WEIGHTS_NAME, weights)  # last: with it the run is done
    wall_s = time.monotonic() - start_s
    return TrainReport(out=options.out, run=run, losses=losses, n_resumed=n_resumed, wall_s=wall_s)


def _keeper(options: TrainOptions, done: Callable[[int], None], progress: Progress) -> Callable[[Training], None]:
    """Return what writes a checkpoint and tells the loss: after the first epoch, the last, and now and then between."""
    last_s, start_s, n_here = -CHECKPOINT_EVERY_S, time.monotonic(), 0

    def keep(training: Training) -> None:
        """Tell how far it is, and write a checkpoint if it is time for one."""
        nonlocal last_s, n_here
        n_here += 1
        done(training.epochs_done)
        is_last = training.epochs_done == options.preset.epochs
        if is_last or time.monotonic() - last_s >= CHECKPOINT_EVERY_S:
            save_checkpoint(options.out, training)
            last_s = time.monotonic()
            a_second = n_here / max(last_s - start_s, 1e-9)
            loss = training.detector.history[-1]
            progress.say(f"epoch {training.epochs_done}: loss {loss:.4g}, {a_second:.3g} epochs a second")

    return keep


def load_detector(folder: Path, *, device: str = "auto") -> Detector:
    """Load the model of a run: the finished one, or the newest checkpoint of one that was stopped.

    Raises:
        DatasetError: There is no run, or nothing of it is whole.
    """
    preset = read_run(folder).system
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


def _run_of(options: TrainOptions, split: SplitOfConfig) -> Run:
    manifest = split.manifest
    packages = ("toyadmos-datasets", "torch", "numpy")
    return Run(
        dataset=str(split.folder),
        config=split.config,
        toy=split.toy,
        is_simulated=bool(manifest.source.get("is_simulated", False)),
        recipe_sha256=manifest.recipe_sha256,
        shards_sha256=tuple(shard.sha256 for shard in split.shards),
        preset=options.preset.as_json(),
        seed=options.seed,
        device=device_named(options.device).type,
        versions={one: importlib.metadata.version(one) for one in packages} | {"python": platform.python_version()},
        cases=cases_of(split),
        trained_on=learnt_clips([split]),
    )


def _folder_of(run: Run, out: Path) -> JobFolder:
    return JobFolder(
        path=out,
        request=_request_of(run),
        parts=(RUN_NAME, HISTORY_NAME, WEIGHTS_NAME),
        maker="training",
        other="The folder holds another run.",
        remedy="Choose another folder: --out RUN2. Or delete this one.",
    )


def _request_of(run: Run) -> dict[str, Any]:
    """Return what the weights follow from; the dataset counts by its content, wherever it is."""
    told_already = {"dataset", "versions", "trained_on"}
    return {name: value for name, value in asdict(run).items() if name not in told_already}
