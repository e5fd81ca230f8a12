from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from console.model.views import Align, Table, TableColumn
from console.present.steady import Steady
from console.ui.draw.canvas import Canvas
from console.ui.draw.hold import REST_LIMIT, rest_order
from tests.support.drawing import palette

PALETTE = palette()


def racks(temps: dict[str, float], *, down: bool = True, powers: dict[str, float] | None = None) -> Table:
    """The racks, sorted as the engine sorts them: by temperature, ties by name."""
    names = sorted(temps, key=lambda name: (-temps[name] if down else temps[name], name))
    columns = [
        TableColumn("id", "name", names, width=8),
        TableColumn("temp_c_max", "temp", np.array([temps[name] for name in names]), "temp", Align.RIGHT),
    ]
    if powers:
        values = np.array([powers[name] for name in names])
        columns.append(TableColumn("power_w", "power", values, "power", Align.RIGHT))
    return Table(tuple(columns), names, sort="-temp_c_max" if down else "temp_c_max")


def body(canvas: Canvas) -> list[str]:
    lines = (canvas.line(y, PALETTE, frozenset(), -1) for y in range(1, canvas.height))
    return [" ".join("".join(segment.text for segment in line).split()) for line in lines]


def shown(*tables: Table) -> list[list[str]]:
    canvas, found = None, []
    for table in tables:
        canvas = Canvas(table, 40, 1 + len(table.ids), canvas)
        found.append(body(canvas))
    return found


def test_noise_changes_neither_numbers_nor_order():
    first, second = shown(
        racks({"r1": 81, "r2": 80, "r3": 80}, powers={"r1": 612, "r2": 600, "r3": 590}),
        racks({"r1": 80, "r2": 81, "r3": 81}, powers={"r1": 613, "r2": 609, "r3": 581}),
    )
    assert first == ["r1 81 C 612 W", "r2 80 C 600 W", "r3 80 C 590 W"]
    assert second == first


def test_what_really_changed_moves_and_leaves_the_others_in_their_order():
    _, second, third = shown(
        racks({"r1": 85, "r2": 80, "r3": 80, "r4": 80}),
        racks({"r1": 80, "r2": 80, "r3": 80, "r4": 80}),
        racks({"r1": 80, "r2": 80, "r3": 80, "r4": 90}),
    )
    assert second == ["r1 80 C", "r2 80 C", "r3 80 C", "r4 80 C"]
    assert third == ["r4 90 C", "r1 80 C", "r2 80 C", "r3 80 C"]


def test_another_order_is_taken_as_it_is():
    assert (
        shown(racks({"r1": 81, "r2": 80}), racks({"r1": 80, "r2": 81}, down=False))[1] == ["r1 81 C", "r2 80 C"][::-1]
    )


def test_missing_stays_last_in_both_directions():
    for down in (True, False):
        after = shown(racks({"r1": 81, "r2": 60}, down=down), racks({"r1": float("nan"), "r2": 60}, down=down))[1]
        assert after == ["r2 60 C", "r1 —"]


def test_long_tables_are_left_alone():
    ids = [f"r{i}" for i in range(REST_LIMIT + 1)]
    column = TableColumn("temp_c_max", "temp", np.zeros(len(ids)), "temp")
    table = Table((column,), ids, sort="-temp_c_max")
    assert rest_order(table, table, Steady()) is table


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.lists(st.integers(60, 66), min_size=6, max_size=6) | st.lists(st.floats(20, 90), min_size=6, max_size=6),
        min_size=2,
        max_size=6,
    ),
    st.booleans(),
)
def test_what_is_seen_is_in_order_and_never_a_quantum_off(readings, down):
    canvas = None
    for reading in readings:
        temps = {f"r{i}": value for i, value in enumerate(reading)}
        canvas = Canvas(racks(temps, down=down), 40, 7, canvas)
        told = [(line.split()[0], float(line.split()[1])) for line in body(canvas)]
        numbers = [number for _, number in told]
        assert sorted(name for name, _ in told) == sorted(temps)
        assert numbers == sorted(numbers, reverse=down)
        assert all(abs(number - temps[name]) <= 1.5 for name, number in told)
