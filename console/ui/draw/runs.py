"""Lines of styled text of an exact width in cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment

from console.present.safe import ELLIPSIS, clean

if TYPE_CHECKING:
    from rich.style import Style

Segments = list[Segment]
CELL_LIMIT = 512


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return `text` in exactly `width` cells as the terminal counts them, padded, or cut with an ellipsis."""
    if width <= 0:
        return ""
    if text.isascii():
        if len(text) > width:
            return text[: width - 1] + ELLIPSIS
        return text.rjust(width) if right else text.ljust(width)
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + ELLIPSIS
    return " " * (width - size) + text if right else text + " " * (width - size)


class Runs:
    """Builds one line of exactly `width` cells; what is too much is left out, what is missing is filled."""

    def __init__(self, width: int, base: Style) -> None:
        self.width = width
        self.used = 0
        self._base = base
        self._segments: Segments = []

    def add(self, text: str, style: Style) -> None:
        """Add safe text; a run of the same style grows."""
        size = len(text) if text.isascii() else cell_len(text)
        if self.used + size > self.width:
            text = fit(text, self.width - self.used)
            size = self.width - self.used
        if not text:
            return
        if self._segments and self._segments[-1].style is style:
            text = self._segments.pop().text + text
        self._segments.append(Segment(text, style))
        self.used += size

    def add_cells(self, text: str, style: Style) -> None:
        """Add text of one cell a character that is known to fit and to differ in style from what stands before it."""
        self._segments.append(Segment(text, style))
        self.used += len(text)

    def add_foreign(self, text: str, style: Style) -> None:
        """Add text from outside."""
        self.add(clean(text, CELL_LIMIT), style)

    def extend(self, segments: Segments, size: int) -> None:
        """Add segments of `size` cells that are known to fit."""
        self._segments += segments
        self.used += size

    def to(self, x: int, style: Style | None = None, fill: str = " ") -> None:
        """Fill up to cell `x`."""
        if x > self.used:
            self.add(fill * (min(x, self.width) - self.used), style or self._base)

    def done(self) -> Segments:
        """Return the line, filled to its width."""
        self.to(self.width)
        return self._segments
