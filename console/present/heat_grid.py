"""Where the cells of a heat map stand: groups side by side where they are short, over several lines where not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from console.model.values import dataclass
from console.present.cells import cell_width, cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from console.model.views import HeatMap

BARS = "▁▂▃▄▅▆▇█"
MISSING_CELL = "·"
GLYPHS = "".join(BARS[level * len(BARS) // 10] for level in range(10))
LABEL_LIMIT = 24
GAP = 2
_TABLE = np.array([ord(GLYPHS[level]) if level < 10 else ord(MISSING_CELL) for level in range(256)], dtype=np.uint32)


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a line: the group's label (empty where it goes on) at cell `x`, cells `start:stop` at `cells_x`."""

    group: int
    x: int
    label: str
    cells_x: int
    start: int
    stop: int


def glyphs(levels: NDArray[np.uint8]) -> str:
    """Return one bar a cell, as high as its level; a dot where it is missing."""
    return characters(_TABLE[levels])


def characters(codes: NDArray[np.integer[Any]]) -> str:
    """Return the text of Unicode code points."""
    return codes.astype(np.uint32).tobytes().decode(f"utf-32-{sys.byteorder[0]}e")


class HeatGrid:
    """The lines of a heat map in `width` cells; made once a map, every line costs what is on it."""

    def __init__(self, view: HeatMap, width: int) -> None:
        groups = view.groups
        self._view = view
        self._starts = np.fromiter((group.start for group in groups), dtype=np.int64, count=len(groups))
        self._stops = np.fromiter((group.stop for group in groups), dtype=np.int64, count=len(groups))
        sizes = self._stops - self._starts
        widest = int(sizes.max()) if len(sizes) else 1
        labels = max((cell_width(group.label) for group in groups), default=0)
        self.label_width = min(LABEL_LIMIT, labels, max(0, width // 2))
        self._cells_x = self.label_width + 1 if self.label_width else 0
        self.room = max(1, width - self._cells_x)
        self.pitch = self._cells_x + widest + GAP
        self.across = max(1, (width + GAP) // self.pitch) if widest <= self.room else 0
        lines = np.ones(len(groups), dtype=np.int64) if self.across else -(-sizes // self.room)
        self._ends = np.cumsum(np.maximum(lines, 1))

    @property
    def lines(self) -> int:
        """How many lines the whole map takes."""
        if self.across:
            return -(-len(self._starts) // self.across)
        return int(self._ends[-1]) if len(self._ends) else 0

    def runs(self, line: int) -> Iterator[Run]:
        """Yield what stands on one line, from left to right."""
        if self.across:
            first = line * self.across
            for group in range(first, min(first + self.across, len(self._starts))):
                yield self._run(group, (group - first) * self.pitch, 0, int(self._stops[group] - self._starts[group]))
        elif 0 <= line < self.lines:
            group = int(np.searchsorted(self._ends, line, side="right"))
            above = line - (int(self._ends[group - 1]) if group else 0)
            size = int(self._stops[group] - self._starts[group])
            yield self._run(group, 0, above * self.room, min(size, (above + 1) * self.room))

    def _run(self, group: int, x: int, begin: int, end: int) -> Run:
        first = int(self._starts[group])
        label = cut(self._view.groups[group].label, self.label_width) if not begin else ""
        return Run(group, x, label, x + self._cells_x, first + begin, first + end)

    def find(self, cell: int) -> tuple[int, int]:
        """Return (line, x) of a cell; (0, 0) if there is none such."""
        group = int(np.searchsorted(self._stops, cell, side="right"))
        if group >= len(self._starts) or cell < self._starts[group]:
            return 0, 0
        at = cell - int(self._starts[group])
        if self.across:
            return group // self.across, (group % self.across) * self.pitch + self._cells_x + at
        before = int(self._ends[group - 1]) if group else 0
        return before + at // self.room, self._cells_x + at % self.room

    def cell_at(self, line: int, x: int) -> int:
        """Return the cell at or nearest to a place on a line, -1 if the line has none."""
        best, distance = -1, 1 << 30
        for run in self.runs(line):
            inside = min(max(x, run.cells_x), run.cells_x + run.stop - run.start - 1)
            away = abs(x - inside)
            if run.stop > run.start and away < distance:
                best, distance = run.start + inside - run.cells_x, away
        return best
