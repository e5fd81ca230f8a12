"""What schedulers say of nodes, put on the rows of a site's topology and carried from one topology to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.model.scheduling import NOT_TOLD, NodeReports

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.core.join import Join
    from console.model.reading import NodeReportsPart

    Rows = NDArray[np.int32]


def fits(part: NodeReportsPart) -> bool:
    """Whether a part says as much of each node as it names nodes, and points at states that it has."""
    columns = (part.codes, part.gpus, part.gpus_allocated)
    whole = all(len(column) == len(part.keys) for column in columns)
    return whole and (not len(part.codes) or -1 <= int(part.codes.min()) <= int(part.codes.max()) < len(part.states))


def reported(part: NodeReportsPart, join: Join, nodes: int, source: str) -> NodeReports:
    """Return a part on `nodes` rows; nodes that it does not name are not known to that scheduler."""
    rows = join.spread(np.arange(len(part.keys), dtype=np.int32), nodes, -1)
    return _on_rows(
        NodeReports(part.states, part.codes, part.gpus, part.gpus_allocated, part.reasons, part.at, source), rows
    )


def reports_remapped(old: NodeReports, rows: Rows) -> NodeReports:
    """Return reports in a new topology's order; `rows` is the old node row of each new one, -1 for a new node."""
    return _on_rows(old, rows)


def _on_rows(old: NodeReports, rows: Rows) -> NodeReports:
    reasons = {row: old.reasons[place] for row, place in enumerate(rows.tolist()) if place in old.reasons}
    return replace(
        old,
        codes=_picked(old.codes, rows, -1),
        gpus=_picked(old.gpus, rows, NOT_TOLD),
        gpus_allocated=_picked(old.gpus_allocated, rows, NOT_TOLD),
        reasons=reasons,
    )


def _picked(column: NDArray[np.signedinteger], rows: Rows, fill: int) -> NDArray[np.signedinteger]:
    picked = column[np.maximum(rows, 0)] if len(column) else np.zeros(len(rows), dtype=column.dtype)
    picked = np.where(rows >= 0, picked, column.dtype.type(fill))
    picked.flags.writeable = False
    return picked
