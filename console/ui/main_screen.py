"""The half of the screen that listens: keys, mouse, the prompt, sheets; the stage on which deeds and orders act."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from textual import on

from console.model.errors import ConsoleError
from console.model.levels import Severity
from console.model.views import Span
from console.present.safe import clean
from console.ui.clipboard import copy_sequence
from console.ui.deeds import Deeds
from console.ui.feed import Answered
from console.ui.help import help_lines
from console.ui.keys import spelling
from console.ui.line_bar import LineBar
from console.ui.listening import Listening
from console.ui.orders import Orders
from console.ui.palette_provider import entries
from console.ui.prompt import Prompt
from console.ui.prompting import PromptingScreen
from console.ui.remembering import Remembering
from console.ui.sheets import Chooser, Reader, Sheet
from console.ui.view_area import ViewArea
from console.ui.why import why_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events

    from console.model.views import Line, Text
    from console.ui.keys import KeyMap
    from console.ui.meters import Meters
    from console.ui.palette import Palette
    from console.ui.places import Stop
    from console.ui.prompt import Mode
    from console.ui.setup import AppSetup, ThemesAndFaults
    from console.ui.stage import Host

FOLLOW_EVERY_S = 0.25


class MainScreen(PromptingScreen):
    """The one screen; sheets lie over it."""

    def __init__(self, host: Host, setup: AppSetup, keys: KeyMap, palette: Palette, meters: Meters) -> None:
        super().__init__(host, setup, keys, palette, meters)
        self._following = False
        self._followed_at = -FOLLOW_EVERY_S
        self.remembering = Remembering(self)
        self._deeds = Deeds(self)
        self._orders = Orders(self)
        self._listening = Listening(setup, self.feed, lambda sheet: self.app.push_screen(sheet))

    # Keys and mouse

    def on_key(self, event: events.Key) -> None:
        """Do what the key map says; a key typed ahead goes to the prompt or sheet that opened meanwhile."""
        self.touched()
        prompt, top = self.query_one(Prompt), self.app.screen
        if top is self and prompt.is_open and not prompt.take(event.key, event.character):
            return  # an editing key: the focused text's own bindings take it
        event.stop()
        event.prevent_default()
        if isinstance(top, Sheet):
            top.take(event.key, event.character)
        if top is not self or prompt.is_open:
            return
        action = self.keys.of(spelling(event.key, event.character))
        if action is not None:
            self._deeds.do(action)

    def on_mouse_down(self) -> None:
        """Take note that the user is there."""
        self.touched()

    def do(self, action_id: str) -> None:
        """Do an action by its id."""
        self._deeds.do(self.keys[action_id])

    def order(self, line: str) -> None:
        """Run a line of the command bar."""
        self._orders.run(line)

    @on(ViewArea.Selected)
    def _selected(self, event: ViewArea.Selected) -> None:
        event.stop()
        here = self.trail.here
        if self.view is not None and not self.arriving and event.id != here.place.selected:
            self.trail.adjust(here.at(selected=event.id))
            self._follow_soon()

    def _follow_soon(self) -> None:
        """Follow the cursor when it is painted; while it runs, only so often: each key comes first."""
        if self._following:
            return
        self._following = True
        rest_s = self._followed_at + FOLLOW_EVERY_S - time.monotonic()
        if rest_s <= 0:
            self.call_after_refresh(self._follow)
        else:
            self.set_timer(rest_s, self._follow)

    def _follow(self) -> None:
        """Show what belongs to the row under the cursor."""
        self._following = False
        self._followed_at = time.monotonic()
        if not self.query(ViewArea):
            return  # the screen is being taken down
        self.want()
        self.paint_frame()

    @on(ViewArea.Entered)
    def _entered(self, event: ViewArea.Entered) -> None:
        event.stop()
        self.touched()
        self._deeds.enter(event.id)

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.settle()

    # Moving

    def go(self, stop: Stop) -> None:
        """Show another stop, and remember this one."""
        self.trail.go(stop)
        self.retrace()

    def look(self, stop: Stop) -> None:
        """Look in another way at this stop."""
        self.trail.adjust(stop)
        self.retrace()

    def retrace(self) -> None:
        """Show what the trail says is here now."""
        self.setup.session.focus(self.trail.here.place.path)
        self.refollow_marks()
        self.want()
        self.paint_frame()

    def freeze(self) -> None:
        """Freeze the screen, or let it run again."""
        if self.newest is None:
            self.tell("there is nothing to freeze yet")
            return
        self.frozen = None if self.frozen is not None else self.shown or self.newest
        self.tell("frozen; the engine reads on" if self.frozen else "running again")
        self.want()

    def set_utc(self, utc: bool) -> None:
        """Show UTC, or the site's time."""
        self.look(self.trail.here.at(utc=utc))

    def written(self, mode: Mode, value: str) -> None:
        """Run a command, or filter."""
        if mode.name == "filter":
            self._orders.filter(value)
        else:
            self._orders.run(value)

    # Sheets

    def read_help(self) -> None:
        """Open the help."""
        lines = help_lines(self.keys, self.setup.panels)
        self.app.push_screen(Reader("help", lines, self.palette, search=True))

    def read(self, title: str, lines: Sequence[Line]) -> None:
        """Show lines on a sheet."""
        self.app.push_screen(Reader(title, lines, self.palette))

    def read_record(self, row_id: str) -> None:
        """Show what each voice says of something on a sheet, and then their own records as they come."""
        shown = self.shown
        if shown is None or not row_id:
            self.tell("nothing is under the cursor")
            return
        self._listening.read(shown, row_id, self.palette)

    def follow_logs(self, row_id: str) -> None:
        """Follow the logs of something on a sheet."""
        self._listening.follow(row_id, self.palette)

    def ask_why(self, row_id: str) -> None:
        """Show what happened to something on a sheet: a time line and one suspect."""
        shown = self.shown
        if shown is None or not row_id:
            self.tell("nothing is under the cursor")
            return
        self._read_made(f"why {row_id}", "why", lambda: why_of(shown, row_id))

    def _read_made(self, title: str, what: str, make: Callable[[], Text]) -> None:
        """Show a text on a sheet; it is put together off the screen's loop."""
        sheet = Reader(clean(title, 120), (), self.palette)
        self.app.push_screen(sheet)

        def take(text: Text | None, error: BaseException | None) -> None:
            told = f"the {what} cannot be shown: {clean(str(error), 300)}"
            sheet.set_lines(text.lines if text is not None else ((Span(told, "state.warning"),),))

        self.feed.ask(self.setup.session.run(make, key=what), take)

    def choose(self, title: str, choices: Sequence[tuple[str, str]], present: str, take: Callable[[str], None]) -> None:
        """Let the user choose one; `take` gets the value unless the user leaves."""

        def taken(value: str | None) -> None:
            self.touched()
            if value:
                take(value)

        self.app.push_screen(Chooser(title, choices, self.palette, present), taken)

    # The terminal and the app

    def copy(self, text: str) -> None:
        """Copy through the terminal."""
        if not text:
            self.tell("nothing is under the cursor")
            return
        try:
            self._host.write_to_terminal(copy_sequence(text, os.environ))
        except ValueError as error:
            self.tell(str(error), Severity.WARNING)
        else:
            self.tell(f"copied {text}")

    def open_palette(self) -> None:
        """Open the palette of everything that can be done."""
        found = {entry.name: entry for entry in entries(self.keys, self.setup.panels, self._host.theme_names)}

        def take(name: str) -> None:
            entry = found[name]
            self.do(entry.action_id) if entry.action_id else self.order(entry.line)

        self.choose("everything that can be done", [(name, each.about) for name, each in found.items()], "", take)

    def leave(self) -> None:
        """Quit; asks where something still runs here."""
        running = self.setup.work_running()
        if not running:
            self.app.exit()
            return
        choices = (("stay", "go on"), ("quit", f"leave all the same: {running}"))
        self.choose(f"{running}", choices, "stay", lambda value: self.app.exit() if value == "quit" else None)

    def set_theme(self, name: str) -> None:
        """Change the theme."""
        self._host.use_theme(name)

    def reload_themes(self) -> None:
        """Read the theme files again, off the screen's loop."""
        if self.setup.reload_themes is None:
            raise ConsoleError("the themes of this console cannot be read again")
        future = self.setup.session.run(self.setup.reload_themes, key="themes")

        def take(read: ThemesAndFaults | None, error: BaseException | None) -> None:
            if read is None:
                self.tell(f"the themes cannot be read: {error}", Severity.WARNING)
            else:
                self._host.take_themes(*read)

        self.feed.ask(future, take)

    def use_palette(self, palette: Palette) -> None:
        """Draw everything in other colours."""
        self.palette = palette
        for bar in self.query(LineBar):
            bar.set_palette(palette)
        self.query_one(Prompt).set_palette(palette)
        self.body.set_palette(palette)
        self.want()
