from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from textual.app import App

from console.model.views import Align, HeatGroup, HeatMap, Part, Span, Split, Table, TableColumn, Text
from console.ui.view_area import ViewArea
from tests.support.drawing import palette

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from console.model.views import View


def table(names: list[str], *, title: str = "NODES", enter: bool = True) -> Table:
    temps = np.arange(len(names), dtype=np.float32) + 40
    columns = (
        TableColumn("id", "name", names, weight=1),
        TableColumn("temp_c", "temp", temps, "temp", Align.RIGHT),
    )
    return Table(columns, names, title=title, enter=enter)


def heat_map(cells: int = 16) -> HeatMap:
    groups = tuple(HeatGroup(f"n{i}", f"n{i}", i * 8, i * 8 + 8) for i in range(cells // 8))
    ids = [f"n{i // 8}/g{i % 8}" for i in range(cells)]
    levels = (np.arange(cells) % 10).astype(np.uint8)
    return HeatMap(levels.astype(np.float32) * 10, levels, ids, groups, "GPUs", "C", 0, 100)


class Host(App[None]):
    CSS = "Screen { layout: vertical; }"

    def __init__(self, view: View) -> None:
        super().__init__()
        self.first = view
        self.told: list[str] = []
        self.entered: list[str] = []

    def compose(self) -> ComposeResult:
        yield ViewArea(palette())

    def on_mount(self) -> None:
        self.area.show(self.first)
        self.area.focus()

    @property
    def area(self) -> ViewArea:
        return self.query_one(ViewArea)

    def on_view_area_selected(self, message: ViewArea.Selected) -> None:
        self.told.append(message.id)

    def on_view_area_entered(self, message: ViewArea.Entered) -> None:
        self.entered.append(message.id)

    def screen_lines(self) -> list[str]:
        return [self.area.render_line(y).text for y in range(self.area.size.height)]


async def test_the_cursor_follows_the_id_not_the_row() -> None:
    app = Host(table(["a", "b", "c", "d"]))
    async with app.run_test(size=(60, 12)) as pilot:
        app.area.move(2)
        app.area.show(table(["c", "d", "a", "b"]))
        await pilot.pause()
        assert app.area.selected == "c"
        assert app.screen_lines()[2].startswith("▸ c")
        assert app.told[-1] == "c"


async def test_a_vanished_row_leaves_the_cursor_where_it_was() -> None:
    app = Host(table(["a", "b", "c"]))
    async with app.run_test(size=(60, 12)) as pilot:
        app.area.move(1)
        app.area.show(table(["a", "c"]))
        await pilot.pause()
        assert app.area.selected == "c"
        app.area.show(table([]))
        assert app.area.selected == ""
        assert not app.area.enterable


async def test_hold_keeps_the_order_of_the_focused_table() -> None:
    app = Host(table(["a", "b", "c"]))
    async with app.run_test(size=(60, 12)) as pilot:
        app.area.show(table(["c", "new", "b", "a"]), hold=True)
        await pilot.pause()
        assert [line[2:6].strip() for line in app.screen_lines()[2:6]] == ["a", "b", "c", "new"]
        app.area.show(table(["c", "new", "b", "a"]))
        assert [line[2:6].strip() for line in app.screen_lines()[2:6]] == ["c", "new", "b", "a"]


async def test_unchanged_lines_keep_their_strips() -> None:
    app = Host(table(["a", "b", "c"]))
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.pause()
        before = [app.area.render_line(y) for y in range(12)]
        app.area.show(table(["a", "b", "x"]))
        after = [app.area.render_line(y) for y in range(12)]
        changed = [y for y, (one, other) in enumerate(zip(before, after, strict=True)) if one is not other]
        assert changed == [4]


async def test_keys_go_to_the_focused_part_and_the_next_one() -> None:
    view = Split((Part(table(["a", "b"]), fixed=4), Part(table(["x", "y"], enter=False), minimum=3)), focus=1)
    app = Host(view)
    async with app.run_test(size=(60, 16)) as pilot:
        await pilot.pause()
        assert (app.area.selected, app.area.focused_part, app.area.enterable) == ("x", 1, False)
        app.area.next_part()
        assert (app.area.selected, app.area.focused_part, app.area.enterable) == ("a", 0, True)
        assert app.area.select("y")
        assert app.area.focused_part == 1
        assert not app.area.select("nowhere")


async def test_a_heat_map_moves_by_cells_and_lines() -> None:
    app = Host(heat_map(64))
    async with app.run_test(size=(30, 12)) as pilot:
        await pilot.pause()
        assert app.area.selected == "n0/g0"
        app.area.sideways(3)
        assert app.area.selected == "n0/g3"
        app.area.move(1)
        assert app.area.selected.endswith("/g3")
        assert app.area.selected != "n0/g3"
        app.area.end()
        assert app.area.selected == "n7/g7"


async def test_the_mouse_selects_and_a_double_click_enters() -> None:
    app = Host(table(["a", "b", "c"]))
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.click(ViewArea, offset=(5, 3))
        assert app.area.selected == "b"
        await pilot.double_click(ViewArea, offset=(5, 4))
        assert app.entered == ["c"]


async def test_the_wheel_scrolls_and_leaves_the_cursor() -> None:
    names = [f"n{i}" for i in range(100)]
    app = Host(table(names))
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.pause()
        app.area._scroll(app.area._canvas.panes[0], 30)
        app.area.show(table(names))
        assert app.area.selected == "n0"
        assert app.screen_lines()[2].split()[0] == "n30"
        app.area.move(1)
        assert app.screen_lines()[3].startswith("▸ n1") or app.screen_lines()[2].startswith("▸ n1")


async def test_marks_are_drawn() -> None:
    app = Host(table(["a", "b"]))
    async with app.run_test(size=(60, 8)):
        app.area.marks = frozenset({"b"})
        assert app.screen_lines()[3].startswith(" ●b")


async def test_a_new_palette_redraws_everything() -> None:
    app = Host(table(["a"]))
    async with app.run_test(size=(60, 8)):
        before = app.area.render_line(2)
        app.area.set_palette(palette(name="other", foreground="#123456"))
        assert app.area.render_line(2) is not before


async def test_text_scrolls() -> None:
    app = Host(Text(tuple((Span(f"line {i}"),) for i in range(50)), title="LOG"))
    async with app.run_test(size=(40, 11)) as pilot:
        await pilot.pause()
        app.area.page(1)
        assert app.screen_lines()[1].strip() == "line 9"
        app.area.end()
        assert app.screen_lines()[-1].strip() == "line 49"
        assert app.told == []


@pytest.mark.parametrize("text", ["[/dev/nvme0n1] busy", "[red]hot", "\x1b[31mred\x07", "漢字" * 200])
async def test_foreign_text_is_drawn_as_it_is(text: str) -> None:
    app = Host(table([text, "b"], title=text))
    async with app.run_test(size=(40, 10)):
        for y in range(10):
            strip = app.area.render_line(y)
            assert strip.cell_length == 40
            assert strip.text.isprintable()


async def test_a_view_that_cannot_be_drawn_says_why_and_the_next_one_is_shown() -> None:
    app = Host(Table((TableColumn("id", "id", ["a", "b"]),), ["a"]))
    async with app.run_test(size=(80, 8)) as pilot:
        await pilot.pause()
        assert "column id has 2 values for 1 rows" in app.screen_lines()[0]
        app.area.show(table(["a"]))
        assert app.area.selected == "a"
