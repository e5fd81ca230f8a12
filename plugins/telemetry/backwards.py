"""Counters that go backwards though nothing was restarted."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from console.plugin import Kind, Level, Severity, StateColumn

from .telling import Fault, of_gpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.plugin import DetectorState, Finding, Frame, SiteFrame

FAULT = Fault("telemetry", "counter-backwards", Severity.WARNING, "counters went backwards")
COUNTERS = ("ecc_sbe", "ecc_dbe", "remapped_rows", "nvlink_errors", "pcie_replays")
# Kept in the board's own memory: neither a reset nor a restart takes it back.
LASTING = ("remapped_rows",)
KEPT_S = 600.0
MOST_KEPT = 1000


class Backwards:
    """Remembers the last value of each counter; what went backwards is told for ten minutes."""

    state_columns = tuple(StateColumn(name, "float32", float("nan")) for name in COUNTERS)

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], object] = {}
        self._kept: OrderedDict[tuple[str, str, str], tuple[float, Finding]] = OrderedDict()

    def update(self, frame: Frame, state: Mapping[str, DetectorState]) -> tuple[Finding, ...]:
        """Return what went backwards lately."""
        for site in frame.sites:
            for finding in self._site(frame, site, state[site.site]) if not site.stale else ():
                key = finding.site, finding.fault, finding.key
                since = self._kept.pop(key)[1].since if key in self._kept else frame.at
                self._kept[key] = frame.at, replace(finding, since=since)
        while self._kept:
            key, (at, _) = next(iter(self._kept.items()))
            if len(self._kept) <= MOST_KEPT and frame.at - at <= KEPT_S:
                break
            del self._kept[key]
        return tuple(finding for _, finding in self._kept.values())

    def _site(self, frame: Frame, site: SiteFrame, state: DetectorState) -> list[Finding]:
        fell: dict[str, Any] = {}
        before: dict[str, Any] = {}
        for name in COUNTERS:
            metric, column = frame.metrics.get(name), site.columns.get(name)
            if metric is None or metric.kind is not Kind.COUNTER or column is None:
                continue
            # An unchanged block is the same array: counters cost nothing while nothing happens.
            if len(column.values) != site.topology.gpus or self._seen.get((site.site, name)) is column.values:
                continue
            self._seen[site.site, name] = column.values
            last: Any = state[name]
            fell[name] = np.flatnonzero(column.values < last)
            before[name] = last[fell[name]]
        found = [each for name in fell for each in self._fallen(site, name, fell, before[name], state)]
        for name in fell:
            values, last = site.columns[name].values, state[name]
            np.copyto(last, values, where=~np.isnan(values))
        return found

    def _fallen(
        self, site: SiteFrame, name: str, fell: Mapping[str, Any], before: Any, state: DetectorState
    ) -> list[Finding]:
        """Return the counters of one kind that fell and were not started anew."""
        values, source = site.columns[name].values, site.columns[name].source
        was = dict(zip(fell[name].tolist(), before.tolist(), strict=True))
        rows = [row for row, last in was.items() if not _is_restart(site, name, row, last, fell, state)]

        def text(row: int) -> tuple[str, tuple[str, ...]]:
            return f"{name} fell from {was[row]:g} to {values[row]:g} without a restart", (f"source {source}",)

        return of_gpus(site, replace(FAULT, name=f"{FAULT.name}-{name}"), rows, source, text)


def _is_restart(
    site: SiteFrame, name: str, row: int, last: float, fell: Mapping[str, Any], state: DetectorState
) -> bool:
    """Whether a counter may have been started anew: it is at zero, or all counters of its node fell with it."""
    now = float(site.columns[name].values[row])
    if name in LASTING or now >= last / 2:
        return False
    if now == 0:
        return True
    node = site.topology.parent(Level.GPU, row, Level.NODE)
    gpus = site.topology.span(Level.NODE, node, Level.GPU)
    for other in COUNTERS:
        if other not in LASTING and other in site.columns:
            had: Any = state[other][gpus]
            stayed = (had > 0) & (site.columns[other].values[gpus] >= had)
            if stayed.any():
                return False
    return True


DETECTOR = Backwards()
