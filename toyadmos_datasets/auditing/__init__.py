"""The stage that audits: what a reviewer would ask of a dataset, answered from its data and not from its plan."""

from toyadmos_datasets.auditing.audit_job import audit
from toyadmos_datasets.auditing.findings import (
    AuditReport,
    CommonCount,
    Count,
    Finding,
    LevelCheck,
    PairReport,
    SnrCheck,
)

__all__ = ["AuditReport", "CommonCount", "Count", "Finding", "LevelCheck", "PairReport", "SnrCheck", "audit"]
