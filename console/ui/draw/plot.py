"""Draws plots: braille lines over time, with an axis, and the last value of each."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from console.present.clock import local_time, zone_mark
from console.present.curves import BRAILLE, draw_curves
from console.present.formats import FORMATS, format_value
from console.present.heat_grid import characters
from console.present.safe import clean
from console.ui.draw.painter import Look, Painter
from console.ui.draw.runs import Runs, Segments, fit

if TYPE_CHECKING:
    from console.model.views import Plot

AXIS_LINES = 1
LEGEND_LIMIT = 24
MINIMUM_SPACING = 14
FRAME = 10
TIME_FORMS = ((900, "%H:%M:%S"), (86_400, "%H:%M"), (float("inf"), "%m-%d %H:%M"))


class PlotPainter(Painter):
    """Lines over time."""

    def __init__(self, view: Plot, width: int, height: int) -> None:
        super().__init__(view.title or " ", width, height)
        self.view = view
        self._rows = max(1, self.body - AXIS_LINES)
        self._axis = self._axis_width()
        self._curves = draw_curves(view, width - self._axis - 1, self._rows)
        self._ticks = self._labels()

    def _axis_width(self) -> int:
        known = FORMATS.get(self.view.format)
        return min(max(1, self.width // 3), (known.width if known else 6) + 3)

    def _told(self, value: object) -> str:
        text = format_value(value, self.view.format)
        known = FORMATS.get(self.view.format)
        unit = (known.unit if known else "") or self.view.unit
        return text if not unit or text.endswith(unit) or text == "—" else f"{text} {clean(unit, 10)}"

    def _labels(self) -> dict[int, str]:
        """Return the axis labels by line: both ends, and between them where there is room."""
        if self._curves is None:
            return {}
        curves, last = self._curves, self._rows - 1
        shown = sorted({0, last} | ({last // 2} if last >= 4 and last % 2 == 0 else set()))
        span = curves.high - curves.low
        return {
            line: format_value(curves.high - span * (line / last if last else 0), self.view.format) for line in shown
        }

    def aside(self, look: Look) -> list[tuple[str, str]]:
        """Return each series with its last value."""
        spans: list[tuple[str, str]] = []
        one = len(self.view.series) == 1
        for series in self.view.series:
            last = series.values[-1] if len(series.values) else np.nan
            name = "" if one else f"{clean(series.label, LEGEND_LIMIT)} "
            spans.append((f"{'  ' if spans else ''}{name}{self._told(last)}", series.token))
        room = self.width - len(self._title) - FRAME
        while sum(len(text) for text, _ in spans) > room and len(spans) > 1:
            spans.pop()
        return spans

    def body_line(self, line: int, look: Look) -> Segments:
        """Return one line of the axis and the curves, or the line of times below."""
        line -= look.top
        if self._curves is None:
            return self._nothing(line, look)
        if line >= self._rows:
            return self._times(look)
        runs = Runs(self.width, look.palette.base)
        axis = look.palette.style("plot.axis")
        label = self._ticks.get(line, "")
        runs.add(f"{fit(label, self._axis - 2, right=True)} {'┤' if label else '│'}", axis)
        bits, owner = self._curves.bits[line], self._curves.owner[line]
        text = characters(np.where(bits > 0, bits + BRAILLE, ord(" ")))
        cuts = (np.flatnonzero(owner[1:] != owner[:-1]) + 1).tolist()
        for begin, end in pairwise((0, *cuts, len(text))):
            number = int(owner[begin])
            style = look.palette.base if number < 0 else look.palette.style(self.view.series[number].token)
            runs.add_cells(text[begin:end], style)
        return runs.done()

    def _nothing(self, line: int, look: Look) -> Segments:
        runs = Runs(self.width, look.palette.base)
        if line == self._rows // 2:
            runs.to(self._axis)
            runs.add("no history yet", look.palette.style("text.dim"))
        return runs.done()

    def _times(self, look: Look) -> Segments:
        runs = Runs(self.width, look.palette.base)
        axis = look.palette.style("plot.axis")
        curves = self._curves
        if curves is None:
            return runs.done()
        form = next(form for limit, form in TIME_FORMS if curves.end - curves.start <= limit)
        span = self.width - self._axis - 1
        many = max(1, min(4, span // MINIMUM_SPACING))
        for i in range(many + 1):
            at = curves.start + (curves.end - curves.start) * i / many
            mark = zone_mark(at, self.view.timezone) if i == many else ""
            text = local_time(at, self.view.timezone).strftime(form) + mark
            x = self._axis + round(span * i / many) - (len(text) // 2 if i < many else len(text) - 1)
            runs.to(max(x, self._axis - 1 if not i else x))
            runs.add(text, axis)
        return runs.done()
