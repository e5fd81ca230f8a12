"""What all painters share: a title line, a body that scrolls, a cursor that may stand on its items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass
from console.present.safe import clean
from console.ui.draw.runs import Runs, Segments, fit

if TYPE_CHECKING:
    from console.ui.palette import Palette

TITLE_LIMIT = 200
RULE = "─"
TITLE_LEAST = 12
# Cells of a title line that are neither title nor aside: "── ", " ─", and " " … " ─" around the aside.
FRAME, ASIDE_FRAME = 6, 3


@dataclass(frozen=True, slots=True)
class Look:
    """How a view is looked at: the item under the cursor (-1 is none), the first line and column, what is marked."""

    palette: Palette
    focused: bool = False
    cursor: int = -1
    top: int = 0
    left: int = 0
    marks: frozenset[str] = frozenset()


class Painter:
    """One leaf view in a rectangle; subclasses draw the body."""

    selectable = False

    def __init__(self, title: str, width: int, height: int, *, header: int = 0) -> None:
        self.width = width
        self.height = height
        self._title = clean(title, TITLE_LIMIT)
        self.title_lines = 1 if self._title and height > 1 else 0
        self.header_lines = header if height > self.title_lines + header else 0

    @property
    def body(self) -> int:
        """Lines that the body has on the screen."""
        return max(0, self.height - self.title_lines - self.header_lines)

    @property
    def lines(self) -> int:
        """Lines that the whole body would take."""
        return 0

    @property
    def count(self) -> int:
        """Items that the cursor can stand on."""
        return 0

    def id_at(self, index: int) -> str:
        """Return the id of an item."""
        return ""

    def index_of(self, key: str) -> int:
        """Return the item with an id, -1 if there is none."""
        return -1

    def line_of(self, index: int) -> int:
        """Return the body line on which an item stands."""
        return index

    def step(self, index: int, lines: int, cells: int = 0) -> int:
        """Return the item that is so many lines and cells away."""
        return max(0, min(self.count - 1, index + lines))

    def item_at(self, line: int, x: int) -> int:
        """Return the item at a body line and cell, -1 if there is none."""
        return line if 0 <= line < self.count else -1

    @property
    def reach(self) -> int:
        """How far the view can be moved sideways."""
        return 0

    def line(self, y: int, look: Look) -> Segments:
        """Return line `y` of the rectangle, exactly as wide as it."""
        if y < self.title_lines:
            return self.title(look)
        if y < self.title_lines + self.header_lines:
            return self.header(look)
        return self.body_line(y - self.title_lines - self.header_lines + look.top, look)

    def title(self, look: Look) -> Segments:
        """Return the title in a thin rule, with what `aside` has to say at its end."""
        palette = look.palette
        border = palette.style("border")
        runs = Runs(self.width, palette.base)
        aside = self.aside(look)
        least = min(TITLE_LEAST, len(self._title))
        size = sum(len(text) for text, _ in aside)
        while aside and self.width - FRAME - size - ASIDE_FRAME < least:
            size -= len(aside.pop(0)[0])
        room = self.width - FRAME - (size + ASIDE_FRAME if aside else 0)
        runs.add(RULE * 2 + " ", border)
        shown = fit(self._title, max(1, room)).rstrip() if len(self._title) > room else self._title
        runs.add(shown, palette.style("title" if look.focused else "text.strong"))
        runs.add(" ", border)
        runs.to(self.width - (size + ASIDE_FRAME if aside else 0), border, RULE)
        if aside:
            runs.add(" ", border)
            for text, token in aside:
                runs.add(text, palette.style(token))
            runs.add(" " + RULE, border)
        return runs.done()

    def aside(self, look: Look) -> list[tuple[str, str]]:
        """Return (text, token) runs for the end of the title line: which lines of how many are seen."""
        if self.lines <= self.body:
            return []
        last = min(self.lines, look.top + self.body)
        return [(f"{look.top + 1:,}-{last:,} of {self.lines:,}", "text.dim")]

    def header(self, look: Look) -> Segments:
        """Return the line of headings."""
        return self.blank(look)

    def body_line(self, line: int, look: Look) -> Segments:
        """Return one line of the body."""
        return self.blank(look)

    def blank(self, look: Look) -> Segments:
        """Return an empty line."""
        return Runs(self.width, look.palette.base).done()
