"""One endpoint in full: its address, its last error, what the server said, and the names that lead nowhere."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from console.plugin import Part, Span, Split, Table, TableColumn, Text, clean, format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.plugin import Finding, Line, Snapshot, SourceStatus, Unjoined, View

WIDE = 100
LINE_LIMIT = 600
NAMES_SHOWN = 500
MOST_FOUND = 12


def details(source: SourceStatus, snapshot: Snapshot, width: int) -> View:
    """Return the record of one endpoint, with its unjoined names where there are any."""
    words = Text(tuple(_lines(source, snapshot, width)), title=f"{clean(source.site, 24)}/{clean(source.name, 40)}")
    names = _unjoined(source, snapshot)
    if not names:
        return words
    return Split((Part(words, weight=3), Part(_names_table(names), weight=1, minimum=3)), across=width >= WIDE)


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


def _names_table(unjoined: Sequence[Unjoined]) -> Table:
    names = [clean(name, 80) for each in unjoined for name in each.names][:NAMES_SHOWN]
    total = sum(each.total for each in unjoined)
    column = TableColumn("name", "name, as this source spells it", names, weight=1)
    title = f"{total:,} names lead to no node"
    return Table((column,), ids=[f"name:{i}" for i in range(len(names))], title=title, total=total, enter=False)
