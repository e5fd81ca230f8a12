"""What is so of some nodes now, without a time of its own: silent GPUs, last XIDs, counters, storage, who is out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from console.model.levels import Level
from console.model.xid import xid_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from console.core.why.subject import WhySubject
    from console.model.metrics import Metric, MetricTable

SHOWN = 4
COUNTERS = ("nvlink_errors", "pcie_replays", "ecc_dbe", "remap_pending", "remap_failed", "recovery_action")
_STORAGE = re.compile(r"storage|nfs|lustre|gpfs|weka|ceph|disk|nvme|ssd|checkpoint|(?:^|_)io(?:_|ps|$)")
Fact = tuple[str, str]


def storage_metrics(metrics: MetricTable) -> list[Metric]:
    """Return the fleet's own metrics that speak of storage by their name or title, for nodes or GPUs."""
    return [
        each
        for each in metrics.values()
        if each.level in (Level.NODE, Level.GPU) and (_STORAGE.search(each.name) or _STORAGE.search(each.title.lower()))
    ]


def facts_of(subject: WhySubject, metrics: MetricTable, now: float) -> Iterator[Fact]:
    """Yield (name, text) of what stands out on the subject's nodes now."""
    yield from _out(subject)
    gpus = gpu_rows(subject)
    silent = gpus[~subject.frame.reporting[gpus]] if not subject.frame.stale else gpus[:0]
    if len(silent) and subject.frame.data_at:
        yield "silent GPUs", f"{len(silent):,} of {len(gpus):,} report nothing: {_names(subject, silent)}"
    values = subject.frame.values("xid", now)
    if values is not None:
        bad = gpus[values[gpus] > 0]
        if len(bad):
            told = ", ".join(_last_xid(subject, row, int(values[row])) for row in bad[:SHOWN].tolist())
            more = f" and {len(bad) - SHOWN} more GPUs" if len(bad) > SHOWN else ""
            yield "last XID", f"{told}{more} (exporters keep the last one and do not tell its time)"
    for name in COUNTERS:
        yield from _counted(subject, name, gpus, now)
    for metric in storage_metrics(metrics):
        yield from _stored(subject, metric, gpus, now)


def gpu_rows(subject: WhySubject) -> NDArray[np.int64]:
    """Return the GPU rows of the subject's nodes (of a GPU: its own)."""
    if subject.gpu >= 0:
        return np.array([subject.gpu], dtype=np.int64)
    starts = subject.frame.topology.node_gpus
    spans = [np.arange(starts[row], starts[row + 1]) for row in subject.nodes.tolist()]
    return np.concatenate([np.zeros(0, dtype=np.int64), *spans])


def _out(subject: WhySubject) -> Iterator[Fact]:
    for source, reports in subject.frame.reports.items():
        for row in subject.nodes.tolist()[:MOST_NODES]:
            report = reports.report(row)
            if report is None or report.reason is None:
                continue
            told = f"{report.state.text}: {report.reason.text}"
            yield f"{source} of {subject.frame.topology.nodes[row]}", told


MOST_NODES = 64


def _counted(subject: WhySubject, name: str, gpus: NDArray[np.int64], now: float) -> Iterator[Fact]:
    values = subject.frame.values(name, now)
    if values is None or not len(gpus):
        return
    bad = gpus[values[gpus] > 0]
    if len(bad):
        worst = int(bad[np.argmax(values[bad])])
        more = f", more on {len(bad) - 1} other GPUs" if len(bad) > 1 else ""
        yield name, f"{float(values[worst]):g} on {_name(subject, worst)}{more}"


def _stored(subject: WhySubject, metric: Metric, gpus: NDArray[np.int64], now: float) -> Iterator[Fact]:
    values = subject.frame.values(metric.name, now)
    rows = gpus if metric.level == Level.GPU else subject.nodes
    told = None if values is None else values[rows]
    if told is None or not (~np.isnan(told)).any():
        return
    worst = int(np.nanargmin(told) if metric.worse < 0 else np.nanargmax(told))
    level = Level(metric.level)
    where = subject.frame.topology.path(level, int(rows[worst]))
    yield metric.name, f"{float(told[worst]):g} {metric.unit} on {where}, the worst of {len(rows):,}".replace("  ", " ")


def _last_xid(subject: WhySubject, row: int, code: int) -> str:
    return f"{code} {xid_of(code).meaning} on {_name(subject, row)}"


def _names(subject: WhySubject, rows: NDArray[np.int64]) -> str:
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return ", ".join(_name(subject, row) for row in rows[:SHOWN].tolist()) + more


def _name(subject: WhySubject, row: int) -> str:
    topology = subject.frame.topology
    node = topology.parent(Level.GPU, row, Level.NODE)
    return f"{topology.nodes[node]}/{topology.name(Level.GPU, row)}"
