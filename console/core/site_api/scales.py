"""How finely the stream tells each metric and each of its aggregates.

A gauge of GPUs moves in steps of its metric's quantum. Few rows cost next to nothing, so what is measured above the
node, and what is summed up there, is told more finely than anybody can read it. Counters, codes, bit masks and flags
are exact. A site's own metrics may say nothing of their quantum: it is taken from the numbers.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.core.site_api.quantised import Scale
from console.model.builtin_metrics import BUILTIN
from console.model.levels import Level
from console.model.metrics import Kind, RollUp

if TYPE_CHECKING:
    from console.model.columns import Values
    from console.model.metrics import Metric

# Above the node a step is this part of the quantum; of the mean of a rack or a node this one.
FINE, FINER_MEAN = 20, 2
# A sum of this many gauges moves in steps of one gauge's quantum.
SUMMED = 8
# A watt is too little to tell of a node of some kilowatts.
STEPS_OF_A_NODE = 600
STEPS_OF_OWN, FEWEST_STEPS_OF_OWN = 2000, 200
_LOWEST_BASE = -1e6


def column_scale(metric: Metric) -> Scale:
    """Return how a metric's own values are told."""
    base = metric.low if metric.low >= _LOWEST_BASE else 0.0
    if metric.kind is not Kind.GAUGE:
        return Scale(1.0, math.floor(base), exact=True)
    if metric.level == Level.GPU:
        return Scale(metric.quantum, base)
    if metric.level == Level.NODE:
        low, high = metric.heat
        return Scale(max(metric.quantum, float(round((high - low) / STEPS_OF_A_NODE))), base)
    return Scale(metric.quantum / FINE, base)


def aggregate_scale(metric: Metric, how: RollUp, level: Level, members: float) -> Scale:
    """Return how an aggregate is told at a level each of whose rows holds about `members` values."""
    own = column_scale(metric)
    if how is RollUp.SUM:
        return replace(own, base=0.0, quantum=own.quantum if own.exact else own.quantum * _round(members / SUMMED))
    if how is RollUp.MAX or how is RollUp.LAST:
        return own
    return Scale(own.quantum / (FINE if level.depth < Level.RACK.depth else FINER_MEAN), own.base)


def fitted(scale: Scale, metric: Metric, values: Values, *, present: Scale | None) -> Scale:
    """Return a scale that suits values of a site's own metric; `present` stays as long as it tells enough."""
    if scale.exact or BUILTIN.get(metric.name) is metric:
        return scale
    there = values[np.isfinite(values)]
    top = float(np.abs(there - scale.base).max(initial=0.0))
    if (present is not None and present.quantum * FEWEST_STEPS_OF_OWN <= top) or not top:
        return present or scale
    return replace(scale, quantum=min(scale.quantum, top / STEPS_OF_OWN))


def _round(factor: float) -> float:
    """Return 1, 2 or 5 times a power of ten, not above a factor; at least 1."""
    if factor < 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(factor))
    return power * max(step for step in (1, 2, 5) if step <= factor / power or step == 1)
