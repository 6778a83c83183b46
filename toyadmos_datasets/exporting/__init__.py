"""The stage that exports: a prepared dataset as the files and names that others' tools expect."""

from toyadmos_datasets.exporting.export_layouts import LAYOUTS
from toyadmos_datasets.exporting.exporting import ExportOptions, ExportReport, export_dataset

__all__ = ["LAYOUTS", "ExportOptions", "ExportReport", "export_dataset"]
