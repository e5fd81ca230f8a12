"""Draws heat maps: one cell a GPU, node or rack, with colour and height."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from console.present.formats import FORMATS, format_value
from console.present.heat_grid import BARS, HeatGrid, glyphs
from console.present.safe import clean
from console.present.scale import heat_levels
from console.present.tokens import heat_token
from console.ui.draw.painter import Look, Painter
from console.ui.draw.runs import Runs, Segments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.style import Style

    from console.model.views import HeatMap
    from console.present.heat_grid import Run

INDENT = 1
NARROW = 100
CHOSEN = "◆"
DRAWN_LIMIT = 2000


class HeatPainter(Painter):
    """A heat map; noise does not repaint what `before` drew of the same cells, and its lines are used again."""

    selectable = True
    _grid: HeatGrid

    def __init__(self, view: HeatMap, width: int, height: int, *, before: HeatPainter | None = None) -> None:
        super().__init__(view.title or " ", width, height)
        self.view = view
        self.levels = view.levels
        self._drawn: dict[tuple[int, int], tuple[Style, bytes, Segments]] = {}
        grid: HeatGrid | None = None
        if before is not None and _same_cells(before.view, view):
            self.levels = heat_levels(view.values, view.low, view.high, before.levels)
            if before.width == width:
                grid, self._drawn = before._grid, before._drawn if len(before._drawn) < DRAWN_LIMIT else {}
        self._grid = grid or HeatGrid(view, max(1, width - 2 * INDENT))

    @property
    def lines(self) -> int:
        """Lines of the whole map."""
        return self._grid.lines

    @property
    def count(self) -> int:
        """Cells of the map."""
        return len(self.levels)

    def id_at(self, index: int) -> str:
        """Return the address of a cell."""
        return str(self.view.ids[index]) if 0 <= index < self.count else ""

    def index_of(self, key: str) -> int:
        """Return the cell of an address, -1 if it is not on the map."""
        try:
            return self.view.ids.index(key)
        except ValueError:
            return -1

    def line_of(self, index: int) -> int:
        """Return the line on which a cell stands."""
        return self._grid.find(index)[0]

    def step(self, index: int, lines: int, cells: int = 0) -> int:
        """Return the cell that is so many lines and cells away, the nearest one on that line."""
        at = max(0, min(self.count - 1, index + cells))
        if not lines:
            return at
        line, x = self._grid.find(at)
        found = self._grid.cell_at(max(0, min(self.lines - 1, line + lines)), x)
        return found if found >= 0 else at

    def item_at(self, line: int, x: int) -> int:
        """Return the cell nearest to a place on a line."""
        return self._grid.cell_at(line, x - INDENT)

    def aside(self, look: Look) -> list[tuple[str, str]]:
        """Return the cell under the cursor and the scale with its ends and unit."""
        view = self.view
        told = FORMATS[view.format].unit if view.format in FORMATS else ""
        unit = "" if told else clean(view.unit, 12)
        low, high = format_value(view.low, view.format), format_value(view.high, view.format)
        bars = [(bar, heat_token(round(i * 9 / 7))) for i, bar in enumerate(BARS)]
        scale = [(f"{low} ", "text"), *bars, (f" {high} {unit}".rstrip(), "text")]
        seen = [(f"lines {text}  ", token) for text, token in super().aside(look)]
        return [*seen, *self._chosen(look, unit), *scale]

    def _chosen(self, look: Look, unit: str) -> list[tuple[str, str]]:
        if not look.focused or not 0 <= look.cursor < self.count:
            return []
        value = format_value(self.view.values[look.cursor], self.view.format)
        name = clean(self.id_at(look.cursor), 60)
        short = name if self.width >= NARROW else "/".join(name.split("/")[-2:])
        return [(f"{CHOSEN} {short}  {value} {unit}".rstrip() + "   ", "text.strong")]

    def body_line(self, line: int, look: Look) -> Segments:
        """Return one line of labels and cells; the same list as before while its levels are the same."""
        runs = tuple(self._grid.runs(line)) if 0 <= line < self.lines else ()
        cursor = look.cursor if look.focused and any(run.start <= look.cursor < run.stop for run in runs) else -1
        levels = self.levels[runs[0].start : runs[-1].stop].tobytes() if runs else b""
        base = look.palette.base
        drawn = self._drawn.get((line, cursor))
        if drawn is None or drawn[0] is not base or drawn[1] != levels:
            drawn = self._drawn[line, cursor] = (base, levels, self._draw(runs, look))
        return drawn[2]

    def _draw(self, pieces: Iterable[Run], look: Look) -> Segments:
        runs = Runs(self.width, look.palette.base)
        label = look.palette.style("text.dim")
        for run in pieces:
            runs.to(INDENT + run.x)
            runs.add_foreign(run.label, label)
            runs.to(INDENT + run.cells_x)
            self._cells(runs, run.start, run.stop, look)
        return runs.done()

    def _cells(self, runs: Runs, start: int, stop: int, look: Look) -> None:
        """Add cells: one run of text for each run of equal levels, the one under the cursor by itself."""
        stop = min(stop, start + runs.width - runs.used)
        if stop <= start:
            return
        levels = self.levels[start:stop]
        text, tones = glyphs(levels), levels.tolist()
        cuts = (np.flatnonzero(levels[1:] != levels[:-1]) + 1).tolist()
        cursor = look.cursor - start if look.focused else -1
        if 0 <= cursor < len(text):
            cuts = sorted({*cuts, cursor, cursor + 1} - {0, len(text)})
        styles = look.palette.heat
        for begin, end in pairwise((0, *cuts, len(text))):
            if begin == cursor:
                runs.add_cells(CHOSEN, look.palette.style(heat_token(tones[begin]), "cursor"))
            elif end > begin:
                runs.add_cells(text[begin:end], styles[tones[begin]])


def _same_cells(old: HeatMap, new: HeatMap) -> bool:
    """Return whether two maps show the same things in the same places."""

    def told(view: HeatMap) -> tuple[object, ...]:
        return len(view.levels), len(view.groups), view.low, view.high, view.title

    if told(old) != told(new):
        return False
    return old.groups is new.groups or all(
        one.id == other.id and one.stop == other.stop for one, other in zip(old.groups, new.groups, strict=True)
    )
