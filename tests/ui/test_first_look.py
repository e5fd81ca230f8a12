from __future__ import annotations

from dataclasses import replace

from console.model.views import Part, Split, Table, TableColumn
from tests.support import panels
from tests.support.fake_session import listing
from tests.support.pilot import driven, make_session


def table(title, ids):
    return Table((TableColumn("id", "name", ids, width=8, weight=1),), ids, title=title)


def cursor_line(console):
    return next((line for line in console.screen().splitlines() if "▸" in line), "")


class Growing:
    """Sites, and incidents that arrive."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def __call__(self, snapshot, place, size):
        wrong, sites = table("INCIDENTS", list(self.wrong)), table("SITES", ["muc1", "hel1"])
        focus = 0 if self.wrong else 1
        return Split((Part(wrong, fixed=2 + max(1, len(self.wrong))), Part(sites)), focus=focus)


async def bring(console, number):
    console.session.publish(replace(panels.normal(), seq=number))
    console.main._asked_at -= 1
    await console.settle()
    console.main.want()
    await console.settle()


async def test_until_the_first_key_the_cursor_is_on_the_worst_incident():
    panel = Growing()
    async with driven(make_session(fleet=panel)) as console:
        assert "muc1" in cursor_line(console)
        panel.wrong = ["late"]
        await bring(console, 11)
        assert "late" in cursor_line(console)
        panel.wrong = ["worse", "late"]
        await bring(console, 12)
        assert "worse" in cursor_line(console)
        await console.press("j")
        assert "late" in cursor_line(console)
        panel.wrong = ["worst", "worse", "late"]
        await bring(console, 13)
        assert "late" in cursor_line(console)


async def test_the_row_of_another_panel_puts_the_cursor_in_the_main_part_alone():
    def checks(snapshot, place, size):
        return Split((Part(table("CHECKS", ["check:hot", "check:xid"])), Part(table("BY SITE", ["bcn1", "muc1"]))))

    async with driven(make_session(fleet=listing, checks=checks)) as console:
        await console.press("j")
        assert console.place.selected == "bcn1"
        await console.press("3")
        assert "check:hot" in cursor_line(console)
        await console.press("tab", "j")
        assert "muc1" in cursor_line(console)
        await console.press("1", "3")
        assert "muc1" in cursor_line(console)


async def test_the_help_says_once_that_it_can_be_searched():
    async with driven() as console:
        await console.press("question_mark")
        assert console.screen().count("type to search") == 1
        assert "│ type to search" in console.screen()
