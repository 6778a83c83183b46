"""The builder for `datasets`, and `load_dataset`, which loads what is prepared or builds what is not."""

from toyadmos_datasets.builder.load import load_dataset

__all__ = ["load_dataset"]
