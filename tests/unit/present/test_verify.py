from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from console.model.views import HeatGroup, HeatMap, Part, Plot, Series, Split, Table, TableColumn, Text, Tree
from console.present.verify import fault_of

ID = TableColumn("id", "id", ["a", "b"])
ZEROS = np.zeros(2, np.float32)
LEVELS = np.zeros(2, np.uint8)


def heat_map(*groups: HeatGroup, ids: Any = ("a", "b")) -> HeatMap:
    return HeatMap(ZEROS, LEVELS, ids, groups, "t", "C", 0, 1)


@pytest.mark.parametrize(
    "view",
    [
        Table((ID,), ["a", "b"]),
        heat_map(HeatGroup("g", "g", 0, 2)),
        Plot((Series("a"),)),
        Text(()),
        Tree(()),
        Split((Part(Table((ID,), ["a", "b"])), Part(Split((Part(Text(())),))))),
    ],
)
def test_a_sound_view_has_no_fault(view: Any) -> None:
    assert fault_of(view) == ""


@pytest.mark.parametrize(
    ("view", "fault"),
    [
        (None, "NoneType is not a view"),
        ("text", "str is not a view"),
        (Table((), ["a"]), "a table has no columns"),
        (Table((ID,), ["a"]), "column id has 2 values for 1 rows"),
        (Table((ID, ID), ["a", "b"]), "two columns of a table have one key"),
        (Table((TableColumn("n", "n", ZEROS, tokens=["text"]),), ["a", "b"]), "column n has 1 tokens for 2 rows"),
        (Table((ID,), ["a", "b"], title=7), "the title of a Table is not text"),  # type: ignore[arg-type]  # meant
        (heat_map(ids=["a"]), "a heat map has 2 values and 2 levels for 1 cells"),
        (heat_map(HeatGroup("g", "g", 0, 3)), "group g of a heat map is cells 0:3 of 2, out of order"),
        (Plot((Series("a", np.zeros(2), np.zeros(3, np.float32)),)), "series a has 2 times for 3 values"),
        (Text((("no span",),)), "a line of text is not made of spans"),  # type: ignore[arg-type]  # meant
        (Split((Part(Table((ID,), [])),)), "column id has 2 values for 0 rows"),
    ],
)
def test_the_first_fault_is_told_in_words(view: Any, fault: str) -> None:
    assert fault_of(view) == fault
