"""Draws tables: only the rows that are seen are formatted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.model.views import Align
from console.present.formats import format_cell
from console.present.layout import natural_width, place_columns
from console.present.safe import clean
from console.present.steady import Steady
from console.ui.draw.painter import Look, Painter
from console.ui.draw.runs import Runs, Segments, fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.model.views import Span, Table, TableColumn
    from console.present.layout import Placed

GUTTER = 2
WIDEST_GAP = 4
ROWS_KEPT = 300
CURSOR, MARK = "▸", "●"
ARROWS = {True: "↓", False: "↑"}


class TablePainter(Painter):
    """A table; it goes on with what `before`, the same columns in the same place, had: widths, rows that were drawn.

    `steady` keeps its numbers at rest.
    """

    selectable = True

    def __init__(
        self,
        view: Table,
        width: int,
        height: int,
        *,
        left: int = 0,
        steady: Steady | None = None,
        before: TablePainter | None = None,
    ) -> None:
        super().__init__(view.title, width, height, header=1)
        self.view = view
        self._left = min(left, self.reach)
        self._columns: tuple[TableColumn, ...] = view.columns[:1] + view.columns[1 + self._left :]
        self.steady = steady or Steady()
        known: Mapping[str, int] = before.widths if before else {}
        self._rows: dict[str, tuple[tuple[object, ...], Segments]] = before._rows if before else {}
        self.widths: Mapping[str, int] = {
            each.key: max(natural_width(each), known.get(each.key, 0)) for each in view.columns
        }
        self._placed = place_columns(self._columns, width, indent=GUTTER, widest_gap=WIDEST_GAP, natural=self.widths)

    @property
    def lines(self) -> int:
        """Rows of the table."""
        return len(self.view.ids)

    @property
    def count(self) -> int:
        """Rows of the table."""
        return len(self.view.ids)

    @property
    def reach(self) -> int:
        """How many columns can be moved out on the left."""
        return max(0, len(self.view.columns) - 2)

    def id_at(self, index: int) -> str:
        """Return the id of a row."""
        return str(self.view.ids[index]) if 0 <= index < self.count else ""

    def index_of(self, key: str) -> int:
        """Return the row with an id, -1 if it is gone."""
        try:
            return self.view.ids.index(key)
        except ValueError:
            return -1

    def header(self, look: Look) -> Segments:
        """Return the headings, with an arrow at the column that sorts."""
        palette = look.palette
        style = palette.style("header")
        runs = Runs(self.width, style)
        for placed in self._placed:
            runs.to(placed.start)
            runs.add(fit(self._heading(placed), placed.width, right=placed.right), style)
        return runs.done()

    def _heading(self, placed: Placed) -> str:
        column = self._columns[placed.index]
        title = clean(column.title, 40)
        field = self.view.sort.removeprefix("-")
        if not field or field != column.key:
            return title
        arrow = ARROWS[self.view.sort.startswith("-")]
        return f"{arrow}{title}" if column.align is Align.RIGHT else f"{title}{arrow}"

    def body_line(self, line: int, look: Look) -> Segments:
        """Return one row; below the last one nothing, instead of none the word for it."""
        if not self.count and line == look.top:
            runs = Runs(self.width, look.palette.base)
            runs.to(GUTTER)
            runs.add_foreign(self.view.empty, look.palette.style("text.dim"))
            return runs.done()
        return self._row(line, look) if line < self.count else self.blank(look)

    def _row(self, row: int, look: Look) -> Segments:
        """Return a row; the same list as before while nothing on it is written in another way."""
        id, here = self.id_at(row), row == look.cursor
        marked = bool(look.marks) and id in look.marks
        cells = [self._cell(self._columns[placed.index], row, id) for placed in self._placed]
        key = (look.palette, here, here and look.focused, marked, self._placed, cells)
        drawn = self._rows.get(id)
        if drawn is None or drawn[0] != key:
            if len(self._rows) >= ROWS_KEPT:
                self._rows.clear()
            drawn = self._rows[id] = (key, self._draw(cells, look, here=here, marked=marked))
        return drawn[1]

    def _draw(self, cells: list[Span], look: Look, *, here: bool, marked: bool) -> Segments:
        over = ("cursor" if look.focused else "cursor.dim") if here else ""
        palette = look.palette
        base = palette.style("mark" if marked else "text", over)
        runs = Runs(self.width, base)
        pointer = CURSOR if here and look.focused else " "
        runs.add(pointer + (MARK if marked else " "), palette.style("mark" if marked else "key", over))
        for placed, span in zip(self._placed, cells, strict=True):
            runs.to(placed.start)
            token = "mark" if marked and span.token == "text" else span.token
            runs.add(fit(span.text, placed.width, right=placed.right), palette.style(token, over))
        return runs.done()

    def _cell(self, column: TableColumn, row: int, id: str) -> Span:
        """Return one cell; its number rests where the column's format has a quantum."""
        values = column.values
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            return format_cell(column, row)
        return format_cell(column, row, self.steady.keep((id, column.key), float(values[row]), column.format))
