"""The difference of two states of a grid, as what a terminal must be sent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.ui.wire.cells import GLYPHS, PEN_SHIFT, PICTOGRAPHS, TAIL
from console.ui.wire.moves import move
from console.ui.wire.pens import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from console.ui.wire.cells import Cells, CellTable
    from console.ui.wire.grid import Grid
    from console.ui.wire.moves import Dialect

# A gap of so few cells may be written again rather than jumped over: a jump costs at least 3 bytes.
SHORT_GAP = 4
# Erasing costs 3 bytes to the end of a line, and 4 to 5 and a jump within it.
ERASE_TO_END, ERASE_WITHIN = 4, 10


class Line:
    """One line of a grid that is to be written: its text, its pens, and where the pen changes."""

    def __init__(self, cells: Cells, table: CellTable) -> None:
        glyphs = (cells & GLYPHS).astype(np.uint32)
        self.pens: list[int] = (cells >> PEN_SHIFT).tolist()
        self.text, self.doubtful = _text(glyphs, table)
        self.size = len(self.pens)
        self.blank_from = self._blank_from()

    def _blank_from(self) -> int:
        """Return the column behind which all is blank in one pen, the line's size if nothing is."""
        at, last = self.size, self.pens[-1]
        while at and self.text[at - 1] == " " and self.pens[at - 1] == last:
            at -= 1
        return at

    def run(self, start: int, end: int) -> int:
        """Return where the run of one pen ends that begins at `start`, at most `end`."""
        pen, pens = self.pens[start], self.pens
        at = start + 1
        while at < end and pens[at] == pen and at not in self.doubtful and at - 1 not in self.doubtful:
            at += 1
        return self.whole(at)

    def whole(self, end: int) -> int:
        """Return `end`, moved behind the tail of a wide glyph."""
        return end + 1 if end < self.size and not self.text[end] else end


def _text(glyphs: NDArray[np.uint32], table: CellTable) -> tuple[Sequence[str], frozenset[int]]:
    """Return the text of each cell, and the columns of glyphs that terminals draw in different widths."""
    if glyphs.min() > TAIL and glyphs.max() < PICTOGRAPHS:
        return glyphs.tobytes().decode("utf-32-le"), frozenset()
    numbers = glyphs.tolist()
    doubtful = frozenset(at for at, glyph in enumerate(numbers) if table.doubtful(glyph))
    return [table.text(glyph) for glyph in numbers], doubtful


class Diff:
    """Writes what changed in a grid since it was last sent; keeps cursor and pen of the terminal between frames."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._out: list[str] = []
        self._x = self._y = -1
        self._pen = PLAIN

    def forget(self) -> None:
        """Take it that the terminal's cursor is anywhere."""
        self._x = self._y = -1

    def frame(
        self, grid: Grid, cursor: tuple[int, int], chosen: Sequence[int] | None = None, most_bytes: float = math.inf
    ) -> str:
        """Return what makes the terminal show the grid with the cursor at (column, line), the pen left plain.

        Of the lines that may differ only the `chosen` ones (None: all), in that order, until `most_bytes` are reached.
        """
        self._out = []
        lines = np.array(sorted(grid.dirty) if chosen is None else chosen, int)
        wanted = grid.wanted[lines]
        changed = wanted != grid.shown[lines]
        size, done = 0, len(lines)
        for at in np.flatnonzero(changed.any(axis=1)).tolist():
            before = len(self._out), self._x, self._y, self._pen
            self._line(grid.table, int(lines[at]), wanted[at], changed[at])
            if most_bytes < math.inf:
                size += sum(len(part.encode()) for part in self._out[before[0] :])
                if size > most_bytes and before[0]:  # it goes next time; a line that is too long goes alone
                    del self._out[before[0] :]
                    _, self._x, self._y, self._pen = before
                    done = at
                    break
        grid.shown[lines[:done]] = wanted[:done]
        for y in lines[:done].tolist():
            grid.dirty.pop(y, None)
        self._use(grid.table, PLAIN)
        self._go(*cursor)
        return "".join(self._out)

    def _line(self, table: CellTable, y: int, cells: Cells, changed: NDArray[np.bool_]) -> None:
        line = Line(cells, table)
        spans = list(self._spans(table, line, changed))
        for number, (start, end) in enumerate(spans):
            rest = max(start, line.blank_from)
            last = number + 1 == len(spans)
            if rest < end and (end - rest >= ERASE_TO_END or not last) and self._erasable(table, line.pens[rest]):
                self._span(table, y, line, start, rest)
                self._begin(table, y, line, rest, blank=True)
                self._out.append("\x1b[K")
                return
            self._span(table, y, line, start, end)

    def _spans(self, table: CellTable, line: Line, changed: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
        """Yield the spans to write: those that changed, joined over gaps that are shorter than the jump over them."""
        edges = np.flatnonzero(np.diff(changed, prepend=False, append=False)).tolist()
        start, end = edges[0], edges[1]
        for next_start, next_end in zip(edges[2::2], edges[3::2], strict=True):
            if next_start - end > SHORT_GAP or not self._worth(table, line, end, next_start):
                yield start, line.whole(end)
                start = next_start
            end = next_end
        yield start, line.whole(end)

    def _worth(self, table: CellTable, line: Line, start: int, end: int) -> bool:
        """Whether writing a short gap takes no more than jumping over it, and no other pen."""
        pen = line.pens[start - 1]
        own = (pen, table.pens.on_blank[pen])
        if any(other not in own for other in line.pens[start:end]) or not line.doubtful.isdisjoint(range(start, end)):
            return False
        return len("".join(line.text[start:end]).encode()) <= len(move(start, 0, end, 0, self._dialect))

    def _span(self, table: CellTable, y: int, line: Line, start: int, end: int) -> None:
        while start < end:
            stop = line.run(start, end)
            blank = self._is_blank(line, start, stop)
            self._begin(table, y, line, start, blank=blank)
            if blank and stop - start >= ERASE_WITHIN and self._erasable(table, line.pens[start]):
                self._out.append(f"\x1b[{stop - start}X")
            else:
                self._write(line, start, stop)
            start = stop

    def _begin(self, table: CellTable, y: int, line: Line, start: int, *, blank: bool) -> None:
        self._go(start, y)
        self._use(table, line.pens[start], blank=blank)

    def _is_blank(self, line: Line, start: int, end: int) -> bool:
        return line.text[start] == " " and all(char == " " for char in line.text[start:end])

    def _write(self, line: Line, start: int, end: int) -> None:
        self._out.append("".join(line.text[start:end]))
        # Behind the last column the cursor is where each terminal wants it; so it is behind a glyph of doubtful width.
        known = end < line.size and not (line.doubtful and (end - 1 in line.doubtful or start in line.doubtful))
        self._x = end if known else -1

    def _erasable(self, table: CellTable, number: int) -> bool:
        """Whether erasing leaves what blanks of a pen would: no more than a background, and that for sure."""
        pen = table.pens.pens[number]
        if pen.attributes or pen.link or pen.color:
            return False
        return self._dialect.erases and (not pen.background or self._dialect.colored_erases)

    def _go(self, x: int, y: int) -> None:
        if x != self._x or y != self._y:
            self._out.append(move(self._x, self._y, x, y, self._dialect))
            self._x, self._y = x, y

    def _use(self, table: CellTable, pen: int, *, blank: bool = False) -> None:
        """Take a pen, unless what is written is blank and the pen at hand leaves the same blank."""
        pens = table.pens
        if pen == self._pen or (blank and pens.on_blank[self._pen] == pen):
            return
        self._out.append(pens.step(self._pen, pen))
        self._pen = pen
