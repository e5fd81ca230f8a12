"""GPUs fallen off the bus: expected in a node whose other GPUs report, and silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.plugin import Level, Severity, StateColumn

from .telling import Book, Fault, is_due, of_gpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.plugin import DetectorState, Finding, Frame, SiteFrame

FAULT = Fault("telemetry", "gpu-off-bus", Severity.WARNING, "GPUs are missing in nodes that report")
LOOKS, EVERY_S = 3, 2.0
# NVIDIA's XID for it, and what nvidia-smi and NVML say.
SIGNS = ("xid-79", "gpu-lost")


class OffBus:
    """Counts in how many samples in a row a GPU has been missing."""

    state_columns = (StateColumn("missing", "uint8"),)

    def __init__(self) -> None:
        self._book = Book()
        self._looked: dict[str, float] = {}

    def update(self, frame: Frame, state: Mapping[str, DetectorState]) -> tuple[Finding, ...]:
        """Return the GPUs that are missing."""
        found: list[Finding] = []
        for site in frame.sites:
            if site.stale or not site.topology.gpus:
                continue
            missing: Any = state[site.site]["missing"]
            if is_due(self._looked.get(site.site, 0.0), site.data_at, EVERY_S):
                self._looked[site.site] = site.data_at
                gone = missing_gpus(site)
                missing[~gone] = 0
                missing += gone & (missing < 255)
            rows = np.flatnonzero(missing >= LOOKS).tolist()
            found += self._told(site, rows)
        return self._book.dated(found, frame.at)

    def _told(self, site: SiteFrame, rows: list[int]) -> list[Finding]:
        signs = {event.path: event for event in site.events if event.kind in SIGNS} if rows else {}
        sources = sorted(
            {column.source for column in site.columns.values() if len(column.values) == site.topology.gpus}
        )

        def text(row: int) -> tuple[str, tuple[str, ...]]:
            node = site.topology.parent(Level.GPU, row, Level.NODE)
            gpus = site.topology.span(Level.NODE, node, Level.GPU)
            live = int(np.count_nonzero(site.reporting[gpus]))
            said = f"{live} of {gpus.stop - gpus.start} GPUs of its node report, this one does not: fallen off the bus?"
            event = signs.get(site.topology.path(Level.GPU, row))
            return said, (event.text,) if event is not None else ("no XID 79 was seen",)

        return of_gpus(site, FAULT, rows, "+".join(sources), text)


def missing_gpus(site: SiteFrame) -> Any:
    """Return bool[gpus]: GPUs that do not report while another one of their node does."""
    ends = np.append(0, np.cumsum(site.reporting))
    starts = site.topology.starts(Level.NODE, Level.GPU)
    live = ends[starts[1:]] > ends[starts[:-1]]
    # Not by a table of every GPU's node, which would be kept: 4 bytes a GPU.
    return ~site.reporting & np.repeat(live, np.diff(starts))


DETECTOR = OffBus()
