"""Checkpoints: tensors in safetensors, everything else in JSON, nothing that is executed when it is read.

A checkpoint is two files. The JSON is written last and has the hash of the other, so a checkpoint that was cut off
or changed is known as such, and the one before it is taken.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from toyadmos_datasets.baseline.detector import Detector
from toyadmos_datasets.baseline.train import Training
from toyadmos_datasets.errors import DatasetError, ResourceError
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.checksum import sha256_of
from toyadmos_datasets.files.json import read_json, write_json
from toyadmos_datasets.files.looking import raise_shortage

FOLDER = "checkpoints"
KEPT = 2
_MODEL, _OPTIMISER = "model/", "optimiser/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint that is whole.

    Attributes:
        tensors: Of the model and the optimiser, by name.
        history: Mean loss of every epoch done.
    """

    tensors: dict[str, Tensor]
    history: list[float]


def save_checkpoint(run: Path, training: Training) -> None:
    """Write a checkpoint of a training between two epochs, and remove all but the newest two."""
    folder = run / FOLDER
    stem = f"epoch-{training.epochs_done:05d}"
    tensors = {_MODEL + name: one for name, one in training.detector.state_dict().items()}
    for number, state in training.optimiser.state_dict()["state"].items():
        tensors |= {f"{_OPTIMISER}{number}/{name}": torch.as_tensor(one) for name, one in state.items()}
    write_tensors(folder / f"{stem}.safetensors", tensors)
    facts = {"history": training.detector.history, "sha256": sha256_of(folder / f"{stem}.safetensors")}
    write_json(folder / f"{stem}.json", facts)
    for old in sorted(folder.glob("epoch-*.json"))[:-KEPT]:
        old.unlink()
        old.with_suffix(".safetensors").unlink(missing_ok=True)


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors atomically."""
    with write_file(path) as file:
        file.write(save({name: one.detach().cpu().contiguous() for name, one in tensors.items()}))


def newest_checkpoint(run: Path) -> Checkpoint | None:
    """Return the newest checkpoint that is whole; None if there is none."""
    for path in sorted((run / FOLDER).glob("epoch-*.json"), reverse=True):
        try:
            facts: dict[str, Any] = read_json(path)
            weights = path.with_suffix(".safetensors").read_bytes()
            if hashlib.sha256(weights).hexdigest() == facts["sha256"]:
                return Checkpoint(tensors=load(weights), history=[float(loss) for loss in facts["history"]])
        except ResourceError:
            raise
        except (DatasetError, OSError, KeyError, SafetensorError) as error:
            raise_shortage(error, path)  # or it is not whole, and one before it is
    return None


def restore(training: Training, checkpoint: Checkpoint) -> None:
    """Put a training into the state in which a checkpoint was written."""
    load_model(training.detector, checkpoint)
    known = training.optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, one in checkpoint.tensors.items():
        if name.startswith(_OPTIMISER):
            number, _, what = name.removeprefix(_OPTIMISER).partition("/")
            state.setdefault(int(number), {})[what] = one
    training.optimiser.load_state_dict({"state": state, "param_groups": known["param_groups"]})


def load_model(detector: Detector, checkpoint: Checkpoint) -> None:
    """Put a checkpoint's weights and history into a detector.

    Raises:
        DatasetError: They are of another model.
    """
    weights = {name.removeprefix(_MODEL): one for name, one in checkpoint.tensors.items() if name.startswith(_MODEL)}
    load_weights(detector, weights, where="checkpoint")
    detector.history[:] = checkpoint.history


def load_weights(detector: Detector, weights: dict[str, Tensor], *, where: object) -> None:
    """Put weights into a detector.

    Raises:
        DatasetError: They are of another model.
    """
    try:
        detector.load_state_dict(weights)
    except RuntimeError as error:
        raise DatasetError(
            "The weights are of another model.",
            where=where,
            actual=str(error).splitlines()[0],
            remedy="Train again into another folder: toyadmos train DIR --config NAME --out RUN",
        ) from error


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of a finished run.

    Raises:
        DatasetError: They are damaged.
    """
    try:
        found: dict[str, Tensor] = load(path.read_bytes())  # by name, it calls every file absent that it cannot open
    except (SafetensorError, OSError) as error:
        raise_shortage(error, path)
        raise DatasetError(
            "The weights of the run are damaged.",
            where=path,
            expected="a safetensors file",
            actual=error,
            remedy=f"Delete {path} and run toyadmos train again: it goes on from the last checkpoint.",
        ) from error
    return found
