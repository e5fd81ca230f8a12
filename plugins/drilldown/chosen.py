"""The map of the nodes that a filter keeps: those of a job, above all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.plugin import Level, rows_map, select, shown_metric

if TYPE_CHECKING:
    from console.plugin import Expression, HeatMap, Place, SiteFrame, Snapshot

# More cells than this are shown a node each: nobody tells 20,000 GPUs apart.
GPU_CELLS = 2048
NODE_CELLS = 4096


def chosen_map(snapshot: Snapshot, place: Place, site: SiteFrame, where: Expression) -> HeatMap | None:
    """Return the GPUs of the nodes that a filter keeps, or the nodes where they are many; None for none."""
    kept = select(snapshot, Level.NODE, within=place.path, where=where, limit=NODE_CELLS, fields=("id",))
    found = (site.topology.resolve(id) for id in kept.ids)
    nodes = np.sort(np.array([row for row in (each[1] if each else -1 for each in found) if row >= 0], dtype=np.int64))
    starts = site.topology.node_gpus
    gpus = np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(starts[row], starts[row + 1]) for row in nodes)])
    shown = shown_metric(snapshot.frame.metrics, place.metric)
    single = shown is not None and shown.metric.level == Level.GPU and 0 < len(gpus) <= GPU_CELLS
    single = single and place.options.get("cells", "") != Level.NODE
    level, rows = (Level.GPU, gpus) if single else (Level.NODE, nodes)
    return rows_map(snapshot.frame, site, level, rows, place.metric, title=f"{len(nodes):,} nodes:")
