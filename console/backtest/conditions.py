"""The tests of rules, each over all GPUs (or nodes) of a site at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.model.builtin_metrics import BUILTIN
from console.model.levels import Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.backtest.rule_file import Condition
    from console.model.columns import Values
    from console.model.snapshot import SiteFrame
    from console.model.topology import SiteTopology

LEAST_PEERS = 3


class Test:
    """One condition at one site; remembers what counters said when their time began."""

    def __init__(self, condition: Condition, topology: SiteTopology) -> None:
        self.condition = condition
        self.level = Level(BUILTIN[condition.metric].level)
        self._topology = topology
        self._start = np.full(topology.count(self.level), np.nan)
        self._next = self._start.copy()
        self._next_at = np.zeros(topology.count(self.level))

    def holds(self, site: SiteFrame, now: float) -> NDArray[np.bool_] | None:
        """Return bool[rows of `level`], None where the site does not have the metric; what is missing does not hold."""
        values = site.values(self.condition.metric, now)
        if values is None:
            return None
        bound, test = self.condition.bound, self.condition.test
        if test == "rises":
            return self._rises(values, now)
        with np.errstate(invalid="ignore"):
            if test == "any_bits":
                return np.asarray(np.nan_to_num(values).astype(np.int64) & int(bound) != 0)
            if test in ("above", "below"):
                return np.asarray(values > bound if test == "above" else values < bound)
            away = values - peers_median(values, self._topology, self.level, Level(self.condition.of))
            found = {"over_peers": away >= bound, "under_peers": away <= -bound, "not_over_peers": away <= bound}
            return np.asarray(found[test])

    def _rises(self, values: Values, now: float) -> NDArray[np.bool_]:
        """Whether a counter rose by the bound since it was marked; a reset marks it anew.

        Of two marks the older one counts, which is half of the time to all of it old: so what rises within half of the
        time is always seen, and what took longer than all of it never.
        """
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            anew = known & (np.isnan(self._start) | (values < self._next))
            risen = known & ~anew & (values - self._start >= self.condition.bound)
        later = known & ~anew & (now - self._next_at >= self.condition.within_s / 2)
        self._start[later] = self._next[later]
        self._start[anew] = values[anew]
        self._next[later | anew] = values[later | anew]
        self._next_at[later | anew] = now
        return np.asarray(risen)


def peers_median(values: Values, topology: SiteTopology, level: Level, of: Level) -> Any:
    """Return float[rows]: the lower median of each row's group, NaN for groups with fewer than three values."""
    group = topology.parents(level, of) if of is not level else np.arange(len(values), dtype=np.int32)
    order = np.lexsort((values, group))
    starts = topology.starts(of, level)[:-1]
    counts = np.bincount(group[~np.isnan(values)], minlength=topology.count(of))
    middle = np.minimum(starts + np.maximum(counts - 1, 0) // 2, max(len(values) - 1, 0))
    medians = values[order[middle]] if len(values) else np.zeros(len(starts), dtype=np.float32)
    return np.where(counts >= LEAST_PEERS, medians, np.nan)[group]
