from __future__ import annotations

import numpy as np
import pytest

from console.engine.decode import DECODE_LIMIT_S, DecodeRing
from console.engine.record import SourceRecord
from console.engine.setup import SourceSetup
from console.model.columns import same_time
from console.model.errors import BadPayload
from console.model.reading import ColumnPart, EventsPart, InOrder, Reading
from tests.support.clock import FakeClock
from tests.support.sources import ScriptedSource, Sink, reading_of


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def sink():
    return Sink()


def record(name, clock):
    source = ScriptedSource(reading_of([]))
    return SourceRecord("muc1", SourceSetup(name, "prometheus", "", source), clock, lambda event: None)


def drain(ring):
    ring.admit()
    while ring.step():
        ring.admit()


def column(at):
    return ColumnPart("temp_c", InOrder("gpu", 1, 2), np.zeros(2, dtype=np.float32), same_time(at, 2))


def test_two_sources_take_turns_a_part_at_a_time(sink, clock):
    ring = DecodeRing(sink, clock)
    parts = [EventsPart(()), EventsPart(()), EventsPart(())]
    for name in ("a", "b"):
        ring.offer(record(name, clock), reading_of(parts))
    drain(ring)
    assert [name for name, _ in sink.parts] == ["a", "b"] * 3


def test_a_reading_that_waits_is_dropped_for_a_newer_one_and_counted(sink, clock):
    ring, of = DecodeRing(sink, clock), record("a", clock)
    ring.offer(of, reading_of([EventsPart(())]))
    ring.offer(of, reading_of([EventsPart(()), EventsPart(())]))
    drain(ring)
    assert of.dropped == 1
    assert len(sink.parts) == 2


def test_what_a_decoder_raises_is_a_bad_payload_of_its_source_alone(sink, clock):
    def broken():
        yield EventsPart(())
        raise KeyError("data")

    ring = DecodeRing(sink, clock)
    ring.offer(record("bad", clock), Reading(0.0, broken))
    ring.offer(record("good", clock), reading_of([EventsPart(())]))
    drain(ring)
    assert [name for name, _ in sink.done] == ["good"]
    assert isinstance(sink.errors[0], BadPayload)
    assert "muc1/bad" in str(sink.errors[0])
    assert "KeyError" in str(sink.errors[0])


def test_a_body_that_never_ends_is_given_up(sink, clock):
    def endless():
        while True:
            clock.tick(DECODE_LIMIT_S / 4)
            yield EventsPart(())

    ring = DecodeRing(sink, clock)
    ring.offer(record("a", clock), Reading(0.0, endless))
    drain(ring)
    assert "is not decoded after" in str(sink.errors[0])


def test_a_clock_that_runs_ahead_does_not_keep_its_data_fresh(sink, clock):
    ring = DecodeRing(sink, clock)
    ring.offer(record("a", clock), reading_of([column(clock.time() + 3600)], received_at=clock.time()))
    drain(ring)
    assert sink.done == [("a", clock.time())]


class Preparing:
    """A sink whose parts of one source take some steps to prepare."""

    def __init__(self, sink, steps):
        self._sink, self._steps = sink, steps
        self.told = []

    def prepare(self, record, part):
        for step in range(self._steps if record.setup.name == "slow" else 0):
            self.told.append(f"slow {step}")
            yield

    def apply(self, record, reading, part):
        self.told.append(record.setup.name)
        self._sink.apply(record, reading, part)

    def __getattr__(self, name):
        return getattr(self._sink, name)


def test_what_a_part_needs_before_it_is_merged_goes_on_between_the_parts_of_others(sink, clock):
    preparing = Preparing(sink, steps=2)
    ring = DecodeRing(preparing, clock)
    ring.offer(record("slow", clock), reading_of([EventsPart(())]))
    ring.offer(record("quick", clock), reading_of([EventsPart(()), EventsPart(())]))
    drain(ring)
    assert preparing.told == ["slow 0", "quick", "slow 1", "quick", "slow"]
    assert len(sink.done) == 2


def test_a_fault_in_preparing_is_a_bad_payload_of_its_source(sink, clock):
    class Failing(Preparing):
        def prepare(self, record, part):
            yield
            raise ValueError("odd keys")

    ring = DecodeRing(Failing(sink, steps=0), clock)
    ring.offer(record("bad", clock), reading_of([EventsPart(())]))
    drain(ring)
    assert "odd keys" in str(sink.errors[0])
