"""Registers our audio feature with `datasets` as soon as both are imported, in any order.

What was derived and saved names the feature, and opens wherever it is known. To import `datasets` for this alone would
cost everyone a second, so that we look on until somebody else does.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_DATASETS = "datasets"


def register_with_datasets(module: str) -> None:
    """Import a module of this package, which registers what it has, once `datasets` is imported."""
    if sys.modules.get(_DATASETS) is not None:
        _import(module)
    else:
        sys.meta_path.insert(0, _Waiting(module))


class _Waiting:
    """A finder of modules that finds what the others find, and follows the import of `datasets` with another.

    Args:
        module: What to import then.
    """

    def __init__(self, module: str) -> None:
        self.module = module

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find `datasets` as the other finders do; anything else is theirs."""
        del path, target
        if name != _DATASETS:
            return None
        sys.meta_path.remove(self)
        spec: Any = importlib.import_module("importlib.util").find_spec(name)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader.exec_module = self._followed(spec.loader.exec_module)
        return spec  # type: ignore[no-any-return]

    def _followed(self, run: Any) -> Any:  # noqa: ANN401  # a method of a loader
        def exec_module(module: ModuleType) -> None:
            run(module)
            _import(self.module)

        return exec_module


def _import(module: str) -> None:
    """Import a module; a folder of the user's that is called datasets, as many are, is none to register with."""
    with contextlib.suppress(ImportError, AttributeError):
        importlib.import_module(f"{__package__}.{module}")
