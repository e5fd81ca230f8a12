"""The part of the screen where lines are written: commands, filters, words; the mode tells what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from console.model.errors import ConsoleError
from console.ui.command_bar import CommandMode
from console.ui.filter_bar import FilterMode
from console.ui.filter_check import filter_fault
from console.ui.knowing import known_here
from console.ui.line_bar import LineBar
from console.ui.prompt import Prompt
from console.ui.reaching_screen import ReachingScreen
from console.ui.saved_views import SavedViews
from console.ui.saying import SayMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.errors import ExpressionError
    from console.ui.commands import Known
    from console.ui.keys import KeyMap
    from console.ui.meters import Meters
    from console.ui.palette import Palette
    from console.ui.prompt import Mode
    from console.ui.setup import AppSetup
    from console.ui.stage import Host


class PromptingScreen(ReachingScreen):
    """A screen with a prompt in place of its two lowest lines; `written` gets commands and filters."""

    def __init__(self, host: Host, setup: AppSetup, keys: KeyMap, palette: Palette, meters: Meters) -> None:
        super().__init__(setup, keys, palette, meters)
        self._host = host
        self.saved = SavedViews(setup.state_folder)

    def written(self, mode: Mode, value: str) -> None:
        """Take a command or a filter that was written."""

    def write_command(self) -> None:
        """Open the command bar."""
        self._open_prompt(CommandMode(self.known))

    def write_filter(self) -> None:
        """Open the filter bar with the filter of the place."""
        self._open_prompt(FilterMode(self._judge, self.known), self.trail.here.place.where)

    def write_words(self, mode: SayMode) -> None:
        """Open the prompt for some words."""
        self._open_prompt(mode)

    def _open_prompt(self, mode: Mode, value: str = "") -> None:
        self._frame_shown(False)
        self.query_one(Prompt).open(mode, value)

    def _frame_shown(self, shown: bool) -> None:
        """Show the two lowest lines, or leave their place to the prompt."""
        for name in ("#breadcrumb", "#footer"):
            self.query_one(name, LineBar).display = shown

    def _judge(self, text: str) -> ExpressionError | None:
        shown = self.shown
        return filter_fault(text, shown.frame, self.trail.here.place.path) if shown else None

    @on(Prompt.Closed)
    def close_prompt(self) -> None:
        """Put the prompt away."""
        self.query_one(Prompt).close()
        self._frame_shown(True)
        self.set_focus(self.body)
        self.paint_frame()

    @on(Prompt.Submitted)
    def _submitted(self, event: Prompt.Submitted) -> None:
        self.close_prompt()
        self.touched()
        if isinstance(event.mode, SayMode):
            event.mode.take(event.value)
        else:
            self.written(event.mode, event.value)

    def known(self) -> Known:
        """Return what commands may name."""
        shown = self.shown
        names = (self.panel_ids, self._host.theme_names, self._saved_names())
        return known_here(shown.frame if shown else None, self.view, self.setup.metrics, *names)

    def _saved_names(self) -> Sequence[str]:
        """Return the names of views: the user's own and those that are shared."""
        shared = [view.name for view in self.shown.views] if self.shown else []
        try:
            own = self.saved.names()
        except ConsoleError:
            own = ()
        return tuple(sorted({*own, *shared}))
