"""What each voice says of one object: every value with its source and age, and the untouched records."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.note_subjects import notes_on
from console.core.subjects import subject_of
from console.model.views import Span, Text
from console.present.formats import format_value
from console.present.safe import clean
from console.ui.incident_record import incident_record, incidents_section
from console.ui.note_lines import moment, notes_section
from console.ui.objects import key_of, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.columns import Column
    from console.model.levels import Level
    from console.model.metrics import Metric
    from console.model.snapshot import SiteFrame, Snapshot
    from console.model.views import Line

RAW_LINES = 400
WIDTH = 400
NAME_CELLS = 22
VALUE_CELLS = 20
MISSING = "—"
# From here on ten digits would be written with an exponent.
WRITTEN_OUT = 1e10
UNKNOWN = "nothing is known of it; an address is such as muc1/h1/r001/n0001/g0, a job job:SITE/ID"
UNITLESS = ("0..1", "0/1", "count", "code", "bitmask", "ratio")


def record_of(snapshot: Snapshot, row_id: str) -> Text:
    """Return the record of a row's id: an object at an address, or a check, an incident or a source by name.

    Its incidents come first, the notes on it last.
    """
    notes = notes_section(notes_on(snapshot, row_id), snapshot.at) if snapshot.notes else ()
    text = _record(snapshot, row_id)
    told = incidents_section(snapshot, row_id) if snapshot.incidents and not row_id.startswith("incident:") else ()
    return replace(text, lines=(*told, *text.lines, *notes))


def _record(snapshot: Snapshot, row_id: str) -> Text:
    kind, colon, name = row_id.partition(":")
    incident = next((each for each in snapshot.incidents if each.id == name), None) if kind == "incident" else None
    if incident is not None:
        return incident_record(snapshot, incident)
    if colon and kind in ("check", "incident"):
        return _of_value(row_id, next((each for each in snapshot.checks if each.name == name), None))
    if colon and kind == "source":
        found = next((each for each in snapshot.sources if f"{each.site}/{each.name}" == name), None)
        return _of_value(row_id, found)
    if colon and kind == "job":
        return _of_job(snapshot, row_id)
    where = resolve(snapshot.frame, row_id)
    site = snapshot.frame.site(where[0]) if where else None
    if where is None or site is None:
        return Text((_note(f"{clean(row_id, 200)}: {UNKNOWN}"),), title=clean(row_id, 120))
    lines = [*_identity(snapshot, row_id), *_values(snapshot, site, where[1], where[2]), *_raw(site, row_id)]
    return Text(tuple(lines), title=clean(row_id, 120))


def _identity(snapshot: Snapshot, address: str) -> Iterator[Line]:
    yield _pair("address", clean(address, WIDTH))
    yield _pair("key", clean(key_of(snapshot.frame, address), WIDTH))
    yield _pair("snapshot", f"{snapshot.seq}, merged at {moment(snapshot.at)}")


def _values(snapshot: Snapshot, site: SiteFrame, level: Level, row: int) -> Iterator[Line]:
    """Yield each source with its values at this level; above it, what the roll-ups made of the finer ones."""
    metrics = snapshot.frame.metrics
    own = [metric for metric in metrics.at(level.value) if metric.name in site.columns]
    for source in sorted({site.columns[metric.name].source for metric in own}):
        yield ()
        yield (Span(clean(source or "unnamed source", 80), "title"),)
        for metric in (each for each in own if site.columns[each.name].source == source):
            yield _value_line(metric, site.columns[metric.name], row, snapshot.at)
    rolled = [(name, roll) for name, roll in sorted(site.rollups.items()) if level in roll.sums and name in metrics]
    if rolled:
        yield ()
        yield (Span(f"rolled up from {site.topology.site}'s finer values", "title"),)
    for name, roll in rolled:
        for field, how in metrics[name].aggregates.items():
            value = float(roll.get(level, how)[row])
            count = int(roll.counts[level][row])
            yield _line(field, value, metrics[name].unit, f"{how.value} of {count:,}")


def _value_line(metric: Metric, column: Column, row: int, now: float) -> Line:
    age = now - float(column.at[row])
    told = f"{format_value(age, 'age')} old" if column.at[row] else "never sampled"
    stale = age > column.stale_after_s
    note = f"{told}, stale after {column.stale_after_s:g} s" if stale else told
    line = _line(metric.name, float(column.values[row]), metric.unit, note)
    return tuple(Span(span.text, "state.stale") for span in line) if stale else line


def _line(name: str, value: float, unit: str, note: str) -> Line:
    written = f"{value:,.0f}" if WRITTEN_OUT <= abs(value) < np.inf else f"{value:,.10g}"
    told = MISSING if np.isnan(value) else f"{written} {'' if unit in UNITLESS else unit}".rstrip()
    return (
        Span(f"  {clean(name, 40):<{NAME_CELLS}}", "text.dim"),
        Span(f"{told:>{VALUE_CELLS}}"),
        Span(f"   {note}", "text.dim"),
    )


def _raw(site: SiteFrame, address: str) -> Iterator[Line]:
    """Yield the untouched records of this address and of the node above it, line by line."""
    node = "/".join(address.split("/")[:4])
    for path in dict.fromkeys((address, node)):
        if path in site.raw:
            yield ()
            yield (Span(f"record of {clean(path, 120)}", "title"),)
            lines = site.raw[path].splitlines()
            yield from ((Span(clean(line, WIDTH)),) for line in lines[:RAW_LINES])
            if len(lines) > RAW_LINES:
                yield _note(f"… {len(lines) - RAW_LINES:,} more lines")


def _of_job(snapshot: Snapshot, row_id: str) -> Text:
    """Return what the scheduler last told of a job, with the nodes that it has."""
    subject = subject_of(snapshot.frame, row_id)
    site = snapshot.frame.site(subject.site) if subject is not None else None
    rows = site.jobs.rows if site is not None else ()
    cluster = row_id.partition("@")[2].partition("~")[0]
    job = next((each for each in rows if subject and each.id == subject.job and cluster in ("", each.cluster)), None)
    text = _of_value(row_id, job)
    if subject is None or site is None or job is None:
        return text
    told = f"{site.jobs.source}, {format_value(snapshot.at - site.jobs.at, 'age')} ago"
    nodes = " ".join(clean(each, 80) for each in subject.nodes)
    more = f" and {job.nodes - len(subject.nodes):,} more" if nodes and job.nodes > len(subject.nodes) else ""
    return Text(
        (_pair("told by", clean(told, 120)), *text.lines, _pair("on nodes", f"{nodes}{more}")), title=text.title
    )


def _of_value(row_id: str, value: Any) -> Text:
    """Return every field of a value of the model, as it is."""
    title = clean(row_id, 120)
    if not is_dataclass(value):
        return Text((_note(f"{title}: {UNKNOWN}"),), title=title)
    pairs = [(field.name, getattr(value, field.name)) for field in fields(value)]
    lines: list[Line] = []
    for name, found in pairs:
        many = list(found)[:RAW_LINES] if isinstance(found, (tuple, list)) else None
        lines.append(_pair(name, clean(_written(name, found) if many is None else str(len(found)), WIDTH)))
        lines += [(Span(f"    {clean(str(each), WIDTH)}"),) for each in many or ()]
    return Text(tuple(lines), title=title)


def _written(name: str, value: object) -> str:
    """Return a value as it is, moments as dates."""
    if (name.endswith("_at") or name == "since") and isinstance(value, float):
        return moment(value) if value else ""
    return str(value)


def _pair(name: str, value: str) -> Line:
    return (Span(f"{clean(name, 40):<{NAME_CELLS}}", "text.dim"), Span(value or MISSING))


def _note(text: str) -> Line:
    return (Span(text, "text.dim"),)
