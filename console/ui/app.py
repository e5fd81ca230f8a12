"""The console's Textual application: colours, heartbeat, the terminal; what is shown is the screen's affair."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any, ClassVar

from console.model.errors import ConsoleError
from console.model.levels import Severity
from console.ui.glyphs import PlainLetters, glyphs_of_terminal
from console.ui.keys import key_map
from console.ui.main_screen import MainScreen
from console.ui.meters import Meters, counting
from console.ui.palette import Palette
from console.ui.theme_bridge import color_depth, plain_theme, textual_theme, variables
from console.ui.wire.hook import WiredApp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.binding import BindingType
    from textual.driver import Driver
    from textual.filter import LineFilter
    from textual.screen import Screen

    from console.config.themes import Theme
    from console.ui.setup import AppSetup

HEARTBEAT_S = 0.25

log = logging.getLogger("console.ui")


class ConsoleApp(WiredApp, inherit_bindings=False):
    """The console on a screen; `failure` is the fault that ended it, if one did."""

    CSS_PATH = "console.tcss"
    TITLE = "gigadeck"
    BINDINGS: ClassVar[list[BindingType]] = []
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, setup: AppSetup) -> None:
        # Before the base class: it takes NO_COLOR out of the environment.
        self._colors = setup.colors or color_depth()
        if not os.environ.get("NO_COLOR"):
            os.environ.pop("NO_COLOR", None)  # empty means colours (no-color.org); Textual takes it for a wish
        self._letters = (PlainLetters(),) if (setup.glyphs or glyphs_of_terminal()) == "ascii" else ()
        self._meters = Meters(HEARTBEAT_S)
        self._setup = setup
        self._themes: Mapping[str, Theme] = dict(setup.themes)
        self.failure: Exception | None = None
        super().__init__(setup.wire, ansi_color=self._colors in ("16", "none"))
        self._keys, key_faults = key_map(setup.keys, words=bool(self._letters))
        self._first_notices = (*setup.notices, *key_faults)
        self._chosen = self._first_theme(setup.theme)
        self.palette = Palette(self._chosen, self._colors)
        self._main = MainScreen(self, setup, self._keys, self.palette, self._meters)
        self._apply(self._chosen)

    def get_driver_class(self) -> type[Driver]:
        """Return the terminal's driver, counting what it writes."""
        return counting(super().get_driver_class(), self._meters)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what every line goes through before it is shown."""
        return (*super().get_line_filters(), *self._letters)

    def get_default_screen(self) -> Screen[Any]:
        """Return the one screen."""
        return self._main

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return a value for every variable of our stylesheets, whatever the theme lacks."""
        return variables()

    @property
    def main(self) -> MainScreen:
        """The one screen."""
        return self._main

    def on_mount(self) -> None:
        """Start the heartbeat; paint everything again after a suspension."""
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True), immediate=True)
        self.set_interval(HEARTBEAT_S, self._beat)
        for text in self._first_notices:
            self._main.notices.tell(text, self._setup.time(), Severity.WARNING)

    def _beat(self) -> None:
        self._meters.beat(time.monotonic())
        self._main.beat()

    # Colours

    def _first_theme(self, name: str) -> Theme:
        found = self._themes.get(name) or next(iter(self._themes.values()), None)
        if found is None or found.name != name:
            self._first_notices = (*self._first_notices, f"no theme named {name}")
        return found or plain_theme()

    def _apply(self, theme: Theme) -> None:
        converted = textual_theme(theme, self._colors)
        self.register_theme(converted)
        self.theme = converted.name

    def use_theme(self, name: str) -> None:
        """Change the theme; raises ConsoleError for an unknown name."""
        if name not in self._themes:
            raise ConsoleError(f"no theme named {name}; there are: {', '.join(self._themes)}")
        self._chosen = self._themes[name]
        self.palette = Palette(self._chosen, self._colors)
        self._apply(self._chosen)
        self._main.use_palette(self.palette)
        self.refresh_css(animate=False)

    def take_themes(self, themes: Mapping[str, Theme], faults: Sequence[object]) -> None:
        """Use the themes that were read again, and say what is wrong with the others."""
        self._themes = dict(themes) or self._themes
        self.use_theme(self._chosen.name if self._chosen.name in self._themes else next(iter(self._themes)))
        for fault in faults:
            self._main.tell(str(fault), Severity.WARNING)
        if not faults:
            self._main.tell(f"{len(self._themes)} themes read")

    @property
    def theme_names(self) -> tuple[str, ...]:
        """The themes there are."""
        return tuple(self._themes)

    # The terminal, and the end

    def write_to_terminal(self, sequence: str) -> None:
        """Write a control sequence of our own making."""
        if self._driver is not None:
            self._driver.write(sequence)
            self._driver.flush()

    def exit_from_signal(self, code: int) -> None:
        """Leave without asking; may be called from a signal handler."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: self.exit(return_code=code))

    async def action_quit(self) -> None:
        """Leave as `q` does."""
        self._main.leave()

    def _handle_exception(self, error: Exception) -> None:
        """Keep the fault for one message at the end; the traceback goes to the log."""
        if self.failure is None:
            self.failure = error
            log.error("the screen failed", exc_info=error)
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """End; Textual would first spell all locals out: those of a million GPUs take a minute and 1 GB."""
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        """Print nothing: `run_app` says it in one line."""
        self._exit_renderables.clear()
