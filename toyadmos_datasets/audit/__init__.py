"""The stage that audits: what a reviewer would ask of a dataset, answered from its data and not from its plan."""

from toyadmos_datasets.audit.audit import audit
from toyadmos_datasets.audit.report import AuditReport, CommonCount, Count, Finding, LevelCheck, PairReport, SnrCheck

__all__ = ["AuditReport", "CommonCount", "Count", "Finding", "LevelCheck", "PairReport", "SnrCheck", "audit"]
