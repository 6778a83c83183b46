"""`toyadmos train`: makes a run from a prepared folder, in steps that survive an interrupt."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from toyadmos_datasets.baseline.clip_scores import ClipDetector
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import DatasetError, OptionError, OutputConflictError
from toyadmos_datasets.files.installing import require_extra
from toyadmos_datasets.files.job_folder import JobFolder
from toyadmos_datasets.options.training_options import TrainOptions
from toyadmos_datasets.runs.feature_cache import featured, held_features
from toyadmos_datasets.runs.leakage import learnt_clips
from toyadmos_datasets.runs.run_folder import (
    HISTORY_NAME,
    RUN_NAME,
    WEIGHTS_NAME,
    Run,
    read_history,
    read_run,
    write_run,
)
from toyadmos_datasets.runs.statistics_run import load_statistics, train_statistics
from toyadmos_datasets.units import Seconds
from toyadmos_datasets.values.shards import SplitOfConfig, cases_of, open_split


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """What was done.

    Attributes:
        out: Folder of the run.
        run: What was trained on what.
        losses: Mean loss of every epoch; none of a system without epochs.
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
    _require_packages(options)
    shown = progress or Quiet()
    split = open_split(options.dataset, options.config, "train")
    run = _run_of(options, split)
    folder = _folder_of(run, options.out)
    if (options.out / RUN_NAME).exists():
        begun = read_run(options.out)
        folder.require_same(_request_of(begun), folder.other)
        run = replace(run, n_threads=_threads_of(options, begun.n_threads))
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
    start_s = time.monotonic()
    if options.preset.is_network:
        from toyadmos_datasets.runs.network_run import train_network  # noqa: PLC0415  # needs torch

        run, losses, n_resumed = train_network(options, data.frames, run, progress)
    else:
        train_statistics(options.out, data.frames, options.preset, seed=options.seed)
        losses, n_resumed = [], 0
    wall_s = time.monotonic() - start_s
    return TrainReport(out=options.out, run=run, losses=losses, n_resumed=n_resumed, wall_s=wall_s)


def _threads_of(options: TrainOptions, begun: int | None) -> int | None:
    """Return the threads that a run goes on with: those that it was begun with.

    Raises:
        OutputConflictError: Others are asked for, with which the weights might differ.
    """
    if begun is None or options.threads in {None, begun}:
        return begun if options.threads is None else options.threads
    raise OutputConflictError(
        "The training was begun with another number of threads.",
        where=options.out,
        expected=f"--threads {begun}",
        actual=options.threads,
        remedy="Leave --threads out, or choose another folder: --out RUN2",
    )


def _require_packages(options: TrainOptions) -> None:
    """Raise unless what a system needs is installed, and the device is one that it can use."""
    if options.preset.is_network:
        require_extra("train")
        return
    if options.device not in {"auto", "cpu"}:
        raise OptionError(
            "This system is computed on the CPU.",
            where="--device",
            expected="auto, cpu",
            actual=options.device,
            remedy="Leave --device out.",
        )
    if options.threads is not None:
        raise OptionError(
            "This system trains no network.",
            where="--threads",
            expected="a preset of an autoencoder",
            actual=f"the detector {options.preset.detector}",
            remedy="Leave --threads out.",
        )


def load_detector(folder: Path, *, device: str = "auto") -> ClipDetector:
    """Load the detector of a run: the finished one, or the newest checkpoint of a training that was stopped.

    Raises:
        DatasetError: There is no run, or nothing of it is whole.
    """
    preset = read_run(folder).system
    if not preset.is_network:
        return load_statistics(folder, preset)
    require_extra("train")
    from toyadmos_datasets.runs.network_run import load_network  # noqa: PLC0415  # needs torch

    return load_network(folder, preset, device=device)


def _run_of(options: TrainOptions, split: SplitOfConfig) -> Run:
    manifest = split.manifest
    is_network = options.preset.is_network
    packages = ("toyadmos-datasets", "torch" if is_network else "scikit-learn", "numpy")
    return Run(
        dataset=str(split.folder),
        config=split.config,
        toy=split.toy,
        is_simulated=bool(manifest.source.get("is_simulated", False)),
        recipe_sha256=manifest.recipe_sha256,
        shards_sha256=tuple(shard.sha256 for shard in split.shards),
        preset=options.preset.as_json(),
        seed=options.seed,
        device=_device_type(options.device) if is_network else "cpu",
        n_threads=options.threads,
        versions={one: importlib.metadata.version(one) for one in packages} | {"python": platform.python_version()},
        cases=cases_of(split),
        trained_on=learnt_clips([split]),
    )


def _device_type(name: str) -> str:
    from toyadmos_datasets.baseline.detector import device_named  # noqa: PLC0415  # needs torch

    return str(device_named(name).type)


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
    told_already = {"dataset", "versions", "trained_on", "n_threads"}
    return {name: value for name, value in asdict(run).items() if name not in told_already}
