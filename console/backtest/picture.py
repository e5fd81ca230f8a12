"""Draws a backtest as one SVG: shares by class with their intervals, and the reliability diagram."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.backtest.svg import Square, box, colour, document, dot, line, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.backtest.run import Outcome, Scored
    from console.core.scoring.figures import ClassScore
    from console.core.scoring.intervals import Interval

WIDTH, LEFT, BARS = 1080, 150, 400
BAR, GAP = 12, 16
SIDE = 300
FIGURES = (
    ("found before or within 24 h after", "recall"),
    ("found 10 min before or more", "early_recall"),
)


def svg_report(outcome: Outcome) -> str:
    """Return the picture as SVG text."""
    watched = outcome.watched
    start, end = (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") for at in (watched.start, watched.end))
    shapes = [
        text(20, 30, f"gigadeck backtest, {start} to {end} UTC", size=18, bold=True),
        text(20, 52, f"{watched.gpus:,} GPUs, {watched.gpu_days:,.0f} GPU-days heard, bars with 95 % intervals"),
        *_legend(outcome.scored, 78),
    ]
    y = 78 + 20 * len(outcome.scored) + 24
    classes = list(dict.fromkeys(row.fault_class for each in outcome.scored for row in each.score.rows if row.faults))
    height = 20 + len(classes) * (BAR * len(outcome.scored) + GAP)
    for i, (title, figure) in enumerate(FIGURES):
        shapes += _bars(outcome.scored, classes, figure, title, (LEFT + i * (BARS + 90), y))
    y += height + 60
    shapes += _reliability(outcome.scored, Square(LEFT, y, SIDE))
    shapes += _words(outcome.scored, LEFT + SIDE + 90, y)
    return document(WIDTH, y + SIDE + 60, shapes)


def _legend(scored: Sequence[Scored], y: float) -> list[str]:
    shapes = []
    for i, each in enumerate(scored):
        said = f"{each.title} ({len(each.alerts):,} alerts)"
        shapes += [box(20, y + 20 * i - 10, 12, 12, colour(i)), text(40, y + 20 * i, said)]
    return shapes


def _bars(
    scored: Sequence[Scored], classes: Sequence[str], figure: str, title: str, corner: tuple[float, float]
) -> list[str]:
    left, y = corner
    shapes = [text(left, y, title, bold=True)]
    y += 14
    for name in classes:
        shapes.append(text(left - 8, y + BAR * len(scored) / 2 + 4, name[:22], anchor="end"))
        for i, each in enumerate(scored):
            row = _row(each, name)
            if row is not None:
                shapes += _bar(getattr(row, figure), left, y + BAR * i, i)
        y += BAR * len(scored) + GAP
    return [*shapes, line(left, corner[1] + 10, left, y - GAP + 4)]


def _row(scored: Scored, name: str) -> ClassScore | None:
    return next((row for row in scored.score.rows if row.fault_class == name), None)


def _bar(share: Interval, left: float, y: float, number: int) -> list[str]:
    if math.isnan(share.value):
        return []
    middle = y + BAR / 2 - 1
    return [
        box(left, y, share.value * BARS, BAR - 2, colour(number)),
        line(left + share.low * BARS, middle, left + share.high * BARS, middle),
    ]


def _reliability(scored: Sequence[Scored], square: Square) -> list[str]:
    shapes = square.frame("probability that the alert said", "share that a fault followed")
    for i, each in enumerate(scored):
        for one in each.score.bins:
            x, y = square.at(one.said, one.came.value)
            low, high = square.at(one.said, one.came.low)[1], square.at(one.said, one.came.high)[1]
            shapes += [line(x, low, x, high, colour(i)), dot(x, y, min(3 + math.log10(one.alerts) * 2, 10), colour(i))]
    return shapes


def _words(scored: Sequence[Scored], x: float, y: float) -> list[str]:
    shapes = []
    for i, each in enumerate(scored):
        row = each.score.rows[0]
        false = row.false_per_1000_gpu_days
        said = (
            f"precision {_share(row.precision.value)}, of foresight {_share(row.foresight_precision.value)}",
            f"false alerts per 1,000 GPU-days {false.value:.3g} ({false.low:.3g} to {false.high:.3g})",
            f"PR-AUC {row.ranking.pr_auc:.3g}, base rate {row.ranking.base_rate:.3g}, lift {row.ranking.lift:.3g}",
            f"calibration error {row.calibration_error:.2g}, GPU-hours saved {row.gpu_hours_saved:,.0f}",
        )
        shapes += [box(x, y - 9, 10, 10, colour(i)), text(x + 16, y, each.title, bold=True)]
        shapes += [text(x + 16, y + 17 * (j + 1), words) for j, words in enumerate(said)]
        y += 17 * len(said) + 30
    return shapes


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value * 100:.1f} %"
