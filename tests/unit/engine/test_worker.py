from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from console.engine.worker import CAPACITY, Call, PluginWorker
from console.model.errors import PluginError
from tests.support.clock import FakeClock


class Heard:
    """Collects the end of a call, and lets a test wait for it."""

    def __init__(self) -> None:
        self.ends: list[tuple[object, BaseException | None]] = []
        self.ended = threading.Event()

    def __call__(self, result: object, error: BaseException | None) -> None:
        self.ends.append((result, error))
        self.ended.set()

    def wait(self) -> tuple[object, BaseException | None]:
        assert self.ended.wait(10)
        return self.ends[0]


@pytest.fixture
def hung() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def worker(clock, hung):
    made = PluginWorker("test", 3.0, clock, lambda owner, reason: hung.append((owner, reason)))
    made.start()
    yield made
    made.close()
    assert made.join(10)


def test_a_call_returns_its_result_and_an_exception_its_error(worker):
    good, bad = Heard(), Heard()
    worker.submit("a", Call("p", "view", lambda: 42, good))
    worker.submit("b", Call("p", "view", lambda: 1 / 0, bad))
    assert good.wait() == (42, None)
    assert isinstance(bad.wait()[1], ZeroDivisionError)


def test_even_system_exit_stays_inside(worker):
    heard, after = Heard(), Heard()

    def leave() -> None:
        raise SystemExit

    worker.submit("a", Call("p", "view", leave, heard))
    worker.submit("b", Call("p", "view", lambda: "alive", after))
    assert isinstance(heard.wait()[1], SystemExit)
    assert after.wait() == ("alive", None)


def test_a_plugin_that_never_returns_is_named_and_the_others_go_on(worker, clock, hung):
    started, never = threading.Event(), threading.Event()
    lost, next_call = Heard(), Heard()

    def hang() -> None:
        started.set()
        never.wait(30)

    worker.submit("a", Call("bad", "view", hang, lost))
    assert started.wait(10)
    worker.check()
    assert not hung
    clock.tick(3.5)
    worker.check()
    assert hung == [("bad", "view did not return within 3 s: disabled")]
    assert isinstance(lost.wait()[1], PluginError)
    worker.submit("b", Call("good", "view", lambda: "served", next_call))
    assert next_call.wait() == ("served", None)
    refused = Heard()
    worker.submit("c", Call("bad", "view", lambda: "never", refused))
    assert "did not return" in str(refused.wait()[1])
    never.set()


def test_what_waits_for_a_plugin_that_hangs_ends_with_it_and_never_runs(worker, clock):
    started, never, ran = threading.Event(), threading.Event(), []
    lost, waiting = Heard(), Heard()

    def hang() -> None:
        started.set()
        never.wait(30)

    worker.submit("a", Call("bad", "view", hang, lost))
    assert started.wait(10)
    worker.submit("b", Call("bad", "view", lambda: ran.append(1), waiting))
    clock.tick(3.5)
    worker.check()
    assert "did not return" in str(waiting.wait()[1])
    never.set()
    assert not ran


def test_a_newer_call_of_the_same_key_cancels_the_waiting_one(worker):
    gate, busy, old, new = threading.Event(), Heard(), Heard(), Heard()
    entered = threading.Event()

    def block() -> None:
        entered.set()
        gate.wait(10)

    worker.submit("busy", Call("p", "view", block, busy))
    assert entered.wait(10)
    worker.submit("k", Call("p", "view", lambda: "old", old))
    worker.submit("k", Call("p", "view", lambda: "new", new))
    assert isinstance(old.wait()[1], CancelledError)
    gate.set()
    assert new.wait() == ("new", None)


def test_a_full_queue_refuses_with_a_message(worker):
    gate, entered = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        gate.wait(10)

    worker.submit("busy", Call("p", "view", block, Heard()))
    assert entered.wait(10)
    waiting = [Heard() for _ in range(CAPACITY + 1)]
    for number, heard in enumerate(waiting):
        worker.submit(number, Call("p", "view", lambda: None, heard))
    assert "too many calls" in str(waiting[-1].wait()[1])
    gate.set()


def test_closing_ends_every_call_exactly_once(clock, hung):
    worker = PluginWorker("test", 3.0, clock, lambda owner, reason: hung.append((owner, reason)))
    worker.start()
    gate, entered, running, waiting = threading.Event(), threading.Event(), Heard(), Heard()

    def block() -> None:
        entered.set()
        gate.wait(10)

    worker.submit("a", Call("p", "view", block, running))
    assert entered.wait(10)
    worker.submit("b", Call("p", "view", lambda: None, waiting))
    worker.close()
    assert "closed" in str(running.wait()[1])
    assert "closed" in str(waiting.wait()[1])
    gate.set()
    assert worker.join(10)
    assert len(running.ends) == 1
