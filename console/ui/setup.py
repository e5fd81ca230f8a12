"""What the console's screen is built from: plain values that the command line fills in."""

from __future__ import annotations

import time
from dataclasses import field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from console.model.values import dataclass
from console.ui.wire.drain import WireSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Any

    from console.config.themes import Theme
    from console.engine.log_stream import LogStream
    from console.model.incidents import Deed
    from console.model.metrics import MetricTable
    from console.model.place import Place, Size
    from console.model.ports import Question
    from console.model.snapshot import Snapshot
    from console.model.views import View
    from console.model.voices import VoiceRecord
    from console.ui.glyphs import Glyphs
    from console.ui.palette import Colors

DEFAULT_THEME = "dark"


class SessionLike(Protocol):
    """The part of `console.engine.session.Session` that the screen uses; no method but `close` may block."""

    def start(self) -> None:
        """Start the engine's threads."""
        ...

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop everything within `timeout_s`."""
        ...

    def latest(self) -> Snapshot | None:
        """Return the newest snapshot."""
        ...

    def subscribe(self, callback: Callable[[Snapshot], object]) -> Callable[[], None]:
        """Call back with each snapshot on another thread; return what ends it."""
        ...

    def view(
        self, panel_id: str, place: Place, size: Size, *, requester: str = "", snapshot: Snapshot | None = None
    ) -> Future[View]:
        """Return a panel's view to come."""
        ...

    def run(self, function: Callable[[], Any], *, key: Any = None) -> Future[Any]:
        """Run a short function on the compute thread."""
        ...

    def records(self, row_id: str) -> Mapping[str, Future[VoiceRecord]]:
        """Ask the voices for their records of an object; return each answer to come, by source."""
        ...

    def follow(self, row_id: str) -> LogStream:
        """Follow the logs of an object."""
        ...

    def keep(self, deed: Deed) -> Future[str]:
        """Keep what a person does; return, when that is kept for good, what it came to."""
        ...

    def refresh(self, site: str = "", source: str = "") -> None:
        """Read the matching sources now."""
        ...

    def focus(self, path: str) -> None:
        """Tell the engine where the user looks."""
        ...

    def statistics(self) -> dict[str, dict[str, float]]:
        """Return the engine's own health by part."""
        ...


@dataclass(frozen=True, slots=True)
class PanelInfo:
    """One panel as the screen knows it; `key` is the digit that opens it, empty where there is none."""

    id: str
    title: str
    key: str = ""


Asks: TypeAlias = "Callable[[Question], Future[str | None]]"
ThemesAndFaults = tuple["Mapping[str, Theme]", "Sequence[object]"]


@dataclass(frozen=True, eq=False)
class AppSetup:
    """Everything that the screen needs.

    `session` is not started yet: the screen starts it after its first paint and `run_app` closes it. `themes` are by
    name, `theme` is the one to begin with. `reload_themes` reads the theme files again and returns (themes, faults);
    None: they cannot be read again. `keys` maps action ids to keys (`{"quit": ["Q"]}`), `notices` are told once at the
    start (broken themes, plugins, settings), `state_folder` is where saved views are kept (None: nowhere). `user` is
    who is shown in the header. `utc` chooses UTC, else the sites' own time. `work_running` says in words what still
    runs here and would be lost by quitting; empty: nothing. `open_shell` takes site and node and returns what runs the
    shell on the bare terminal, None where it was opened elsewhere (called in a thread of its own; ConsoleError where it
    cannot be). `sign_in` logs in to a site, asking the user what it is asked. `colors` and `glyphs` are those of the
    terminal (None: as its environment tells), `wire` limits what is sent to it. `time` returns UTC epoch seconds.
    """

    session: SessionLike
    panels: Sequence[PanelInfo]
    themes: Mapping[str, Theme]
    metrics: MetricTable
    fleet_name: str
    environment: str = ""
    read_only: bool = False
    theme: str = DEFAULT_THEME
    user: str = ""
    utc: bool = True
    keys: Mapping[str, Sequence[str] | str] = field(default_factory=dict)
    notices: Sequence[str] = ()
    reload_themes: Callable[[], ThemesAndFaults] | None = None
    state_folder: Path | None = None
    work_running: Callable[[], str] = lambda: ""
    open_shell: Callable[[str, str], Callable[[], int] | None] | None = None
    sign_in: Callable[[str, Asks], Future[str]] | None = None
    colors: Colors | None = None
    glyphs: Glyphs | None = None
    wire: WireSettings = field(default_factory=WireSettings)
    time: Callable[[], float] = time.time
