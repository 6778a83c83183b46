"""ToyADMOS as a clean, reproducible dataset.

    from toyadmos_datasets import load_dataset

    train = load_dataset("data/train", split="train")
    train[0]["audio"]["array"]  # float32, shape (n_samples,)

What is named in `__all__` is imported when it is first asked for, so that importing the package costs nothing. Only
where `datasets` is imported, too, it learns of our audio feature, so that it can open what was derived and saved.
Every failure is a `ToyAdmosError`; `toyadmos_datasets.errors` draws their tree.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from toyadmos_datasets.errors import ToyAdmosError
from toyadmos_datasets.registration import register_with_datasets

if TYPE_CHECKING:
    from toyadmos_datasets.auditing import AuditReport, PairReport
    from toyadmos_datasets.auditing import audit as audit_dataset
    from toyadmos_datasets.builder import load_dataset
    from toyadmos_datasets.corpus.damage import Damage, damage_of
    from toyadmos_datasets.corpus.names import RecordingName, format_name, parse_name
    from toyadmos_datasets.jobs.prepare import PrepareOptions, PrepareReport
    from toyadmos_datasets.jobs.prepare import prepare as prepare_dataset
    from toyadmos_datasets.loading.audio_feature import Audio
    from toyadmos_datasets.loading.derived_features import as_plain_audio, decode_with_soundfile
    from toyadmos_datasets.loading.torch_loader import torch_loader
    from toyadmos_datasets.planning import PlanOptions
    from toyadmos_datasets.rendering import Encoding, RenderOptions
    from toyadmos_datasets.sharing import ShareOptions, fetch_recipe
    from toyadmos_datasets.sharing.share_job import share_dataset
    from toyadmos_datasets.verifying import DatasetVerdict, SourceVerdict, verify_dataset, verify_shared, verify_source

    __version__: str

__all__ = [
    "Audio",
    "AuditReport",
    "Damage",
    "DatasetVerdict",
    "Encoding",
    "PairReport",
    "PlanOptions",
    "PrepareOptions",
    "PrepareReport",
    "RecordingName",
    "RenderOptions",
    "ShareOptions",
    "SourceVerdict",
    "ToyAdmosError",
    "__version__",
    "as_plain_audio",
    "audit_dataset",
    "damage_of",
    "decode_with_soundfile",
    "fetch_recipe",
    "format_name",
    "load_dataset",
    "parse_name",
    "prepare_dataset",
    "share_dataset",
    "torch_loader",
    "verify_dataset",
    "verify_shared",
    "verify_source",
]

# A name here is never that of a submodule: once the submodule is imported, it would hide what is meant.
_PLACES = {
    "Audio": "loading.audio_feature:Audio",
    "AuditReport": "auditing:AuditReport",
    "Damage": "corpus.damage:Damage",
    "DatasetVerdict": "verifying:DatasetVerdict",
    "Encoding": "rendering:Encoding",
    "PairReport": "auditing:PairReport",
    "PlanOptions": "planning:PlanOptions",
    "PrepareOptions": "jobs.prepare:PrepareOptions",
    "PrepareReport": "jobs.prepare:PrepareReport",
    "RecordingName": "corpus.names:RecordingName",
    "RenderOptions": "rendering:RenderOptions",
    "ShareOptions": "sharing:ShareOptions",
    "SourceVerdict": "verifying:SourceVerdict",
    "as_plain_audio": "loading.derived_features:as_plain_audio",
    "audit_dataset": "auditing:audit",
    "damage_of": "corpus.damage:damage_of",
    "decode_with_soundfile": "loading.derived_features:decode_with_soundfile",
    "fetch_recipe": "sharing:fetch_recipe",
    "format_name": "corpus.names:format_name",
    "load_dataset": "builder:load_dataset",
    "parse_name": "corpus.names:parse_name",
    "prepare_dataset": "jobs.prepare:prepare",
    "torch_loader": "loading.torch_loader:torch_loader",
    "verify_dataset": "verifying:verify_dataset",
    "share_dataset": "sharing.share_job:share_dataset",
    "verify_shared": "verifying:verify_shared",
    "verify_source": "verifying:verify_source",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  (the imports above tell type checkers what each name is)
    """Import a public name."""
    if name == "__version__":
        value: Any = importlib.import_module("importlib.metadata").version("toyadmos-datasets")
    elif name in _PLACES:
        module, _, attribute = _PLACES[name].partition(":")
        value = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not, beside what any module has."""
    return sorted({*globals(), *__all__})


logging.getLogger(__name__).addHandler(logging.NullHandler())  # silent unless who embeds us listens
register_with_datasets("loading.audio_feature")
