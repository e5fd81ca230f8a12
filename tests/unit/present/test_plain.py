from __future__ import annotations

import numpy as np

from console.model.builtin_metrics import BUILTIN
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
from console.present.columns import columns_of
from console.present.plain import render

NAN = float("nan")


def test_a_table_starts_with_its_header_and_aligns_by_cells() -> None:
    table = Table(
        (
            TableColumn("id", "name", ["muc1", "漢字"]),
            TableColumn("t", "temp", np.array([79.0, NAN]), "temp", Align.RIGHT),
        ),
        ["a", "b"],
        title="SITES",
    )
    assert render(table, 80) == ["name    temp", "muc1    79 C", "漢字       —"]


def test_an_empty_table_says_so_below_its_header() -> None:
    assert render(Table((TableColumn("id", "name", []),), [], empty="no sites"), 80) == ["name", "no sites"]


def test_columns_of_a_query_keep_order_and_tell_units() -> None:
    columns = columns_of(
        {
            "id": ["muc1"],
            "gpus": np.array([100_000]),
            "temp_c_max": np.array([79.0]),
            "grid_g_kwh": np.array([41.0]),
            "source": np.array(["prom"], dtype=object),
            "age_s": np.array([1.0]),
        },
        BUILTIN,
    )
    assert [each.title for each in columns] == [
        "id", "gpus", "temp_c_max", "grid_g_kwh (gCO2/kWh)", "source", "age_s",
    ]  # fmt: skip
    header, row = render(Table(columns, ["muc1"]), 100_000)
    assert row.split() == ["muc1", "100,000", "79", "C", "41", "prom", "1", "s"]
    assert header.index("gpus") + 4 == row.index("100,000") + 7


def test_heat_maps_have_bars_and_dots_for_what_is_missing() -> None:
    view = HeatMap(
        np.array([0, 50, 100, NAN], dtype=np.float32),
        np.array([0, 5, 9, 255], dtype=np.uint8),
        ["a", "b", "c", "d"],
        (HeatGroup("n1", "n1", 0, 2), HeatGroup("n2", "n2", 2, 4)),
        "temperature",
        "C",
        0,
        100,
    )
    assert render(view, 40) == ["temperature  0 ▁▂▃▄▅▆▇█ 100 C", "n1 ▁▅  n2 █·"]


def test_a_group_that_is_wider_than_the_line_goes_on_below() -> None:
    levels = np.zeros(25, dtype=np.uint8)
    view = HeatMap(levels.astype(np.float32), levels, list("x" * 25), (HeatGroup("r", "r", 0, 25),), "t", "", 0, 1)
    assert [len(line.strip(" r")) for line in render(view, 12)[1:]] == [10, 10, 5]


def test_splits_are_stacked_with_titles_and_every_view_has_a_text() -> None:
    at = np.arange(0, 600, 15.0)
    view = Split(
        (
            Part(Text(((Span("hello"), Span(" you")),), title="WORDS")),
            Part(Tree((TreeNode("a", (Span("root"),), (TreeNode("b", (Span("leaf"),)),)),))),
            Part(Plot((Series("muc1", at, np.linspace(1, 9, 40).astype(np.float32)),), title="power")),
        )
    )
    lines = render(view, 60)
    assert lines[:2] == ["── WORDS ──", "hello you"]
    assert "root" in lines
    assert "  leaf" in lines
    assert lines[-1] == "muc1: 9"
    assert any("⠉" <= char <= "⣿" for line in lines for char in line)


def test_an_empty_plot_and_a_plot_of_nothing_are_lines_of_text() -> None:
    assert render(Plot((Series("a"),), title="power"), 60) == ["power", "a: —"]
