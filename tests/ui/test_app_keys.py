from __future__ import annotations

import pytest

from console.model.views import Table, TableColumn
from console.ui import main_screen
from console.ui.keys import ACTIONS
from tests.support import panels
from tests.support.fake_session import listing
from tests.support.pilot import driven, make_session


async def test_digits_change_the_panel_and_keep_the_place():
    async with driven() as console:
        await console.press("enter")
        assert (console.panel, console.place.path) == ("drilldown", "muc1")
        await console.press("3")
        assert (console.panel, console.place.path) == ("checks", "muc1")
        await console.press("9")
        assert "there is no panel 9" in console.bar("breadcrumb")


async def test_a_panel_keeps_its_row():
    async with driven() as console:
        await console.press("j", "3", "j")
        assert console.place.selected == "check:cool"
        await console.press("1")
        assert console.place.selected == "bcn1"
        await console.press("3")
        assert console.place.selected == "check:cool"


@pytest.mark.parametrize(("down", "up"), [("j", "k"), ("down", "up")])
async def test_rows(down, up):
    async with driven() as console:
        await console.press(down)
        assert console.place.selected == "bcn1"
        await console.press(up)
        assert console.place.selected == "muc1"


@pytest.mark.parametrize("keys", [("G", "g"), ("end", "home"), ("pagedown", "pageup"), ("ctrl+f", "ctrl+u")])
async def test_ends_and_pages(keys):
    async with driven() as console:
        await console.press("enter", "enter", "enter")
        assert console.place.path == "muc1/h1/r001"
        await console.press(keys[0])
        assert console.place.selected == "muc1/h1/r001/n0004"
        await console.press(keys[1])
        assert console.place.selected == "muc1/h1/r001/n0001"


@pytest.mark.parametrize("key", ["h", "left", "l", "right", "tab"])
async def test_sideways_and_parts_reach_the_view(key, monkeypatch):
    async with driven() as console:
        done = []
        monkeypatch.setattr(console.main.body, "sideways", done.append)
        monkeypatch.setattr(console.main.body, "next_part", lambda: done.append("part"))
        await console.press(key)
        assert done == [{"h": -1, "left": -1, "tab": "part"}.get(key, 1)]


async def test_enter_goes_down_to_a_gpu_and_escape_up_again():
    async with driven() as console:
        await console.press("enter", "j", "enter", "enter", "enter", "enter")
        assert console.place.path == "muc1/h2/r004/n0013/g0"
        await console.press("escape")
        assert console.place.path == "muc1/h2/r004/n0013"
        await console.press("escape", "escape", "escape")
        assert console.place.path == "muc1"
        assert console.place.selected == "muc1/h2"
        await console.press("escape", "escape")
        assert (console.panel, console.place.path) == ("fleet", "")
        await console.press("escape")
        assert "this is the top; q quits" in console.bar("breadcrumb")
        assert console.app.is_running


async def test_the_history_of_places():
    async with driven() as console:
        await console.press("enter", "enter")
        await console.press("[")
        assert console.place.path == "muc1"
        await console.press("]")
        assert console.place.path == "muc1/h1"
        await console.press("]")
        assert "no place after" in console.bar("breadcrumb")


async def test_only_what_is_wrong():
    async with driven() as console:
        await console.press("!")
        assert console.place.only_wrong
        assert "only wrong" in console.bar("breadcrumb")
        await console.press("!")
        assert not console.place.only_wrong


async def test_sorting_by_a_chosen_column_and_backwards():
    async with driven() as console:
        await console.press("s")
        assert "sort by" in console.screen()
        await console.press("t", "e", "m", "enter")
        assert console.place.sort == "-temp"
        await console.press("S")
        assert console.place.sort == "temp"
        await console.press("s", "down", "up", "escape")
        assert console.place.sort == "temp"


async def test_a_panel_with_its_own_order_says_so():
    async with driven() as console:
        await console.press("3", "s")
        assert "keeps its own order" in console.bar("breadcrumb")
        await console.press("S")
        assert console.place.sort == ""


async def test_the_metric_is_chosen():
    async with driven() as console:
        await console.press("m", "p", "o", "w", "enter")
        assert console.place.metric == "power_w"
        assert "by power_w" in console.screen()


async def test_grouping_by_a_domain():
    async with driven() as console:
        await console.press("b", "c", "d", "u", "enter")
        assert console.place.by == "cdu"
        await console.press("b", "t", "r", "e", "e", "enter")
        assert console.place.by == ""


async def test_marks_follow_the_object_and_the_hidden_are_counted():
    async with driven() as console:
        await console.press("enter", "space")
        assert console.place.marks == {"muc1/h1"}
        assert console.place.selected == "muc1/h2"
        assert console.main.body.marks == {"muc1/h1"}
        assert "marked 1" in console.bar("breadcrumb")
        await console.press("j", "enter")
        assert "marked 1, 1 not shown" in console.bar("breadcrumb")
        await console.press("U")
        assert not console.place.marks


async def test_a_row_that_is_no_object_cannot_be_marked():
    async with driven() as console:
        await console.press("3", "space")
        assert not console.place.marks
        assert "no object" in console.bar("breadcrumb")


async def test_what_was_said_of_one_key_is_gone_with_the_next():
    async with driven() as console:
        await console.press("8")
        assert "there is no panel 8" in console.screen()
        await console.press("j")
        assert "there is no panel 8" not in console.screen()


async def test_the_raw_record_of_each_voice():
    async with driven() as console:
        await console.press("enter", "enter", "enter", "enter", "d")
        assert "GPU-" in console.screen()
        assert "prometheus" in console.screen()
        await console.press("j", "k", "G", "g", "h", "l", "pagedown", "pageup", "q")
        assert console.app.screen is console.main


async def test_the_logs_of_a_node_are_followed_until_the_sheet_is_left():
    async with driven() as console:
        await console.press("enter", "enter", "enter", "L")
        assert console.session.asked_of == [console.main.body.selected]
        await console.press("escape")
        assert console.session.stream.closed


async def test_there_is_nothing_to_acknowledge_but_a_note_can_be_written():
    async with driven() as console:
        await console.press("A")
        assert "no open incident" in console.bar("breadcrumb")
        await console.press("N", "x", "enter")
        assert [each.text for each in console.session.deeds] == ["x"]


async def test_copying_writes_osc_52(monkeypatch):
    async with driven() as console:
        written = []
        monkeypatch.delenv("TMUX", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(console.app, "write_to_terminal", written.append)
        await console.press("y")
        assert written == ["\x1b]52;c;bXVjMQ==\x07"]
        assert "copied muc1" in console.bar("breadcrumb")


async def test_a_frozen_screen_keeps_its_snapshot():
    from dataclasses import replace

    async with driven() as console:
        first = console.session.snapshot
        await console.press("p")
        console.session.publish(replace(panels.normal(), seq=99))
        await console.settle()
        await console.press("enter")
        assert console.session.asked[-1][3] is first
        assert "FROZEN" in console.bar("header")
        await console.press("p")
        assert console.session.asked[-1][3].seq == 99
        assert "FROZEN" not in console.bar("header")


async def test_the_clock_is_utc_or_local():
    async with driven() as console:
        assert "08:00:01Z" in console.bar("header")
        await console.press("z")
        assert "08:00:01 UTC" in console.bar("header")
        assert console.session.asked[-1][1].utc is False


async def test_reading_now():
    async with driven() as console:
        await console.press("enter", "r")
        assert console.session.refreshed == ["muc1"]


async def test_the_engine_knows_where_the_user_looks():
    async with driven() as console:
        await console.press("enter", "enter")
        assert console.session.focused == ["muc1", "muc1/h1"]


async def test_a_filter_shows_its_fault_live_and_keeps_the_text():
    async with driven() as console:
        await console.press("slash")
        await console.write("temp_c")
        await console.press("greater_than_sign", "enter")
        prompt = console.main.query_one("#prompt")
        assert prompt.is_open
        assert prompt.value == "temp_c>"
        assert "^" in prompt.hint_text
        await console.press("8", "5", "enter")
        assert not prompt.is_open
        assert console.place.where == "temp_c>85"
        await console.press("slash")
        assert prompt.value == "temp_c>85"
        await console.press("escape", "escape")
        assert console.place.where == ""


async def test_filters_are_remembered():
    async with driven() as console:
        await console.press("slash", "s", "i", "t", "tab", "escape")
        await console.press("slash")
        await console.write("temp_c>1")
        await console.press("enter", "escape", "slash", "up")
        assert console.main.query_one("#prompt").value == "temp_c>1"
        await console.press("down")
        assert console.main.query_one("#prompt").value == ""


async def test_a_panel_without_rows_to_filter_gives_way_to_the_drill_down():
    async with driven() as console:
        await console.press("3", "slash")
        await console.write("temp_c>1")
        await console.press("enter")
        assert (console.panel, console.place.where) == ("drilldown", "temp_c>1")


async def test_help_is_searchable_and_made_from_the_key_map():
    async with driven() as console:
        await console.press("question_mark")
        text = "\n".join("".join(span.text for span in line) for line in console.app.screen.body.view.lines)
        for action in ACTIONS:
            if not action.id.startswith("panel."):
                assert action.help[:30] in text, action.id
        await console.write("freeze")
        assert "freeze the screen" in console.screen()
        assert "go deeper" not in console.screen()
        await console.press("escape")
        assert console.app.screen is console.main


async def test_the_palette_finds_what_can_be_done():
    async with driven() as console:
        await console.press("ctrl+p")
        await console.write("panel checks")
        await console.press("enter")
        assert console.panel == "checks"


async def test_a_shell_needs_a_node_under_the_cursor():
    async with driven(open_shell=lambda site, node: pytest.fail("opened")) as console:
        await console.press("x")
        assert "a shell needs a node" in console.bar("breadcrumb")


@pytest.mark.parametrize("action", [action for action in ACTIONS if action.later], ids=lambda action: action.id)
async def test_what_this_version_lacks_is_said_in_one_line(action):
    async with driven() as console:
        await console.press(action.keys[0])
        assert "this version does not have it yet" in console.bar("breadcrumb")


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_quitting(key):
    async with driven() as console:
        await console.press(key)
        assert not console.app.is_running
        assert console.app.return_code == 0


async def test_quitting_asks_only_if_something_runs():
    async with driven(work_running=lambda: "a wave of 12 nodes") as console:
        await console.press("q")
        assert "a wave of 12 nodes" in console.screen()
        await console.press("enter")
        assert console.app.is_running
        assert console.app.screen is console.main
        await console.press("q", "down", "enter")
        assert not console.app.is_running


async def test_keys_do_nothing_before_the_first_view():
    async with driven(make_session(snapshot=None)) as console:
        for action in ACTIONS:
            if action.id not in ("quit", "suspend", "help", "palette", "command", "filter"):
                await console.pilot.press(action.keys[0])
        await console.settle()
        assert console.app.failure is None


async def test_an_action_is_for_what_was_shown_when_the_key_was_pressed():
    async with driven() as console:
        await console.press("j")
        turned = lambda snapshot, place, size: listing(snapshot, place.__class__(sort="-temp"), size)  # noqa: E731 - short
        console.session.panels["fleet"] = turned
        console.main.want()
        await console.press("enter")
        assert console.place.path == "bcn1"


def test_every_action_has_a_test_here():
    import pathlib

    text = pathlib.Path(__file__).read_text(encoding="utf-8")
    spelt = {"/": "slash", "?": "question_mark", ":": "colon"}
    for action in ACTIONS:
        if not (action.later or action.id.startswith("panel.") or action.id in ("suspend", "command")):
            assert any(f'"{spelt.get(key, key)}"' in text for key in action.keys), action.id


async def test_a_run_of_keys_is_painted_at_once_and_followed_less_often(monkeypatch):
    ids = [f"check:{number}" for number in range(40)]

    def long(snapshot, place, size):
        return Table((TableColumn("id", "name", ids, width=12),), ids, title=f"SELECTED {place.selected}")

    monkeypatch.setattr(main_screen, "FOLLOW_EVERY_S", 600.0)
    async with driven(make_session(fleet=long)) as console:
        asked = len(console.session.asked)
        for number in range(1, 5):
            await console.press("j")
            assert f"▸ check:{number}" in console.screen().replace("▸  ", "▸ ")
        assert len(console.session.asked) == asked
        console.main._follow()
        await console.settle()
        assert "SELECTED check:4" in console.screen()
