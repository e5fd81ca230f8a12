from __future__ import annotations

import io
import os

import pytest

from console.ui.wire.drain import LOST_S, MUTE, SLACK_S, Echo, Outlet, Pace, Rate, WireSettings


class Pipe(io.TextIOWrapper):
    """The writing end of a pipe, as a text file."""

    def __init__(self, descriptor):
        super().__init__(os.fdopen(descriptor, "wb", buffering=0), "utf-8", write_through=True)


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    file = Pipe(writing)
    yield reading, file
    file.close()
    os.close(reading)


def test_the_outlet_knows_what_was_taken(pipe):
    reading, file = pipe
    drained = []
    outlet = Outlet(file, lambda: drained.append(outlet.backlog_bytes))
    assert outlet.queue("█a") == 4
    assert outlet.queue("b") == 1
    outlet.write("█a")
    assert (outlet.backlog_bytes, drained) == (1, [])
    outlet.write("b")
    assert (outlet.backlog_bytes, drained) == (0, [0])
    assert os.read(reading, 100) == "█ab".encode()


def test_a_terminal_that_is_gone_takes_everything(pipe, monkeypatch):
    _, file = pipe

    def gone(*_):
        raise OSError(5, "Input/output error")

    outlet = Outlet(file, lambda: None)
    outlet.queue("abc" * 2000)
    monkeypatch.setattr(os, "write", gone)
    outlet.write("abc" * 2000)
    assert outlet.gone
    assert outlet.backlog_bytes == 0


def test_a_terminal_that_takes_little_at_a_time_gets_all(pipe, monkeypatch):
    reading, file = pipe
    write, refused = os.write, []

    def reluctant(descriptor, data):
        if len(refused) % 2 == 0:
            refused.append(data)
            raise BlockingIOError
        refused.append(data)
        return write(descriptor, data[:3])

    monkeypatch.setattr(os, "write", reluctant)
    outlet = Outlet(file, lambda: None)
    outlet.queue("0123456789")
    outlet.write("0123456789")
    assert outlet.backlog_bytes == 0
    assert os.read(reading, 100) == b"0123456789"


def test_without_limits_a_frame_may_go_at_once():
    pace = Pace(WireSettings())
    pace.sent(100_000, 10.0)
    assert pace.pause_s(10.0) == 0


def test_frames_a_second_are_kept():
    pace = Pace(WireSettings(fps=4))
    pace.sent(10, 10.0)
    assert pace.pause_s(10.1) == pytest.approx(0.15)
    assert pace.pause_s(10.25) == 0


def test_bandwidth_is_kept():
    pace = Pace(WireSettings(fps=10, bandwidth_bytes_per_s=1000))
    pace.sent(500, 10.0)
    assert pace.pause_s(10.0) == pytest.approx(0.5)
    pace.sent(20, 11.0)
    assert pace.pause_s(11.0) == pytest.approx(0.1)


def test_an_answer_that_is_late_tells_of_a_queue():
    echo = Echo()
    assert echo.ask(10.0) == Echo.QUESTION
    assert echo.ask(10.1) == ""
    assert not echo.behind(12.0), "how long the link takes is not known yet"
    echo.answered(10.3)
    assert echo.round_trip_s == pytest.approx(0.3)
    assert echo.ask(20.0) == Echo.QUESTION
    assert not echo.behind(20.3 + SLACK_S - 0.01)
    assert echo.behind(20.3 + SLACK_S + 0.01)
    echo.answered(21.0)
    assert not echo.behind(21.0)
    assert echo.round_trip_s == pytest.approx(0.3)


def test_an_answer_that_is_lost_holds_nothing_up_for_long():
    echo = Echo()
    echo.ask(0.0)
    echo.answered(0.01)
    echo.ask(1.0)
    assert echo.behind(2.0)
    assert not echo.behind(1.0 + LOST_S + 0.1)
    assert echo.ask(6.0) == Echo.QUESTION


def test_a_terminal_that_never_answers_is_asked_no_more():
    echo = Echo()
    asked = [echo.ask(at * (LOST_S + 1)) for at in range(6)]
    assert asked == [Echo.QUESTION] * MUTE + [""] * (6 - MUTE)
    assert not echo.outstanding


def test_an_answer_nobody_asked_for_is_none():
    echo = Echo()
    echo.answered(1.0)
    assert echo.round_trip_s == 0


def test_the_rate_is_that_of_whole_seconds():
    rate = Rate(seconds=4)
    rate.add(100, 10.2)
    rate.add(300, 11.9)
    rate.add(5000, 12.0)
    assert rate.bytes_per_s(12.5) == 100
    assert rate.bytes_per_s(20.0) == 0
    rate.add(1, 30.0)
    assert list(rate._by_second) == [30]
