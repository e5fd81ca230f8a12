"""Matches alerts to faults, event by event: one alert stands for one fault at most, and one fault for one alert."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from console.core.scoring.values import HORIZON_S, same_hardware
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.core.scoring.values import BacktestAlert, Fault, Watched


@dataclass(frozen=True, eq=False)
class Matches:
    """What became of each alert and fault that lies in the data.

    `pairs` are (alert, fault); `missed` faults had no alert; `false` alerts had no fault in their time, `repeats` came
    beside another alert of the same fault, `open` ones cannot be judged yet; the rest counts what lies outside.
    """

    pairs: tuple[tuple[BacktestAlert, Fault], ...]
    missed: tuple[Fault, ...]
    false: tuple[BacktestAlert, ...]
    repeats: tuple[BacktestAlert, ...]
    open: tuple[BacktestAlert, ...]
    outside_alerts: int
    outside_faults: int


def match(alerts: Iterable[BacktestAlert], faults: Iterable[Fault], watched: Watched) -> Matches:
    """Match the most faults that can be: each in the order of time takes the fitting alert whose time ends first.

    An alert fits a fault of its hardware (`same_hardware`) that comes while it is up or within 24 h of its being raised
    (it precedes it), or that came within 24 h before it was raised (it detects it). The class does not have to fit:
    names of classes are everybody's own. For points and intervals this order leaves the fewest unmatched (Glover 1967,
    Naval Research Logistics 14:313); event-level scores as in Hundman et al. (KDD 2018). The order of what is given
    does not matter.
    """
    asked = sorted(alerts, key=_alert_order)
    came = sorted(faults, key=_fault_order)
    inside = [each for each in asked if watched.covers(each)]
    real = [each for each in came if watched.covers(each)]
    there: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, alert in enumerate(inside):
        there[alert.site, alert.node].append(i)
    taken: set[int] = set()
    beside: set[int] = set()
    pairs, missed = [], []
    for fault in real:
        fitting = _fitting(inside, there.get((fault.site, fault.node), ()), fault)
        beside.update(fitting)
        free = [i for i in fitting if i not in taken]
        if free:
            best = min(free, key=partial(_end_order, inside, fault))
            taken.add(best)
            pairs.append((inside[best], fault))
        else:
            missed.append(fault)
    rest = [i for i in range(len(inside)) if i not in taken]
    alone = [inside[i] for i in rest if i not in beside]
    return Matches(
        pairs=tuple(pairs),
        missed=tuple(missed),
        false=tuple(each for each in alone if each.at + HORIZON_S <= watched.end),
        repeats=tuple(inside[i] for i in rest if i in beside),
        open=tuple(each for each in alone if each.at + HORIZON_S > watched.end),
        outside_alerts=len(asked) - len(inside),
        outside_faults=len(came) - len(real),
    )


def days_up(alert: BacktestAlert, end: float) -> int:
    """Return the begun days that an alert was up: a false one that stays up is false again each day."""
    return max(1, math.ceil((min(alert.until, end) - alert.at) / HORIZON_S))


def _ends(alert: BacktestAlert) -> float:
    return max(alert.at + HORIZON_S, alert.until)


def _fitting(alerts: Sequence[BacktestAlert], of_node: Sequence[int], fault: Fault) -> list[int]:
    """Return which of a node's alerts, in the order of time, fit a fault."""
    soon = itertools.takewhile(lambda i: alerts[i].at - HORIZON_S <= fault.at, of_node)
    return [i for i in soon if fault.at <= _ends(alerts[i]) and same_hardware(alerts[i], fault)]


def _end_order(alerts: Sequence[BacktestAlert], fault: Fault, i: int) -> tuple[float | str, ...]:
    alert = alerts[i]
    return (_ends(alert), alert.at, alert.fault_class != fault.fault_class, *_alert_order(alert))


def _alert_order(alert: BacktestAlert) -> tuple[float | str, ...]:
    each = alert
    return each.at, each.site, each.node, each.gpu, each.until, each.fault_class, each.probability_24h


def _fault_order(fault: Fault) -> tuple[float | str, ...]:
    return fault.at, fault.site, fault.node, fault.gpu, fault.fault_class
