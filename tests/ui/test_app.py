from __future__ import annotations

from dataclasses import replace

import pytest

from console.model.views import Text
from tests.support import panels
from tests.support.fake_session import listing
from tests.support.pilot import ROOT, driven, make_session


async def test_the_frame_is_painted_before_any_data():
    async with driven(make_session(snapshot=None)) as console:
        assert console.session.started
        assert "PRODUCTION" in console.screen()
        assert "waiting for the first reading" in console.screen()
        console.session.publish(panels.normal())
        await console.settle()
        assert "muc1" in console.screen()
        assert "live 376/384" in console.screen()


async def test_the_first_view_is_of_the_newest_snapshot_in_the_size_of_the_body():
    async with driven() as console:
        panel, place, size, snapshot = console.session.asked[0]
        assert (panel, place.path, size.width) == ("fleet", "", 80)
        assert size.height == 24 - 2 - 2
        assert snapshot is console.session.snapshot


async def test_a_panel_that_fails_shows_it_in_its_place_and_the_rest_lives():
    async with driven() as console:
        await console.press("4")
        assert "the panel broken failed" in console.screen()
        assert "bad [red]panel[/red]" in console.screen()
        assert "live 376/384" in console.screen()
        await console.press("1")
        assert "LIST of fleet" in console.screen()


async def test_a_panel_that_does_not_answer_does_not_hold_the_others():
    async with driven() as console:
        console.session.holding = True
        await console.press("3")
        console.session.holding = False
        await console.press("2")
        assert "LIST of fleet" in console.screen()
        console.session.release()
        await console.settle()
        assert "LIST of fleet" in console.screen()
        assert console.panel == "drilldown"


async def test_at_most_one_request_of_a_panel_is_in_flight():
    async with driven() as console:
        console.session.holding = True
        asked = len(console.session.asked)
        for _ in range(5):
            console.main.want()
        assert len(console.session.asked) == asked + 1
        console.session.release()
        await console.settle()
        assert len(console.session.asked) == asked + 2


async def test_a_late_panel_says_that_it_is_waited_for(monkeypatch):
    monkeypatch.setattr("console.ui.viewing.PATIENCE_S", 0.0)
    async with driven() as console:
        console.session.holding = True
        await console.press("3")
        console.main.beat()
        await console.settle()
        assert "waiting for the panel checks" in console.screen()


async def test_snapshots_that_pile_up_are_taken_once():
    async with driven() as console:
        asked = len(console.session.asked)
        for seq in range(20):
            console.session.publish(replace(panels.normal(), seq=100 + seq))
        await console.settle()
        console.main.beat()
        await console.settle()
        assert len(console.session.asked) <= asked + 2
        assert console.main.newest.seq == 119


async def test_only_the_visible_panel_is_asked():
    async with driven() as console:
        await console.press("3")
        console.session.asked.clear()
        console.session.publish(replace(panels.normal(), seq=9))
        await console.settle()
        console.main.beat()
        await console.settle()
        assert {asked[0] for asked in console.session.asked} == {"checks"}


async def test_a_resize_asks_for_a_view_that_fits():
    async with driven() as console:
        await console.pilot.resize_terminal(120, 40)
        await console.settle()
        size = console.session.asked[-1][2]
        assert (size.width, size.height) == (120, 40 - 3 - 2)
        assert all(len(line) == 120 for line in console.screen().split("\n")[:3])


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (40, 8), (300, 80)])
async def test_no_size_breaks_the_screen(size):
    async with driven(size=size) as console:
        await console.press("j", "2", "enter", "colon", "escape", "question_mark", "escape")
        assert console.app.failure is None


async def test_a_key_typed_ahead_of_the_prompt_is_not_lost():
    async with driven() as console:
        await console.pilot.press("colon", "g", "o", "t", "o")
        await console.settle()
        assert console.main.query_one("#prompt").value == "goto"
        assert console.panel == "fleet"


async def test_names_from_outside_are_never_markup():
    async with driven(make_session(snapshot=panels.hostile())) as console:
        for keys in ("d", "escape", "y", "space", "3", "d", "escape"):
            await console.press(keys)
        assert console.app.failure is None
        assert "\x1b" not in console.screen()


async def test_what_a_snapshot_notes_is_told():
    async with driven() as console:
        console.session.publish(replace(panels.normal(), notices=("plugin hot: disabled [b]",)))
        await console.settle()
        assert "plugin hot: disabled [b]" in console.bar("breadcrumb")
        console.main.setup.time.now += 60
        console.main.beat()
        assert "plugin hot" not in console.bar("breadcrumb")


async def test_first_notices_and_faulty_keys_are_told():
    async with driven(notices=("theme x is broken",), keys={"nothing": "x"}) as console:
        await console.press("colon")
        await console.write("notices")
        await console.press("enter")
        assert "theme x is broken" in console.screen()
        assert "no such action" in console.screen()


async def test_a_user_s_own_key_works():
    async with driven(keys={"panel.3": "f3"}) as console:
        await console.press("f3")
        assert console.panel == "checks"


@pytest.mark.parametrize(
    ("name", "colors"),
    [
        *((name, "true") for name in ("dark", "light", "high-contrast", "colour-blind", "mono")),
        *(("dark", colors) for colors in ("256", "16", "none")),
        ("light", "16"),
    ],
)
async def test_every_theme_draws_every_screen_in_any_colours(name, colors):
    async with driven(theme=name, colors=colors) as console:
        await console.press("m", "escape", "question_mark", "escape", "colon", "escape", "ctrl+p", "escape")
        assert "muc1" in console.screen()
        assert console.app.failure is None


async def test_the_screen_works_without_any_theme():
    async with driven(themes={}) as console:
        assert "muc1" in console.screen()
        assert "no theme named dark" in console.bar("breadcrumb")


async def test_a_theme_is_read_again():
    from console.config.themes import load_themes

    reads = []

    def again():
        reads.append(1)
        themes, _ = load_themes([ROOT / "themes"])
        return {"dark": themes["light"]}, ["themes/x.yaml:3: bad colour"]

    async with driven(reload_themes=again) as console:
        before = console.app.palette.style("text")
        await console.press("colon")
        await console.write("theme")
        await console.press("enter")
        assert reads == [1]
        assert console.app.palette.style("text") != before
        assert "bad colour" in console.bar("breadcrumb")


async def test_a_fault_of_the_screen_is_kept_for_one_message():
    consoles = []

    async def fail():
        async with driven() as console:
            consoles.append(console)
            console.app.call_later(lambda: 1 / 0)
            await console.settle()

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert isinstance(consoles[0].app.failure, ZeroDivisionError)


async def test_the_end_by_a_fault_spells_no_locals_out(monkeypatch):
    spelled = []
    monkeypatch.setattr("rich.traceback.Traceback.extract", lambda *_, **__: spelled.append(1))

    async def fail():
        async with driven() as console:
            console.app.call_later(lambda: 1 / 0)
            await console.settle()

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert spelled == []


async def test_the_rows_keep_their_order_for_two_seconds_after_a_key(monkeypatch):
    shown = []

    def turning(snapshot, place, size):
        view = listing(snapshot, place, size)
        shown.append(view)
        return view

    async with driven(make_session(fleet=turning)) as console:
        held = []
        monkeypatch.setattr(console.main.body, "show", lambda view, hold=False, **_: held.append(hold))
        await console.press("j")
        console.session.publish(replace(panels.normal(), seq=11))
        console.main._asked_at -= 1
        await console.settle()
        console.main.want()
        await console.settle()
        assert held
        assert all(held)
        console.main._key_at -= 10
        console.main.want()
        await console.settle()
        assert held[-1] is False


async def test_a_view_of_another_place_that_comes_late_is_not_shown():
    async with driven() as console:
        console.session.holding = True
        console.main.want()
        await console.settle()
        console.main.trail.go(console.main.trail.here.at(path="muc1"))
        console.session.release()
        await console.settle()
        assert "LIST of fleet" in console.screen()
        console.session.release()
        console.session.holding = False
        console.main.want()
        await console.settle()
        assert "LIST of muc1 " in console.screen()


async def test_lines_alone_are_a_view():
    async with driven(make_session(fleet=lambda *_: Text(()))) as console:
        await console.press("j", "enter", "space", "d", "y", "s")
        assert console.app.failure is None


async def test_a_beat_that_comes_while_the_screen_is_taken_down_is_harmless():
    async with driven() as console:
        await console.main.remove_children()
        console.session.publish(replace(panels.normal(), seq=9))
        console.main.beat()
        console.main.paint_frame()
