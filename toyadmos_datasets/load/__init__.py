"""The stage that loads: a prepared folder becomes a `datasets.Dataset` whose audio comes as NumPy arrays."""

from toyadmos_datasets.load.load import load_prepared

__all__ = ["load_prepared"]
