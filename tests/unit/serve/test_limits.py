from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from console.serve.limits import BURST_S, MOST_CALLERS, Buckets, Streams


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 2), min_size=1, max_size=200), st.floats(0.5, 20))
def test_no_caller_gets_more_than_its_rate_and_one_burst(pauses: list[float], rate: float) -> None:
    clock = Clock()
    buckets = Buckets(rate, clock)
    granted = 0
    for pause in pauses:
        clock.now += pause
        granted += buckets.take("a") == 0
    assert granted <= max(1.0, rate * BURST_S) + clock.now * rate + 1e-6


def test_who_waits_as_told_is_served() -> None:
    clock = Clock()
    buckets = Buckets(2.0, clock)
    while not (wait_s := buckets.take("a")):
        pass
    clock.now += wait_s + 1e-9
    assert buckets.take("a") == 0


def test_callers_do_not_share_and_are_forgotten_when_they_are_many() -> None:
    buckets = Buckets(0.5, Clock())
    assert [buckets.take(f"caller {number}") for number in range(MOST_CALLERS + 10)] == [0.0] * (MOST_CALLERS + 10)
    assert len(buckets._levels) == MOST_CALLERS


def test_one_caller_has_at_most_half_of_the_streams() -> None:
    streams = Streams(4)
    with (
        streams.opened("a") as one,
        streams.opened("a") as two,
        streams.opened("a") as three,
        streams.opened("b") as four,
    ):
        assert (one, two, three, four) == (True, True, False, True)
        assert len(streams) == 3
    assert len(streams) == 0
