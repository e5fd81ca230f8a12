from __future__ import annotations

import numpy as np

from console.model.views import (
    Align,
    HeatGroup,
    HeatMap,
    Part,
    Plot,
    Series,
    Span,
    Split,
    Table,
    TableColumn,
    Text,
    Tree,
    TreeNode,
)
from console.present.scale import heat_levels
from console.ui.draw.canvas import Canvas
from console.ui.draw.heatmap import HeatPainter
from console.ui.picture import svg_of
from tests.support.drawing import lines, palette

NAN = float("nan")


def sites() -> Table:
    columns = (
        TableColumn("site", "site", ["muc1", "hel1"], width=8, weight=1),
        TableColumn("trouble", "✖▲", ["✖1 ▲4", "stale"], tokens=["state.critical", "state.stale"]),
        TableColumn("temp_c_max", "temp max", np.array([79.0, NAN]), "temp", Align.RIGHT, heat=(25, 90)),
        TableColumn("it_power_w", "IT MW", np.array([135e6, NAN]), "megawatt", Align.RIGHT, drop=1),
    )
    return Table(columns, ["muc1", "hel1"], title="SITES  live 99,991/200,000", sort="-temp_c_max")


def heat_map(groups: int = 4, per: int = 8) -> HeatMap:
    values = np.linspace(25, 90, groups * per).astype(np.float32)
    values[3] = NAN
    ids = [f"n{i // per}/g{i % per}" for i in range(groups * per)]
    runs = tuple(HeatGroup(f"n{i}", f"n{i}", i * per, (i + 1) * per) for i in range(groups))
    return HeatMap(values, heat_levels(values, 25, 90), ids, runs, "TEMP", "C", 25, 90)


def test_a_table_has_a_title_headings_an_arrow_and_right_aligned_numbers() -> None:
    assert [line.rstrip() for line in lines(sites(), 56, 5)] == [
        "── SITES  live 99,991/200,000 ──────────────────────────",
        "  site        ✖▲        ↓temp max      IT MW",
        "▸ muc1        ✖1 ▲4          79 C        135",
        "  hel1        stale             —          —",
        "",
    ]


def test_a_narrow_table_drops_columns_and_a_low_one_its_headings() -> None:
    shown = lines(sites(), 32, 2)
    assert shown[0].startswith("── SITES")
    assert shown[1].split() == ["▸", "muc1", "✖1", "▲4", "79", "C"]


def test_an_empty_table_says_why() -> None:
    table = Table((TableColumn("a", "a", []),), [], title="T", empty="all 3 checks are well")
    assert lines(table, 40, 4)[2].strip() == "all 3 checks are well"


def test_a_heat_map_has_a_scale_labels_and_one_cell_each() -> None:
    shown = lines(heat_map(), 60, 3)
    assert shown[0].startswith("── TEMP ─")
    assert shown[0].rstrip(" ─").endswith("25 ▁▂▃▄▅▆▇█ 90 C")
    assert "◆ n0/g0  25 C" in shown[0]
    assert shown[1].rstrip() == " n0 ◆▁▁·▁▁▁▂  n1 ▂▂▃▃▃▄▄▄  n2 ▅▅▅▅▅▅▆▆  n3 ▆▇▇▇████"


def test_colour_and_height_of_a_heat_map_say_the_same() -> None:
    shown = palette()
    segments = Canvas(heat_map(), 60, 3).line(1, shown, frozenset(), -1)
    by_style = {segment.text[0]: segment.style for segment in segments if segment.text[0] in "▁█·"}
    assert by_style["█"] is shown.heat[9]
    assert by_style["·"] is shown.heat[255]
    assert by_style["▁"] in (shown.heat[0], shown.heat[1])


def test_noise_between_two_views_of_a_map_does_not_repaint() -> None:
    first, second = heat_map(), heat_map()
    second.values[:] += 1.4
    levels = heat_levels(second.values, 25, 90)
    assert (levels != first.levels).any()
    noisy = HeatMap(**{**second.__dict__, "levels": levels})
    before = Canvas(first, 60, 3)
    drawn = before.line(1, palette(), frozenset(), -1)
    after = Canvas(noisy, 60, 3, before)
    assert isinstance(after.panes[0].painter, HeatPainter)
    assert (after.panes[0].painter.levels == first.levels).all()
    assert after.line(1, palette(), frozenset(), -1) == drawn


def test_a_line_of_a_map_follows_levels_cursor_and_theme() -> None:
    one, two = heat_map(), heat_map()
    two.values[0] = 90
    two.levels[0] = 9
    before = Canvas(one, 60, 3)
    shown = palette()
    drawn = before.line(1, shown, frozenset(), -1)
    assert Canvas(two, 60, 3, before).line(1, shown, frozenset(), -1) != drawn
    assert before.line(1, shown, frozenset(), 0) != drawn
    assert before.line(1, palette(foreground="#ffffff"), frozenset(), -1) != drawn


def test_a_map_that_is_taller_than_its_place_scrolls_to_the_cursor() -> None:
    canvas = Canvas(heat_map(40), 30, 6)
    pane = canvas.panes[0]
    pane.put(39 * 8)
    assert pane.sees_cursor()
    text = "".join(segment.text for segment in canvas.line(5, palette(), frozenset(), 0))
    assert "n39" in text


def test_a_plot_has_axes_the_last_value_and_times() -> None:
    at = 1_800_000_000 + np.arange(240) * 15.0
    values = (60 + 10 * np.sin(np.arange(240) / 30)).astype(np.float32)
    shown = lines(Plot((Series("a", at, values),), "hottest GPU", "C", "temp"), 60, 8)
    assert shown[0].startswith("── hottest GPU ──")
    assert shown[0].rstrip(" ─").endswith("70 C")
    assert shown[1].strip().startswith("70 C ┤")
    assert shown[6].strip().startswith("50 C ┤")
    assert shown[7].strip().startswith("08:0")
    assert shown[7].rstrip().endswith("Z")


def test_a_plot_without_history_says_so() -> None:
    assert any("no history yet" in line for line in lines(Plot((Series("a"),), "p"), 40, 6))


def test_text_and_trees_are_drawn_as_they_are() -> None:
    text = Text(((Span("uuid ", "text.dim"), Span("GPU-[1]")),), title="WHO")
    assert [line.rstrip(" ─") for line in lines(text, 30, 2)] == ["── WHO", " uuid GPU-[1]"]
    leaf = TreeNode("c", (Span("leaf"),))
    tree = Tree(
        (TreeNode("a", (Span("root"),), (TreeNode("b", (Span("one"),), (leaf,)), TreeNode("d", (Span("two"),)))),)
    )
    assert [line.rstrip() for line in lines(tree, 20, 4)] == ["▸ root", "  ├─ one", "  │  └─ leaf", "  └─ two"]


def test_splits_share_lines_and_leave_out_what_has_no_room() -> None:
    a, b, c = (Text(((Span(name),),)) for name in "abc")
    view = Split((Part(a, fixed=2), Part(b, weight=1, minimum=3), Part(c, weight=3, minimum=2)))
    assert [pane.leaf.box.height for pane in Canvas(view, 10, 18).panes] == [2, 4, 12]
    assert [pane.leaf.way for pane in Canvas(view, 10, 6).panes] == [(0,), (1,)]
    assert [pane.leaf.box.height for pane in Canvas(view, 10, 6).panes] == [2, 4]
    across = Canvas(Split((Part(a), Part(b)), across=True), 21, 1)
    assert [(pane.leaf.box.x, pane.leaf.box.width) for pane in across.panes] == [(0, 10), (11, 10)]
    assert "".join(s.text for s in across.line(0, palette(), frozenset(), -1)) == " a        │ b        "


def test_columns_do_not_get_narrower_while_the_same_table_is_shown() -> None:
    def table(name: str) -> Table:
        columns = (TableColumn("id", "id", [name]), TableColumn("n", "n", np.array([1.0]), "int", Align.RIGHT))
        return Table(columns, ["a"])

    wide = Canvas(table("a-long-name-here"), 60, 4)
    after = Canvas(table("short"), 60, 4, wide)
    shown = palette()
    assert [s.text for s in wide.line(0, shown, frozenset(), 0)] == [
        s.text for s in after.line(0, shown, frozenset(), 0)
    ]


def test_a_picture_is_svg_of_the_view_with_foreign_text_escaped() -> None:
    table = Table((TableColumn("id", "name", ["<b>&\x1b[31m"]),), ["a"], title="T")
    svg = svg_of(table, palette(), 40, 5, "fleet <x>")
    assert svg.startswith("<svg")
    assert "&lt;b&gt;&amp;" in svg
    assert "\x1b" not in svg
    assert svg_of(table, palette(), 40, 5, "fleet <x>") == svg
