"""The figures of a backtest as rows for JSON and CSV, and alerts as rows for scripts."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from console.core.scoring.figures import ClassScore, Leads
from console.core.scoring.intervals import Interval
from console.core.scoring.ranking import Ranking
from console.core.scoring.values import WHOLE_NODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from console.backtest.run import Outcome, Scored
    from console.core.scoring.values import BacktestAlert


def score_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return a row for each who raised alerts and each class, `all` first; what cannot be judged is None."""
    return [
        {"id": f"{scored.name}/{row.fault_class}", "alerts_of": scored.name, **_figures(row), **_bins(scored, row)}
        for scored in outcome.scored
        for row in scored.score.rows
    ]


def data_row(outcome: Outcome) -> dict[str, Any]:
    """Return what was watched."""
    watched = outcome.watched
    return {
        "start": watched.start,
        "end": watched.end,
        "sites": sorted({site for site, _ in watched.node_gpus}),
        "nodes": len(watched.node_gpus),
        "gpus": watched.gpus,
        "gpu_days": round(watched.gpu_days, 3),
        "samples": outcome.rows,
        "frames": outcome.frames,
        "step_s": outcome.step_s,
        "faults": len(outcome.faults),
        "notes": list(outcome.notes),
    }


def alert_rows(alerts: Iterable[BacktestAlert]) -> Iterator[tuple[object, ...]]:
    """Yield alerts in the order of the columns of `records.ALERT_COLUMNS`; an empty `gpu` is the whole node."""
    for each in alerts:
        gpu = "" if each.gpu == WHOLE_NODE else each.gpu
        sure = round(each.probability_24h, 6)
        yield _time(each.at), each.site, each.node, gpu, each.fault_class, sure, _time(each.until)


def _time(at: float) -> float | int:
    return int(at) if at == int(at) else round(at, 3)


def _figures(row: ClassScore | Ranking | Leads, prefix: str = "") -> dict[str, Any]:
    """Return figures by name; an interval is three of them, those of leads begin with `lead_`."""
    found: dict[str, Any] = {}
    for field in fields(row):
        name, value = prefix + field.name, getattr(row, field.name)
        if isinstance(value, Interval):
            found[name] = _number(value.value)
            found[f"{name}_low"], found[f"{name}_high"] = _number(value.low), _number(value.high)
        elif isinstance(value, (Ranking, Leads)):
            found |= _figures(value, "lead_" if isinstance(value, Leads) else "")
        else:
            found["class" if name == "fault_class" else name] = _number(value)
    return found


def _bins(scored: Scored, row: ClassScore) -> dict[str, Any]:
    if row.fault_class != scored.score.rows[0].fault_class:
        return {}
    return {
        "reliability": [
            {
                "low": each.low,
                "high": each.high,
                "alerts": each.alerts,
                "said": _number(each.said),
                "came": _number(each.came.value),
                "came_low": _number(each.came.low),
                "came_high": _number(each.came.high),
            }
            for each in scored.score.bins
        ]
    }


def _number(value: Any) -> Any:
    return (None if math.isnan(value) else float(f"{value:.6g}")) if isinstance(value, float) else value
