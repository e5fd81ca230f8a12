"""Free capacity as rows: one for each block that has a free node, or is about to have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.answer import LazyTexts, Rows
from console.core.capacity import NVLINK, blocks, capacity, reservations
from console.core.naming import natural_key
from console.core.ordering import ordered
from console.core.reservations import holds_at, kept_rows
from console.model.errors import TargetError, UsageError
from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.core.answer import Column
    from console.core.capacity import Blocks
    from console.model.snapshot import SiteFrame, Snapshot

TEXTS = ("id", "site", "kind", "name", "reservation", "why")
NUMBERS = (
    "nodes", "gpus", "free_nodes", "free_gpus", "whole", "busy_nodes", "out_nodes", "ill_nodes", "reserved_nodes",
    "drain_at", "free_at", "health_told",
)  # fmt: skip
FREE_FIELDS = (
    "id", "site", "kind", "name", "nodes", "gpus", "free_nodes", "free_gpus", "whole", "busy_nodes", "out_nodes",
    "ill_nodes", "reserved_nodes", "reservation", "drain_at", "free_at", "health_told", "why",
)  # fmt: skip


def select_free(
    snapshot: Snapshot,
    *,
    by: str = NVLINK,
    within: str = "",
    sort: str = "",
    limit: int = 0,
    fields: Sequence[str] = (),
    everything: bool = False,
) -> Rows:
    """Return blocks of nodes (domains of kind `by`, other nodes alone) that have a free node or are draining.

    `everything` adds all others. Without a `sort` those with most free GPUs come first. `within` is an address: only
    blocks with a node there. Raises UsageError for a field that these rows do not have, TargetError for a site that is
    not there.
    """
    for name in (*fields, sort.removeprefix("-") or "id"):
        if name not in FREE_FIELDS:
            raise UsageError(f"free capacity has no field {name}; it has {', '.join(FREE_FIELDS)}")
    site = within.partition("/")[0]
    sites = [frame for frame in snapshot.frame.sites if site in ("", frame.site)]
    if site and not sites:
        raise TargetError(f"there is no site {site}")
    tables = [_table(frame, snapshot.at, by, within, everything) for frame in sites]
    columns: dict[str, Column] = {
        name: [text for table in tables for text in table[name]]
        if name in TEXTS
        else np.concatenate([np.zeros(0), *(table[name] for table in tables)])
        for name in FREE_FIELDS
    }
    order = _order(columns, sort)
    total = len(order)
    order = order[:limit] if limit else order
    chosen = {name: _picked(columns[name], order) for name in dict.fromkeys(fields or FREE_FIELDS)}
    partial = any(frame.stale or not capacity(frame, snapshot.at).judged for frame in sites)
    ids = columns["id"]
    return Rows([str(ids[row]) for row in order.tolist()], chosen, total, partial, frozenset(NUMBERS))


def _order(columns: dict[str, Column], sort: str) -> np.ndarray:
    ids = [str(each) for each in columns["id"]]
    natural = np.array(sorted(range(len(ids)), key=lambda row: natural_key(ids[row])), dtype=np.int64)
    name = sort.removeprefix("-") or "free_gpus"
    if name in TEXTS:
        texts = [str(each or "") for each in columns[name]]
        rows = sorted(natural.tolist(), key=lambda row: natural_key(texts[row]), reverse=sort.startswith("-"))
        return np.array(rows, dtype=np.int64)
    keys = np.asarray(columns[name], dtype=np.float64)[natural]
    return natural[ordered(keys, descending=sort.startswith("-") or not sort)]


def _picked(column: Column, order: np.ndarray) -> Column:
    if isinstance(column, np.ndarray):
        picked: Column = column[order]
        return picked
    return LazyTexts(order.astype(np.int64), lambda row: str(column[row]) or None)


def _table(frame: SiteFrame, now: float, by: str, within: str, everything: bool) -> dict[str, Column]:
    """Return the columns of one site's blocks."""
    has, group = capacity(frame, now), blocks(frame, by)
    gpus = np.diff(frame.topology.node_gpus).astype(np.int64)
    nodes, free = np.diff(group.starts), group.total(has.free)
    held = group.total(has.out | has.ill | has.reserved)
    drain_at = _known(group.latest(has.drain_at))
    # A block is whole when its jobs have ended, unless a node of it waits for something else.
    free_at = np.where((held == 0) & (free < nodes), _known(group.latest(has.until)), np.nan)
    keep = (free > 0) | (group.total(has.out & has.busy) > 0) | everything
    keep &= _within(frame, group, within)
    rows = np.flatnonzero(keep)
    numbers: dict[str, np.ndarray] = {
        "nodes": nodes,
        "gpus": group.total(gpus),
        "free_nodes": free,
        "free_gpus": group.total(np.where(has.free, gpus, 0)),
        "whole": (free == nodes) & (nodes > 0),
        "busy_nodes": group.total(has.busy),
        "out_nodes": group.total(has.out),
        "ill_nodes": group.total(has.ill),
        "reserved_nodes": group.total(has.reserved),
        "drain_at": drain_at,
        "free_at": free_at,
        "health_told": np.full(len(nodes), has.health_told),
    }
    table: dict[str, Column] = {name: column[rows].astype(np.float64) for name, column in numbers.items()}
    names = _reservation_names(frame, group, now)
    table |= {
        "id": [group.ids[row] for row in rows.tolist()],
        "site": [frame.site] * len(rows),
        "kind": [group.kinds[row] for row in rows.tolist()],
        "name": [group.names[row] for row in rows.tolist()],
        "reservation": [names.get(row, "") for row in rows.tolist()],
        "why": [_why(numbers, row) for row in rows.tolist()],
    }
    return table


def _known(times: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(times), times, np.nan)


def _within(frame: SiteFrame, group: Blocks, within: str) -> np.ndarray:
    if within in ("", frame.site):
        return np.ones(len(group.ids), dtype=bool)
    here = np.zeros(len(frame.topology.nodes), dtype=bool)
    found = frame.topology.resolve(within)
    if found is not None:
        level, row = found
        if level is Level.GPU:
            here[frame.topology.parent(Level.GPU, row, Level.NODE)] = True
        elif level is Level.NODE:
            here[row] = True
        else:
            here[frame.topology.span(level, row, Level.NODE)] = True
    return group.total(here) > 0


def _reservation_names(frame: SiteFrame, group: Blocks, now: float) -> dict[int, str]:
    """Return the names of the reservations that hold now, by the place of the block."""
    owner = np.repeat(np.arange(len(group.ids)), np.diff(group.starts))
    names: dict[int, str] = {}
    for reservation in reservations(frame):
        if holds_at(reservation, now):
            hit = np.isin(group.members, kept_rows(reservation, frame.topology))
            for block in dict.fromkeys(owner[hit].tolist()):
                names[block] = f"{names[block]},{reservation.name}" if block in names else reservation.name
    return names


def _why(numbers: dict[str, np.ndarray], row: int) -> str:
    """Return what keeps a block from being whole, in a few words."""
    words = {"busy_nodes": "busy", "out_nodes": "out of service", "ill_nodes": "ill", "reserved_nodes": "reserved"}
    told = [f"{int(numbers[name][row])} {word}" for name, word in words.items() if numbers[name][row]]
    return ", ".join(told)
