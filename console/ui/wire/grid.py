"""The grid: what the terminal should show beside what it was sent, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.ui.wire.cells import BLANK, GLYPHS, PEN_SHIFT, TAIL, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.segment import Segment

    from console.ui.wire.cells import Cells, CellTable

_BLANK = np.uint64(BLANK)


class Grid:
    """`wanted` and `shown` are arrays of cells, lines x columns; `dirty` has the lines where they may differ.

    The lines of `dirty` are in the order in which they became so.
    """

    def __init__(self, table: CellTable, columns: int, lines: int) -> None:
        self.table = table
        self.columns = columns
        self.lines = lines
        self.wanted = np.full((lines, columns), BLANK, np.uint64)
        self.shown = np.full((lines, columns), UNKNOWN, np.uint64)
        self.dirty: dict[int, None] = dict.fromkeys(range(lines))
        # Per line, by column: the piece that was put there and where it ends, so that the same one is not taken twice.
        self._pieces: list[dict[int, tuple[Iterable[Segment], int]]] = [{} for _ in range(lines)]

    def put(self, y: int, x: int, end: int, piece: Iterable[Segment]) -> bool:
        """Want a piece of a line from column `x` up to before `end`; the piece never changes afterwards.

        Returns whether it is another one than before.
        """
        end = min(end, self.columns)
        if not (0 <= y < self.lines and 0 <= x < end):
            return False
        pieces = self._pieces[y]
        before = pieces.get(x)
        if before is not None and before[0] is piece and before[1] == end:
            return False
        cells = self.table.cells(piece)[: end - x]
        if not len(cells):
            return False
        last = x + len(cells)
        for start in [start for start, (_, stop) in pieces.items() if start < last and stop > x]:
            del pieces[start]
        pieces[x] = (piece, end)
        self.wanted[y, x:last] = cells
        self._mend(y, x, last)
        self.dirty.setdefault(y)
        return True

    def _mend(self, y: int, x: int, last: int) -> None:
        """Blank the halves of wide glyphs that were cut at either end, as a terminal does."""
        line = self.wanted[y]
        if x > 0 and self._is_head(line, x - 1):
            line[x - 1] = self._blanked(line[x - 1])
        if last < self.columns and line[last] & GLYPHS == TAIL:
            line[last] = self._blanked(line[last])
        if self._is_head(line, last - 1) and (last == self.columns or line[last] & GLYPHS != TAIL):
            line[last - 1] = self._blanked(line[last - 1])

    def _is_head(self, line: Cells, x: int) -> bool:
        return self.table.width(int(line[x] & GLYPHS)) > 1

    def _blanked(self, cell: np.uint64) -> np.uint64:
        pens = self.table.pens.on_blanks()
        return np.uint64((pens[int(cell >> PEN_SHIFT)] << PEN_SHIFT) | _BLANK)

    def forget_shown(self) -> None:
        """Take it that nothing is known of what the terminal shows."""
        self.shown.fill(UNKNOWN)
        self.dirty = dict.fromkeys(range(self.lines))
