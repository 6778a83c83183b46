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
from typing import TYPE_CHECKING, Any

from toyadmos_datasets.errors import ToyAdmosError
from toyadmos_datasets.registering import register_with_datasets

if TYPE_CHECKING:
    from toyadmos_datasets.audit import AuditReport, PairReport
    from toyadmos_datasets.audit import audit as audit_dataset
    from toyadmos_datasets.builder import load_dataset
    from toyadmos_datasets.corpus.damage import Damage, damage_of
    from toyadmos_datasets.corpus.names import RecordingName, format_name, parse_name
    from toyadmos_datasets.load.audio import Audio
    from toyadmos_datasets.load.redecoding import as_plain_audio, decode_with_soundfile
    from toyadmos_datasets.load.training import torch_loader
    from toyadmos_datasets.plan import PlanOptions
    from toyadmos_datasets.prepare import PrepareOptions, PrepareReport
    from toyadmos_datasets.prepare import prepare as prepare_dataset
    from toyadmos_datasets.render import Encoding, RenderOptions
    from toyadmos_datasets.share import ShareOptions, fetch_recipe
    from toyadmos_datasets.sharing import share_dataset
    from toyadmos_datasets.verify import DatasetVerdict, SourceVerdict, verify_dataset, verify_shared, verify_source

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
    "Audio": "load.audio:Audio",
    "AuditReport": "audit:AuditReport",
    "Damage": "corpus.damage:Damage",
    "DatasetVerdict": "verify:DatasetVerdict",
    "Encoding": "render:Encoding",
    "PairReport": "audit:PairReport",
    "PlanOptions": "plan:PlanOptions",
    "PrepareOptions": "prepare:PrepareOptions",
    "PrepareReport": "prepare:PrepareReport",
    "RecordingName": "corpus.names:RecordingName",
    "RenderOptions": "render:RenderOptions",
    "ShareOptions": "share:ShareOptions",
    "SourceVerdict": "verify:SourceVerdict",
    "as_plain_audio": "load.redecoding:as_plain_audio",
    "audit_dataset": "audit:audit",
    "damage_of": "corpus.damage:damage_of",
    "decode_with_soundfile": "load.redecoding:decode_with_soundfile",
    "fetch_recipe": "share:fetch_recipe",
    "format_name": "corpus.names:format_name",
    "load_dataset": "builder:load_dataset",
    "parse_name": "corpus.names:parse_name",
    "prepare_dataset": "prepare:prepare",
    "torch_loader": "load.training:torch_loader",
    "verify_dataset": "verify:verify_dataset",
    "share_dataset": "sharing:share_dataset",
    "verify_shared": "verify:verify_shared",
    "verify_source": "verify:verify_source",
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


register_with_datasets("load.audio")
