"""Samples lost: a GPU that still reports no longer tells one of the things that it told before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.plugin import Severity, StateColumn

from .telling import Book, Fault, is_due, of_gpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.plugin import DetectorState, Finding, Frame, SiteFrame

FAULT = Fault("telemetry", "samples-lost", Severity.WARNING, "metrics that were told before are missing")
# As many metrics as a state column has bits.
MOST_METRICS = 32
EVERY_S = 5.0
LOOKS = 3
# What has been missing for longer was taken away: it is no loss of samples any more.
MOST_LOOKS = 240


class Lost:
    """Remembers of each GPU which metrics it has ever told, as bits, and in how many looks some have been missing."""

    state_columns = (StateColumn("told", "uint32"), StateColumn("missing", "uint8"))

    def __init__(self) -> None:
        self._book = Book()
        self._looked: dict[str, float] = {}
        self._last: dict[str, list[Finding]] = {}

    def update(self, frame: Frame, state: Mapping[str, DetectorState]) -> tuple[Finding, ...]:
        """Return the GPUs that have lost metrics."""
        names = [metric.name for metric in frame.metrics.at("gpu")][:MOST_METRICS]
        for site in frame.sites:
            if is_due(self._looked.get(site.site, 0.0), site.data_at, EVERY_S) and not site.stale:
                self._looked[site.site] = site.data_at
                self._last[site.site] = self._site(site, names, state[site.site], frame.at)
        here = {site.site for site in frame.sites if not site.stale}
        found = [each for site, findings in self._last.items() if site in here for each in findings]
        return self._book.dated(found, frame.at)

    def _site(self, site: SiteFrame, names: list[str], state: DetectorState, now: float) -> list[Finding]:
        told: Any = state["told"]
        missing: Any = state["missing"]
        gives = np.zeros(site.topology.gpus, dtype=np.uint32)
        for bit, name in enumerate(names):
            values = site.values(name, now)
            if values is not None and len(values) == len(gives):
                gives |= (~np.isnan(values)).astype(np.uint32) << np.uint32(bit)
        np.bitwise_or(told, gives, out=told)
        lost = (told != gives) & (gives != 0)
        missing[~lost] = 0
        missing += lost & (missing < MOST_LOOKS)
        given_up = missing >= MOST_LOOKS
        told[given_up] = gives[given_up]
        rows = np.flatnonzero(lost & (missing >= LOOKS) & ~given_up).tolist()

        def text(row: int) -> tuple[str, tuple[str, ...]]:
            gone = int(told[row]) & ~int(gives[row])
            which = [name for bit, name in enumerate(names) if gone >> bit & 1]
            sources = sorted({site.columns[name].source for name in which if name in site.columns})
            more = f" and {len(which) - 4} more" if len(which) > 4 else ""
            said = f"{', '.join(which[:4])}{more} no longer reported, others are"
            return said, tuple(f"source {source}" for source in sources)

        sources = {column.source for column in site.columns.values() if len(column.values) == len(gives)}
        return of_gpus(site, FAULT, rows, "+".join(sorted(sources)), text)


DETECTOR = Lost()
