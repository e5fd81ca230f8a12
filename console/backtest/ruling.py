"""Applies a file of rules to frames and collects the alerts that they would have raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.backtest.conditions import Test
from console.core.scoring.values import WHOLE_NODE, BacktestAlert
from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from console.backtest.replay import Moment
    from console.backtest.rule_file import Rule, RuleFile
    from console.model.snapshot import SiteFrame
    from console.model.topology import SiteTopology


class Ruling:
    """A file of rules at work; each rule has at most one alert up on one GPU or node."""

    def __init__(self, file: RuleFile, topologies: Sequence[SiteTopology]) -> None:
        self.name, self.title = file.name, file.title
        self._alerts: list[BacktestAlert] = []
        self._by_condition = [[_Standing(rule, each) for each in topologies] for rule in file.rules if rule.conditions]
        self._by_xid = [_Struck(rule, topologies) for rule in file.rules if rule.xids]

    @property
    def unheard(self) -> tuple[str, ...]:
        """The rules that never had the metrics that they need."""
        return tuple(each[0].rule.name for each in self._by_condition if not any(site.judged for site in each))

    def take(self, moment: Moment) -> None:
        """Look at a frame and at what came since the last one."""
        for standing in self._by_condition:
            for site, frame in zip(standing, moment.frame.sites, strict=True):
                self._alerts += site.take(frame, moment.frame.at)
        for struck in self._by_xid:
            self._alerts += struck.take(moment)

    def finished(self) -> tuple[BacktestAlert, ...]:
        """Return all alerts; those that are up yet end with the data."""
        for standing in self._by_condition:
            for site in standing:
                self._alerts += site.finish()
        for struck in self._by_xid:
            self._alerts += struck.finish()
        self._alerts.sort(key=lambda each: (each.at, each.site, each.node, each.gpu, each.fault_class))
        return tuple(self._alerts)


class _Standing:
    """A rule of conditions at one site: since when they hold, since when an alert is up, when they held last."""

    def __init__(self, rule: Rule, topology: SiteTopology) -> None:
        self.rule, self.judged = rule, False
        self._topology = topology
        self._tests = [Test(each, topology) for each in rule.conditions]
        self._level = max((each.level for each in self._tests), key=lambda level: level.depth)
        size = topology.count(self._level)
        self._since = np.full(size, np.nan)
        self._up = np.full(size, np.nan)
        self._last = np.full(size, np.nan)

    def take(self, site: SiteFrame, now: float) -> Iterator[BacktestAlert]:
        """Yield the alerts that are over."""
        holds = self._holds(site, now)
        if holds is None:
            return
        self.judged = True
        self._since[~holds] = np.nan
        self._since[holds & np.isnan(self._since)] = now
        with np.errstate(invalid="ignore"):
            lasts = holds & (now - self._since >= self.rule.for_s)
            over = ~holds & ~np.isnan(self._up) & (now - self._last > self.rule.keep_s)
        yield from self._told(np.flatnonzero(over))
        self._up[over] = np.nan
        self._up[lasts & np.isnan(self._up)] = now
        self._last[holds] = now

    def finish(self) -> Iterator[BacktestAlert]:
        """Yield the alerts that are up."""
        yield from self._told(np.flatnonzero(~np.isnan(self._up)))
        self._up[:] = np.nan

    def _holds(self, site: SiteFrame, now: float) -> NDArray[np.bool_] | None:
        found: NDArray[np.bool_] | None = None
        for test in self._tests:
            holds = test.holds(site, now)
            if holds is None:
                return None
            if test.level is not self._level:
                holds = holds[self._topology.parents(self._level, test.level)]
            found = holds if found is None else found & holds
        return found

    def _told(self, rows: NDArray[np.intp]) -> Iterator[BacktestAlert]:
        rule, topology = self.rule, self._topology
        for row in rows.tolist():
            gpu = int(topology.gpu_slot[row]) if self._level is Level.GPU else WHOLE_NODE
            node = topology.nodes[topology.parent(self._level, row, Level.NODE)]
            up, last = float(self._up[row]), float(self._last[row])
            yield BacktestAlert(up, topology.site, node, gpu, rule.fault_class, rule.probability_24h, last)


class _Struck:
    """A rule of XIDs: what is up, from the first one until `keep_s` after the last."""

    def __init__(self, rule: Rule, topologies: Sequence[SiteTopology]) -> None:
        self._rule, self._topologies = rule, topologies
        self._up: dict[tuple[int, int, int], tuple[float, float]] = {}

    def take(self, moment: Moment) -> Iterator[BacktestAlert]:
        """Yield the alerts that are over."""
        for key in [key for key, (_, until) in self._up.items() if until < moment.frame.at]:
            yield self._told(key)
        for event, site, gpu, node in moment.xids:
            if event.xid in self._rule.xids:
                key = site, node, int(self._topologies[site].gpu_slot[gpu]) if gpu >= 0 else WHOLE_NODE
                first, _ = self._up.get(key, (event.at, event.at))
                self._up[key] = first, event.at + self._rule.keep_s

    def finish(self) -> Iterator[BacktestAlert]:
        """Yield the alerts that are up."""
        for key in list(self._up):
            yield self._told(key)

    def _told(self, key: tuple[int, int, int]) -> BacktestAlert:
        at, until = self._up.pop(key)
        site, node, gpu = key
        topology, rule = self._topologies[site], self._rule
        return BacktestAlert(
            at, topology.site, topology.nodes[node], gpu, rule.fault_class, rule.probability_24h, until
        )
