"""Counters that go backwards though nothing was restarted."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from console.plugin import Kind, Level, Severity, StateColumn

from .telling import Fault, of_gpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.plugin import DetectorState, Finding, Frame, SiteFrame, SiteTopology

FAULT = Fault("telemetry", "counter-backwards", Severity.WARNING, "counters went backwards")
COUNTERS = ("ecc_sbe", "ecc_dbe", "remapped_rows", "nvlink_errors", "pcie_replays")
# Kept in the board's own memory: neither a reset nor a restart takes it back.
LASTING = ("remapped_rows",)
KEPT_S = 600.0
MOST_KEPT = 1000


@dataclass(frozen=True, eq=False)
class _Last:
    """What one counter told last: its newest block, and of the rows where that has nothing what was told before.

    A block is held, not copied: counters hardly ever move, so that it is the one that the frame holds anyway.
    """

    block: Any
    gaps: Any
    told: Any

    @classmethod
    def of(cls, block: Any, before: Any = None) -> _Last:
        """Take a block over what was told `before`."""
        gaps = np.flatnonzero(np.isnan(block)) if before is not None else np.zeros(0, dtype=np.intp)
        told = block[gaps] if before is None else before[gaps]
        known = ~np.isnan(told)
        return cls(block, gaps[known].astype(np.int32), told[known])

    def values(self) -> Any:
        """Return float32[gpus]: the last value of each GPU, NaN where it never told one; not to be written."""
        if not len(self.gaps):
            return self.block
        values = self.block.copy()
        values[self.gaps] = self.told
        return values


@dataclass
class _Site:
    """The counters of one site, in the rows of a topology."""

    topology: SiteTopology
    last: dict[str, _Last] = field(default_factory=dict)

    def follow(self, topology: SiteTopology, rows: Any) -> None:
        """Carry every counter to another topology; `rows` is where each of its GPUs was, -1 for a new one."""
        known = rows >= 0
        for name, last in self.last.items():
            carried = np.full(len(rows), np.nan, dtype=np.float32)
            carried[known] = last.values()[rows[known]]
            self.last[name] = _Last.of(carried)
        self.topology = topology


class Backwards:
    """Remembers the last value of each counter; what went backwards is told for ten minutes.

    The only state column says in which row each GPU was when the counters were put into order.
    """

    state_columns = (StateColumn("row", "int32", -1.0),)

    def __init__(self) -> None:
        self._sites: dict[str, _Site] = {}
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
        kept = self._in_order(site, state)
        fell: dict[str, Any] = {}
        before: dict[str, Any] = {}
        for name in COUNTERS:
            metric, column = frame.metrics.get(name), site.columns.get(name)
            if metric is None or metric.kind is not Kind.COUNTER or column is None:
                continue
            # An unchanged block is the same array: counters cost nothing while nothing happens.
            last = kept.last.get(name)
            if len(column.values) != site.topology.gpus or (last is not None and last.block is column.values):
                continue
            before[name] = None if last is None else last.values()
            fell[name] = () if last is None else np.flatnonzero(column.values < before[name])
        found = [each for name in fell if len(fell[name]) for each in _fallen(site, name, fell[name], kept)]
        for name in fell:
            kept.last[name] = _Last.of(site.columns[name].values, before[name])
        return found

    def _in_order(self, site: SiteFrame, state: DetectorState) -> _Site:
        """Return the counters of a site in the rows of its topology of now."""
        kept, rows = self._sites.get(site.site), state["row"]
        if kept is not None and kept.topology is site.topology:
            return kept
        if kept is None:
            kept = self._sites[site.site] = _Site(site.topology)
        else:
            kept.follow(site.topology, rows)
        rows[:] = np.arange(site.topology.gpus)
        return kept


def _fallen(site: SiteFrame, name: str, fell: Any, kept: _Site) -> list[Finding]:
    """Return the counters of one kind that fell and were not started anew."""
    values, source = site.columns[name].values, site.columns[name].source
    last = {each: told.values() for each, told in kept.last.items()}
    was = dict(zip(fell.tolist(), last[name][fell].tolist(), strict=True))
    rows = [row for row in was if not _is_restart(site, name, row, last)]

    def text(row: int) -> tuple[str, tuple[str, ...]]:
        return f"{name} fell from {was[row]:g} to {values[row]:g} without a restart", (f"source {source}",)

    return of_gpus(site, replace(FAULT, name=f"{FAULT.name}-{name}"), rows, source, text)


def _is_restart(site: SiteFrame, name: str, row: int, last: Mapping[str, Any]) -> bool:
    """Whether a counter may have been started anew: it is at zero, or all counters of its node fell with it."""
    now = float(site.columns[name].values[row])
    if name in LASTING or now >= float(last[name][row]) / 2:
        return False
    if now == 0:
        return True
    node = site.topology.parent(Level.GPU, row, Level.NODE)
    gpus = site.topology.span(Level.NODE, node, Level.GPU)
    for other in COUNTERS:
        if other not in LASTING and other in site.columns and other in last:
            had = last[other][gpus]
            stayed = (had > 0) & (site.columns[other].values[gpus] >= had)
            if stayed.any():
                return False
    return True


DETECTOR = Backwards()
