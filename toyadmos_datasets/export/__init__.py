"""The stage that exports: a prepared dataset as the files and names that others' tools expect."""

from toyadmos_datasets.export.export import ExportOptions, ExportReport, export_dataset
from toyadmos_datasets.export.layouts import LAYOUTS

__all__ = ["LAYOUTS", "ExportOptions", "ExportReport", "export_dataset"]
