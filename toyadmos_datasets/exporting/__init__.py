"""The stage that exports: a prepared dataset as the files and names that other tools expect."""

from toyadmos_datasets.exporting.export_job import ExportOptions, ExportReport, export_dataset
from toyadmos_datasets.exporting.export_layouts import LAYOUTS

__all__ = ["LAYOUTS", "ExportOptions", "ExportReport", "export_dataset"]
