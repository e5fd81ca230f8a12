"""Draws lines of spans."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from rich.cells import cell_len

from console.present.safe import clean
from console.ui.draw.painter import Look, Painter
from console.ui.draw.runs import CELL_LIMIT, Runs, Segments

if TYPE_CHECKING:
    from console.model.views import Text

INDENT = 1


class TextPainter(Painter):
    """Lines that scroll both ways."""

    def __init__(self, view: Text, width: int, height: int) -> None:
        super().__init__(view.title, width, height)
        self.view = view

    @property
    def lines(self) -> int:
        """Lines of the text."""
        return len(self.view.lines)

    @cached_property
    def _longest(self) -> int:
        sizes = (sum(cell_len(clean(span.text, CELL_LIMIT)) for span in line) for line in self.view.lines)
        return max(sizes, default=0)

    @property
    def reach(self) -> int:
        """Cells that stand beyond the right edge."""
        return max(0, self._longest + INDENT - self.width)

    def body_line(self, line: int, look: Look) -> Segments:
        """Return one line of the text."""
        runs = Runs(self.width, look.palette.base)
        runs.to(INDENT)
        skip = look.left
        for span in self.view.lines[line] if line < self.lines else ():
            text = clean(span.text, CELL_LIMIT)
            runs.add(text[skip:], look.palette.style(span.token))
            skip = max(0, skip - len(text))
        return runs.done()
