"""Stands between Textual's compositor and its driver: takes frames before they become text, and writes them itself.

With `internals` and `driver` the one place that knows Textual's insides. Whatever is not as expected (see `surprises`),
or fails, leaves the screen to Textual's own output.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import threading
import time
from typing import TYPE_CHECKING, Any

from rich.color import ColorSystem
from textual.app import App

from console.ui.wire.courier import Courier
from console.ui.wire.dialects import dialect
from console.ui.wire.drain import Rate, WireSettings
from console.ui.wire.driver import wired
from console.ui.wire.internals import ChopsUpdate, LayoutUpdate, pieces, surprises
from console.ui.wire.link import LEAST_PAUSE_S, Link, is_far, is_hidden
from console.ui.wire.writer import FrameWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.driver import Driver
    from textual.screen import Screen
    from textual.widget import Widget

    from console.ui.wire.drain import Outlet

SWITCH = "GIGADECK_WIRE"
OWN_OUTPUT = ("textual", "textual-uncut")
SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
LEAVE_STYLES = "\x1b[m\x1b]8;;\x1b\\"
# What others write that changes nothing of what is shown: modes (but for the alternate screen), keyboard protocol,
# queries, OSC such as clipboard and pointer shape, the bell.
HARMLESS = re.compile(
    r"(?:\x1b\[\?(?!1049|1047|47|3[hl])[0-9;]+(?:[hl]|\$p)|\x1b\[[<>=][0-9;]*u|\x1b\[[0-9]*n"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x07)*"
)

# How long the last answer is waited for.
LAST_ANSWER_S, LAST_SLACK_S = 1.0, 0.1

log = logging.getLogger("console.ui.wire")


class WiredApp(App[None]):
    """An app whose frames the wire sends."""

    def __init__(self, settings: WireSettings | None = None, *, ansi_color: bool | None = None) -> None:
        # Before the base class: it asks for the driver.
        self.wire = Wire(self, settings)
        super().__init__(ansi_color=ansi_color)

    def get_driver_class(self) -> type[Driver]:
        """Return the terminal's driver, which tells the wire what it writes."""
        return self.wire.driver(super().get_driver_class())

    def on_resize(self) -> None:
        """Send all anew: a terminal that changed its size, even if only for a moment, may have lost what it showed."""
        self.wire.forget()
        if self._screen_stack:
            self.screen.refresh()

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if not self.wire.display(screen, renderable):
            super()._display(screen, renderable)


def tell_wire(widget: Widget, rows: Iterable[int], *, patient: bool) -> None:
    """Tell the wire of a widget's app, if it has one, whether rows that will be drawn answer a key or may wait."""
    app = widget.app
    if isinstance(app, WiredApp):
        lines = [widget.region.y + row for row in rows]
        (app.wire.may_wait if patient else app.wire.hurry)(lines)


class Wire:
    """Stands between Textual's compositor and its driver; one for each app."""

    def __init__(self, app: App[Any], settings: WireSettings | None = None) -> None:
        self._app = app
        self._courier = Courier(Link(settings or WireSettings(), hidden=is_hidden(), far=is_far()))
        self._rate = Rate()
        self._answered = threading.Event()
        self._writer: FrameWriter | None = None
        self._screen: Screen[Any] | None = None
        self._outlet: Outlet | None = None
        self._writing = False
        self._ours = True
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.active = os.environ.get(SWITCH, "") not in OWN_OUTPUT
        found = surprises() if self.active else ()
        if found:
            self.active = False
            log.warning("this Textual is not the one known: frames are left to its own output: %s", "; ".join(found))

    # What the app calls

    def display(self, screen: Screen[Any], renderable: Any) -> bool:
        """Take what `App._display` was given; False if Textual is to write it."""
        app, driver = self._app, self._app._driver
        if not self.active or driver is None or not isinstance(renderable, LayoutUpdate | ChopsUpdate):
            return False
        if app._batch_count or not app._running or app._closed:
            return False
        if driver.is_headless or driver.is_inline or driver.is_web:
            return False
        try:
            self._take(renderable)
            if screen is not self._screen:
                self._screen = screen
                self._courier.patience.hurry_all()
            self._send_when_due()
        except Exception:
            self._give_up()
            return False
        app.post_display_hook()
        return True

    def forget(self) -> None:
        """Send all anew with the next frame: the terminal may have changed what it shows."""
        if self._writer is not None:
            self._writer.forget()

    def may_wait(self, lines: Iterable[int]) -> None:
        """Take it that nobody waits for what will be drawn on these lines of the screen: new data, the clock."""
        self._courier.patience.may_wait(lines)

    def hurry(self, lines: Iterable[int]) -> None:
        """Take it that what will be drawn on these lines answers a key."""
        self._courier.patience.hurry(lines)

    def bytes_per_s(self) -> float:
        """Return what was sent in the last ten seconds, by the second."""
        return self._rate.bytes_per_s(time.monotonic())

    def driver(self, base: type[Driver]) -> type[Driver]:
        """Return the driver class to use in place of `base`."""
        return wired(base, self) if self.active else base

    # Frames

    def _take(self, update: LayoutUpdate | ChopsUpdate) -> None:
        if self._writer is None:
            self._writer = FrameWriter(self._app.console._color_system or ColorSystem.TRUECOLOR, dialect())
        whole = isinstance(update, LayoutUpdate)
        # A part belongs to the last whole frame, even if the terminal has another size by now.
        size = update.region.bottom_right if isinstance(update, LayoutUpdate) else self._writer.size
        drawn = self._writer.take(pieces(update), size if any(size) else self._app.size, whole=whole)
        self._courier.patience.drawn(drawn)
        if self._writer.crowded and not whole:
            self._app.screen.refresh()

    def _send_when_due(self) -> None:
        writer = self._writer
        if not self._ours or writer is None or (self._outlet is not None and self._outlet.backlog_bytes):
            return  # the terminal is the shell's, or `drained` comes back
        now = time.monotonic()
        pause = self._courier.pause_s(writer, now)
        if not pause:
            self._send(writer, now)
            if not writer.pending:
                return
            pause = max(LEAST_PAUSE_S, self._courier.pause_s(writer, now))
        self._later(pause)

    def _later(self, pause_s: float) -> None:
        """Come back after a pause, or earlier if that was said before."""
        loop = asyncio.get_running_loop()
        due = loop.time() + pause_s
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = loop.call_at(due, self._due)

    def _due(self) -> None:
        self._timer = None
        self._send_pending()

    def _send_pending(self) -> None:
        if not self.active or self._writer is None or not self._writer.pending or self._app._driver is None:
            return
        try:
            self._send_when_due()
        except Exception:
            self._give_up()

    def _send(self, writer: FrameWriter, now: float) -> None:
        app, driver = self._app, self._app._driver
        if driver is None:
            return
        cursor = app.screen.outer_size.clamp_offset(app.cursor_position)
        app._previous_cursor_position = cursor
        text = self._courier.frame(writer, (cursor.x, cursor.y), now)
        if not text:
            return
        if app._sync_available:
            text = f"{SYNC_START}{text}{SYNC_END}"
        if self._outlet is not None:
            text += self._question(len(text.encode()), now)
        self._writing = True
        try:
            driver.write(text)
        finally:
            self._writing = False
        driver.flush()

    def _question(self, size_bytes: int, now: float) -> str:
        question = self._courier.question(size_bytes, now)
        if question:
            self._answered.clear()
        return question

    def _give_up(self) -> None:
        """Leave the screen to Textual from now on."""
        self.active = False
        log.exception("the frame writer failed; frames are left to Textual's own output")
        driver = self._app._driver
        if driver is not None:
            driver.write(LEAVE_STYLES)
            self._app.screen.refresh()

    # What the driver tells

    def wrote(self, text: str, size_bytes: int) -> None:
        """Note what was given to the driver, by us or by others."""
        now = time.monotonic()
        self._rate.add(size_bytes, now)
        self._courier.link.sent(size_bytes, now, frame=self._writing)
        if not self._writing and HARMLESS.fullmatch(text) is None:
            self.forget()

    def started(self, outlet: Outlet | None) -> None:
        """Note that the terminal is ours (again), and shows nothing that we know."""
        self._rate = Rate()
        self._outlet = outlet
        self._courier.begin()
        self._loop = asyncio.get_running_loop()
        self._ours = True
        self.forget()

    def greet(self) -> None:
        """Ask the first question behind next to nothing: its answer tells the round trip."""
        driver = self._app._driver
        if self._outlet is not None and driver is not None and getattr(driver, "_writer_thread", None) is not None:
            question = self._question(self._rate.total_bytes, time.monotonic())
            if question:
                driver.write(question)

    def stopped(self) -> None:
        """Note that the terminal is the shell's again: nothing that still waits may be drawn over it.

        An answer that is on its way is waited for, or it would be typed into the shell.
        """
        self._ours = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._courier.echo.outstanding and self._outlet is not None and not self._outlet.gone:
            self._answered.wait(min(LAST_ANSWER_S, 2 * self._courier.link.round_trip_s + LAST_SLACK_S))

    def answered(self) -> None:
        """Note, in the thread that reads, that the terminal has shown what was sent before the question."""
        self._answered.set()
        self._in_loop(self._on_answer, time.monotonic())

    def _on_answer(self, at: float) -> None:
        self._courier.answered(at)
        self._send_pending()

    def typed(self) -> None:
        """Note, in the thread that reads, that somebody pressed a key or a button."""
        self._courier.link.typed(time.monotonic())

    def drained(self) -> None:
        """Note, in the writing thread, that the terminal has taken all."""
        if self._writer is not None and self._writer.pending:
            self._in_loop(self._send_pending)

    def _in_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the app has ended
                self._loop.call_soon_threadsafe(function, *arguments)
