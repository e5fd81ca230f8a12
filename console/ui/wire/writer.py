"""The frame writer: takes pieces of lines, gives what the terminal must be sent to show them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from console.ui.wire.cells import CellTable
from console.ui.wire.diff import Diff
from console.ui.wire.grid import Grid
from console.ui.wire.moves import Dialect
from console.ui.wire.pens import Pens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.color import ColorSystem
    from rich.segment import Segment

    Piece = tuple[int, int, int, Iterable[Segment]]


class FrameWriter:
    """Knows what the terminal shows; frames may be taken without being sent, the newest state is what is sent."""

    def __init__(self, colors: ColorSystem, dialect: Dialect | None = None) -> None:
        dialect = dialect or Dialect()
        self._table = CellTable(Pens(colors, ends=dialect.ends))
        self._grid = Grid(self._table, 0, 0)
        self._diff = Diff(dialect)
        self._void = False

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines of the frames taken so far."""
        return self._grid.columns, self._grid.lines

    @property
    def crowded(self) -> bool:
        """Whether a whole frame should be taken soon, so that glyphs and pens long gone can be forgotten."""
        return self._table.crowded

    @property
    def pending(self) -> bool:
        """Whether lines were taken that were not sent."""
        return self._void or bool(self._grid.dirty)

    def take(self, pieces: Iterable[Piece], size: tuple[int, int], *, whole: bool = False) -> set[int]:
        """Take pieces (line, column, end column, segments) of a frame; `whole` ones cover the screen of `size`.

        Returns the lines where any of them is another than before.
        """
        if whole and self._table.crowded:
            self._table.forget()
            self._begin(size)
        elif size != self.size:
            self._begin(size)
        put = self._grid.put
        return {y for y, x, end, segments in pieces if put(y, x, end, segments)}

    def _begin(self, size: tuple[int, int]) -> None:
        self._grid = Grid(self._table, *size)
        self._diff.forget()  # a terminal that changes its size moves the cursor as it likes

    @property
    def waiting(self) -> list[int] | None:
        """The lines that were taken and not sent, those first that wait longest; None: all, nothing is known."""
        return None if self._void else list(self._grid.dirty)

    def send(self, cursor: tuple[int, int], lines: Sequence[int] | None = None, most_bytes: float = math.inf) -> str:
        """Return what makes the terminal show what was taken, with the cursor at (column, line).

        `lines` are those to send (None: all), in that order, until `most_bytes` are reached.
        """
        if self._void:
            self._void = False
            self._diff.forget()
            self._grid.forget_shown()
        return self._diff.frame(self._grid, cursor, lines, most_bytes)

    def forget(self) -> None:
        """Take it that somebody else wrote to the terminal: all is sent anew. May be called from a signal handler."""
        self._void = True
