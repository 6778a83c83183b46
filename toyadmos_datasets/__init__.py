"""ToyADMOS as a clean, reproducible dataset.

    import toyadmos_datasets as toyadmos

    toyadmos.prepare("train", source="simulate", out="data/train")
    train = toyadmos.load_dataset("data/train", split="train")
    train[0]["audio"]["array"]  # float32, shape (n_samples,)

Each command of the command line is a function here, with the same options. What is named in `__all__` is imported when
it is first asked for, so that importing the package costs nothing. Only where `datasets` is imported, too, it learns of
our audio feature, so that it can open what was derived and saved. Every failure is a `ToyAdmosError`;
`toyadmos_datasets.errors` draws their tree.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from toyadmos_datasets.errors import ToyAdmosError
from toyadmos_datasets.registration import register_with_datasets

if TYPE_CHECKING:
    from toyadmos_datasets.api.checking import audit, verify
    from toyadmos_datasets.api.preparing import download, index, plan, prepare, protocols, rebuild, simulate
    from toyadmos_datasets.api.publishing import export, share
    from toyadmos_datasets.api.recording_names import parse_name
    from toyadmos_datasets.api.training import compare, evaluate, report, train
    from toyadmos_datasets.auditing import AuditReport, PairReport
    from toyadmos_datasets.builder import load_dataset
    from toyadmos_datasets.builder.open_loader import torch_loader
    from toyadmos_datasets.corpus.damage import Damage, damage_of
    from toyadmos_datasets.corpus.names import RecordingName, format_name
    from toyadmos_datasets.jobs.prepare import PrepareReport
    from toyadmos_datasets.loading.audio_feature import Audio
    from toyadmos_datasets.loading.augment_transform import AugmentTransform
    from toyadmos_datasets.loading.augmentation import Augment
    from toyadmos_datasets.loading.derived_features import as_plain_audio, decode_with_soundfile
    from toyadmos_datasets.scores.enhancement_scores import score_enhancement
    from toyadmos_datasets.sharing import fetch_recipe
    from toyadmos_datasets.verifying import DatasetVerdict, SourceVerdict

    __version__: str

__all__ = [
    "Audio",
    "AuditReport",
    "Augment",
    "AugmentTransform",
    "Damage",
    "DatasetVerdict",
    "PairReport",
    "PrepareReport",
    "RecordingName",
    "SourceVerdict",
    "ToyAdmosError",
    "__version__",
    "as_plain_audio",
    "audit",
    "compare",
    "damage_of",
    "decode_with_soundfile",
    "download",
    "evaluate",
    "export",
    "fetch_recipe",
    "format_name",
    "index",
    "load_dataset",
    "parse_name",
    "plan",
    "prepare",
    "protocols",
    "rebuild",
    "report",
    "score_enhancement",
    "share",
    "simulate",
    "torch_loader",
    "train",
    "verify",
]

# A name here is never that of a submodule: once the submodule is imported, it would hide what is meant.
_PLACES = {
    "Audio": "loading.audio_feature",
    "AuditReport": "auditing",
    "Augment": "loading.augmentation",
    "AugmentTransform": "loading.augment_transform",
    "Damage": "corpus.damage",
    "DatasetVerdict": "verifying",
    "PairReport": "auditing",
    "PrepareReport": "jobs.prepare",
    "RecordingName": "corpus.names",
    "SourceVerdict": "verifying",
    "as_plain_audio": "loading.derived_features",
    "audit": "api.checking",
    "compare": "api.training",
    "damage_of": "corpus.damage",
    "decode_with_soundfile": "loading.derived_features",
    "download": "api.preparing",
    "evaluate": "api.training",
    "export": "api.publishing",
    "fetch_recipe": "sharing",
    "format_name": "corpus.names",
    "index": "api.preparing",
    "load_dataset": "builder",
    "parse_name": "api.recording_names",
    "plan": "api.preparing",
    "prepare": "api.preparing",
    "protocols": "api.preparing",
    "rebuild": "api.preparing",
    "report": "api.training",
    "score_enhancement": "scores.enhancement_scores",
    "share": "api.publishing",
    "simulate": "api.preparing",
    "torch_loader": "builder.open_loader",
    "train": "api.training",
    "verify": "api.checking",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  (the imports above tell type checkers what each name is)
    """Import a public name."""
    if name == "__version__":
        value: Any = importlib.import_module("importlib.metadata").version("toyadmos-datasets")
    elif name in _PLACES:
        value = getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return list(__all__)


logging.getLogger(__name__).addHandler(logging.NullHandler())  # silent unless the embedding program adds a handler
register_with_datasets("loading.audio_feature")
