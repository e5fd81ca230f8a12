from __future__ import annotations

import math

import pytest

from console.ui.wire.drain import WireSettings
from console.ui.wire.link import (
    FAST_BYTES_PER_S,
    GATHER_S,
    HASTE_S,
    LEAST_SLICE_BYTES,
    SELDOM_S,
    SLICE_S,
    TYPING_EVERY_S,
    TYPING_S,
    UNSURE_BYTES_PER_S,
    Link,
    envelope_rate,
    is_far,
    is_hidden,
)


def slow(rate=8000.0):
    """Return a link that answers told to be so fast, with a round trip of 0.3 s."""
    link = Link(WireSettings())
    link.answered(0, 0.3)
    link.answered(4000, 0.3 + 4000 / rate)
    return link


def test_without_limits_a_frame_may_go_at_once():
    link = Link(WireSettings())
    link.sent(100_000, 10.0)
    assert link.pause_s(10.0) == link.pause_s(10.0, urgent=False) == 0
    assert not link.slow
    assert link.slice_bytes(0.0) == math.inf


def test_frames_a_second_are_kept():
    link = Link(WireSettings(fps=4))
    link.sent(10, 10.0)
    assert link.pause_s(10.1) == pytest.approx(0.15)
    assert link.pause_s(10.25) == 0


def test_what_others_write_is_no_frame():
    link = Link(WireSettings(fps=4))
    link.sent(10, 10.0, frame=False)
    assert link.pause_s(10.0) == 0


def test_bandwidth_is_kept_but_for_a_moment_s_haste():
    link = Link(WireSettings(bandwidth_bytes_per_s=1000))
    link.sent(500, 10.0)
    assert link.pause_s(10.0, urgent=False) == pytest.approx(0.5)
    assert link.pause_s(10.0) == pytest.approx(0.5 - HASTE_S)
    link.sent(500, 10.0)
    assert link.pause_s(10.0) == pytest.approx(1.0 - HASTE_S)


def test_answers_tell_the_rate():
    link = slow(8000.0)
    assert link.rate_bytes_per_s == pytest.approx(8000.0)
    assert link.round_trip_s == pytest.approx(0.3)
    assert link.slice_bytes(0.0) == pytest.approx(8000 * SLICE_S)


def test_a_stall_does_not_make_a_link_slower_nor_a_small_answer_faster():
    link = slow(8000.0)
    link.answered(4000, 1.4)
    link.answered(200, 0.33)
    assert link.rate_bytes_per_s == pytest.approx(8000.0)


def test_the_bytes_before_the_first_question_are_reckoned_with():
    link = Link(WireSettings())
    link.answered(400, 0.35)
    link.answered(2000, 0.55)
    assert link.rate_bytes_per_s == pytest.approx(8000.0)


def test_a_fast_link_has_no_limit_and_one_that_grew_fast_has_none_any_more():
    assert not slow(FAST_BYTES_PER_S * 1.1).slow
    link = slow(8000.0)
    link.answered(4000, 0.31)
    assert not link.slow


def test_a_slow_link_is_left_free_half_of_the_time():
    link = slow(8000.0)
    link.sent(800, 10.0)
    assert link.pause_s(10.0, urgent=False) == pytest.approx(0.2)
    assert link.pause_s(10.0) == 0
    link.sent(8000, 20.0)
    assert link.pause_s(20.0) == pytest.approx(1.0 - HASTE_S)


def test_while_somebody_types_the_rest_comes_behind_an_answer_or_seldom():
    link = slow(8000.0)
    link.goes(10.0, urgent=False)
    link.typed(10.1)
    assert link.pause_s(10.5, urgent=False) == pytest.approx(SELDOM_S - 0.5)
    assert link.pause_s(10.5) == 0
    link.goes(10.6, urgent=True)
    assert link.pause_s(10.6, urgent=False) == pytest.approx(TYPING_EVERY_S - 0.6)
    assert link.pause_s(10.1 + TYPING_S, urgent=False) == 0


def test_the_rate_is_told_by_the_line_under_all_waits():
    samples = [(size, 0.31 + size / 8000) for size in (50, 300, 380, 700, 1100, 2000)]
    assert envelope_rate(samples) == pytest.approx(8000)
    late = [(40, 0.9), (900, 1.1), (1500, 0.7)]
    assert envelope_rate([*late, *samples]) == pytest.approx(8000)
    assert envelope_rate([(50, 0.3), (900, 0.3)]) == math.inf


def test_much_that_came_at_once_tells_of_a_fast_link_whatever_else():
    link = Link(WireSettings())
    link.answered(100, 0.001)
    link.answered(600, 0.02)
    link.answered(9000, 0.03)
    assert not link.slow


def test_a_very_slow_link_has_slices_with_room_for_a_line():
    assert slow(300.0).slice_bytes(0.0) == LEAST_SLICE_BYTES


def test_what_cannot_be_measured_is_taken_for_slow_unless_a_limit_is_told():
    link = Link(WireSettings(), hidden=True)
    assert link.rate_bytes_per_s == UNSURE_BYTES_PER_S
    link.answered(4000, 0.001)
    assert link.rate_bytes_per_s == UNSURE_BYTES_PER_S
    assert Link(WireSettings(bandwidth_bytes_per_s=1e6), hidden=True).rate_bytes_per_s == 1e6


@pytest.mark.parametrize(
    ("environ", "hidden"),
    [({}, False), ({"TERM": "xterm-256color"}, False), ({"TMUX": "/tmp/t,1,0"}, True), ({"STY": "1.x"}, True),
     ({"TERM": "screen.xterm"}, True), ({"TERM": "tmux-256color"}, True), ({"TMUX": ""}, False)],
)  # fmt: skip
def test_a_terminal_within_a_terminal_hides_the_link(environ, hidden):
    assert is_hidden(environ) is hidden


def test_paints_are_gathered_for_less_than_a_person_sees():
    assert GATHER_S <= 0.02


def test_a_terminal_within_a_terminal_on_this_machine_has_no_slow_link():
    assert not Link(WireSettings(), hidden=True, far=False).slow


@pytest.mark.parametrize(
    ("environ", "far"), [({"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}, True), ({"TMUX": "x"}, False)]
)
def test_who_came_by_ssh_is_far(environ, far):
    assert is_far(environ) is far


def test_where_the_rate_is_a_guess_all_goes_at_once_while_nobody_types():
    link = Link(WireSettings(), hidden=True)
    assert link.slice_bytes(100.0) == math.inf
    link.typed(100.0)
    assert link.slice_bytes(100.1) == UNSURE_BYTES_PER_S * SLICE_S
    assert link.slice_bytes(104.0) == math.inf
    told = Link(WireSettings(bandwidth_bytes_per_s=8000.0), hidden=True)
    assert told.slice_bytes(100.0) == 8000.0 * SLICE_S
