"""One job in full: its record, and its nodes as a heat map of the place's metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.plugin import (
    HeatGroup,
    HeatMap,
    JobState,
    Level,
    Part,
    Span,
    Split,
    Text,
    clean,
    format_value,
    heat_levels,
    shown_metric,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.plugin import Job, Line, Place, Rows, SiteFrame, Snapshot, View

# More cells than this are shown a node each: nobody tells 20,000 GPUs apart.
GPU_CELLS = 2048
NODE_CELLS = 4096
RECORD_LINES = 4


def find(rows: Rows, snapshot: Snapshot, selected: str) -> tuple[SiteFrame, int] | None:
    """Return the site of a row and the job's place in its list: the row that is selected, else the first one."""
    if not len(rows.ids):
        return None
    ids = list(rows.ids)
    at = ids.index(selected) if selected in ids else 0
    id, name, cluster = (rows.columns[each][at] for each in ("job_id", "site", "cluster"))
    site = snapshot.frame.site(str(name))
    for index, job in enumerate(site.jobs.rows if site else ()):
        if job.id == id and job.cluster == cluster and site is not None:
            return site, index
    return None


def details(site: SiteFrame, index: int, snapshot: Snapshot, place: Place) -> View:
    """Return a job's record over the map of its nodes, or the record alone where it has none."""
    job = site.jobs.rows[index]
    record = Text(tuple(_lines(job, site, index)), title=f"JOB {clean(job.id, 40)}  {clean(job.name, 60)}")
    cells = node_map(site, index, snapshot, place)
    if cells is None:
        return record
    return Split((Part(record, fixed=RECORD_LINES + 1), Part(cells, minimum=3)), focus=1)


def _lines(job: Job, site: SiteFrame, index: int) -> list[Line]:
    who = (("user", job.user), ("account", job.account), ("partition", job.partition), ("cluster", job.cluster))
    times = (("submitted", job.submit_at), ("started", job.start_at), ("ended", job.end_at))
    first = [("state", job.words or job.state.value), *((name, text) for name, text in who if text)]
    second = [(name, format_value(at, "datetime")) for name, at in times if at]
    third = [("reason", job.reason)] if job.reason else []
    lines = [_pairs(first), _pairs(second or [("submitted", "not told")])]
    lines.append(_pairs([("nodes", _names(site, index) or "none yet"), *third]))
    if job.tasks > 1:
        lines.append(_pairs([("tasks that wait", f"{job.tasks:,} of {job.gpus:,} GPUs each")]))
    return lines


def _pairs(pairs: list[tuple[str, str]]) -> Line:
    spans: list[Span] = []
    for name, text in pairs:
        spans += [Span(f"{name} ", "text.dim"), Span(f"{clean(text, 200)}   ")]
    return tuple(spans)


def _names(site: SiteFrame, index: int) -> str:
    rows = site.jobs.nodes_of(index, site.topology).tolist()
    names = ", ".join(clean(site.topology.nodes[row], 40) for row in rows[:4])
    return f"{names} +{len(rows) - 4:,}" if len(rows) > 4 else names


def node_map(site: SiteFrame, index: int, snapshot: Snapshot, place: Place) -> HeatMap | None:
    """Return the job's GPUs in groups of nodes (one cell a node where they are many), None where it has no node."""
    shown = shown_metric(snapshot.frame.metrics, place.metric)
    nodes = np.sort(site.jobs.nodes_of(index, site.topology))[:NODE_CELLS]
    if shown is None or not len(nodes):
        return None
    held = np.flatnonzero(site.jobs.gpu_job == index)
    running = site.jobs.rows[index].state is JobState.RUNNING
    if not len(held) or len(held) > GPU_CELLS or shown.metric.level != Level.GPU:
        return _map(site, nodes, Level.NODE, _node_values(site, place, snapshot, nodes), snapshot, place)
    values = site.values(shown.metric.name, snapshot.at) if running and not site.stale else None
    cells = np.full(len(held), np.nan, dtype=np.float32) if values is None else values[held]
    return _map(site, held, Level.GPU, cells, snapshot, place)


def _node_values(site: SiteFrame, place: Place, snapshot: Snapshot, nodes: NDArray[np.int32]) -> NDArray[np.float32]:
    shown = shown_metric(snapshot.frame.metrics, place.metric)
    missing = np.full(len(nodes), np.nan, dtype=np.float32)
    if shown is None or site.stale:
        return missing
    if shown.metric.level == Level.NODE:
        values = site.values(shown.metric.name, snapshot.at)
        return missing if values is None else values[nodes]
    rollups = site.rollups.get(shown.metric.name)
    if rollups is None or Level.NODE not in rollups.sums:
        return missing
    return np.where(rollups.counts[Level.NODE] > 0, rollups.get(Level.NODE, shown.how), np.float32(np.nan))[nodes]


def _map(
    site: SiteFrame,
    rows: NDArray[np.integer],
    level: Level,
    values: NDArray[np.float32],
    snapshot: Snapshot,
    place: Place,
) -> HeatMap | None:
    shown = shown_metric(snapshot.frame.metrics, place.metric)
    if shown is None:
        return None
    low, high = shown.metric.heat
    owners = site.topology.parents(level, level.parent)[rows]
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    ends = [*starts[1:].tolist(), len(rows)]
    groups = tuple(
        HeatGroup(
            site.topology.path(level.parent, int(owners[start])),
            clean(site.topology.name(level.parent, int(owners[start])), 24),
            int(start),
            int(end),
        )
        for start, end in zip(starts.tolist(), ends, strict=True)
    )
    what = shown.metric.title if level == Level.GPU else shown.title
    return HeatMap(
        values=values,
        levels=heat_levels(values, low, high),
        ids=[site.topology.path(level, int(row)) for row in rows],
        groups=groups,
        title=f"{what}, one cell a {'GPU' if level is Level.GPU else 'node'} of this job",
        unit=shown.metric.unit,
        low=low,
        high=high,
        total=len(values),
    )
