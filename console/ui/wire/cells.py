"""Cells: a piece of styled text as an array, one number for glyph and pen of each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from rich.segment import Segment

    from console.ui.wire.pens import Pens

    Cells = NDArray[np.uint64]

# A cell is pen << 32 | glyph; a glyph is a code point, or the number of a cluster (a base with what combines with it),
# or TAIL: the right half of the wide glyph before it.
PEN_SHIFT = np.uint64(32)
GLYPHS = np.uint64(0xFFFFFFFF)
TAIL = 0
BLANK = 32
FIRST_CLUSTER = 0x110000
UNKNOWN = np.uint64(0xFFFFFFFFFFFFFFFF)  # what is shown is not known
NOT_MEASURED = 255
JOINER = "\u200d"
LONGEST_CLUSTER = 12
MOST_CELLS = 2
MOST_CLUSTERS = 8192
MOST_PENS = 32768
# Widths beyond this one are a matter of opinion between terminals: pictographs, and every cluster.
PICTOGRAPHS = 0x1F000
SYMBOLS = range(0x2300, 0x2C00)


class CellTable:
    """Turns text into cells and back; glyphs and pens keep their numbers until `forget`."""

    def __init__(self, pens: Pens) -> None:
        self.pens = pens
        self._widths = np.full(FIRST_CLUSTER, NOT_MEASURED, np.uint8)
        self._widths[:BLANK] = 0
        self._widths[BLANK:0x7F] = 1
        self._numbers: dict[str, int] = {}
        self._clusters: list[str] = []

    @property
    def crowded(self) -> bool:
        """Whether so much was met that all should be forgotten."""
        return len(self._clusters) >= MOST_CLUSTERS or len(self.pens.pens) >= MOST_PENS

    def cells(self, segments: Iterable[Segment]) -> Cells:
        """Return the cells of a piece of a line; control characters are left out."""
        parts = [(text, style, len(text)) for text, style, _ in segments if text]
        if not parts:
            return np.zeros(0, np.uint64)
        texts, styles, lengths = zip(*parts, strict=True)
        text = "".join(texts)
        codes = np.frombuffer(text.encode("utf-32-le", "replace"), "<u4")
        pens = np.repeat(np.array(self.pens.numbers(styles), np.uint64), lengths)
        widths = self._measured(codes)
        if (widths == 1).all():
            return self._joined(codes, pens)
        return self._joined(*self._clustered(text, codes, pens, widths))

    def _joined(self, codes: NDArray[np.uint32], pens: Cells) -> Cells:
        blank = codes == BLANK
        if blank.any():
            pens = np.where(blank, self.pens.on_blanks()[pens], pens)
        return (pens << PEN_SHIFT) | codes

    def _measured(self, codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
        widths = self._widths[codes]
        if widths.size and widths.max() == NOT_MEASURED:
            for code in set(codes[widths == NOT_MEASURED].tolist()):
                self._widths[code] = cell_len(chr(code))
            widths = self._widths[codes]
        return widths

    def _clustered(
        self, text: str, codes: NDArray[np.uint32], pens: Cells, widths: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint32], Cells]:
        """Return glyphs and pens of text that has wide or combining characters."""
        glyphs: list[int] = []
        kept: list[int] = []
        for start, end, width in clusters(text, widths.tolist()):
            glyph = int(codes[start]) if end == start + 1 else self._cluster(text[start:end])
            glyphs += [glyph, TAIL][:width]
            kept += [start] * width
        return np.array(glyphs, np.uint32), pens[kept]

    def _cluster(self, text: str) -> int:
        found = self._numbers.get(text)
        if found is None:
            if len(self._clusters) >= MOST_CLUSTERS:
                return ord(text[0])
            found = self._numbers[text] = FIRST_CLUSTER + len(self._clusters)
            self._clusters.append(text)
        return found

    def text(self, glyph: int) -> str:
        """Return what is written for a glyph: nothing for the tail of a wide one."""
        if glyph >= FIRST_CLUSTER:
            return self._clusters[glyph - FIRST_CLUSTER]
        return chr(glyph) if glyph != TAIL else ""

    def width(self, glyph: int) -> int:
        """Return how many cells a glyph takes: 0 for a tail."""
        if glyph >= FIRST_CLUSTER:
            return cell_len(self._clusters[glyph - FIRST_CLUSTER]) if glyph < FIRST_CLUSTER + MOST_CLUSTERS else 1
        return int(self._widths[glyph]) if glyph != TAIL else 0

    def doubtful(self, glyph: int) -> bool:
        """Whether terminals differ in how wide they draw it."""
        return glyph >= PICTOGRAPHS or (glyph in SYMBOLS and self._widths[glyph] == 2)

    def forget(self) -> None:
        """Give all numbers back: every cell made before is void."""
        self._numbers.clear()
        self._clusters.clear()
        self.pens.forget()


def clusters(text: str, widths: list[int]) -> list[tuple[int, int, int]]:
    """Return (start, end, cells) of each glyph of `text`; `widths` are those of its characters alone.

    What has no width belongs to the glyph before it, and so does what a joiner joins; at the start it is left out.
    """
    found: list[tuple[int, int, int]] = []
    for at, width in enumerate(widths):
        if found and (width == 0 or text[at - 1] == JOINER):
            start, end, _ = found[-1]
            cells = cell_len(text[start : at + 1])
            if end == at and at - start < LONGEST_CLUSTER and not _is_control(text[at]) and cells <= MOST_CELLS:
                found[-1] = (start, at + 1, max(1, cells))
                continue
        if width:
            found.append((at, at + 1, width))
    return found


def _is_control(char: str) -> bool:
    return char < " " or "\x7f" <= char < "\xa0"
