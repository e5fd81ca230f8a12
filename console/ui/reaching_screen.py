"""The part of the screen that leaves it for a while (shells, suspension) or asks on it (logins)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from console.ui.reaching import Asked, Asker, Reaching, give
from console.ui.viewing import Viewing

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.ui.keys import KeyMap
    from console.ui.meters import Meters
    from console.ui.palette import Palette
    from console.ui.setup import AppSetup


class ReachingScreen(Viewing):
    """A screen that can give the terminal away and come back whole."""

    def __init__(self, setup: AppSetup, keys: KeyMap, palette: Palette, meters: Meters) -> None:
        super().__init__(setup, keys, palette, meters)
        self._reaching = Reaching(setup, self.feed, self.tell, self._lend)

    def open_shell(self, address: str) -> None:
        """Open a shell on the node at an address."""
        self._reaching.shell(self.shown.frame if self.shown else None, address)

    def log_in(self, site: str) -> None:
        """Log in to a site's jump hosts, asking what they ask."""
        self._reaching.login(site)

    @on(Asked)
    def _asked(self, event: Asked) -> None:
        event.stop()
        self.app.push_screen(Asker(event.question, self.palette), lambda text: give(event.answer, text))

    def _lend(self, run: Callable[[], int]) -> int:
        """Let something have the bare terminal; the screen is painted whole afterwards."""
        with self.app.suspend():
            code = run()
        self.meters.rest()
        return code

    def suspend(self) -> None:
        """Go back to the shell for a while."""
        self.app.action_suspend_process()
