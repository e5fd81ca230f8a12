"""What is wrong, worst first: failing checks, alerts and what detectors found stand for incidents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.plugin import Align, Level, Severity, Table, TableColumn, clean, format_value

from .alerts import groups, quiet
from .findings import found as findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.plugin import CheckResult, Snapshot

    from .alerts import Group
    from .findings import Found

GLYPHS = {Severity.CRITICAL: "✖", Severity.WARNING: "▲", Severity.UNKNOWN: "?"}
WORDS = {Severity.CRITICAL: "crit", Severity.WARNING: "warn", Severity.UNKNOWN: "unkn"}
WIDE = 120
CANDIDATES = 20
_OF_ALL = re.compile(r" of [0-9,]+")


@dataclass(frozen=True)
class Incident:
    """One line of the list; `addresses` are candidates for the row's id, best first; `gpus` are at risk."""

    name: str
    severity: Severity
    gpus: int
    exact: bool
    since: float
    addresses: tuple[str, ...]
    where: str
    why: str
    jobs: tuple[str, ...]


def incidents(snapshot: Snapshot) -> list[Incident]:
    """Return what is wrong: critical first, then by GPUs at risk, then by what it is called."""
    found = [_of_check(check, snapshot) for check in snapshot.checks if check.severity in GLYPHS]
    found += [_of_alerts(group) for group in groups(snapshot)]
    found += [_of_findings(each, len(snapshot.frame.sites)) for each in findings(snapshot)]
    return sorted(found, key=lambda each: (-each.severity.rank, -each.gpus, each.name))


def incident_table(snapshot: Snapshot, width: int = WIDE) -> Table:
    """Return the list as a table whose ids are addresses where there is one; the reason gets the room."""
    rows = incidents(snapshot)
    tokens = [f"state.{row.severity.value}" for row in rows]
    ages = [format_value(snapshot.at - row.since, "age") if row.since else "—" for row in rows]
    risk = [f"{'' if row.exact else '~'}{row.gpus:,}" if row.gpus else "—" for row in rows]
    jobs = [_job_text(row.jobs) for row in rows]
    columns = (
        TableColumn("severity", "", [_mark(row.severity, width) for row in rows], tokens=tokens),
        TableColumn("since", "since", ages, align=Align.RIGHT, width=6),
        TableColumn("where", "where", [row.where for row in rows], width=min(22, _longest(rows)), weight=1),
        TableColumn("why", "why", [row.why for row in rows], width=24, weight=5),
        TableColumn("gpus", "GPUs", risk, align=Align.RIGHT, drop=2),
        *([TableColumn("jobs", "jobs", jobs, width=14, weight=1, drop=3)] if any(jobs) else []),
    )
    return Table(
        columns,
        ids=_unique_ids(rows),
        title=_title(rows, snapshot),
        total=len(rows),
        empty=_quiet(snapshot),
        severities=[row.severity.value for row in rows],
    )


def _mark(severity: Severity, width: int) -> str:
    word = severity.value if width >= WIDE else WORDS.get(severity, severity.value)
    return f"{GLYPHS[severity]} {word}"


def _longest(rows: Sequence[Incident]) -> int:
    return max((len(row.where) for row in rows), default=0)


def _title(rows: Sequence[Incident], snapshot: Snapshot) -> str:
    silenced = quiet(snapshot.alerts)
    title = f"INCIDENTS {len(rows)} by GPUs at risk" if rows else "INCIDENTS"
    return f"{title}  {silenced}" if silenced else title


def _quiet(snapshot: Snapshot) -> str:
    if snapshot.loading:
        return "waiting for the first reading; nothing has been judged yet"
    if not snapshot.checks:
        return "no checks are set up: write some under `checks:` in the fleet file"
    one = len(snapshot.checks) == 1
    return "the one check is well" if one else f"all {len(snapshot.checks)} checks are well"


def _of_check(check: CheckResult, snapshot: Snapshot) -> Incident:
    affected = [site for site, matches, _ in check.by_site if matches] or [site for site, _, n in check.by_site if n]
    shared = _shared(check.paths) if 0 < check.matches <= len(check.paths) else ""
    place = shared or (affected[0] if len(affected) == 1 else "")
    name = clean(check.name, 60)
    why = _why(check) or name
    return Incident(
        name=name,
        severity=check.severity,
        gpus=_at_risk(check, snapshot),
        exact=check.level is Level.GPU,
        since=check.since,
        addresses=(*([place] if place else []), *check.paths),
        where=_where(check, place, affected, len(snapshot.frame.sites)),
        why=why,
        jobs=check.jobs,
    )


def _of_alerts(group: Group) -> Incident:
    first = group.first
    paths = tuple(alert.path or alert.site for alert in group.alerts)
    place = _shared(paths)
    more = f"  {len(paths):,} alerts" if len(paths) > 1 else ""
    return Incident(
        name=clean(first.title, 60),
        severity=first.severity,
        gpus=group.gpus,
        exact=True,
        since=first.since,
        addresses=(place, *paths),
        where=clean(place.replace("/", " ", 1), 60) + more,
        why=group.why,
        jobs=tuple(dict.fromkeys(job for alert in group.alerts for job in alert.jobs)),
    )


def _of_findings(group: Found, sites: int) -> Incident:
    first = group.first
    paths = tuple(finding.path for finding in group.findings)
    place = _shared(paths)
    affected = sorted({finding.site for finding in group.findings})
    named = ", ".join(clean(site, 20) for site in affected[:2]) + (
        f" +{len(affected) - 2}" if len(affected) > 2 else ""
    )
    many = f"  {group.gpus:,} GPUs" if group.gpus > 1 else ""
    everywhere = f"all {sites} sites" if len(affected) == sites > 2 else named
    return Incident(
        name=clean(first.fault, 60),
        severity=first.severity,
        gpus=group.gpus,
        exact=True,
        since=first.since,
        addresses=(*([place] if place else []), *paths[:CANDIDATES]),
        where=(clean(place.replace("/", " ", 1), 60) or everywhere) + many,
        why=group.why,
        jobs=(),
    )


def _at_risk(check: CheckResult, snapshot: Snapshot) -> int:
    """Return the GPUs in what matches; wider rows count as many as they have on average."""
    if check.level is Level.GPU or not check.rows:
        return check.matches if check.rows else 0
    sites = snapshot.frame.sites
    rows = sum(site.topology.count(check.level) for site in sites)
    return round(check.matches * sum(site.topology.gpus for site in sites) / rows) if rows else 0


def _shared(paths: Sequence[str]) -> str:
    """Return the address that all paths have in common; empty if they are of several sites."""
    split = [path.split("/") for path in paths]
    same = 0
    while all(len(parts) > same and parts[same] == split[0][same] for parts in split):
        same += 1
    return "/".join(split[0][:same])


def _why(check: CheckResult) -> str:
    """Return a check's words without the size of the fleet, which the screen shows elsewhere."""
    text = clean(check.text, 200)
    head, told, rest = text.partition(": ")
    count = f"{check.matches:,} "
    if not told or not head.startswith(count) or " of " not in head:
        return text
    return f"{_OF_ALL.sub('', head)}: {rest}"


def _where(check: CheckResult, place: str, affected: Sequence[str], sites: int) -> str:
    if place:
        word = "GPUs" if check.level is Level.GPU else f"{check.level.value}s"
        many = f"  {check.matches:,} {word}" if check.matches > 1 else ""
        return clean(place.replace("/", " ", 1), 60) + many
    if not affected:
        return "fleet"
    if len(affected) == sites > 2:
        return f"all {sites} sites"
    named = ", ".join(clean(site, 20) for site in affected[:2])
    return named + (f" +{len(affected) - 2}" if len(affected) > 2 else "")


def _job_text(jobs: Sequence[str]) -> str:
    shown = ", ".join(clean(job, 30) for job in jobs[:2])
    return f"{shown} +{len(jobs) - 2}" if len(jobs) > 2 else shown


def _unique_ids(rows: Sequence[Incident]) -> list[str]:
    """Return one id a row: its best address that no worse incident above it has taken."""
    ids: dict[str, None] = {}
    for number, row in enumerate(rows):
        free = (address for address in row.addresses if address not in ids)
        named = f"incident:{row.name}"
        ids[next(free, named if named not in ids else f"{named}:{number}")] = None
    return list(ids)
