"""Findings, gathered place by place."""

from __future__ import annotations

from collections import defaultdict

from toyadmos_datasets.audit.report import SEVERITIES, Finding, Severity


class Findings:
    """Puts the places of one finding together, in the order in which they were met."""

    def __init__(self) -> None:
        self._places: dict[tuple[Severity, str], list[str]] = defaultdict(list)

    def add(self, severity: Severity, what: str, place: str | None = None) -> None:
        """Note that something is so, and where."""
        places = self._places[severity, what]
        if place is not None:
            places.append(place)

    def all(self) -> tuple[Finding, ...]:
        """Return what was found, the worst first."""
        found = [Finding(severity=key[0], what=key[1], places=tuple(some)) for key, some in self._places.items()]
        return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity)))
