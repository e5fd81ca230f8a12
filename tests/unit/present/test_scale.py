from __future__ import annotations

import numpy as np

from console.present.scale import heat_level, heat_levels


def test_values_fall_on_ten_levels_and_missing_is_255() -> None:
    values = np.array([-5, 0, 9.9, 10, 55, 99, 100, 1e9, np.inf, -np.inf, np.nan])
    assert heat_levels(values, 0, 100).tolist() == [0, 0, 0, 1, 5, 9, 9, 9, 9, 0, 255]


def test_one_value_has_the_same_level_as_in_an_array() -> None:
    for value in (-5.0, 0.0, 9.9, 10.0, 55.0, 1e9, float("nan"), float("inf")):
        assert heat_level(value, 0, 100) == int(heat_levels([value], 0, 100)[0])


def test_a_scale_without_a_span_does_not_fail() -> None:
    assert heat_levels([1.0, 5.0], 5, 5).tolist() == [0, 0]


def test_noise_at_an_edge_keeps_the_level_and_a_clear_change_does_not() -> None:
    before = heat_levels([29.0], 0, 100)
    assert heat_levels([31.0], 0, 100, before).tolist() == [2]
    assert heat_levels([36.0], 0, 100, before).tolist() == [3]
    assert heat_levels([np.nan], 0, 100, before).tolist() == [255]


def test_levels_of_another_shape_or_missing_before_do_not_count() -> None:
    assert heat_levels([31.0, 5.0], 0, 100, np.array([2], np.uint8)).tolist() == [3, 0]
    assert heat_levels([31.0], 0, 100, np.array([255], np.uint8)).tolist() == [3]
