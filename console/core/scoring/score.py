"""Scores alerts against faults: every figure of `gigadeck backtest`, in all and by class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.core.scoring.calibration import calibration_error, reliability
from console.core.scoring.figures import ClassScore, Leads, Score
from console.core.scoring.intervals import rate, share
from console.core.scoring.matching import days_up, match
from console.core.scoring.ranking import rank
from console.core.scoring.savings import Stakes, gpu_hours_saved
from console.core.scoring.values import ENOUGH_LEAD_S
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.core.scoring.matching import Matches
    from console.core.scoring.values import BacktestAlert, Fault, Watched

ALL = "all"


def score(
    alerts: Sequence[BacktestAlert], faults: Sequence[Fault], watched: Watched, stakes: Stakes | None = None
) -> Score:
    """Return the figures of these alerts.

    By class, recall and ranking are those of the faults of that class (by whatever alert), precision, false alerts and
    calibration those of the alerts that name it. What lies outside of what was watched is counted and not judged.
    """
    stakes = stakes or Stakes()
    matches = match(alerts, faults, watched)
    named = {each.fault_class for each in alerts if watched.covers(each)}
    classes = sorted(named | {each.fault_class for each in faults if watched.covers(each)})
    rows = [_row(ALL, matches, alerts, faults, watched, stakes)]
    for name in classes:
        mine = [each for each in faults if each.fault_class == name]
        rows.append(_row(name, _of_class(matches, name), alerts, mine, watched, stakes))
    bins = reliability(*_said_and_came(matches))
    return Score(tuple(rows), bins, matches.outside_alerts, matches.outside_faults)


@dataclass(frozen=True, eq=False)
class _Part:
    """The matches of one class: pairs by the fault's class (`found`) and by the alert's (`true`)."""

    found: tuple[tuple[BacktestAlert, Fault], ...]
    true: tuple[tuple[BacktestAlert, Fault], ...]
    missed: tuple[Fault, ...]
    false: tuple[BacktestAlert, ...]
    repeats: tuple[BacktestAlert, ...]
    open: tuple[BacktestAlert, ...]


def _of_class(matches: Matches, name: str) -> _Part:
    return _Part(
        tuple(each for each in matches.pairs if each[1].fault_class == name),
        tuple(each for each in matches.pairs if each[0].fault_class == name),
        tuple(each for each in matches.missed if each.fault_class == name),
        *(
            tuple(each for each in some if each.fault_class == name)
            for some in (matches.false, matches.repeats, matches.open)
        ),
    )


def _row(
    name: str,
    matches: Matches | _Part,
    alerts: Sequence[BacktestAlert],
    faults: Sequence[Fault],
    watched: Watched,
    stakes: Stakes,
) -> ClassScore:
    found, true = (matches.found, matches.true) if isinstance(matches, _Part) else (matches.pairs, matches.pairs)
    came = len(found) + len(matches.missed)
    early = _early(found)
    hinted = [each for each in found if each[1].precursor]
    hints = len(hinted) + sum(bool(fault.precursor) for fault in matches.missed)
    false = sum(days_up(each, watched.end) for each in matches.false)
    ahead = sum(fault.at > alert.at for alert, fault in true)
    precision, recall = share(len(true), len(true) + false), share(len(found), came)
    return ClassScore(
        fault_class=name,
        faults=came,
        foreseen=sum(fault.at > alert.at for alert, fault in found),
        early=early,
        found=len(found),
        with_precursor=hints,
        alerts=len(true) + len(matches.false) + len(matches.repeats) + len(matches.open),
        true=len(true),
        false=false,
        repeats=len(matches.repeats),
        open=len(matches.open),
        precision=precision,
        foresight_precision=share(ahead, ahead + false),
        recall=recall,
        early_recall=share(early, came),
        early_of_precursor=share(_early(hinted), hints),
        f1=_f1(precision.value, recall.value),
        class_right=share(sum(alert.fault_class == fault.fault_class for alert, fault in true), len(true)).value,
        ranking=rank(alerts, faults, watched),
        leads=_leads(found),
        false_per_1000_gpu_days=rate(false, watched.gpu_days / 1000),
        calibration_error=calibration_error(reliability(*_said_and_came(matches))),
        gpu_hours_saved=gpu_hours_saved(early, false, stakes),
    )


def _early(pairs: Sequence[tuple[BacktestAlert, Fault]]) -> int:
    return sum(fault.at - alert.at >= ENOUGH_LEAD_S for alert, fault in pairs)


def _f1(precision: float, recall: float) -> float:
    """Return the harmonic mean (van Rijsbergen 1979), NaN where either is unknown."""
    if math.isnan(precision) or math.isnan(recall):
        return math.nan
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _leads(pairs: Sequence[tuple[BacktestAlert, Fault]]) -> Leads:
    leads = [fault.at - alert.at for alert, fault in pairs]
    before, late = [lead for lead in leads if lead > 0], [abs(lead) for lead in leads if lead <= 0]
    known = [
        min(1.0, max(0.0, (fault.at - alert.at) / (fault.at - fault.onset)))
        for alert, fault in pairs
        if fault.onset is not None and fault.onset < fault.at
    ]
    p10, p50, p90 = (_percentile(before, part) for part in (10, 50, 90))
    return Leads(p10, p50, p90, _percentile(known, 50), _percentile(late, 50))


def _percentile(values: Sequence[float], part: float) -> float:
    return float(np.percentile(np.array(values), part)) if values else math.nan


def _said_and_came(matches: Matches | _Part) -> tuple[list[float], list[bool]]:
    """Return what each judged alert said, and whether a fault came in its time."""
    pairs = matches.true if isinstance(matches, _Part) else matches.pairs
    right = [*(alert for alert, _ in pairs), *matches.repeats]
    said = [each.probability_24h for each in (*right, *matches.false)]
    return said, [True] * len(right) + [False] * len(matches.false)
