"""What keys and commands need of the screen; the screen satisfies it, so that neither has to know the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from console.model.levels import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from console.config.themes import Theme
    from console.model.snapshot import Snapshot
    from console.model.views import Line, View
    from console.ui.commands import Known
    from console.ui.keys import KeyMap
    from console.ui.meters import Meters
    from console.ui.notices import Notices
    from console.ui.places import Stop, Trail
    from console.ui.remembering import Remembering
    from console.ui.saved_views import SavedViews
    from console.ui.setup import AppSetup
    from console.ui.view_area import ViewArea


class Host(Protocol):
    """What the screen needs of the application."""

    def write_to_terminal(self, sequence: str) -> None:
        """Write a control sequence of our own making."""
        ...

    def use_theme(self, name: str) -> None:
        """Change the theme; raises ConsoleError."""
        ...

    def take_themes(self, themes: Mapping[str, Theme], faults: Sequence[object]) -> None:
        """Use the themes that were read again, and say what is wrong with the others."""
        ...

    @property
    def theme_names(self) -> tuple[str, ...]:
        """The themes there are."""
        ...


class Stage(Protocol):
    """The screen as keys and commands see it."""

    setup: AppSetup
    keys: KeyMap
    trail: Trail
    notices: Notices
    meters: Meters
    saved: SavedViews
    remembering: Remembering

    @property
    def shown(self) -> Snapshot | None:
        """The snapshot that is on the screen."""
        ...

    @property
    def view(self) -> View | None:
        """The panel's view that is on the screen."""
        ...

    @property
    def body(self) -> ViewArea:
        """The widget that shows it."""
        ...

    @property
    def arriving(self) -> bool:
        """Whether the view on the screen is still that of another place."""
        ...

    @property
    def works(self) -> frozenset[str]:
        """The ids of the actions that do something here."""
        ...

    @property
    def panel_ids(self) -> tuple[str, ...]:
        """The panels in order."""
        ...

    def go(self, stop: Stop) -> None:
        """Show another stop, and remember this one."""
        ...

    def look(self, stop: Stop) -> None:
        """Look in another way at this stop."""
        ...

    def retrace(self) -> None:
        """Show what the trail says is here now."""
        ...

    def tell(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Say something in one line."""
        ...

    def freeze(self) -> None:
        """Freeze the screen, or let it run again."""
        ...

    def set_utc(self, utc: bool) -> None:
        """Show UTC, or the site's time."""
        ...

    def write_command(self) -> None:
        """Open the command bar."""
        ...

    def write_filter(self) -> None:
        """Open the filter bar."""
        ...

    def read_help(self) -> None:
        """Open the help."""
        ...

    def read(self, title: str, lines: Sequence[Line]) -> None:
        """Show lines on a sheet."""
        ...

    def read_record(self, row_id: str) -> None:
        """Show what each voice says of something on a sheet."""
        ...

    def ask_why(self, row_id: str) -> None:
        """Show what happened to something on a sheet."""
        ...

    def open_shell(self, address: str) -> None:
        """Open a shell on the node at an address."""
        ...

    def log_in(self, site: str) -> None:
        """Log in to a site's jump hosts, asking what they ask."""
        ...

    def follow_logs(self, row_id: str) -> None:
        """Follow the logs of something on a sheet."""
        ...

    def choose(self, title: str, choices: Sequence[tuple[str, str]], present: str, take: Callable[[str], None]) -> None:
        """Let the user choose one of (value, words); `take` gets the value unless the user leaves."""
        ...

    def copy(self, text: str) -> None:
        """Copy through the terminal."""
        ...

    def set_theme(self, name: str) -> None:
        """Change the theme."""
        ...

    def reload_themes(self) -> None:
        """Read the theme files again."""
        ...

    def known(self) -> Known:
        """Return what commands may name."""
        ...

    def open_palette(self) -> None:
        """Open the palette of everything that can be done."""
        ...

    def suspend(self) -> None:
        """Go back to the shell for a while."""
        ...

    def leave(self) -> None:
        """Quit; asks where something still runs here."""
        ...
