"""Checkpoints: tensors in safetensors, everything else in JSON, nothing that is executed when it is read.

A checkpoint is two files. The JSON is written last and has the hash of the other, so a checkpoint that was cut off
or changed is known as such, and the one before it is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from toyadmos_datasets.baseline.detector import Detector, as_arrays
from toyadmos_datasets.baseline.training_loop import Training
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.files.checked_json import Sha256, checked, read_json, write_json
from toyadmos_datasets.files.reading import sha256_of
from toyadmos_datasets.runs.run_folder import WEIGHTS_NAME, read_history
from toyadmos_datasets.runs.tensor_files import kinds_of, read_tensors, require_fitting, write_tensors
from toyadmos_datasets.units import Bytes

FOLDER = "checkpoints"
KEPT = 2

_MOMENTS = 4
"""A checkpoint has the weights, and of each up to three moments."""
_GO_ON = "Run toyadmos train again: it goes on from the checkpoint before."
_MODEL, _OPTIMISER = "model/", "optimiser/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint that is whole.

    Attributes:
        tensors: Of the model and the optimiser, by name.
        history: Mean loss of every epoch done.
        validation_history: The same of what is not trained on, where the preset keeps some of it out.
    """

    tensors: dict[str, npt.NDArray[Any]]
    history: list[float]
    validation_history: list[float]


def save_checkpoint(run: Path, training: Training) -> None:
    """Write a checkpoint of a training between two epochs, and remove all but the newest two."""
    folder = run / FOLDER
    stem = f"epoch-{training.epochs_done:05d}"
    tensors = {_MODEL + name: one for name, one in training.detector.state_dict().items()}
    for number, state in training.optimiser.state_dict()["state"].items():
        tensors |= {f"{_OPTIMISER}{number}/{name}": torch.as_tensor(one) for name, one in state.items()}
    write_tensors(folder / f"{stem}.safetensors", as_arrays(tensors))
    facts = {
        "history": training.detector.history,
        "validation_history": training.detector.validation_history,
        "sha256": sha256_of(folder / f"{stem}.safetensors"),
    }
    write_json(folder / f"{stem}.json", facts)
    for old in sorted(folder.glob("epoch-*.json"))[:-KEPT]:
        old.unlink()
        old.with_suffix(".safetensors").unlink(missing_ok=True)


def newest_checkpoint(run: Path, detector: Detector) -> Checkpoint | None:
    """Return the newest checkpoint that is whole and fits a detector; None if there is none."""
    for path in sorted((run / FOLDER).glob("epoch-*.json"), reverse=True):
        try:
            facts = checked(_Facts, read_json(path), what="A checkpoint is damaged.", where=path, remedy=_GO_ON)
            tensors = read_tensors(path.with_suffix(".safetensors"), facts.sha256, _MOMENTS * _n_bytes(detector))
            require_fitting(tensors, kinds_of(as_arrays(_expected(detector))), path)
            expected = len(facts.history) if detector.preset.validation_share else 0
            if len(facts.history) <= detector.preset.epochs and len(facts.validation_history) == expected:
                history, validation = list(facts.history), list(facts.validation_history)
                return Checkpoint(tensors=tensors, history=history, validation_history=validation)
        except DatasetError:  # it is not whole, and one before it is
            continue
    return None


def restore(training: Training, checkpoint: Checkpoint) -> None:
    """Put a training into the state in which a checkpoint that fits it was written."""
    load_model(training.detector, checkpoint)
    known = training.optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, one in checkpoint.tensors.items():
        if name.startswith(_OPTIMISER):
            number, _, what = name.removeprefix(_OPTIMISER).partition("/")
            state.setdefault(int(number), {})[what] = torch.tensor(one)
    training.optimiser.load_state_dict({"state": state, "param_groups": known["param_groups"]})


def load_model(detector: Detector, checkpoint: Checkpoint) -> None:
    """Put the weights and the history of a checkpoint that fits a detector into it."""
    named = checkpoint.tensors.items()
    _load_state(detector, ((name.removeprefix(_MODEL), one) for name, one in named if name.startswith(_MODEL)))
    detector.history[:] = checkpoint.history
    detector.validation_history[:] = checkpoint.validation_history


def load_weights(detector: Detector, run: Path) -> None:
    """Put the weights and the history of a finished run into a detector.

    Raises:
        DatasetError: They are damaged, or of another model.
    """
    history, path = read_history(run), run / WEIGHTS_NAME
    weights = read_tensors(path, history.weights_sha256, _n_bytes(detector))
    require_fitting(weights, kinds_of(detector.as_arrays()), path)
    _load_state(detector, weights.items())
    detector.history[:] = history.losses
    detector.validation_history[:] = history.validation_losses


def _load_state(detector: Detector, tensors: Iterable[tuple[str, npt.NDArray[Any]]]) -> None:
    detector.load_state_dict({name: torch.tensor(one) for name, one in tensors})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What stands beside the tensors of a checkpoint."""

    history: tuple[float, ...]
    validation_history: tuple[float, ...]
    sha256: Sha256


def _expected(detector: Detector) -> dict[str, Tensor]:
    """Return tensors as a checkpoint of a detector has them: its own, and the moments of each parameter."""
    expected = {_MODEL + name: one for name, one in detector.state_dict().items()}
    moments = ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if detector.preset.is_amsgrad else []))
    for number, parameter in enumerate(detector.parameters()):
        expected[f"{_OPTIMISER}{number}/step"] = torch.zeros(())
        expected |= {f"{_OPTIMISER}{number}/{name}": parameter for name in moments}
    return expected


def _n_bytes(detector: Detector) -> Bytes:
    return sum(one.numel() * one.element_size() for one in detector.state_dict().values())
