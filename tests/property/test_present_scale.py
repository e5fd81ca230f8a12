from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from console.present.scale import MARGIN, heat_level, heat_levels

FAST = settings(deadline=None, max_examples=150)
NUMBERS = st.floats(-1e6, 1e6, width=32) | st.just(float("nan"))


@FAST
@given(st.lists(NUMBERS, min_size=1, max_size=50), st.floats(-100, 100), st.floats(-100, 200))
def test_levels_are_0_to_9_or_255_where_missing(values: list[float], low: float, high: float) -> None:
    levels = heat_levels(values, low, high)
    missing = np.isnan(values)
    assert (levels[missing] == 255).all()
    assert (levels[~missing] <= 9).all()


@FAST
@given(st.floats(0, 100, width=32), st.lists(st.floats(-0.28, 0.28), min_size=1, max_size=20))
def test_noise_smaller_than_the_margin_never_repaints(start: float, noise: list[float]) -> None:
    previous = heat_levels([start], 0, 100)
    level = int(previous[0])
    for part in noise:
        inside = min(max(start, level * 10), level * 10 + 10) + part * 10
        if abs(part) < MARGIN:
            previous = heat_levels([inside], 0, 100, previous)
            assert int(previous[0]) == level


@FAST
@given(st.lists(NUMBERS, min_size=1, max_size=30), st.data())
def test_hysteresis_is_never_off_by_more_than_one_level(values: list[float], data: st.DataObject) -> None:
    previous = np.array(data.draw(st.lists(st.integers(0, 9), min_size=len(values), max_size=len(values))), np.uint8)
    fresh, steady = heat_levels(values, 0, 100).astype(int), heat_levels(values, 0, 100, previous).astype(int)
    assert (np.abs(fresh - steady) <= 1).all()
    assert ((steady == fresh) | (steady == previous)).all()


@FAST
@given(st.lists(st.floats(-200, 200, width=32), min_size=2, max_size=30))
def test_more_is_never_cooler(values: list[float]) -> None:
    assert (np.diff(heat_levels(sorted(values), -50, 120).astype(int)) >= 0).all()
    assert [heat_level(value, -50, 120) for value in sorted(values)] == sorted(
        heat_level(value, -50, 120) for value in values
    )
