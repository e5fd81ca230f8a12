from __future__ import annotations

import threading

import pytest

from console.engine.compute import JOBS, Compute
from console.engine.mailbox import MailboxFull
from console.engine.record import SourceRecord
from console.engine.setup import SourceSetup
from console.model.builtin_metrics import BUILTIN
from console.model.reading import EventsPart, Reading
from console.model.snapshot import Frame, Snapshot
from tests.support.clock import FakeClock
from tests.support.sources import ScriptedSource, Sink, reading_of

STEP_S = 0.01


@pytest.fixture
def clock():
    return FakeClock()


class Bench:
    """A compute thread that is stepped by hand; the tick has three steps."""

    def __init__(self, clock):
        self.clock, self.published, self.sink, self.log = clock, [], Sink(), []
        self.compute = Compute(self.sink, self.tick, self.published.append, period_s=1.0, clock=clock)

    def tick(self):
        for number in range(3):
            self.clock.tick(STEP_S)
            self.log.append(f"tick {number}")
            yield None
        yield Snapshot(len(self.published) + 1, Frame(0.0, "test", BUILTIN, ()))

    def until_idle(self, limit=1000):
        for _ in range(limit):
            if self.compute.step() > 0:
                return
        raise AssertionError("never idle")


@pytest.fixture
def bench(clock):
    return Bench(clock)


def endless_reading():
    def decode():
        while True:
            yield EventsPart(())

    return Reading(0.0, decode)


def record(clock):
    source = ScriptedSource(reading_of([]))
    return SourceRecord("muc1", SourceSetup("prom", "prometheus", "", source), clock, lambda event: None)


def test_a_snapshot_is_published_once_a_period(bench, clock):
    for _ in range(5):
        bench.until_idle()
        clock.tick(1.0)
    assert [each.seq for each in bench.published] == [1, 2, 3, 4, 5]


def test_a_question_is_answered_before_the_rest_of_the_tick_and_of_a_decode(bench, clock):
    bench.compute.accept(record(clock), endless_reading())
    bench.compute.step()
    bench.compute.submit("q", lambda: bench.log.append("answer"))
    bench.compute.step()
    assert bench.log == ["tick 0", "answer"]


def test_a_decode_without_end_does_not_hold_up_snapshots(bench, clock):
    bench.compute.accept(record(clock), endless_reading())
    for _ in range(400):
        bench.compute.step()
        clock.tick(STEP_S)
    assert len(bench.published) >= 3
    assert bench.sink.parts


def test_a_flood_of_questions_does_not_hold_up_snapshots(bench, clock):
    for number in range(300):
        bench.compute.submit(number % JOBS, lambda: clock.tick(0.02))
        bench.compute.step()
    assert len(bench.published) >= 2


def test_a_full_queue_refuses(bench):
    for number in range(JOBS):
        bench.compute.submit(number, lambda: None)
    with pytest.raises(MailboxFull):
        bench.compute.submit("one more", lambda: None)


def test_hasten_brings_the_next_tick_forward(bench, clock):
    bench.until_idle()
    bench.compute.hasten(0.0)
    bench.until_idle()
    assert len(bench.published) == 2


def test_the_thread_outlives_a_fault_in_a_job(clock, caplog):
    bench = Bench(clock)
    done = threading.Event()
    bench.compute.start()
    bench.compute.submit("bad", lambda: 1 / 0)
    bench.compute.submit("good", done.set)
    assert done.wait(10)
    bench.compute.stop()
    assert bench.compute.join(10)
    assert "ZeroDivisionError" in caplog.text
