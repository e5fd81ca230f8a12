"""Free capacity by domain: whole blocks first, what keeps the others from being whole, and the reservations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.plugin import Align, Part, Span, Split, Table, TableColumn, Text, clean, format_value, select_free

if TYPE_CHECKING:
    from console.plugin import Line, Place, Rows, Size, Snapshot, View

ROW_LIMIT = 1000
MOST_RESERVATIONS = 6
COLUMNS = (
    ("nodes", "nodes", "int", 6),
    ("gpus", "GPUs", "int", 5),
    ("free_nodes", "free", "int", 0),
    ("free_gpus", "free GPUs", "int", 0),
    ("busy_nodes", "busy", "int", 4),
    ("out_nodes", "out", "int", 3),
    ("ill_nodes", "ill", "int", 3),
    ("reserved_nodes", "kept", "int", 3),
)


def free_view(snapshot: Snapshot, place: Place, size: Size) -> View:
    """Return the blocks of the place's domains that have a free node or are draining, over the reservations."""
    known = {"free_gpus", *(key for key, *_ in COLUMNS), "drain_at", "free_at", "id"}
    sort = place.sort if place.sort.removeprefix("-") in known else ""
    rows = select_free(snapshot, by=place.by, within=place.path, sort=sort, limit=ROW_LIMIT)
    table = _table(rows, snapshot, place, sort)
    kept = _reservations(snapshot, place)
    if not kept or size.height < len(kept) + 8:
        return table
    return Split((Part(table, minimum=4), Part(Text(tuple(kept), title="RESERVATIONS"), fixed=len(kept) + 1)))


def _table(rows: Rows, snapshot: Snapshot, place: Place, sort: str) -> Table:
    names = [
        clean(id if not place.path else str(name), 40) for id, name in zip(rows.ids, rows.columns["name"], strict=True)
    ]
    whole = np.asarray(rows.columns["whole"]) > 0
    tokens = ["state.ok" if each else "text" for each in whole.tolist()]
    numbers = (
        TableColumn(key, title, np.asarray(rows.columns[key], dtype=np.float64), form, Align.RIGHT, drop=drop)
        for key, title, form, drop in COLUMNS
    )
    columns = (
        TableColumn("id", place.by, names, width=16, weight=1, tokens=tokens),
        *numbers,
        _until("drain_at", "drained in", rows, snapshot, 1),
        _until("free_at", "whole in", rows, snapshot, 2),
        TableColumn("why", "not whole", [clean(str(text or ""), 80) for text in rows.columns["why"]], weight=1, drop=7),
    )
    return Table(
        columns,
        ids=rows.ids,
        title=_title(rows, whole, place),
        total=rows.total,
        sort=sort or "-free_gpus",
        empty="nothing is free here, and nothing drains",
    )


def _until(key: str, title: str, rows: Rows, snapshot: Snapshot, drop: int) -> TableColumn:
    left_s = np.maximum(np.asarray(rows.columns[key], dtype=np.float64) - snapshot.at, 0.0)
    return TableColumn(key, title, left_s, "age", Align.RIGHT, drop=drop)


def _title(rows: Rows, whole: np.ndarray, place: Place) -> str:
    of = f" of {clean(place.path, 60)}" if place.path else ""
    untold = bool((np.asarray(rows.columns["health_told"]) < 1).any())
    notes = ["no telemetry: health is not known"] * untold
    return "   ".join(
        (f"FREE by {clean(place.by, 24)}{of}  {int(whole.sum()):,} whole of {rows.total:,} with room", *notes)
    )


def _reservations(snapshot: Snapshot, place: Place) -> list[Line]:
    """Return a line for each reservation of the place's sites that holds or is to come."""
    here = place.path.partition("/")[0]
    found = [
        (each, site.site)
        for site in snapshot.frame.sites
        if here in ("", site.site)
        for told in site.reservations.values()
        for each in told
        if not each.end_at or each.end_at > snapshot.at
    ]
    found.sort(key=lambda pair: (pair[0].start_at, pair[0].name))
    lines: list[Line] = []
    for each, site in found[:MOST_RESERVATIONS]:
        holds = each.start_at <= snapshot.at
        ends = f", ends in {format_value(each.end_at - snapshot.at, 'age')}" if each.end_at else ""
        when = "now" if holds else f"in {format_value(each.start_at - snapshot.at, 'age')}"
        who = ", ".join((*each.users, *each.accounts)) or "nobody named"
        spans = (
            Span(f"{clean(each.name, 24)} ", "state.warning" if holds else "text"),
            Span(f"{clean(site, 24)}  {len(each.nodes):,} nodes  {when}{ends}  for {clean(who, 80)}  "),
            Span(clean(", ".join(each.flags), 80), "text.dim"),
        )
        lines.append(spans)
    if len(found) > MOST_RESERVATIONS:
        lines.append((Span(f"and {len(found) - MOST_RESERVATIONS} more", "text.dim"),))
    return lines
