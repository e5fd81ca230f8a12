"""The columns of a site in the stream: each once in a sweep, in turns, as what changed since it was sent last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.site_api.framing import framed
from console.core.site_api.quantised import Ints, Quantised, nothing_new
from console.core.site_api.scales import column_scale, fitted
from console.model.levels import Level
from console.model.metrics import Kind
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from console.core.site_api.framing import Record
    from console.core.site_api.quantised import Members
    from console.model.columns import Values
    from console.model.metrics import Metric, MetricTable
    from console.model.snapshot import SiteFrame

# Columns of so few rows cost little: they come more often.
FEW_ROWS = 512
FEW_EVERY_S = 4.9
# Codes and flags tell of trouble: where one changed, its turn comes at once, but not more often than this.
PROMPT_EVERY_S = 4.9
# GPUs that fall silent do not wait for the turns of all their columns.
SILENCE_EVERY_S = 1.9
# After a new topology nobody has the columns any more.
ANEW_WITHIN_S = 10.0
# So much of a site, one part of this many, is back at once after an outage.
_MUCH = 4
_PROMPT = (Kind.CODE, Kind.FLAG)


@dataclass
class _Sent:
    """One column as it was told last; `anew` says that those who listen have nothing to add a difference to."""

    metric: Metric
    values: Quantised
    rows: int
    at: float
    told_at: float
    seen: Values
    anew: bool = False
    opening: Record | None = None


class ColumnStream:
    """Which columns are told when, and what was told; owned by one thread. `sweep_s` is how long all of them take."""

    def __init__(self, metrics: MetricTable, sweep_s: float) -> None:
        self._metrics = metrics
        self._sweep_s = sweep_s
        self._sent: dict[str, _Sent] = {}
        self._credit = 0.0
        self._last_at = 0.0
        self._version = 0
        self._reporting: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._there = 0
        self._silenced_at = 0.0

    def begin(self, site: SiteFrame, now: float, *, anew: bool) -> None:
        """Take the columns of a new topology as told; with `anew` those who listen are to be told all of them."""
        self._version = site.topology.version
        self._sent.clear()
        self._reporting = site.reporting
        self._there = int(np.count_nonzero(site.reporting))
        self._credit, self._last_at = 0.0, now
        for metric, values in self._offered(site, now):
            self._sent[metric.name] = self._first(metric, values, site, now, anew=anew)

    def due(self, site: SiteFrame, now: float) -> Iterator[tuple[str, Members]]:
        """Yield the kind and members of each record that is due."""
        self._hurry_after_outage(site)
        yield from self._silenced(site, now)
        offered = {metric.name: values for metric, values in self._offered(site, now)}
        for name in self._turn(offered, now):
            yield "column", self._record(self._metrics[name], offered[name], site, now)
        for name in offered.keys() - self._sent.keys():
            sent = self._sent[name] = self._first(self._metrics[name], offered[name], site, now, anew=False)
            yield "column", self._members(sent, sent.values.whole())

    def _hurry_after_outage(self, site: SiteFrame) -> None:
        """Have all columns of GPUs told soon where many GPUs speak again at once."""
        there = int(np.count_nonzero(site.reporting))
        back, self._there = there - self._there, there
        if back * _MUCH > len(site.reporting):
            for sent in self._sent.values():
                sent.anew = sent.anew or sent.metric.level == Level.GPU

    def _silenced(self, site: SiteFrame, now: float) -> Iterator[tuple[str, Members]]:
        """Tell at once of GPUs that have fallen silent; those that speak again come with their columns."""
        before, reporting = self._reporting, site.reporting
        if reporting is before or now - self._silenced_at < SILENCE_EVERY_S or len(reporting) != len(before):
            return
        self._reporting = reporting
        rows = np.flatnonzero(before & ~reporting).astype(np.int32)
        if not len(rows):
            return
        self._silenced_at = now
        for sent in self._sent.values():
            if sent.metric.level == Level.GPU and sent.rows == len(reporting):
                sent.values.blank(rows)
                sent.opening = None
        yield "silent", {"version": self._version, "at": now, "count": len(rows), "rows": Ints().take(rows)}

    def opening(self) -> Iterator[Record]:
        """Yield a record for each column, with all that was told of it."""
        for sent in self._sent.values():
            if sent.opening is None:
                sent.opening = framed(0, "column", self._members(sent, sent.values.whole()))
            yield sent.opening

    def told(self) -> Mapping[str, Values]:
        """Return float32 by metric: what somebody who heard all of it holds."""
        return {name: sent.values.told() for name, sent in self._sent.items() if not sent.anew}

    def _offered(self, site: SiteFrame, now: float) -> Iterator[tuple[Metric, Values]]:
        for name, column in site.columns.items():
            metric = self._metrics.get(name)
            if metric is not None and len(column.values):
                yield metric, column.current(now)

    def _turn(self, offered: Mapping[str, Values], now: float) -> list[str]:
        """Return the names of the columns whose turn it is."""
        known = [self._sent[name] for name in offered if name in self._sent]
        few = [each.metric.name for each in known if each.rows <= FEW_ROWS and self._rested(each, now, FEW_EVERY_S)]
        many = sorted((each for each in known if each.rows > FEW_ROWS), key=lambda each: (not each.anew, each.told_at))
        sweep_s = min(ANEW_WITHIN_S, self._sweep_s) if any(each.anew for each in many) else self._sweep_s
        self._credit += len(many) * max(0.0, now - self._last_at) / sweep_s
        self._last_at = now
        # Where steps are far apart all are due at once; what was not used is not saved up.
        turns = min(int(self._credit), len(many))
        self._credit = min(self._credit - turns, 1.0)
        first, rest = many[:turns], many[turns:]
        prompt = [sent for sent in rest if self._urgent(sent, offered[sent.metric.name], now)]
        return [*few, *(sent.metric.name for sent in (*first, *prompt))]

    def _rested(self, sent: _Sent, now: float, every_s: float) -> bool:
        return now - sent.told_at >= min(every_s, self._sweep_s)

    def _urgent(self, sent: _Sent, values: Values, now: float) -> bool:
        if sent.metric.kind not in _PROMPT or not self._rested(sent, now, PROMPT_EVERY_S):
            return False
        return values is not sent.seen and not np.array_equal(values, sent.seen, equal_nan=True)

    def _first(self, metric: Metric, values: Values, site: SiteFrame, now: float, *, anew: bool) -> _Sent:
        quantised = Quantised(fitted(column_scale(metric), metric, values, present=None))
        quantised.take(values)
        at = site.columns[metric.name].newest_at()
        return _Sent(metric, quantised, len(values), at, now, values, anew)

    def _record(self, metric: Metric, values: Values, site: SiteFrame, now: float) -> Members:
        """Tell a column and return the members of its record."""
        sent = self._sent[metric.name]
        scale = fitted(column_scale(metric), metric, values, present=sent.values.scale)
        if scale != sent.values.scale or len(values) != sent.rows:
            sent.values, sent.rows = Quantised(scale), len(values)
        members = sent.values.take(values)
        if sent.anew:
            members = sent.values.whole()
        sent.at, sent.told_at, sent.seen = site.columns[metric.name].newest_at(), now, values
        sent.anew, sent.opening = False, None
        return self._members(sent, members or nothing_new(sent.values.scale))

    def _members(self, sent: _Sent, members: Members) -> Members:
        return {
            "metric": sent.metric.name,
            "level": str(sent.metric.level),
            "version": self._version,
            "at": sent.at,
            **members,
        }
