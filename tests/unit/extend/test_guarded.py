from __future__ import annotations

import pytest

from console.extend.guarded import OVERRUN_S, STRIKES, Guard
from console.model.errors import PluginError


class Timer:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def fail():
    raise ValueError("no such rack")


def test_three_failures_in_a_row_disable_with_a_reason():
    guard = Guard("mine")
    for _ in range(STRIKES):
        with pytest.raises(PluginError, match="plugin mine: view failed: ValueError: no such rack"):
            guard.call("view", fail)
    assert guard.disabled
    with pytest.raises(PluginError, match="failed 3 times in a row"):
        guard.call("view", lambda: "fine again")


def test_a_success_between_failures_keeps_it():
    guard = Guard("mine")
    for _ in range(5):
        with pytest.raises(PluginError):
            guard.call("view", fail)
        guard.call("view", lambda: None)
    assert not guard.disabled
    assert guard.errors == 5


def test_three_overruns_in_a_row_disable_with_a_reason():
    timer = Timer()
    guard = Guard("slow", timer=timer)

    def slowly():
        timer.now += OVERRUN_S + 0.1

    for _ in range(STRIKES):
        guard.call("view", slowly)
    assert guard.reason == "view took over 1 s 3 times in a row: disabled"


def test_the_first_reason_stays():
    guard = Guard("mine")
    guard.disable("did not return")
    guard.disable("something else")
    assert guard.reason == "did not return"
