"""What an incident stands on: what each of its signs says now, also those that were folded into another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.signs.alerts import OPEN, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from console.model.incidents import Incident
    from console.model.snapshot import Snapshot

MOST_LINES = 20


def evidence_of(snapshot: Snapshot, incident: Incident) -> Mapping[str, tuple[str, ...]]:
    """Return what is said now for each key of an incident, its own first; empty for a key that nobody speaks of now."""
    keys = (incident.sign.key, *incident.sign.folds)
    return {key: _bounded(list(_told(snapshot, incident.site, key))) for key in keys}


def _told(snapshot: Snapshot, site: str, key: str) -> Iterator[str]:
    kind, _, name = key.partition(":")
    teller = _TELLERS.get(kind)
    return teller(snapshot, site, name) if teller is not None else iter(())


def _of_blindness(snapshot: Snapshot, site: str, _: str) -> Iterator[str]:
    for source in snapshot.sources:
        if source.site == site and source.last_error:
            yield f"{source.name}: {source.last_error}"


def _of_findings(snapshot: Snapshot, site: str, fault: str) -> Iterator[str]:
    for finding in snapshot.findings:
        if (finding.site, finding.fault) == (site, fault):
            more = f" ({'; '.join(finding.evidence)})" if finding.evidence else ""
            yield f"{finding.path}: {finding.text}{more}"


def _of_alerts(snapshot: Snapshot, site: str, title: str) -> Iterator[str]:
    for alert in snapshot.alerts:
        if (alert.site, name_of(alert)) == (site, title) and alert.state in OPEN:
            by = f", told by {alert.origin}" if alert.origin else ""
            yield f"{alert.path or site}: {alert.severity.value}: {alert.text or alert.title}{by}"


def _of_check(snapshot: Snapshot, site: str, name: str) -> Iterator[str]:
    frame = snapshot.frame.site(site)
    judged = frame.judged if frame is not None else None
    for check in snapshot.checks if judged is None else judged.checks:
        if check.name == name:
            yield check.text
            yield from (path for hits in check.hits if hits.site == site for path in hits.paths)


def _of_kind(snapshot: Snapshot, site: str, kind: str) -> Iterator[str]:
    for group in snapshot.disagreements.groups:
        if (group.site, group.kind) == (site, kind):
            yield f"{group.count:,}: {group.title}"
            yield from group.paths
    frame = snapshot.frame.site(site)
    for row in frame.judged.disagreements if frame is not None and frame.judged is not None else ():
        if row.kind == kind:
            yield f"{row.path}: {row.text}"


_TELLERS: Mapping[str, Callable[[Snapshot, str, str], Iterator[str]]] = {
    "fault": _of_findings,
    "alert": _of_alerts,
    "check": _of_check,
    "disagreement": _of_kind,
    "site": _of_blindness,
}


def _bounded(lines: list[str]) -> tuple[str, ...]:
    more = [f"and {len(lines) - MOST_LINES:,} more"] if len(lines) > MOST_LINES else []
    return (*lines[:MOST_LINES], *more)
