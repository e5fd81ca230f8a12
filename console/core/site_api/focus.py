"""What one client looks at, in the stream: all metrics of the GPUs of a place, by themselves and soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.site_api.quantised import at_once
from console.core.site_api.scales import column_scale, fitted
from console.model.levels import Level

if TYPE_CHECKING:
    from console.core.site_api.quantised import Members
    from console.model.metrics import MetricTable
    from console.model.snapshot import SiteFrame

# The GPUs of a larger place come with the turns of the columns alone.
MOST_GPUS = 4096
# So many GPUs are told each second; more of them the more seldom.
GPUS_A_SECOND = 512


def range_of(site: SiteFrame, path: str) -> slice | None:
    """Return the GPU rows of a place, None where it is none, has none, or has too many."""
    found = site.topology.resolve(path)
    if found is None:
        return None
    rows = site.topology.span(*found, Level.GPU) if found[0] is not Level.GPU else slice(found[1], found[1] + 1)
    return rows if 0 < rows.stop - rows.start <= MOST_GPUS else None


def every_s(rows: slice) -> float:
    """Return how often a place of so many GPUs is told."""
    # A little less than whole seconds, for steps are not quite a second apart.
    return -(-(rows.stop - rows.start) // GPUS_A_SECOND) - 0.1


def range_members(site: SiteFrame, metrics: MetricTable, rows: slice, now: float) -> Members:
    """Return the members of a range: every metric of its GPUs, which leads from nothing."""
    columns: Members = {}
    for name, column in site.columns.items():
        metric = metrics.get(name)
        if metric is None or metric.level != Level.GPU or len(column.values) != site.topology.gpus:
            continue
        values = column.current(now)[rows]
        scale = fitted(column_scale(metric), metric, values, present=None)
        columns[name] = {**at_once(values, scale), "at": float(column.at[rows].max())}
    return {
        "level": str(Level.GPU),
        "version": site.topology.version,
        "start": rows.start,
        "stop": rows.stop,
        "at": site.data_at,
        "columns": columns,
    }
