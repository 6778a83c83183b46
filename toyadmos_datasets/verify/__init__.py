"""Reads a prepared dataset, or a source, once through, and tells everything that is wrong with it."""

from toyadmos_datasets.verify.dataset import DatasetVerdict, is_prepared, verify_dataset
from toyadmos_datasets.verify.problem import Problem
from toyadmos_datasets.verify.shared import verify_shared
from toyadmos_datasets.verify.source import SourceState, SourceVerdict, verify_source

__all__ = [
    "DatasetVerdict",
    "Problem",
    "SourceState",
    "SourceVerdict",
    "is_prepared",
    "verify_dataset",
    "verify_shared",
    "verify_source",
]
