from __future__ import annotations

import numpy as np

from console.model.views import Plot, Series
from console.present.curves import draw_curves, nice_step


def plot(values: list[float], step_s: float = 15.0) -> Plot:
    at = 1_800_000_000 + np.arange(len(values)) * step_s
    return Plot((Series("a", at, np.array(values, dtype=np.float32)),))


def test_axes_are_round_numbers_around_the_data() -> None:
    curves = draw_curves(plot([61, 64, 83, 77]), 40, 8)
    assert curves is not None
    assert (curves.low, curves.high) == (60, 90)
    assert nice_step(7.2) == 10
    assert nice_step(0.3) == 0.5


def test_a_steady_line_is_drawn_flat() -> None:
    curves = draw_curves(plot([70.0] * 40), 20, 5)
    assert curves is not None
    assert (curves.bits > 0).any(axis=1).sum() == 1
    assert curves.low < 70 < curves.high


def test_a_gap_stays_a_gap() -> None:
    curves = draw_curves(plot([70.0] * 20 + [np.nan] * 20 + [70.0] * 20), 60, 4)
    assert curves is not None
    drawn = (curves.bits > 0).any(axis=0)
    assert not drawn[22:36].any()
    assert drawn[5:18].all()
    assert drawn[40:55].all()


def test_two_more_samples_move_whole_cells() -> None:
    values = [float(60 + i % 7) for i in range(240)]
    one = draw_curves(plot(values), 60, 6)
    more = draw_curves(plot([*values, 61.0]), 60, 6)
    assert one is not None
    assert more is not None
    shift = (more.end - one.end) / ((one.end - one.start) / 60)
    assert abs(shift - round(shift)) < 1e-6


def test_nothing_to_draw_is_none() -> None:
    assert draw_curves(Plot((Series("a"),)), 40, 5) is None
    assert draw_curves(plot([np.nan] * 5), 40, 5) is None
    assert draw_curves(plot([1.0]), 0, 5) is None


def test_one_sample_is_a_dot() -> None:
    curves = draw_curves(plot([5.0]), 20, 4)
    assert curves is not None
    assert (curves.bits > 0).sum() == 1


def test_an_idle_metric_is_a_line_at_the_foot_of_an_axis_with_different_ends() -> None:
    idle = plot([0.0] * 40)
    curves = draw_curves(Plot(idle.series, format="pct"), 20, 5)
    assert curves is not None
    assert (curves.low, curves.high) == (0, 6)
    assert (curves.bits[-1] > 0).any()
    assert not (curves.bits[:-1] > 0).any()


def test_noise_of_a_degree_does_not_fill_the_plot() -> None:
    curves = draw_curves(Plot(plot([70.0, 70.6] * 30).series, format="temp"), 20, 8)
    assert curves is not None
    assert curves.high - curves.low >= 4
