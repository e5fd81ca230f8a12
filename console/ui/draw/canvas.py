"""A whole view in a rectangle: its leaves laid out, the cursor and scroll of each, lines of the rectangle on demand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from console.model.values import dataclass
from console.model.views import HeatMap, Plot, Split, Table, Tree
from console.present.steady import Steady
from console.ui.draw.heatmap import HeatPainter
from console.ui.draw.hold import hold_order, rest_order
from console.ui.draw.painter import Look, Painter
from console.ui.draw.plot import PlotPainter
from console.ui.draw.runs import Runs, Segments
from console.ui.draw.split import Box, Leaf, leaves
from console.ui.draw.table import TablePainter
from console.ui.draw.text import TextPainter
from console.ui.draw.tree import TreePainter

if TYPE_CHECKING:
    from console.model.views import Text, View
    from console.ui.palette import Palette

EDGE = "│"
Way = tuple[Any, ...]


@dataclass
class LeafState:
    """What is kept of a leaf from one view to the next: the id under the cursor and its item, the scroll."""

    key: str = ""
    cursor: int = 0
    top: int = 0
    left: int = 0


@dataclass(frozen=True, eq=False)
class Pane:
    """One leaf view, its painter and its state."""

    leaf: Leaf
    painter: Painter
    state: LeafState

    @property
    def selectable(self) -> bool:
        """Whether a cursor can stand in it."""
        return self.painter.selectable

    @property
    def scrollable(self) -> bool:
        """Whether keys do something in it."""
        return self.painter.selectable or self.painter.lines > self.painter.body

    def settle(self, *, follow: bool) -> None:
        """Put the cursor where its id is now, and the scroll where it is allowed; `follow` keeps the cursor seen."""
        state, painter = self.state, self.painter
        if painter.selectable and painter.count:
            found = painter.index_of(state.key) if state.key and painter.id_at(state.cursor) != state.key else -1
            state.cursor = found if found >= 0 else max(0, min(state.cursor, painter.count - 1))
            state.key = painter.id_at(state.cursor)
            if follow:
                self.reveal()
        elif painter.selectable:
            state.cursor, state.key = 0, ""
        state.top = max(0, min(state.top, painter.lines - painter.body))
        state.left = max(0, min(state.left, painter.reach))

    def reveal(self) -> None:
        """Scroll just so far that the cursor is seen."""
        line = self.painter.line_of(self.state.cursor)
        self.state.top = min(max(self.state.top, line - self.painter.body + 1), line)

    def sees_cursor(self) -> bool:
        """Whether the cursor is on the screen."""
        if not self.painter.count:
            return True
        return 0 <= self.painter.line_of(self.state.cursor) - self.state.top < max(1, self.painter.body)

    def cursor_line(self) -> int:
        """Return the line of the canvas on which the cursor stands, seen or not."""
        above = self.leaf.box.y + self.painter.title_lines + self.painter.header_lines
        return above + self.painter.line_of(self.state.cursor) - self.state.top

    def put(self, cursor: int) -> None:
        """Put the cursor on an item and make it seen."""
        if self.selectable and self.painter.count:
            self.state.cursor = max(0, min(cursor, self.painter.count - 1))
            self.state.key = self.painter.id_at(self.state.cursor)
            self.reveal()

    def look(self, palette: Palette, marks: frozenset[str], *, focused: bool) -> Look:
        """Return how the leaf is looked at now."""
        state = self.state
        cursor = state.cursor if self.selectable and self.painter.count else -1
        return Look(palette, focused, cursor, state.top, state.left, marks)


class Canvas:
    """A view laid out in `width` x `height`; `before` is the canvas it takes the place of, whose state it keeps."""

    def __init__(self, view: View, width: int, height: int, before: Canvas | None = None, *, hold: int = -1) -> None:
        self.view = view
        self.width = width
        self.height = height
        old = {_identity(pane.leaf): pane for pane in before.panes} if before else {}
        self.panes: tuple[Pane, ...] = tuple(
            _pane(leaf, old.get(_identity(leaf)), hold=number == hold)
            for number, leaf in enumerate(leaves(view, Box(0, 0, width, height)))
        )

    @property
    def shape(self) -> tuple[Way, ...]:
        """What leaves there are and where: two canvases of one shape show the same things."""
        return tuple(_identity(pane.leaf) for pane in self.panes)

    def usual_focus(self) -> int:
        """Return the pane that the view wants to take the keys, else the first that can, -1 if none can."""
        way = _focus_way(self.view)
        able = [i for i, pane in enumerate(self.panes) if pane.scrollable]
        if not able:
            return -1
        return next((i for i in able if self.panes[i].leaf.way[: len(way)] == way), able[0])

    def pane_at(self, x: int, y: int) -> int:
        """Return the pane at a place, -1 on a separator."""
        for i, pane in enumerate(self.panes):
            box = pane.leaf.box
            if box.x <= x < box.x + box.width and box.y <= y < box.y + box.height:
                return i
        return -1

    def line(self, y: int, palette: Palette, marks: frozenset[str], focus: int) -> Segments:
        """Return one line, exactly as wide as the canvas."""
        across = [i for i, pane in enumerate(self.panes) if 0 <= y - pane.leaf.box.y < pane.leaf.box.height]
        runs = Runs(self.width, palette.base)
        for i in sorted(across, key=lambda i: self.panes[i].leaf.box.x):
            pane = self.panes[i]
            if pane.leaf.box.x > runs.used:
                runs.to(pane.leaf.box.x - 1)
                runs.add(EDGE, palette.style("border"))
            look = pane.look(palette, marks, focused=i == focus)
            runs.extend(pane.painter.line(y - pane.leaf.box.y, look), pane.leaf.box.width)
        return runs.done()


def _identity(leaf: Leaf) -> Way:
    return (*leaf.way, type(leaf.view).__name__)


def _focus_way(view: View) -> tuple[int, ...]:
    way: list[int] = []
    while isinstance(view, Split) and view.parts:
        at = view.focus if 0 <= view.focus < len(view.parts) else 0
        way.append(at)
        view = view.parts[at].view
    return tuple(way)


def _pane(leaf: Leaf, old: Pane | None, *, hold: bool) -> Pane:
    follow = old is None or old.sees_cursor()
    state = replace(old.state) if old else LeafState()
    if isinstance(leaf.view, Table):
        painter: Painter = _table_painter(leaf.view, leaf.box, state.left, old, hold=hold)
        leaf = replace(leaf, view=painter.view) if isinstance(painter, TablePainter) else leaf
    else:
        painter = _painter(leaf.view, leaf.box.width, leaf.box.height, old)
    pane = Pane(leaf, painter, state)
    pane.settle(follow=follow)
    return pane


def _table_painter(view: Table, box: Box, left: int, old: Pane | None, *, hold: bool) -> TablePainter:
    """Return the painter of a table: what stood in its place before tells what rests as it is, the order too."""
    before = old.painter if old is not None and isinstance(old.painter, TablePainter) else None
    if before is None or [each.key for each in before.view.columns] != [each.key for each in view.columns]:
        return TablePainter(view, box.width, box.height, left=left)
    steady = Steady(before.steady)
    view = hold_order(before.view, view) if hold else rest_order(before.view, view, steady)
    return TablePainter(view, box.width, box.height, left=left, steady=steady, before=before)


def _painter(view: HeatMap | Plot | Tree | Text, width: int, height: int, old: Pane | None) -> Painter:
    if isinstance(view, HeatMap):
        before = old.painter if old is not None and isinstance(old.painter, HeatPainter) else None
        return HeatPainter(view, width, height, before=before)
    if isinstance(view, Plot):
        return PlotPainter(view, width, height)
    if isinstance(view, Tree):
        return TreePainter(view, width, height)
    return TextPainter(view, width, height)
