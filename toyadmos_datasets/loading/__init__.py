"""The stage that loads: a prepared dataset becomes a `datasets.Dataset` whose audio comes as NumPy arrays."""

from toyadmos_datasets.loading.choices import check_decode, check_split
from toyadmos_datasets.loading.prepared_dataset import load_prepared

__all__ = ["check_decode", "check_split", "load_prepared"]
