from __future__ import annotations

import unicodedata

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

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
    View,
)
from console.present.cells import cell_width
from console.present.formats import FORMATS
from console.present.plain import render
from console.present.scale import heat_levels
from console.present.tokens import TOKENS
from console.ui.draw.canvas import Canvas
from console.ui.draw.hold import hold_order
from tests.support.drawing import palette

FAST = settings(deadline=None, max_examples=60)
EVIL = st.sampled_from(
    ["\x1b[31m", "\x1b]0;t\x07", "\r\n", "\u202e", "[red]", "[/]", "漢字", "e\u0301", "🚀", "x" * 300]
)
TEXTS = st.lists(st.text(max_size=10) | EVIL, max_size=4).map("".join)
NUMBERS = st.floats(-(2.0**40), 2.0**40, width=32) | st.just(float("nan"))
TOKEN = st.sampled_from([*TOKENS, "no.such.token"])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    rows = draw(st.integers(0, 12))
    columns = [TableColumn("id", draw(TEXTS), [draw(TEXTS) for _ in range(rows)], weight=draw(st.integers(0, 2)))]
    for number in range(draw(st.integers(0, 4))):
        values = np.array([draw(NUMBERS) for _ in range(rows)])
        form = draw(st.sampled_from(sorted(FORMATS)))
        heat = draw(st.none() | st.just((0.0, 100.0)))
        columns.append(
            TableColumn(f"c{number}", draw(TEXTS), values, form, Align.RIGHT, drop=draw(st.integers(0, 3)), heat=heat)
        )
    return Table(tuple(columns), [f"r{i}" for i in range(rows)], title=draw(TEXTS), sort="-c0", empty=draw(TEXTS))


@st.composite
def heat_maps(draw: st.DrawFn) -> HeatMap:
    sizes = draw(st.lists(st.integers(0, 60), min_size=1, max_size=6))
    ends = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    groups = tuple(HeatGroup(f"g{i}", draw(TEXTS), ends[i], ends[i + 1]) for i in range(len(sizes)))
    values = np.random.default_rng(draw(st.integers(0, 99))).normal(50, 40, ends[-1]).astype(np.float32)
    values[::7] = np.nan
    ids = [f"c{i}" for i in range(ends[-1])]
    return HeatMap(values, heat_levels(values, 0, 100), ids, groups, draw(TEXTS), draw(TEXTS), 0, 100)


@st.composite
def plots(draw: st.DrawFn) -> Plot:
    def series(number: int) -> Series:
        values = np.array(draw(st.lists(NUMBERS, max_size=30)), dtype=np.float32)
        return Series(draw(TEXTS), 1.8e9 + np.arange(len(values)) * 15.0, values, f"plot.{number + 1}")

    form = draw(st.sampled_from(sorted(FORMATS)))
    return Plot(tuple(series(i) for i in range(draw(st.integers(0, 3)))), draw(TEXTS), draw(TEXTS), form)


LINES = st.lists(st.builds(Span, TEXTS, TOKEN), max_size=3).map(tuple)
TEXT_VIEWS = st.builds(Text, st.lists(LINES, max_size=6).map(tuple), TEXTS)
NODES = st.recursive(
    st.builds(TreeNode, TEXTS, LINES),
    lambda inner: st.builds(TreeNode, TEXTS, LINES, st.lists(inner, max_size=3).map(tuple), st.booleans()),
    max_leaves=5,
)
TREES = st.builds(Tree, st.lists(NODES, max_size=3).map(tuple), TEXTS)
LEAVES = tables() | heat_maps() | plots() | TEXT_VIEWS | TREES
PARTS = st.builds(Part, LEAVES, st.integers(0, 3), st.integers(0, 8), st.integers(0, 6))
SPLITS = st.builds(Split, st.lists(PARTS, min_size=1, max_size=4).map(tuple), st.booleans(), st.integers(-1, 5))
NESTED = st.builds(Split, st.lists(st.builds(Part, SPLITS | LEAVES), min_size=1, max_size=3).map(tuple), st.booleans())
VIEWS: st.SearchStrategy[View] = LEAVES | SPLITS | NESTED


def is_printable(text: str) -> bool:
    return not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in text)


@FAST
@given(VIEWS, st.integers(1, 120), st.integers(1, 30), st.sampled_from(["true", "256", "16", "none"]))
def test_any_view_is_drawn_in_lines_of_exactly_its_width(view: View, width: int, height: int, colors: str) -> None:
    canvas = Canvas(view, width, height)
    shown, focus = palette(colors), canvas.usual_focus()
    for y in range(height):
        segments = canvas.line(y, shown, frozenset({"r0"}), focus)
        assert sum(cell_len(segment.text) for segment in segments) == width
        assert all(is_printable(segment.text) for segment in segments)


@FAST
@given(VIEWS, st.integers(1, 120))
def test_any_view_is_plain_text_of_at_most_the_asked_width(view: View, width: int) -> None:
    for line in render(view, width):
        assert cell_width(line) <= width
        assert is_printable(line)


@FAST
@given(VIEWS, st.lists(st.tuples(st.integers(-30, 30), st.integers(-9, 9)), max_size=8), st.integers(1, 25))
def test_the_cursor_is_always_on_an_item_and_seen(view: View, steps: list[tuple[int, int]], height: int) -> None:
    canvas = Canvas(view, 60, height)
    for pane in canvas.panes:
        for lines, cells in steps:
            if pane.selectable and pane.painter.count:
                pane.put(pane.painter.step(pane.state.cursor, lines, cells))
                assert 0 <= pane.state.cursor < pane.painter.count
                assert pane.state.key == pane.painter.id_at(pane.state.cursor)
                assert pane.sees_cursor()


IDS = st.lists(st.sampled_from("abcdefghij"), unique=True)


@FAST
@given(IDS, IDS)
def test_held_rows_keep_their_order_and_their_values(before: list[str], now: list[str]) -> None:
    def table(ids: list[str]) -> Table:
        numbers = np.array([ord(each) for each in ids], dtype=np.float64)
        columns = (TableColumn("id", "id", ids, tokens=ids), TableColumn("n", "n", numbers, "int"))
        return Table(columns, ids, severities=ids)

    held = hold_order(table(before), table(now))
    ids = list(held.ids)
    assert sorted(ids) == sorted(now)
    assert [each for each in ids if each in before] == [each for each in before if each in now]
    assert [each for each in ids if each not in before] == [each for each in now if each not in before]
    assert ids[: len(set(before) & set(now))] == [each for each in before if each in now]
    assert list(held.columns[0].values) == ids
    assert list(held.columns[0].tokens or []) == ids
    assert list(held.severities or []) == ids
    assert [chr(int(each)) for each in held.columns[1].values] == ids
