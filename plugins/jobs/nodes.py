"""One job in full: its record, and its nodes as a heat map of the place's metric."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from console.plugin import (
    JobState,
    Level,
    Part,
    Span,
    Split,
    Text,
    clean,
    format_value,
    rows_map,
    shown_metric,
)

if TYPE_CHECKING:
    from console.plugin import HeatMap, Job, Line, Place, Rows, SiteFrame, Snapshot, View

# More cells than this are shown a node each: nobody tells 20,000 GPUs apart.
GPU_CELLS = 2048
NODE_CELLS = 4096


@dataclass(frozen=True)
class Chosen:
    """A job of a site: its place in the site's list, and the row that tells of it."""

    site: SiteFrame
    index: int
    rows: Rows
    row: int

    def text(self, name: str) -> str:
        """Return a text column of its row."""
        return str(self.rows.columns[name][self.row] or "")

    def number(self, name: str) -> float:
        """Return a number column of its row, NaN where it is missing."""
        return float(self.rows.columns[name][self.row])


def find(rows: Rows, snapshot: Snapshot, selected: str) -> Chosen | None:
    """Return the job of the row that is selected, else of the first one."""
    if not len(rows.ids):
        return None
    ids = list(rows.ids)
    at = ids.index(selected) if selected in ids else 0
    id, name, cluster = (rows.columns[each][at] for each in ("job_id", "site", "cluster"))
    site = snapshot.frame.site(str(name))
    for index, job in enumerate(site.jobs.rows if site else ()):
        if job.id == id and job.cluster == cluster and site is not None:
            return Chosen(site, index, rows, at)
    return None


def details(chosen: Chosen, snapshot: Snapshot, place: Place) -> View:
    """Return a job's record over the map of its nodes, or the record alone where it has none."""
    site, index = chosen.site, chosen.index
    job = site.jobs.rows[index]
    record = Text(tuple(_lines(job, chosen)), title=f"JOB {clean(job.id, 40)}  {clean(job.name, 60)}")
    cells = node_map(site, index, snapshot, place)
    if cells is None:
        return record
    return Split((Part(record, fixed=len(record.lines) + 1), Part(cells, minimum=3)), focus=1)


def _lines(job: Job, chosen: Chosen) -> list[Line]:
    site, index = chosen.site, chosen.index
    who = (("user", job.user), ("account", job.account), ("partition", job.partition), ("cluster", job.cluster))
    times = (("submitted", job.submit_at), ("started", job.start_at), ("ended", job.end_at))
    first = [("state", job.words or job.state.value), *((name, text) for name, text in who if text)]
    second = [(name, format_value(at, "datetime")) for name, at in times if at]
    third = [("reason", job.reason)] if job.reason else []
    lines = [_pairs(first), _pairs(second or [("submitted", "not told")])]
    lines.append(_pairs([("nodes", _names(site, index) or "none yet"), *third]))
    if job.tasks > 1:
        lines.append(_pairs([("tasks that wait", f"{job.tasks:,} of {job.gpus:,} GPUs each")]))
    judged = _judged(job, chosen)
    return [*lines, judged] if judged else lines


def _judged(job: Job, chosen: Chosen) -> Line:
    """Return what its telemetry and its runs say: the slowest node, what it lost, how its program ended."""
    spans: list[Span] = []
    node = chosen.text("slowest_node").rpartition("/")[2]
    if node:
        slow = chosen.number("straggler") > 0
        told = f"{clean(node, 40)} {-chosen.number('slowdown_pct'):+.0f} % {chosen.text('slowest_by')}"
        spans += [Span("straggler " if slow else "slowest ", "text.dim")]
        spans.append(Span(f"{told}   ", "state.warning" if slow else "text"))
    lost, ettr = chosen.number("lost_gpu_hours"), chosen.number("ettr_ratio")
    pairs = [("lost at most", f"{format_value(lost, 'si')} GPU-h")] if lost > 0 else []
    pairs += [("ETTR at least", format_value(ettr, "ratio_pct"))] if ettr < 1 else []
    pairs += [("restarts", f"{job.restarts}")] if job.restarts > 0 else []
    pairs += [("signal", f"{job.exit_signal}")] if job.exit_signal > 0 else []
    pairs += [("exit code", f"{job.exit_code}")] if job.exit_code > 0 else []
    pairs += [("reservation", job.reservation)] if job.reservation else []
    return (*spans, *_pairs(pairs))


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
    nodes = np.sort(site.jobs.nodes_of(index, site.topology))[:NODE_CELLS]
    held = np.flatnonzero(site.jobs.gpu_job == index)
    shown = shown_metric(snapshot.frame.metrics, place.metric)
    whole = not len(held) or len(held) > GPU_CELLS or (shown is not None and shown.metric.level != Level.GPU)
    level, rows = (Level.NODE, nodes) if whole else (Level.GPU, held)
    cells = rows_map(snapshot.frame, site, level, rows, place.metric)
    if cells is None:
        return None
    running = site.jobs.rows[index].state is JobState.RUNNING
    if not whole and not running:
        # What its GPUs do now is not of its doing.
        missing = np.full(len(rows), np.nan, dtype=np.float32)
        cells = replace(cells, values=missing, levels=np.full(len(rows), 255, dtype=np.uint8))
    return replace(cells, title=f"{cells.title} of this job")
