from __future__ import annotations

import pytest

from console.model.views import Table, TableColumn
from console.ui import view_area
from tests.support import panels
from tests.support.pilot import driven, make_session

GONE = "muc1 just went away from under the cursor"


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(view_area, "time", made)
    return made


def session_of(names):
    def rows(snapshot, place, size):
        return Table((TableColumn("id", "name", list(names), weight=1),), list(names), title="ROWS")

    made = make_session()
    made.panels["fleet"] = rows
    return made


async def drop_the_first(console, names):
    del names[0]
    console.session.publish(panels.normal())
    await console.settle()
    console.main.want()  # the heartbeat would, a moment later
    await console.settle()


@pytest.mark.parametrize("key", ["y", "enter", "space", "d"])
async def test_a_key_for_a_row_that_just_went_away_is_not_taken_for_the_next_one(clock, key):
    names = ["muc1", "bcn1"]
    async with driven(session_of(names)) as console:
        await console.press("k")
        await drop_the_first(console, names)
        assert console.main.body.selected == "bcn1"
        await console.press(key)
        assert GONE in console.bar("breadcrumb")
        assert (console.place.path, console.place.marks, console.app.screen) == ("", frozenset(), console.main)


async def test_the_next_press_is_for_what_is_there_now(clock):
    names = ["muc1", "bcn1"]
    async with driven(session_of(names)) as console:
        await console.press("k")
        await drop_the_first(console, names)
        await console.press("y", "y")
        assert "copied bcn1" in console.bar("breadcrumb")


async def test_a_row_that_went_away_long_ago_was_seen_to_go(clock):
    names = ["muc1", "bcn1"]
    async with driven(session_of(names)) as console:
        await console.press("k")
        await drop_the_first(console, names)
        clock.now += view_area.SLIP_S + 0.1
        await console.press("y")
        assert "copied bcn1" in console.bar("breadcrumb")


async def test_moving_chooses_a_row_anew(clock):
    names = ["muc1", "bcn1", "osl1"]
    async with driven(session_of(names)) as console:
        await console.press("k")
        await drop_the_first(console, names)
        await console.press("j", "y")
        assert "copied osl1" in console.bar("breadcrumb")
