from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from console.model.disagreements import Disagreement, Disagreements, Statement
from console.model.levels import Severity
from console.ui.setup import PanelInfo
from tests.support import panels
from tests.support.fake_session import listing
from tests.support.pilot import PANELS, driven, make_session

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

PANEL = PanelInfo("disagreements", "Disagreements", "6")
NODE = "muc1/h1/r001/n0001"


def console() -> AbstractAsyncContextManager[Any]:
    """Return the console on two sites with the real panel, one node of which is disputed and one idles lately."""
    now = panels.NOW
    voices = (
        Statement("slurm", "IDLE+DRAIN", panels.NOW),
        Statement("kubernetes", "Ready", panels.NOW - 400, stale=True),
    )
    rows = (
        Disagreement("drained-elsewhere", "muc1", NODE, Severity.WARNING, "slurm: IDLE+DRAIN", now - 60, voices),
        Disagreement("allocated-idle-lately", "muc1", "muc1/h1/r001/n0002", Severity.INFO, "idle", now - 90, voices),
    )
    found = Disagreements(
        rows, {"drained-elsewhere": 1, "allocated-idle-lately": 1}, 8, 0, panels.NOW, (("muc1", 1, 0),)
    )
    snapshot = dataclasses.replace(panels.normal(), disagreements=found)
    session = make_session(snapshot=snapshot, disagreements=panels.load_panel("disagreements").view, drilldown=listing)
    return driven(session, (120, 40), panels=(*PANELS, PANEL))


async def test_six_shows_the_disagreements_and_the_voices_of_the_one_under_the_cursor() -> None:
    async with console() as shown:
        await shown.press("6")
        screen = shown.screen()
        assert "DISAGREEMENTS" in screen
        assert "drained-elsewhere" in screen
        assert "STALE" in screen


async def test_enter_goes_to_the_node() -> None:
    async with console() as shown:
        await shown.press("6", "enter")
        assert (shown.panel, shown.place.path) == ("drilldown", NODE)


async def test_only_what_is_wrong() -> None:
    async with console() as shown:
        await shown.press("6")
        assert "n0002" in shown.screen()
        await shown.press("exclamation_mark")
        assert "n0002" not in shown.screen()


async def test_the_filter_bar_takes_a_filter_over_nodes() -> None:
    async with console() as shown:
        await shown.press("6")
        await shown.press("slash")
        await shown.write('node == "n0002"')
        await shown.press("enter")
        assert (shown.panel, shown.place.where) == ("disagreements", 'node == "n0002"')
        assert "n0001" not in shown.screen()
