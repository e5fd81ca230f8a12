"""How many alerts and failing checks are at or below each row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.model.events import AlertState
from console.model.levels import Level, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from console.model.snapshot import SiteFrame, Snapshot

OPEN = (AlertState.FIRING, AlertState.ACKNOWLEDGED)
FAILING = (Severity.WARNING, Severity.CRITICAL)


def alert_counts(snapshot: Snapshot | None, frame: SiteFrame, level: Level) -> NDArray[np.float64]:
    """Return float64[rows]: open alerts and failing checks that name something at or below a row.

    Below the site only the addresses that a check names count (it names the first few). Without a snapshot (a check
    is being judged) nobody can tell: NaN.
    """
    counts = np.full(frame.topology.count(level), np.nan if snapshot is None else 0.0)
    for paths in _groups(snapshot, frame.site) if snapshot is not None else ():
        rows = {row for path in paths if (row := _row(frame, level, path)) is not None}
        counts[list(rows)] += 1
    return counts


def _groups(snapshot: Snapshot, site: str) -> Iterator[tuple[str, ...]]:
    for alert in snapshot.alerts:
        if alert.site == site and alert.state in OPEN and alert.severity in FAILING:
            yield (alert.path or alert.site,)
    for check in snapshot.checks:
        if check.severity in FAILING and any(name == site and matches for name, matches, _ in check.by_site):
            yield (site, *(path for path in check.paths if path.partition("/")[0] == site))


def _row(frame: SiteFrame, level: Level, path: str) -> int | None:
    parts = path.split("/")
    if len(parts) < level.depth:
        return None
    topology = frame.topology
    if level is Level.SITE and parts[0] == topology.site:
        return 0  # and no table of all nodes is made to find one
    # There may be thousands of alerts: a node is found by its name, which is one in a site, not by a walk.
    node = topology.node_row(parts[3]) if len(parts) > 3 else None
    if node is not None and level is not Level.GPU:
        return topology.parent(Level.NODE, node, level)
    found = topology.resolve("/".join(parts[: level.depth]))
    return found[1] if found is not None and found[0] is level else None
