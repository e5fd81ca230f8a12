from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from console.ui.app import ConsoleApp
from console.ui.setup import PanelInfo
from tests.support import panels
from tests.support.fake_session import FakeSession
from tests.support.pilot import make_setup

if TYPE_CHECKING:
    from textual.pilot import Pilot

pytestmark = [
    pytest.mark.picture,
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="pictures are made on Python 3.11 alone"),
]
NAMES = ("fleet", "drilldown", "checks", "sources")


def app(theme: str) -> ConsoleApp:
    """Return the console with the built-in panels on two sites, one GPU hot, eight gone, one source failing."""
    infos = tuple(PanelInfo(name, name.title(), str(number + 1)) for number, name in enumerate(NAMES))
    session = FakeSession(panels.normal(), {name: panels.load_panel(name).view for name in NAMES})
    return ConsoleApp(make_setup(session, panels=infos, theme=theme, read_only=True))


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=["80x24", "200x50"])
@pytest.mark.parametrize("number", range(4), ids=NAMES)
def test_panels_in_the_dark_theme(snap_compare: Any, number: int, size: tuple[int, int]) -> None:
    async def show(pilot: Pilot[None]) -> None:
        await pilot.press(str(number + 1))
        await pilot.pause()

    assert snap_compare(app("dark"), terminal_size=size, run_before=show)


def test_the_fleet_in_the_light_theme(snap_compare: Any) -> None:
    assert snap_compare(app("light"), terminal_size=(80, 24))
