"""Reads a prepared dataset or a source once, and reports all errors."""

from toyadmos_datasets.verifying.dataset_verification import DatasetVerdict, Problem, is_prepared, verify_dataset
from toyadmos_datasets.verifying.place_verification import required_toy, verify_place
from toyadmos_datasets.verifying.shared_verification import verify_shared
from toyadmos_datasets.verifying.source_verification import SourceState, SourceVerdict, verify_source

__all__ = [
    "DatasetVerdict",
    "Problem",
    "SourceState",
    "SourceVerdict",
    "is_prepared",
    "required_toy",
    "verify_dataset",
    "verify_place",
    "verify_shared",
    "verify_source",
]
