"""Acknowledging, notes and shared views on the screen: keys, prompt, answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.model.errors import StateError
from console.model.incidents import Acknowledgement, DeedKind, MemoryStatus, Note, SharedView
from console.model.levels import Severity
from console.model.views import Table, TableColumn
from console.ui.saved_views import as_text
from tests.support import panels
from tests.support.incidents import incident, sign
from tests.support.pilot import driven, make_session

NODE = "muc1/h1/r001/n0001"
TAKEN = Acknowledgement("sre03@jump", panels.NOW - 180, Severity.WARNING, "on it")


def with_memory(*incidents, **more):
    memories = tuple(MemoryStatus(site.site, "own", "sqlite") for site in panels.normal().frame.sites)
    return replace(panels.normal(), incidents=incidents, **{"memories": memories, **more})


def rows_of(*ids):
    def panel(snapshot, place, size):
        return Table((TableColumn("name", "what", list(ids), width=30),), ids=list(ids), title="ROWS", enter=False)

    return panel


def session(*incidents, rows=(NODE,), **more):
    return make_session(snapshot=with_memory(*incidents, **more), fleet=rows_of(*rows))


def at_node(key="check:hot", path=NODE, **more):
    return incident(sign(key, "muc1", path=path, paths=(path,)), **more)


async def test_a_asks_for_a_note_and_acknowledges_what_is_under_the_cursor():
    its = at_node()
    async with driven(session(its)) as console:
        await console.press("A")
        assert its.id in console.bar("prompt-hint")
        await console.write("fan replaced")
        await console.press("enter")
        (done,) = console.session.deeds
        assert (done.kind, done.site, done.subject, done.text) == (
            DeedKind.ACKNOWLEDGE,
            "muc1",
            its.id,
            "fan replaced",
        )
        assert its.id in console.bar("breadcrumb"), "the answer is told"


async def test_an_empty_note_is_enough_and_escape_leaves():
    async with driven(session(at_node())) as console:
        await console.press("A", "escape")
        assert console.session.deeds == []
        await console.press("A", "enter")
        assert [each.text for each in console.session.deeds] == [""]


async def test_what_was_shown_when_the_key_was_pressed_is_acknowledged():
    before, after = at_node(), at_node("check:cold")
    async with driven(session(before)) as console:
        await console.press("A")
        console.session.publish(with_memory(after))
        await console.settle()
        await console.press("enter")
        assert [each.subject for each in console.session.deeds] == [before.id]


async def test_marks_go_before_the_cursor():
    other = "muc1/h1/r001/n0002"
    incidents = (at_node(), at_node("check:cold", other), at_node("check:slow", "muc1/h1/r001/n0003"))
    async with driven(session(*incidents, rows=(NODE, other, "muc1/h1/r001/n0003"))) as console:
        await console.press("space", "space", "A", "enter")
        assert {each.subject for each in console.session.deeds} == {each.id for each in incidents[:2]}
        assert "2 are acknowledged" in console.bar("breadcrumb")


async def test_pressed_on_an_acknowledged_one_it_offers_to_take_that_back():
    async with driven(session(at_node(acknowledgement=TAKEN))) as console:
        await console.press("A")
        assert "sre03@jump" in console.screen()
        assert "on it" in console.screen()
        await console.press("enter")
        assert console.session.deeds == [], "the first choice leaves it"
        await console.press("A", "down", "enter")
        assert [each.kind for each in console.session.deeds] == [DeedKind.UNACKNOWLEDGE]


async def test_a_sheet_is_left_once_however_often_enter_comes():
    async with driven(session(at_node(acknowledgement=TAKEN))) as console:
        await console.press("A")
        sheet = console.app.screen
        for key in ("down", "enter", "enter", "escape"):
            sheet.take(key, None)
        await console.settle()
        assert console.app.screen is console.main
        assert [each.kind for each in console.session.deeds] == [DeedKind.UNACKNOWLEDGE]


async def test_a_row_without_an_incident_says_so():
    async with driven(session(at_node("check:x", "muc1/h2"))) as console:
        await console.press("A")
        assert "no open incident" in console.bar("breadcrumb")
        assert not console.main.query_one("#prompt").is_open


async def test_what_could_not_be_kept_is_told():
    found = session(at_node())
    found.keep_error = StateError("muc1: acknowledge was not kept: is it running?")
    async with driven(found) as console:
        await console.press("A", "enter")
        assert "was not kept" in console.bar("breadcrumb")


async def test_while_the_memory_does_not_answer_that_is_told():
    found = session(at_node())
    found.silent = True
    async with driven(found) as console:
        await console.press("A", "enter")
        assert "waiting for the memory" in console.bar("breadcrumb")


@pytest.mark.parametrize("keys", [("A",), ("N",), ("colon", *"note", "space", "x", "enter")])
async def test_read_only_keeps_nothing(keys):
    async with driven(session(at_node()), read_only=True) as console:
        await console.press(*keys)
        assert "read-only" in console.bar("breadcrumb")
        assert console.session.deeds == []
        assert not console.main.query_one("#prompt").is_open


async def test_a_note_is_written_on_the_object_by_its_key():
    async with driven(session()) as console:
        await console.press("N")
        await console.press("enter")
        assert console.main.query_one("#prompt").is_open, "a note needs some words"
        await console.write("rack door")
        await console.press("enter")
        (done,) = console.session.deeds
        assert (done.kind, done.subject, done.text) == (DeedKind.NOTE, "node:muc1/n0001", "rack door")


async def test_the_words_of_note_can_be_given_at_once():
    async with driven(session()) as console:
        await console.press("colon")
        await console.write("note rack door")
        await console.press("enter")
        assert [each.text for each in console.session.deeds] == ["rack door"]


EVIL = "fan \x1b[31m[red]replaced[/red]\u202e"


async def test_notes_are_shown_with_the_record_and_by_notes():
    note = Note("1", "muc1", "node:muc1/n0001", "sre07@jump", panels.NOW - 60, EVIL)
    async with driven(session(notes=(note,))) as console:
        await console.press("d")
        await console.press("G")
        assert "sre07@jump" in console.screen()
        assert "[red]replaced[/red]" in console.screen()
        assert "\x1b" not in console.screen()
        await console.press("escape", "colon")
        await console.write("notes")
        await console.press("enter")
        assert "[red]replaced[/red]" in console.screen()


async def test_a_view_is_shared_listed_and_opened():
    async with driven(session()) as console:
        await console.press("colon")
        await console.write("view share hot")
        await console.press("enter")
        done = console.session.deeds[-1]
        assert (done.kind, done.site, done.subject) == (DeedKind.SAVE_VIEW, "muc1", "hot")
        stop = replace(console.main.trail.here, panel="drilldown").at(path="muc1/h1", where="temp_c > 80")
        shared = SharedView("theirs", "sre03@jump", panels.NOW, as_text(stop))
        console.session.publish(with_memory(views=(shared,)))
        await console.settle()
        await console.press("colon")
        await console.write("view")
        await console.press("enter")
        assert "shared by sre03@jump" in console.screen()
        await console.press("enter")
        assert (console.panel, console.place.path, console.place.where) == ("drilldown", "muc1/h1", "temp_c > 80")
        await console.press("colon")
        await console.write("view unshare theirs")
        await console.press("enter")
        done = console.session.deeds[-1]
        assert (done.kind, done.subject) == (DeedKind.DROP_VIEW, "theirs")


@pytest.mark.parametrize("spec", ["", "[]", "{", '{"panel": 7, "options": 3, "path": ["x"]}'])
async def test_a_shared_view_that_is_none_does_no_harm(spec):
    async with driven(session(views=(SharedView("bad", "x", 1.0, spec),))) as console:
        await console.press("colon")
        await console.write("view open bad")
        await console.press("enter")
        assert "view bad" in console.bar("breadcrumb")


@pytest.mark.parametrize(
    ("memories", "told"),
    [
        ((MemoryStatus("muc1", "own", "sqlite"), MemoryStatus("osl1", "own", "sqlite")), "memory: own"),
        ((MemoryStatus("muc1", "none"),), "memory: none"),
        ((MemoryStatus("muc1", "serve", "gd-muc1"), MemoryStatus("osl1", "own")), "memory: gd-muc1, own"),
        ((MemoryStatus("muc1", "own", trouble="disk full"),), "MEMORY FAILS"),
    ],
)
async def test_the_header_says_whose_memory_it_is(memories, told):
    async with driven(session(memories=memories), size=(140, 30)) as console:
        assert told in console.bar("header")


async def test_the_footer_offers_the_key_where_there_is_an_incident():
    async with driven(session(at_node()), size=(200, 30)) as console:
        assert "A ack" in console.bar("footer")
        console.session.publish(with_memory())
        await console.settle()
        console.main.want()
        await console.settle()
        assert "A ack" not in console.bar("footer")
