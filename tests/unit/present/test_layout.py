from __future__ import annotations

from itertools import pairwise

import numpy as np

from console.model.views import Align, TableColumn
from console.present.layout import place_columns


def columns() -> tuple[TableColumn, ...]:
    return (
        TableColumn("id", "name", ["n" * 30], width=8, weight=1),
        TableColumn("temp", "temp", np.array([40.0]), "temp", Align.RIGHT),
        TableColumn("power", "power", np.array([512.0]), "power", Align.RIGHT, drop=1),
        TableColumn("age", "age", np.array([1.0]), "age", Align.RIGHT, drop=2),
    )


def kept(width: int) -> list[str]:
    return [columns()[each.index].key for each in place_columns(columns(), width)]


def test_columns_leave_in_their_order_as_the_screen_shrinks() -> None:
    assert kept(100) == ["id", "temp", "power", "age"]
    assert kept(28) == ["id", "temp", "power"]
    assert kept(18) == ["id", "temp"]
    assert kept(3) == ["id"]


def test_nothing_overlaps_and_nothing_stands_outside() -> None:
    for width in range(1, 120):
        placed = place_columns(columns(), width)
        assert all(one.start + one.width < other.start for one, other in pairwise(placed))
        assert placed[-1].start + placed[-1].width <= width


def test_a_weighted_column_takes_what_is_left_up_to_what_it_needs() -> None:
    assert place_columns(columns(), 40)[0].width < 30
    assert 30 <= place_columns(columns(), 200)[0].width <= 32


def test_a_column_of_numbers_is_as_wide_for_small_ones_as_for_usual_ones() -> None:
    def width(value: float) -> int:
        column = TableColumn("p", "p", np.array([value]), "power", Align.RIGHT)
        return place_columns((column,), 80)[0].width

    assert width(5.0) == width(999.0) == width(99_900.0)


def test_widths_that_were_measured_before_are_used() -> None:
    column = TableColumn("id", "id", ["abc"])
    assert place_columns((column,), 80, natural={"id": 12})[0].width == 12
