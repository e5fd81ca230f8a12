"""Ranks every GPU once an hour by what the alerts say of the next 24 h, against what came: PR-AUC, lift, top shares."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from console.core.scoring.values import HORIZON_S, HOUR_S, WHOLE_NODE
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from console.core.scoring.values import BacktestAlert, Fault, Watched

LEVELS = 1001  # probabilities are told apart to a thousandth
_Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Ranking:
    """How the hours of all GPUs rank; NaN where no fault came or nothing was watched."""

    pr_auc: float
    base_rate: float
    lift: float
    recall_top_01pct: float
    recall_top_1pct: float


def rank(alerts: Iterable[BacktestAlert], faults: Iterable[Fault], watched: Watched) -> Ranking:
    """Return how well the alerts rank GPU-hours.

    Each watched GPU is asked once an hour: does a fault come within 24 h? Its score is the highest `probability_24h` of
    the alerts that are up then (0 for none; one that is over within the hour counts at the next full hour). Hours
    within 24 h after a fault that no other one follows are left out: its outcome is known. PR-AUC is average precision,
    the sum of (R_n - R_n-1) P_n over distinct scores (Boyd et al. 2013; scikit-learn's `average_precision_score`); the
    base rate is the share of hours that a fault follows, to which a ranking without skill comes (Saito and Rehmsmeier
    2015); lift is their ratio. Recall at the top k % is the share of those hours among the k % that rank highest, ties
    shared in proportion.
    """
    hours = math.ceil((watched.end - watched.start) / HOUR_S)
    positives, totals = _counts(_by_gpu(alerts, watched), _by_gpu(faults, watched), watched, hours)
    return ranked(positives, totals)


def ranked(positives: NDArray[np.int64], totals: NDArray[np.int64]) -> Ranking:
    """Return the figures from int64 counts by score, lowest score first: hours with a fault to come, all hours."""
    all_positive, all_hours = int(positives.sum()), int(totals.sum())
    if not all_positive or not all_hours:
        return Ranking(math.nan, 0.0 if all_hours else math.nan, math.nan, math.nan, math.nan)
    hit, seen = np.cumsum(positives[::-1]), np.cumsum(totals[::-1])
    precision = np.divide(hit, seen, out=np.zeros(len(hit)), where=seen > 0)
    area = float(np.sum(positives[::-1] / all_positive * precision))
    base = all_positive / all_hours
    top = [float(np.interp(part * all_hours, np.append(0, seen), np.append(0, hit))) for part in (0.001, 0.01)]
    return Ranking(area, base, area / base, top[0] / all_positive, top[1] / all_positive)


def _by_gpu(subjects: Iterable[BacktestAlert | Fault], watched: Watched) -> dict[_Key, list[BacktestAlert | Fault]]:
    found: dict[_Key, list[BacktestAlert | Fault]] = defaultdict(list)
    for each in subjects:
        if watched.covers(each):
            gpus: Sequence[int] = watched.node_gpus[each.site, each.node] if each.gpu == WHOLE_NODE else (each.gpu,)
            for gpu in gpus:
                found[each.site, each.node, gpu].append(each)
    return found


def _counts(
    alerts: dict[_Key, list[BacktestAlert | Fault]],
    faults: dict[_Key, list[BacktestAlert | Fault]],
    watched: Watched,
    hours: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return int64[LEVELS] twice; GPUs of which nobody says anything are counted, not looked at."""
    positives, totals = np.zeros(LEVELS, dtype=np.int64), np.zeros(LEVELS, dtype=np.int64)
    named = alerts.keys() | faults.keys()
    totals[0] = (watched.gpus - len(named)) * hours
    for key in named:
        scores = _scores(alerts.get(key, ()), watched.start, hours)
        ahead, after = _outcomes(faults.get(key, ()), watched.start, hours)
        judged = ahead | ~after
        totals += np.bincount(scores[judged], minlength=LEVELS)
        positives += np.bincount(scores[ahead], minlength=LEVELS)
    return positives, totals


def _scores(alerts: Sequence[BacktestAlert | Fault], start: float, hours: int) -> NDArray[np.int64]:
    scores = np.zeros(hours, dtype=np.int64)
    for alert in alerts:
        first = math.ceil((alert.at - start) / HOUR_S)
        until: float = getattr(alert, "until", alert.at)
        probability: float = getattr(alert, "probability_24h", 0.0)
        up = slice(first, max(first, math.floor((until - start) / HOUR_S)) + 1)
        level = round(min(max(probability, 0.0), 1.0) * (LEVELS - 1))
        scores[up] = np.maximum(scores[up], level)
    return scores


def _outcomes(
    faults: Sequence[BacktestAlert | Fault], start: float, hours: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return bool[hours] twice: a fault comes within 24 h; one came within the last 24 h."""
    ahead, after = np.zeros(hours, dtype=bool), np.zeros(hours, dtype=bool)
    for fault in faults:
        due = (fault.at - start) / HOUR_S
        first, last = math.ceil(due - HORIZON_S / HOUR_S), math.floor(due)
        ahead[max(0, first) : last + 1] = True
        after[last + 1 : last + 1 + int(HORIZON_S / HOUR_S)] = True
    return ahead, after
