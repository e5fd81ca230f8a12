from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.engine.backoff import CAP_S, LONGEST_RETRY_AFTER_S, PollSchedule, full_jitter


def _highest(low: float, high: float) -> float:
    return high


@given(st.integers(1, 10_000), st.floats(0.1, 1000))
def test_jitter_stays_between_zero_and_the_larger_of_two_cadences_and_thirty_seconds(failures, cadence_s):
    assert 0 < full_jitter(failures, cadence_s, _highest) <= max(2 * cadence_s, CAP_S)


def test_the_ceiling_doubles_with_each_failure():
    assert [full_jitter(n, 1.0, _highest) for n in (1, 2, 3, 4, 5, 6)] == [1, 2, 4, 8, 16, 30]


def test_a_slow_read_skips_ticks_of_the_grid_and_never_piles_them_up():
    schedule = PollSchedule(10.0, learned=False)
    schedule.begin(100.0)
    schedule.arrived(134.0, 0.0)
    assert schedule.next_at == 140.0


def test_retry_after_wins_over_jitter_and_over_a_wish_to_hurry():
    schedule = PollSchedule(1.0, learned=False, uniform=_highest)
    schedule.begin(0.0)
    schedule.failed(0.0, retry_after_s=120.0)
    schedule.hurry(1.0)
    assert schedule.delay_s(0.0) == 120.0


def test_an_absurd_retry_after_is_bounded():
    schedule = PollSchedule(1.0, learned=False)
    schedule.failed(0.0, retry_after_s=1e12)
    assert schedule.delay_s(0.0) == LONGEST_RETRY_AFTER_S


def test_only_a_good_body_ends_a_row_of_failures():
    schedule = PollSchedule(1.0, learned=False, uniform=_highest)
    for _ in range(3):
        schedule.begin(0.0)
        schedule.arrived(0.1, 0.0)
        schedule.failed(0.2)
    assert schedule.failures == 3
    schedule.succeeded()
    assert schedule.failures == 0


@pytest.mark.parametrize(("learned", "expected_s"), [(True, 15.0), (False, 5.0)])
def test_the_cadence_follows_the_data_only_where_it_is_learned(learned, expected_s):
    schedule = PollSchedule(5.0, learned=learned)
    schedule.begin(0.0)
    schedule.arrived(0.1, 15.0)
    assert schedule.cadence_s == expected_s


def test_a_new_schedule_reads_at_once():
    schedule = PollSchedule(5.0, learned=True)
    assert schedule.next_at == -math.inf
    assert schedule.delay_s(0.0) == 0.0
