"""Runs the console under Textual's pilot on a fake session, and reads its screen as text."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.config.themes import load_themes
from console.model.builtin_metrics import BUILTIN
from console.ui.app import ConsoleApp
from console.ui.setup import AppSetup, PanelInfo
from tests.support import panels
from tests.support.fake_session import FakeSession, broken, listing, states

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

ROOT = Path(__file__).resolve().parents[2]
PANELS = (
    PanelInfo("fleet", "Fleet", "1"),
    PanelInfo("drilldown", "Drill down", "2"),
    PanelInfo("checks", "Checks", "3"),
    PanelInfo("broken", "Broken", "4"),
)


class Clock:
    """The user's clock, moved by the test."""

    def __init__(self) -> None:
        self.now = panels.NOW + 1

    def __call__(self) -> float:
        return self.now


def make_setup(session: FakeSession | None = None, **more: Any) -> AppSetup:
    """Return a console of two sites: a listing twice, rows that are no objects, a panel that fails."""
    themes, _ = load_themes([ROOT / "themes"])
    chosen: dict[str, Any] = {
        "panels": PANELS,
        "themes": themes,
        "metrics": BUILTIN,
        "fleet_name": "europe",
        "environment": "production",
        "user": "sre07",
        "time": Clock(),
        "colors": "true",
        "glyphs": "unicode",
        **more,
    }
    return AppSetup(session=session or make_session(), **chosen)


def make_session(**more: Any) -> FakeSession:
    makers = {"fleet": listing, "drilldown": listing, "checks": states, "broken": broken}
    return FakeSession(more.pop("snapshot", panels.normal()), {**makers, **more})


class Driven:
    """The console and its pilot."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[Any], session: FakeSession) -> None:
        self.app = app
        self.pilot = pilot
        self.session = session

    @property
    def main(self) -> Any:
        return self.app.main

    @property
    def place(self) -> Any:
        return self.main.trail.here.place

    @property
    def panel(self) -> str:
        return self.main.trail.here.panel

    async def settle(self) -> None:
        """Wait until every message that is on its way has been handled."""
        for _ in range(2):
            await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def write(self, text: str) -> None:
        await self.press(*(NAMES.get(char, char) for char in text))

    def screen(self, which: Any = None) -> str:
        """Return the rendered screen as lines of text."""
        lines = (which or self.app.screen)._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line) for line in lines)

    def bar(self, name: str) -> str:
        return self.main.query_one(f"#{name}").plain


NAMES = {" ": "space", ":": "colon", "/": "slash", "_": "underscore", ">": "greater_than_sign", "=": "equals_sign"}


@contextlib.asynccontextmanager
async def driven(
    session: FakeSession | None = None, size: tuple[int, int] = (80, 24), **more: Any
) -> AsyncIterator[Driven]:
    """Yield the console, running and settled."""
    found = session or make_session()
    app = ConsoleApp(make_setup(found, **more))
    async with app.run_test(size=size) as pilot:
        console = Driven(app, pilot, found)
        await console.settle()
        yield console
