from __future__ import annotations

import pytest

from console.ui.commands import COMMANDS
from tests.support.pilot import driven


async def run(console, line):
    console.main.order(line)
    await console.settle()


async def test_a_command_is_written_completed_and_run():
    async with driven() as console:
        await console.press("colon")
        await console.write("got")
        await console.press("tab", "space", "m", "tab")
        prompt = console.main.query_one("#prompt")
        assert prompt.value == "goto muc1"
        await console.press("slash", "tab")
        assert prompt.value == "goto muc1/h"
        await console.press("tab", "tab")
        assert prompt.value == "goto muc1/h2"
        assert "go to an address" in prompt.hint_text
        await console.press("enter")
        assert not prompt.is_open
        assert (console.panel, console.place.path) == ("drilldown", "muc1/h2")
        await console.press("colon", "up")
        assert prompt.value == "goto muc1/h2"


async def test_leaving_the_command_bar_changes_nothing():
    async with driven() as console:
        await console.press("colon", "q", "u", "i", "escape")
        assert console.app.is_running
        assert not console.main.query_one("#prompt").is_open
        assert "1 Fleet" in console.bar("breadcrumb")
        await console.press("j")
        assert console.place.selected == "bcn1"


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("goto muc1/h1/r002/n0006/g3", "muc1/h1/r002/n0006/g3"),
        ("goto GPU-00000000-0000-002c-0000-000000000001", "muc1/h1/r002/n0006/g3"),
        ("site bcn1", "bcn1"),
    ],
)
async def test_going_to_an_object(line, path):
    async with driven() as console:
        await run(console, line)
        assert console.place.path == path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("goto n0006", "muc1/h1/r002/n0006, bcn1/h1/r002/n0006"),
        ("goto nowhere", "nowhere: not known here"),
        ("site x", "no site named x; there are: muc1, bcn1"),
        ("metric temp", "did you mean temp_c"),
        ("by x", "no domain named x; there are: cdu"),
        ("sort live", "no column named live; there are: id, temp"),
        ("cells x", "no level named x"),
        ("theme x", "no theme named x"),
        ("theme", "cannot be read again"),
        ("view show a", "write :view open NAME"),
        ("view open a", "no view named a"),
        ("filter temp_c >", "column"),
        ("gotooo x", "no command :gotooo"),
    ],
)
async def test_a_fault_is_one_line(line, said):
    async with driven(size=(160, 24)) as console:
        await run(console, line)
        assert said in console.bar("breadcrumb")


async def test_ways_of_looking():
    async with driven() as console:
        for line in ("metric temp_c_max", "by cdu", "sort -temp", "wrong", "cells rack", "time"):
            await run(console, line)
        place = console.place
        assert (place.metric, place.by, place.sort, place.only_wrong, place.utc) == (
            "temp_c_max",
            "cdu",
            "-temp",
            True,
            False,
        )
        assert place.options == {"cells": "rack"}
        for line in ("by", "cells", "utc", "filter temp_c > 85"):
            await run(console, line)
        assert (console.place.by, console.place.options, console.place.utc) == ("", {}, True)
        assert console.place.where == "temp_c > 85"
        await run(console, "filter")
        assert console.place.where == ""


async def test_why_and_logs_open_a_sheet_of_what_is_named():
    async with driven() as console:
        told = {"why muc1/h1/r001/n0001": "why muc1/h1/r001/n0001", "logs job:muc1/7": "logs of job:muc1/7"}
        for line, words in told.items():
            await run(console, line)
            assert words in console.screen()
            await console.press("escape")
        await run(console, "logs muc1")
        assert "with the address of a node or GPU" in console.bar("breadcrumb")


async def test_a_console_that_reaches_nothing_says_so():
    async with driven() as console:
        for line, words in {"shell muc1/h1/r001/n0001": "opens no shells", "login muc1": "logs in nowhere"}.items():
            await run(console, line)
            assert words in console.bar("breadcrumb")


async def test_saved_views(tmp_path):
    async with driven(state_folder=tmp_path) as console:
        for line in ("goto muc1/h1", "metric power_w", "view save night", "fleet", "goto bcn1", "view open night"):
            await run(console, line)
        assert (console.panel, console.place.path, console.place.metric) == ("drilldown", "muc1/h1", "power_w")
        assert console.main.known().views == ("night",)
        await run(console, "view delete night")
        assert console.main.known().views == ()


async def test_a_view_of_a_panel_that_is_gone_is_refused(tmp_path):
    (tmp_path / "views.json").write_text('{"views": {"a": {"panel": "energy"}}}')
    async with driven(state_folder=tmp_path) as console:
        await run(console, "view open a")
        assert "a panel that is not there: energy" in console.bar("breadcrumb")


async def test_views_notes_and_acknowledgements_say_where_there_are_none():
    async with driven() as console:
        for line, said in (("view", "no view is saved"), ("acknowledge mine", "no open incident"), ("ack", "no open")):
            await run(console, line)
            assert said in console.bar("breadcrumb")
        await run(console, "notes")
        assert "no notes are kept" in console.screen()
        await console.press("escape")
        await run(console, "note fan replaced")
        assert [each.text for each in console.session.deeds] == ["fan replaced"]


async def test_the_theme_changes_at_once():
    async with driven() as console:
        before = console.app.palette.style("text")
        await run(console, "theme light")
        assert console.app.palette.style("text") != before
        assert console.app.theme == "gigadeck-light"


async def test_link_and_lag_are_shown_on_demand():
    async with driven() as console:
        assert "link" not in console.bar("header")
        await run(console, "link")
        console.main.beat()
        assert "link" in console.bar("header")
        assert "lag" in console.bar("header")


@pytest.mark.parametrize(
    ("line", "shown"),
    [("statistics", "p99_s"), ("notices", "nothing has been said"), ("help", "Moving"), ("raw muc1", "address")],
)
async def test_sheets(line, shown):
    async with driven() as console:
        await run(console, line)
        assert shown in console.screen()
        await console.press("escape")
        assert console.app.screen is console.main


async def test_an_order_takes_away_what_was_said_of_the_one_before():
    async with driven() as console:
        await run(console, "site nowhere")
        assert "no site named nowhere" in console.screen()
        await run(console, "site muc1")
        assert "no site named nowhere" not in console.screen()


async def test_refreshing_says_what_is_read():
    async with driven() as console:
        await run(console, "goto muc1/h1")
        await run(console, "refresh")
        assert "reading the sources of muc1 now" in console.screen()
        assert console.session.refreshed == ["muc1"]


async def test_the_rest_of_the_commands(monkeypatch):
    async with driven() as console:
        copied = []
        monkeypatch.setattr(console.app, "write_to_terminal", copied.append)
        for line in ("copy", "freeze", "freeze", "refresh", "goto muc1/h1", "up", "unmark", "checks"):
            await run(console, line)
        assert copied
        assert console.session.refreshed == [""]
        assert (console.panel, console.place.path) == ("checks", "muc1")
        await run(console, "quit")
        assert not console.app.is_running


def test_every_command_is_run_here():
    import pathlib

    text = pathlib.Path(__file__).read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f'"{command.name}' in text, command.name
