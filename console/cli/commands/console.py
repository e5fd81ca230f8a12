"""The console itself: joins a fleet to the screen."""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING

from console.cli.exits import Exit

if TYPE_CHECKING:
    from console.cli.options import Choice, Link
    from console.config.settings import Settings
    from console.ui.glyphs import Glyphs
    from console.ui.setup import AppSetup
    from console.ui.wire.drain import WireSettings
    from console.wiring import Demo, Fleet

UNABLE = "dumb"


def has_terminal() -> bool:
    """Return whether there is a terminal to draw on and to read keys from."""
    return all(_is_terminal(stream) for stream in (sys.stdin, sys.stdout, sys.stderr))


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def open_console(choice: Choice, demo: Demo | None = None, link: Link | None = None) -> int:
    """Show a fleet until the user quits and return the exit code; without a terminal it prints one status."""
    from console.wiring import open_fleet

    if not has_terminal():
        return print_status(choice, demo)
    if os.environ.get("TERM") == UNABLE:
        sys.stderr.write("gigadeck: TERM=dumb has no cursor to draw with; this is one status. Try TERM=xterm\n")
        return print_status(choice, demo)
    from console.cli.opening import set_up_logging

    set_up_logging(choice, quiet=True)
    fleet = open_fleet(
        choice.fleet, sites=choice.sites, read_only=choice.read_only, demo=demo, keep_journal=True, with_memory=True
    )
    from console.cli.interpreter import keep_pauses_short
    from console.ui.run import run_app

    keep_pauses_short(fleet.session)
    return run_app(app_setup(fleet, link, choice))


def app_setup(fleet: Fleet, link: Link | None = None, choice: Choice | None = None) -> AppSetup:
    """Return what the screen is built from: the fleet, the panels, the themes and the user's settings."""
    from console.cli.shells import FleetShells
    from console.config.person import user_name
    from console.config.places import state_dir
    from console.ui.setup import DEFAULT_THEME, AppSetup, PanelInfo
    from console.wiring import all_themes, user_settings

    themes, theme_faults = all_themes(anew=False)
    settings, setting_faults = user_settings()
    broken = [f"plugin {info.id}: {info.reason}" for info in fleet.host.plugins if info.state == "failed"]
    return AppSetup(
        session=fleet.session,
        panels=[PanelInfo(info.id, info.title, info.key) for info in fleet.panels],
        themes=themes,
        metrics=fleet.metrics,
        fleet_name=fleet.name,
        environment=fleet.environment,
        read_only=fleet.read_only,
        theme=settings.theme or DEFAULT_THEME,
        user=user_name(),
        utc=settings.clock != "site",
        keys=settings.keys,
        notices=[*broken, *map(str, theme_faults), *map(str, setting_faults)],
        reload_themes=all_themes,
        state_folder=state_dir(),
        glyphs=_glyphs(settings),
        wire=_wire(settings, link),
        open_shell=FleetShells(fleet, choice, settings.shell).prepare,
        sign_in=fleet.session.sign_in,
    )


def _glyphs(settings: Settings) -> Glyphs | None:
    """Return the glyphs that the user chose, None to leave it to the terminal's environment."""
    return "ascii" if settings.glyphs == "ascii" else "unicode" if settings.glyphs == "unicode" else None


def _wire(settings: Settings, link: Link | None) -> WireSettings:
    """Return the limits of what is sent to the terminal: what the command line says, else the settings."""
    from console.ui.wire.drain import WireSettings

    fps = link.fps if link else None
    bandwidth = link.bandwidth_bytes_per_s if link else None
    return WireSettings(
        fps=settings.fps if fps is None else fps,
        bandwidth_bytes_per_s=settings.bandwidth_bytes_per_s if bandwidth is None else bandwidth,
    )


def print_status(choice: Choice, demo: Demo | None) -> int:
    """Print one status of the sites, for a run without a terminal."""
    from console.cli.commands.status import write_status
    from console.cli.opening import running, settled
    from console.cli.options import Shape
    from console.wiring import open_fleet

    shape = Shape("table", (), "", "", 0, "", header=True, color=False, strict=False)
    fleet = open_fleet(
        choice.fleet,
        sites=choice.sites,
        read_only=choice.read_only,
        demo=demo,
        with_plugins=False,
        first_word=False,
    )
    with running(fleet, choice):
        write_status(settled(fleet, choice), shape, level="site", by="")
    return Exit.DONE
