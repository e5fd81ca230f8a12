"""The roll-ups of a site in the stream: site and halls each second, racks each five, what changed of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.site_api.framing import framed
from console.core.site_api.quantised import Quantised, Scale
from console.core.site_api.scales import aggregate_scale, fitted
from console.model.levels import SITE_LEVELS, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.core.site_api.framing import Record
    from console.core.site_api.quantised import Members
    from console.model.columns import Values
    from console.model.metrics import Metric, MetricTable, RollUp
    from console.model.snapshot import SiteFrame
    from console.model.topology import SiteTopology

# A little less than a second, for steps are not quite a second apart; more than one step in that time says no more.
EVERY_S = {Level.SITE: 0.9, Level.HALL: 0.9, Level.RACK: 4.9}
_COUNTS = Scale(exact=True)


class AggregateStream:
    """What was told of each level's aggregates; owned by one thread. What is not there at all is not told of."""

    def __init__(self, metrics: MetricTable) -> None:
        self._metrics = metrics
        self._levels = {level: _Level(level, metrics) for level in EVERY_S}

    def begin(self, site: SiteFrame, now: float, *, anew: bool) -> None:
        """Take the roll-ups of a new topology as told; with `anew` those who listen are to be told all of them."""
        for each in self._levels.values():
            each.begin(site, now, anew=anew)

    def due(self, site: SiteFrame, now: float) -> Iterator[tuple[str, Members]]:
        """Yield the kind and members of each record that is due."""
        for level, each in self._levels.items():
            if each.anew or now - each.told_at >= EVERY_S[level]:
                yield "aggregates", each.record(site, now)

    def opening(self) -> Iterator[Record]:
        """Yield a record for each level, with all that was told of it."""
        for each in self._levels.values():
            if each.opening is None:
                each.opening = framed(0, "aggregates", each.whole())
            yield each.opening

    def told(self) -> Mapping[tuple[Level, str], Values]:
        """Return float32 by level and field: what somebody who heard all of it holds."""
        return {
            (level, field): sent.told() for level, each in self._levels.items() for field, sent in each.fields.items()
        }


class _Level:
    """One level."""

    def __init__(self, level: Level, metrics: MetricTable) -> None:
        self.level = level
        self._metrics = metrics
        self.fields: dict[str, Quantised] = {}
        self._counts: dict[str, Quantised] = {}
        self._members: dict[str, float] = {}
        self._version = 0
        self._at = 0.0
        self.told_at = 0.0
        self.anew = False
        self.opening: Record | None = None

    def begin(self, site: SiteFrame, now: float, *, anew: bool) -> None:
        self.fields.clear()
        self._counts.clear()
        self._members = members_of(site.topology, self.level)
        self._version, self.anew = site.topology.version, False
        self.record(site, now)
        self.anew = anew

    def record(self, site: SiteFrame, now: float) -> Members:
        fields: dict[str, Members] = {}
        counts: dict[str, Members] = {}
        for metric, field, how, values in aggregates_of(site, self._metrics, self.level):
            sent = self._quantised(metric, field, how, values)
            _note(fields, field, sent.take(values))
        for name, rollups in site.rollups.items():
            if self.level in rollups.counts:
                count = self._counts.setdefault(name, Quantised(_COUNTS))
                _note(counts, name, count.take(rollups.counts[self.level].astype(np.float32)))
        self._at, self.told_at, self.opening = site.data_at, now, None
        if self.anew:
            self.anew = False
            return self.whole()
        return self._record(fields, counts)

    def whole(self) -> Members:
        fields = {field: sent.whole() for field, sent in self.fields.items()}
        return self._record(fields, {name: sent.whole() for name, sent in self._counts.items()})

    def _record(self, fields: dict[str, Members], counts: dict[str, Members]) -> Members:
        more = {"counts": counts} if counts else {}
        return {"level": str(self.level), "version": self._version, "at": self._at, "fields": fields, **more}

    def _quantised(self, metric: Metric, field: str, how: RollUp, values: Values) -> Quantised:
        known = self.fields.get(field)
        usual = aggregate_scale(metric, how, self.level, self._members.get(str(metric.level), 1.0))
        scale = fitted(usual, metric, values, present=known.scale if known else None)
        if known is None or known.scale != scale:
            known = self.fields[field] = Quantised(scale)
        return known


def aggregates_of(site: SiteFrame, metrics: MetricTable, level: Level) -> Iterator[tuple[Metric, str, RollUp, Values]]:
    """Yield metric, field, how and float32[count(level)] of each aggregate that a site has at a level."""
    for name, rollups in site.rollups.items():
        metric = metrics.get(name)
        if metric is None or level not in rollups.sums or metric.level == level:
            continue
        for field, how in metric.aggregates.items():
            yield metric, field, how, rollups.get(level, how)


def members_of(topology: SiteTopology, level: Level) -> dict[str, float]:
    """Return how many rows of each finer level a row of `level` has in the mean."""
    rows = max(topology.count(level), 1)
    return {str(each): topology.count(each) / rows for each in SITE_LEVELS if each.depth > level.depth}


def _note(told: dict[str, Members], name: str, members: Members | None) -> None:
    if members is None:
        return
    if not members["full"]:
        # Quantum and base are those of the last full one: half of a record of one row would be they.
        members = {"full": False, "dtype": members["dtype"], "data": members["data"]}
    told[name] = members
