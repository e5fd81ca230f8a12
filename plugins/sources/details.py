"""One endpoint in full: its address, its last error, what the server said, and the names that lead nowhere."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from console.plugin import Part, SourceState, Span, Split, Table, TableColumn, Text, clean, format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.plugin import Finding, Line, Snapshot, SourceStatus, Unjoined, View

WIDE = 100
LINE_LIMIT = 600
NAMES_SHOWN = 500
MOST_FOUND = 12
WELL = (SourceState.OK, SourceState.STARTING)


def details(source: SourceStatus, snapshot: Snapshot, width: int) -> View:
    """Return the record of one endpoint, with its unjoined names and the endpoints behind it where there are any."""
    words = Text(tuple(_lines(source, snapshot, width)), title=f"{clean(source.site, 24)}/{clean(source.name, 40)}")
    names, behind = _unjoined(source, snapshot), behind_of(source, snapshot)
    parts = [Part(words, weight=3)]
    if behind:
        parts.append(Part(_behind_table(behind, snapshot.at), weight=2, minimum=3))
    if names:
        parts.append(Part(_names_table(names), weight=1, minimum=3))
    return Split(tuple(parts), across=width >= WIDE) if len(parts) > 1 else words


def behind_of(source: SourceStatus, snapshot: Snapshot) -> list[SourceStatus]:
    """Return the endpoints that a `gigadeck serve` reads, where the source leads to one; those that are blind first."""
    site = snapshot.frame.site(source.site)
    if source.kind != "site" or site is None or site.judged is None:
        return []
    return sorted(site.judged.sources, key=lambda each: (each.state in WELL, each.name))


def is_blind(source: SourceStatus) -> bool:
    """Whether an endpoint tells nothing that counts now."""
    return source.state not in (*WELL, SourceState.SLOW)


def _lines(source: SourceStatus, snapshot: Snapshot, width: int) -> list[Line]:
    now = snapshot.at
    lines: list[Line] = [_pair("address", source.url), (*_pair("state", source.state.value), *_since(source, now))]
    if source.last_error:
        lines += _wrapped("last error", source.last_error, width, "state.critical")
    if source.dropped:
        lines.append(_pair("dropped", f"{source.dropped:,} readings came faster than they could be merged"))
    for warning in source.warnings:
        lines += _wrapped("warning", warning, width, "state.warning")
    lines += _found(source, snapshot, width)
    for name, note in sorted(source.notes.items()):
        lines.append(_pair(clean(name, 24), note))
    lines.append(_pair("stale after", format_value(source.stale_after_s, "age")))
    return lines


def findings_of(source: SourceStatus, snapshot: Snapshot) -> list[Finding]:
    """Return what detectors found wrong with what a source tells, the oldest first."""
    mine = [each for each in snapshot.findings if each.site == source.site and source.name in each.source.split("+")]
    return sorted(mine, key=lambda each: each.since)


def _found(source: SourceStatus, snapshot: Snapshot, width: int) -> list[Line]:
    """Return a few lines of each fault that detectors found in this source's telemetry."""
    faults: dict[str, list[Finding]] = {}
    for finding in findings_of(source, snapshot):
        faults.setdefault(finding.fault, []).append(finding)
    lines: list[Line] = []
    for fault, found in sorted(faults.items()):
        first, more = found[0], f"; and {len(found) - 1:,} more" if len(found) > 1 else ""
        age = format_value(snapshot.at - first.since, "age")
        lines += _wrapped("lies", f"{fault} for {age}: {first.path}: {first.text}{more}", width, "state.warning")
    return lines[:MOST_FOUND]


def _since(source: SourceStatus, now: float) -> Line:
    told = f" for {format_value(now - source.since, 'age')}" if source.since else ""
    read = (
        f"; last good read {format_value(now - source.last_ok_at, 'age')} ago" if source.last_ok_at else "; never read"
    )
    return (Span(told + read, "text.dim"),)


def _pair(name: str, value: str) -> Line:
    return (Span(f"{name:<12} ", "text.dim"), Span(clean(value, LINE_LIMIT)))


def _wrapped(name: str, text: str, width: int, token: str) -> list[Line]:
    """Return a long message in full over several lines."""
    told = clean(text, LINE_LIMIT)
    room = max(20, width - 14)
    pieces = wrap(told, room, break_on_hyphens=False) or [""]
    return [(Span(f"{name if not i else '':<12} ", "text.dim"), Span(piece, token)) for i, piece in enumerate(pieces)]


def _unjoined(source: SourceStatus, snapshot: Snapshot) -> list[Unjoined]:
    site = snapshot.frame.site(source.site)
    return [each for each in site.unjoined if each.source == source.name] if site else []


def _behind_table(behind: Sequence[SourceStatus], now: float) -> Table:
    """Return the endpoints of a `gigadeck serve`: their state, how old their data is, and what is wrong."""
    ages = [format_value(now - each.data_at, "age") if each.data_at else "-" for each in behind]
    tokens = ["state.critical" if is_blind(each) else "state.ok" for each in behind]
    columns = (
        TableColumn("name", "read by the serve", [clean(each.name, 40) for each in behind], width=8, weight=1),
        TableColumn("kind", "kind", [clean(each.kind, 16) for each in behind], drop=2),
        TableColumn("state", "state", [each.state.value for each in behind], tokens=tokens),
        TableColumn("age", "age", ages, drop=1),
        TableColumn("error", "last error", [clean(each.last_error, LINE_LIMIT) for each in behind], weight=3, drop=3),
    )
    blind = sum(map(is_blind, behind))
    title = f"{len(behind)} endpoints of the serve, {blind} blind" if blind else f"{len(behind)} endpoints of the serve"
    return Table(columns, ids=[f"behind:{i}" for i in range(len(behind))], title=title, total=len(behind), enter=False)


def _names_table(unjoined: Sequence[Unjoined]) -> Table:
    names = [clean(name, 80) for each in unjoined for name in each.names][:NAMES_SHOWN]
    total = sum(each.total for each in unjoined)
    column = TableColumn("name", "name, as this source spells it", names, weight=1)
    title = f"{total:,} names lead to no node"
    return Table((column,), ids=[f"name:{i}" for i in range(len(names))], title=title, total=total, enter=False)
