"""The reference autoencoder: features, model, training, scores, metrics, report.

    from toyadmos_datasets.baseline import Autoencoder, PAPER, auc, fit, log_mel, score

    detector = fit(Autoencoder.of(PAPER), clips)  # a list of arrays, or a `datasets.Dataset` with audio
    auc(labels, score(detector, others))

Everything but the metrics and presets needs the extra `train`. What is named here is imported when it is first
asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toyadmos_datasets.baseline.detector import Autoencoder
    from toyadmos_datasets.baseline.evaluation import score
    from toyadmos_datasets.baseline.frames import log_mel
    from toyadmos_datasets.baseline.presets import CODE, DCASE2020, PAPER, Preset
    from toyadmos_datasets.baseline.training_loop import fit
    from toyadmos_datasets.scores.metrics import auc

__all__ = ["CODE", "DCASE2020", "PAPER", "Autoencoder", "Preset", "auc", "fit", "log_mel", "score"]

_HERE = "toyadmos_datasets.baseline"
_PLACES = {
    "CODE": f"{_HERE}.presets",
    "DCASE2020": f"{_HERE}.presets",
    "PAPER": f"{_HERE}.presets",
    "Autoencoder": f"{_HERE}.detector",
    "Preset": f"{_HERE}.presets",
    "auc": "toyadmos_datasets.scores.metrics",
    "fit": f"{_HERE}.training_loop",
    "log_mel": f"{_HERE}.frames",
    "score": f"{_HERE}.evaluation",
}
_NEED_TORCH = {"Autoencoder", "fit", "score"}


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
