"""What is wrong, worst first: incidents with who has taken them on, those of one key over several sites as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.plugin import AlertState, Align, Severity, Table, TableColumn, clean, format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.plugin import IncidentRow, Snapshot

GLYPHS = {Severity.CRITICAL: "✖", Severity.WARNING: "▲", Severity.UNKNOWN: "?"}
WORDS = {Severity.CRITICAL: "crit", Severity.WARNING: "warn", Severity.UNKNOWN: "unkn"}
QUIET = {AlertState.SILENCED: "silenced", AlertState.INHIBITED: "inhibited"}
WIDE = 120
ACK_CELLS, WIDE_ACK_CELLS = 8, 16
WHERE_CELLS = 22


def incident_table(snapshot: Snapshot, width: int = WIDE) -> Table:
    """Return the open incidents as a table whose ids are addresses where there is one; the reason gets the room."""
    rows = _rows(snapshot)
    sites = len(snapshot.frame.sites)
    wheres = [_where(row, sites) for row in rows]
    jobs = [_job_text(row.jobs) for row in rows]
    quiet = ["text.dim" if row.acknowledged else "text" for row in rows]
    marks = ["text.dim" if row.acknowledged else f"state.{row.severity.value}" for row in rows]
    columns = (
        TableColumn("severity", "", [_mark(row.severity, width) for row in rows], tokens=marks),
        TableColumn("ack", "ack", [_taken(row, width) for row in rows], tokens=quiet),
        TableColumn("since", "since", _ages(rows, snapshot.at), align=Align.RIGHT, width=6, tokens=quiet),
        TableColumn("where", "where", wheres, width=min(WHERE_CELLS, _longest(wheres)), weight=1, tokens=quiet),
        TableColumn("why", "why", [clean(row.text, 240) for row in rows], width=24, weight=5, tokens=quiet),
        TableColumn("gpus", "GPUs", _risks(rows), align=Align.RIGHT, drop=2, tokens=quiet),
        *([TableColumn("jobs", "jobs", jobs, width=14, weight=1, drop=3, tokens=quiet)] if any(jobs) else []),
    )
    return Table(
        columns,
        ids=[row.id for row in rows],
        title=_title(rows, snapshot),
        total=len(rows),
        empty=_empty(snapshot),
        severities=[row.severity.value for row in rows],
    )


def counts(snapshot: Snapshot, site: str) -> tuple[int, int]:
    """Return how many critical and how many other incidents of a site are open."""
    bad = [
        each.sign.severity for each in snapshot.incidents if each.site == site and each.state is not AlertState.RESOLVED
    ]
    return bad.count(Severity.CRITICAL), bad.count(Severity.WARNING)


def _rows(snapshot: Snapshot) -> Sequence[IncidentRow]:
    if not snapshot.incidents:
        return ()
    from console.plugin import incident_rows  # the first picture has none and waits for nothing

    return incident_rows(snapshot)


def _mark(severity: Severity, width: int) -> str:
    word = severity.value if width >= WIDE else WORDS.get(severity, severity.value)
    return f"{GLYPHS.get(severity, '·')} {word}"


def _taken(row: IncidentRow, width: int) -> str:
    """Return who took it on, cut to what the screen has room for."""
    who, most = clean(row.taken_by, 40), WIDE_ACK_CELLS if width >= WIDE else ACK_CELLS
    return who if len(who) <= most else f"{who[: most - 1]}…"


def _ages(rows: Sequence[IncidentRow], now: float) -> list[str]:
    return [format_value(max(0.0, now - row.since), "age") if row.since else "—" for row in rows]


def _risks(rows: Sequence[IncidentRow]) -> list[str]:
    return [f"{'' if row.exact else '~'}{row.gpus:,}" if row.gpus else "—" for row in rows]


def _longest(texts: Sequence[str]) -> int:
    return max(map(len, texts), default=0)


def _where(row: IncidentRow, sites: int) -> str:
    """Return the place, else the sites; how many objects it is stands in the reason."""
    if row.place:
        return clean(row.place.replace("/", " ", 1), 60)
    if len(row.sites) == sites > 2:
        return f"all {sites} sites"
    more = f" +{len(row.sites) - 2}" if len(row.sites) > 2 else ""
    return ", ".join(clean(site, 20) for site in row.sites[:2]) + more


def _job_text(jobs: Sequence[str]) -> str:
    shown = ", ".join(clean(job, 30) for job in jobs[:2])
    return f"{shown} +{len(jobs) - 2}" if len(jobs) > 2 else shown


def _title(rows: Sequence[IncidentRow], snapshot: Snapshot) -> str:
    over = sum(each.state is AlertState.RESOLVED for each in snapshot.incidents)
    states = [alert.state for alert in snapshot.alerts]
    told = [f"INCIDENTS {len(rows)} by GPUs at risk" if rows else "INCIDENTS"]
    told += [f"{over} resolved lately"] if over else []
    silenced = ", ".join(f"{states.count(state):,} {word}" for state, word in QUIET.items() if state in states)
    return "  ".join([*told, silenced] if silenced else told)


def _empty(snapshot: Snapshot) -> str:
    """Return what an empty list means."""
    if snapshot.loading:
        return "waiting for the first reading; nothing has been judged yet"
    if any(site.judged is not None for site in snapshot.frame.sites):
        return "nothing is wrong"
    checks = [check.severity for check in snapshot.checks]
    if all(severity is Severity.UNKNOWN for severity in checks):
        return "nothing has been judged yet"
    if any(severity in (Severity.CRITICAL, Severity.WARNING) for severity in checks):
        return "what fails has just been found"
    return "the one check is well" if len(checks) == 1 else f"all {len(checks)} checks are well"
