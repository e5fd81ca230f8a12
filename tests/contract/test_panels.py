"""What every panel promises, whatever the fleet is like and however small the screen is."""

from __future__ import annotations

import dataclasses

import pytest

from console.model.place import Place, Size
from console.model.views import Split, Table
from console.present.plain import render
from tests.support import panels

PANELS = ("fleet", "drilldown", "checks", "sources", "jobs", "disagreements")
STATES = {
    "normal": panels.normal,
    "stale": panels.stale,
    "hostile": panels.hostile,
    "empty": panels.snapshot,
    "loading": lambda: dataclasses.replace(panels.snapshot(), loading=True),
}
SIZES = (Size(80, 20), Size(200, 46), Size(40, 8), Size(300, 100), Size(20, 3))
PLACES = ("", "muc1", "muc1/h1", "muc1/h1/r001", "muc1/h1/r001/n0001", "muc1/h1/r001/n0001/g3", "gone/h1")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size.width}x{size.height}")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("panel", PANELS)
def test_it_draws_at_every_place_without_a_fault_or_a_raw_character(panel, state, size):
    snapshot = STATES[state]()
    for path in PLACES:
        view = panels.load_panel(panel).view(snapshot, Place(path=path), size)
        assert all(panels.is_safe(text) for text in panels.words(view))
        assert all(panels.is_safe(line) for line in render(view, size.width))


@pytest.mark.parametrize("panel", PANELS)
def test_it_changes_nothing_and_says_the_same_twice(panel):
    snapshot, place, size = panels.normal(), Place(path="muc1"), Size(120, 40)
    made = panels.load_panel(panel)
    first = render(made.view(snapshot, place, size), 120)
    assert render(made.view(snapshot, place, size), 120) == first


@pytest.mark.parametrize("panel", PANELS)
def test_the_part_with_the_focus_is_there(panel):
    view = panels.load_panel(panel).view(panels.normal(), Place(), Size(80, 20))
    while isinstance(view, Split):
        assert 0 <= view.focus < len(view.parts)
        view = view.parts[view.focus].view


@pytest.mark.parametrize("panel", PANELS)
def test_a_table_s_ids_are_one_a_row_and_all_different(panel):
    for path in PLACES:
        for view in panels.flat(panels.load_panel(panel).view(panels.normal(), Place(path=path), Size(160, 50))):
            if isinstance(view, Table):
                assert len(set(view.ids)) == len(view.ids)
                assert all(len(column.values) == len(view.ids) for column in view.columns)


@pytest.mark.parametrize("where", ["temp_c >", "nonsense > 1", "temp_c > 80", 'site == "muc1"', "((((", ""])
def test_a_filter_that_cannot_be_read_is_shown_with_its_column(where):
    view = panels.load_panel("drilldown").view(panels.normal(), Place(where=where), Size(100, 30))
    text = "\n".join(render(view, 100))
    assert ("column" in text) == (where in ("temp_c >", "nonsense > 1", "(((("))
