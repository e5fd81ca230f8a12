"""Scores alerts against faults: every figure of `gigadeck backtest`, in all and by class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.core.scoring.calibration import calibration_error, reliability
from console.core.scoring.intervals import rate, share
from console.core.scoring.matching import days_up, match
from console.core.scoring.ranking import rank
from console.core.scoring.savings import Stakes, gpu_hours_saved
from console.core.scoring.values import ENOUGH_LEAD_S, ClassScore
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.core.scoring.calibration import ReliabilityBin
    from console.core.scoring.matching import Matches
    from console.core.scoring.values import BacktestAlert, Fault, Watched

ALL = "all"


@dataclass(frozen=True, eq=False)
class Score:
    """All figures of one who raised alerts: `rows` in all first, then by class; `bins` of the reliability diagram."""

    rows: tuple[ClassScore, ...]
    bins: tuple[ReliabilityBin, ...]
    outside_alerts: int
    outside_faults: int


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
    leads = [fault.at - alert.at for alert, fault in found]
    early = sum(lead >= ENOUGH_LEAD_S for lead in leads)
    came = len(found) + len(matches.missed)
    hinted = [(lead, fault) for lead, (_, fault) in zip(leads, found, strict=True) if fault.precursor]
    hints = len(hinted) + sum(bool(fault.precursor) for fault in matches.missed)
    false = sum(days_up(each, watched.end) for each in matches.false)
    precision, recall = share(len(true), len(true) + false), share(len(found), came)
    ranking = rank(alerts, faults, watched)
    bins = reliability(*_said_and_came(matches))
    ahead = sum(fault.at > alert.at for alert, fault in true)
    late = [-lead for lead in leads if lead <= 0]
    p10, p50, p90 = _percentiles([lead for lead in leads if lead > 0])
    per_day = rate(false, watched.gpu_days / 1000)
    return ClassScore(
        fault_class=name,
        faults=came,
        foreseen=sum(lead > 0 for lead in leads),
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
        early_of_precursor=share(sum(lead >= ENOUGH_LEAD_S for lead, _ in hinted), hints),
        f1=_f1(precision.value, recall.value),
        class_right=share(sum(alert.fault_class == fault.fault_class for alert, fault in true), len(true)).value,
        pr_auc=ranking.pr_auc,
        base_rate=ranking.base_rate,
        lift=ranking.lift,
        recall_top_01pct=ranking.recall_top_01pct,
        recall_top_1pct=ranking.recall_top_1pct,
        lead_p10_s=p10,
        lead_p50_s=p50,
        lead_p90_s=p90,
        lead_share=_lead_share(found),
        late_p50_s=float(np.median(late)) if late else math.nan,
        false_per_1000_gpu_days=per_day,
        calibration_error=calibration_error(bins),
        gpu_hours_saved=gpu_hours_saved(early, false, stakes),
    )


def _f1(precision: float, recall: float) -> float:
    """Return the harmonic mean (van Rijsbergen 1979), NaN where either is unknown."""
    if math.isnan(precision) or math.isnan(recall):
        return math.nan
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _percentiles(leads: Sequence[float]) -> tuple[float, float, float]:
    """Return p10, p50 and p90 of the leads of what was foreseen: 90 % have more than the first."""
    if not leads:
        return math.nan, math.nan, math.nan
    p10, p50, p90 = np.percentile(np.array(leads), (10, 50, 90)).tolist()
    return p10, p50, p90


def _lead_share(found: Sequence[tuple[BacktestAlert, Fault]]) -> float:
    """Return the median of lead / (fault - onset), at most 1, where the onset is known; NaN where it never is."""
    known = [
        min(1.0, max(0.0, (fault.at - alert.at) / (fault.at - fault.onset)))
        for alert, fault in found
        if fault.onset is not None and fault.onset < fault.at
    ]
    return float(np.median(known)) if known else math.nan


def _said_and_came(matches: Matches | _Part) -> tuple[list[float], list[bool]]:
    """Return what each judged alert said, and whether a fault came in its time."""
    pairs = matches.true if isinstance(matches, _Part) else matches.pairs
    right = [*(alert for alert, _ in pairs), *matches.repeats]
    said = [each.probability_24h for each in (*right, *matches.false)]
    return said, [True] * len(right) + [False] * len(matches.false)
