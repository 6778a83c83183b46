"""The stage that loads: a prepared folder becomes a `datasets.Dataset` whose audio comes as NumPy arrays."""

from toyadmos_datasets.load.load import load_dataset

__all__ = ["load_dataset"]
