"""What one client looks at, in the stream: all metrics of the GPUs of a place, or its nodes' aggregates, soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.site_api.aggregate_stream import aggregates_of, members_of
from console.core.site_api.quantised import at_once
from console.core.site_api.scales import aggregate_scale, column_scale, fitted
from console.model.levels import Level

if TYPE_CHECKING:
    from console.core.site_api.quantised import Members
    from console.model.columns import Column, Values
    from console.model.metrics import MetricTable
    from console.model.snapshot import SiteFrame

# Of a place of more GPUs the nodes are told, of one of more nodes nothing: its racks come to everybody.
MOST_ROWS = 4096
# So many rows are told each second; more of them the more seldom.
ROWS_A_SECOND = 512


def range_of(site: SiteFrame, path: str) -> tuple[Level, slice] | None:
    """Return the level and rows that are told of a place, None where it is none, has none, or has too many."""
    found = site.topology.resolve(path)
    if found is None:
        return None
    if found[0] is Level.GPU:
        return Level.GPU, slice(found[1], found[1] + 1)
    for level in (Level.GPU, Level.NODE):
        rows = site.topology.span(*found, level)
        if 0 < rows.stop - rows.start <= MOST_ROWS:
            return level, rows
    return None


def every_s(rows: slice) -> float:
    """Return how often a place of so many rows is told."""
    # A little less than whole seconds, for steps are not quite a second apart.
    count: int = rows.stop - rows.start
    return -(-count // ROWS_A_SECOND) - 0.1


def range_members(site: SiteFrame, metrics: MetricTable, level: Level, rows: slice, now: float) -> Members:
    """Return the members of a range, which leads from nothing: metrics of its rows, of nodes their aggregates too."""
    columns: Members = {}
    for name, column in site.columns.items():
        metric = metrics.get(name)
        if metric is None or metric.level != level or len(column.values) != site.topology.count(level):
            continue
        values = _current(column, rows, now)
        scale = fitted(column_scale(metric), metric, values, present=None)
        columns[name] = {**at_once(values, scale), "at": float(column.at[rows].max())}
    fields = _fields(site, metrics, level, rows) if level is Level.NODE else {}
    return {
        "level": str(level),
        "version": site.topology.version,
        "start": rows.start,
        "stop": rows.stop,
        "at": site.data_at,
        "columns": columns,
        **({"fields": fields} if fields else {}),
    }


def _fields(site: SiteFrame, metrics: MetricTable, level: Level, rows: slice) -> Members:
    members = members_of(site.topology, level)
    told: Members = {}
    for metric, field, how, values in aggregates_of(site, metrics, level):
        scale = aggregate_scale(metric, how, level, members.get(str(metric.level), 1.0))
        told[field] = at_once(values[rows], fitted(scale, metric, values[rows], present=None))
    return told


def _current(column: Column, rows: slice, now: float) -> Values:
    """Return the values of some rows with stale ones as NaN, without a look at the others."""
    values, at = column.values[rows], column.at[rows]
    stale = now - at > column.stale_after_s
    return np.where(stale, np.float32(np.nan), values) if stale.any() else values
