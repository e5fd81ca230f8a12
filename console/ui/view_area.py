"""The one widget that shows views: it keeps cursor, scroll and focus, and repaints only the lines that changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from console.model.views import Table, Text, Tree
from console.present.verify import drawable
from console.ui import narrow_updates
from console.ui.draw.canvas import Canvas
from console.ui.draw.changes import changed_spans
from console.ui.wire.hook import tell_wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events

    from console.model.views import View
    from console.ui.draw.canvas import Pane
    from console.ui.palette import Palette

WHEEL_LINES = 3
# For so long after a row went away under the cursor, who looks at the screen may not have seen it.
SLIP_S = 1.5
EMPTY = Text(())


class ViewArea(Widget, can_focus=True):
    """Draws one view; selection follows the object, not the row."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "ViewArea { width: 1fr; height: 1fr; }"

    class Selected(Message):
        """Another id is under the cursor of the focused part (empty: none)."""

        def __init__(self, id: str) -> None:
            super().__init__()
            self.id = id

        def can_replace(self, message: Message) -> bool:
            """Only the newest selection matters."""
            return isinstance(message, ViewArea.Selected)

    class Entered(Message):
        """An id was double-clicked."""

        def __init__(self, id: str) -> None:
            super().__init__()
            self.id = id

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        super().__init__(id=id)
        narrow_updates.install()
        self._palette = palette
        self._marks: frozenset[str] = frozenset()
        self._canvas = Canvas(EMPTY, 0, 0)
        self._focus = -1
        self._told = ""
        self._slipped: tuple[str, float] = ("", 0.0)
        self._strips: list[Strip] = []

    @property
    def view(self) -> View:
        """The view that is shown."""
        return self._canvas.view

    @property
    def selected(self) -> str:
        """The id under the cursor of the focused part, empty if there is none."""
        pane = self._pane
        return pane.state.key if pane is not None and pane.selectable else ""

    @property
    def focused_part(self) -> int:
        """The number of the part that takes the keys, among the visible ones; -1 if none does."""
        return self._focus

    @property
    def enterable(self) -> bool:
        """Whether Enter goes deeper to what is selected."""
        pane = self._pane
        if pane is None or not self.selected or isinstance(pane.leaf.view, Tree):
            return bool(pane and self.selected)
        return pane.leaf.view.enter if isinstance(pane.leaf.view, Table) else True

    @property
    def marks(self) -> frozenset[str]:
        """The ids that are drawn as marked."""
        return self._marks

    @marks.setter
    def marks(self, marks: frozenset[str]) -> None:
        if marks != self._marks:
            self._marks = marks
            self._repaint()

    @property
    def _pane(self) -> Pane | None:
        return self._canvas.panes[self._focus] if 0 <= self._focus < len(self._canvas.panes) else None

    def set_palette(self, palette: Palette) -> None:
        """Draw in another theme."""
        self._palette = palette
        self._forget()

    def show(self, view: View, *, hold: bool = False, afresh: bool = False, patient: bool = False) -> None:
        """Show another view, or why it cannot be drawn.

        `hold` keeps the rows of the focused table in the order they have on the screen; `afresh` puts the cursor on the
        first item of the part that the view wants to take the keys; `patient` tells that it answers no key.
        """
        self._lay_out(drawable(view), self._canvas, hold=hold, afresh=afresh, patient=patient)

    def reset(self) -> None:
        """Forget cursor, scroll and focus: what is shown next is another thing."""
        self._canvas = Canvas(self._canvas.view, 0, 0)
        self._focus = -1

    def _lay_out(
        self, view: View, before: Canvas, *, hold: bool = False, afresh: bool = False, patient: bool = False
    ) -> None:
        shown = before.shape[self._focus] if 0 <= self._focus < len(before.shape) else None
        stood_on = self.selected
        canvas = Canvas(view, self.size.width, self.size.height, before, hold=self._focus if hold else -1)
        self._canvas = canvas
        self._focus = canvas.shape.index(shown) if shown in canvas.shape else -1
        pane = self._pane
        if afresh or pane is None or not pane.scrollable or (pane.selectable and not self.selected):
            self._focus = canvas.usual_focus()
        if afresh and self._pane is not None:
            self._pane.put(0)
        elif patient and stood_on and self.selected != stood_on:
            self._slipped = (stood_on, time.monotonic())
        self._repaint(patient=patient)
        self._tell()

    def slipped_from(self) -> str:
        """Return the id that went away under the cursor a moment ago, empty if none did; the next time it is empty."""
        (id, at), self._slipped = self._slipped, ("", 0.0)
        return id if time.monotonic() - at < SLIP_S else ""

    def _tell(self) -> None:
        if self.selected != self._told:
            self._told = self.selected
            self.post_message(self.Selected(self._told))

    def select(self, id: str, *, anywhere: bool = True) -> bool:
        """Put the cursor on an id, in the focused part or (`anywhere`) in the first that has it; False if none has."""
        order = sorted(range(len(self._canvas.panes)), key=lambda i: i != self._focus)
        for i in order if anywhere else order[:1]:
            pane = self._canvas.panes[i]
            found = pane.painter.index_of(id) if pane.selectable else -1
            if found >= 0:
                self._put(pane, found, i)
                return True
        return False

    def move(self, rows: int) -> None:
        """Move the cursor by rows, or scroll where there is no cursor."""
        pane = self._pane
        if pane is None:
            return
        if pane.selectable:
            self._put(pane, pane.painter.step(pane.state.cursor, rows))
        else:
            self._scroll(pane, rows)

    def page(self, direction: int) -> None:
        """Move by a screen of the focused part."""
        pane = self._pane
        if pane is not None:
            self.move(direction * max(1, pane.painter.body - 1))

    def home(self) -> None:
        """Go to the first item or line."""
        self._jump(0)

    def end(self) -> None:
        """Go to the last item or line."""
        self._jump(1 << 40)

    def _jump(self, to: int) -> None:
        pane = self._pane
        if pane is not None and pane.selectable:
            self._put(pane, to)
        elif pane is not None:
            self._scroll(pane, to - pane.state.top)

    def sideways(self, cells: int) -> None:
        """Move the cursor of a heat map by cells, or what is wider than its part."""
        pane = self._pane
        if pane is None:
            return
        if pane.painter.reach or not pane.selectable or isinstance(pane.leaf.view, Table):
            pane.state.left = max(0, min(pane.painter.reach, pane.state.left + cells))
            self._lay_out(self._canvas.view, self._canvas)
        else:
            self._put(pane, pane.painter.step(pane.state.cursor, 0, cells))

    def next_part(self) -> None:
        """Give the keys to the next part that can use them."""
        able = [i for i, pane in enumerate(self._canvas.panes) if pane.scrollable]
        if able:
            self._focus = next((i for i in able if i > self._focus), able[0])
            self._repaint()
            self._tell()

    def _put(self, pane: Pane, cursor: int, number: int | None = None) -> None:
        """Put the cursor of a pane (the focused one if no number is told) on an item, and repaint what that changes."""
        top, before = pane.state.top, pane.cursor_line()
        moved = number is not None and number != self._focus
        self._focus = self._focus if number is None else number
        pane.put(cursor)
        self._slipped = ("", 0.0)
        box = pane.leaf.box
        if moved:
            self._repaint()
        elif pane.state.top != top:
            self._repaint(range(box.y, box.y + box.height))
        else:
            self._repaint((box.y, before, pane.cursor_line()))
        self._tell()

    def _scroll(self, pane: Pane, lines: int) -> None:
        pane.state.top = max(0, min(pane.state.top + lines, pane.painter.lines - pane.painter.body))
        box = pane.leaf.box
        self._repaint(range(box.y, box.y + box.height))

    def _repaint(self, lines: Iterable[int] | None = None, *, patient: bool = False) -> None:
        """Draw lines (all of them if not told) and refresh those that changed; `patient`: nobody waits for them."""
        canvas, strips = self._canvas, self._strips
        if len(strips) != canvas.height or (strips and strips[0].cell_length != canvas.width):
            self._strips = strips = [Strip.blank(canvas.width, self._palette.base)] * canvas.height
            lines = None
        changed: list[int] = []
        for y in range(canvas.height) if lines is None else lines:
            if not 0 <= y < canvas.height:
                continue
            segments = canvas.line(y, self._palette, self._marks, self._focus)
            before = strips[y]._segments
            if before != segments:
                strips[y] = Strip(segments, canvas.width)
                changed.append(y)
                self.refresh(*(Region(x, y, cells, 1) for x, cells in changed_spans(before, segments, canvas.width)))
        if changed:
            tell_wire(self, changed, patient=patient)

    def _forget(self) -> None:
        self._strips = []
        self._repaint()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return a line that was drawn when the view, the cursor or the size changed."""
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self._palette.base)

    def notify_style_update(self) -> None:
        """Draw anew after a change of styles."""
        super().notify_style_update()
        self._forget()

    def on_resize(self) -> None:
        """Lay the view out in the new size."""
        self._lay_out(self._canvas.view, self._canvas)

    def on_click(self, event: events.Click) -> None:
        """Select what was clicked; a double click enters it."""
        number = self._canvas.pane_at(event.x, event.y)
        if number < 0 or not self._canvas.panes[number].scrollable:
            return
        pane = self._canvas.panes[number]
        painter, box = pane.painter, pane.leaf.box
        line = event.y - box.y - painter.title_lines - painter.header_lines
        item = painter.item_at(line + pane.state.top, event.x - box.x) if line >= 0 else -1
        self._put(pane, pane.state.cursor if item < 0 else item, number)
        if item >= 0 and event.chain == 2 and self.enterable:
            self.post_message(self.Entered(self.selected))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll the part under the mouse; its cursor stays where it is."""
        self._wheel(event, WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll the part under the mouse; its cursor stays where it is."""
        self._wheel(event, -WHEEL_LINES)

    def _wheel(self, event: events.MouseEvent, lines: int) -> None:
        number = self._canvas.pane_at(event.x, event.y)
        if number >= 0:
            event.stop()
            self._scroll(self._canvas.panes[number], lines)
