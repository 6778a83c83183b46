"""The reference detectors: features, models, training, scores, metrics, report.

    from toyadmos_datasets.baseline import PAPER, auc, fit

    detector = fit(clips, PAPER)  # a list of arrays, or a `datasets.Dataset` with audio
    auc(labels, detector.score(others))

Only the autoencoder, and modules in its place, need the extra `train`. What is named here is imported when it is
first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toyadmos_datasets.baseline.autoencoder import Autoencoder
    from toyadmos_datasets.baseline.clip_scores import ClipDetector
    from toyadmos_datasets.baseline.embedding_backends import score_embeddings
    from toyadmos_datasets.baseline.fitting import fit
    from toyadmos_datasets.baseline.frames import log_mel, stacks
    from toyadmos_datasets.baseline.reconstruction import Batch
    from toyadmos_datasets.options.presets import CODE, DCASE2020, KNN, MAHALANOBIS, PAPER, Preset, chosen_preset
    from toyadmos_datasets.scores.metrics import auc

__all__ = [
    "CODE",
    "DCASE2020",
    "KNN",
    "MAHALANOBIS",
    "PAPER",
    "Autoencoder",
    "Batch",
    "ClipDetector",
    "Preset",
    "auc",
    "chosen_preset",
    "fit",
    "log_mel",
    "score_embeddings",
    "stacks",
]

_HERE = "toyadmos_datasets.baseline"
_PRESETS = "toyadmos_datasets.options.presets"
_PLACES = {
    "CODE": _PRESETS,
    "DCASE2020": _PRESETS,
    "KNN": _PRESETS,
    "MAHALANOBIS": _PRESETS,
    "PAPER": _PRESETS,
    "Autoencoder": f"{_HERE}.autoencoder",
    "Batch": f"{_HERE}.reconstruction",
    "ClipDetector": f"{_HERE}.clip_scores",
    "Preset": _PRESETS,
    "auc": "toyadmos_datasets.scores.metrics",
    "chosen_preset": _PRESETS,
    "fit": f"{_HERE}.fitting",
    "log_mel": f"{_HERE}.frames",
    "score_embeddings": f"{_HERE}.embedding_backends",
    "stacks": f"{_HERE}.frames",
}
_NEED_TORCH = {"Autoencoder", "Batch"}


def __getattr__(name: str) -> Any:  # noqa: ANN401  (the imports above tell type checkers what each name is)
    """Import a public name."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from toyadmos_datasets.files.installing import require_extra  # noqa: PLC0415  (start-up stays light)

    if name in _NEED_TORCH:
        require_extra("train")
    value = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value
