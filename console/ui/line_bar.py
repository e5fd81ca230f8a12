"""A few fixed lines of spans: header, breadcrumb, footer and hints are drawn by this one widget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from console.ui.wire.hook import tell_wire

if TYPE_CHECKING:
    from console.model.views import Line
    from console.ui.palette import Palette


class LineBar(Widget):
    """Lines at the edge of the screen; only lines that changed are drawn again."""

    DEFAULT_CSS = "LineBar { height: 1; width: 100%; }"

    def __init__(self, palette: Palette, *, id: str) -> None:
        super().__init__(id=id)
        self._palette = palette
        self._lines: tuple[Line, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown."""
        return self._lines

    @property
    def plain(self) -> str:
        """What is shown, without styles."""
        return "\n".join("".join(span.text for span in line) for line in self._lines)

    def set_palette(self, palette: Palette) -> None:
        """Draw in other colours."""
        self._palette = palette
        self.refresh()

    def show(self, lines: tuple[Line, ...], *, patient: bool = False) -> None:
        """Show these lines; `patient` tells that they answer no key."""
        before, self._lines = self._lines, lines
        if len(before) != len(lines):
            self.styles.height = len(lines)
            self.refresh(layout=True)
            return
        changed = [row for row, (old, new) in enumerate(zip(before, lines, strict=True)) if old != new]
        if changed:
            tell_wire(self, changed, patient=patient)
            self.refresh(*(Region(0, row, self.size.width, 1) for row in changed))

    def render_line(self, y: int) -> Strip:
        """Return one line's cells."""
        line = self._lines[y] if y < len(self._lines) else ()
        base = self._palette.style("text")
        strip = Strip([Segment(span.text, self._palette.style(span.token)) for span in line])
        return strip.adjust_cell_length(self.size.width, base)
