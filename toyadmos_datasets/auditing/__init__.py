"""The stage that audits a dataset: it answers a reviewer's questions from the data, not from the plan."""

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
