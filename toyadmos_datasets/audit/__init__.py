"""The stage that audits: what a reviewer would ask of a dataset, answered from its data and not from its plan."""

from toyadmos_datasets.audit.audit import audit
from toyadmos_datasets.audit.report import AuditReport, Count, Finding, LevelCheck, SnrCheck

__all__ = ["AuditReport", "Count", "Finding", "LevelCheck", "SnrCheck", "audit"]
