"""A temperature that is the same for ten minutes of data is a sensor that is stuck."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.plugin import Finding, Level, Severity, StateColumn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.plugin import DetectorState, Frame, SiteFrame

STUCK_AFTER_S = 600.0


class _StuckSensors:
    state_columns = (
        StateColumn("last_c", fill=float("nan")),
        StateColumn("since", dtype="float64"),
    )

    def update(self, frame: Frame, state: Mapping[str, DetectorState]) -> tuple[Finding, ...]:
        return tuple(
            finding for site in frame.sites for finding in _of_site(site, state[site.site], frame.at)
        )


def _of_site(site: SiteFrame, state: DetectorState, now: float) -> list[Finding]:
    values = site.values("temp_c", now)
    if values is None:
        return []
    moved = ~(values == state["last_c"])
    state["since"][moved] = now
    state["last_c"][:] = values
    stuck = np.flatnonzero(~np.isnan(values) & (now - state["since"] >= STUCK_AFTER_S))
    return [
        Finding(
            detector="stuck_sensors",
            fault="sensor",
            site=site.site,
            level=Level.GPU,
            key=site.topology.key(Level.GPU, int(row)),
            path=site.topology.path(Level.GPU, int(row)),
            severity=Severity.WARNING,
            text=f"temperature has been {values[row]:.0f} C for ten minutes",
            since=float(state["since"][row]),
        )
        for row in stuck[:100]
    ]


StuckSensors = _StuckSensors()
