from __future__ import annotations

import io
import os

import pytest

from console.ui.wire.drain import LOST_S, MUTE, SLACK_S, Echo, Outlet, Rate


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


def test_an_answer_that_is_late_tells_of_a_queue():
    echo = Echo()
    assert echo.ask(700, 10.0) == Echo.QUESTION
    assert echo.ask(700, 10.1) == ""
    assert not echo.behind(12.0, 0.0), "how long the link takes is not known yet"
    assert echo.answered(10.3) == (700, pytest.approx(0.3))
    assert echo.ask(50, 20.0) == Echo.QUESTION
    assert not echo.behind(20.3 + SLACK_S - 0.01, 0.3)
    assert echo.behind(20.3 + SLACK_S + 0.01, 0.3)
    assert echo.answered(21.0) == (50, pytest.approx(1.0))
    assert not echo.behind(21.0, 0.3)


def test_a_second_question_is_asked_only_where_it_must():
    echo = Echo()
    assert echo.ask(100, 10.0) == Echo.QUESTION
    assert echo.ask(5000, 10.1, again=True) == Echo.QUESTION
    assert echo.ask(5000, 10.2, again=True) == ""
    assert echo.answered(10.3) == (100, pytest.approx(0.3))
    assert echo.outstanding
    assert echo.answered(11.1) == (5000, pytest.approx(1.0))
    assert not echo.outstanding


def test_an_answer_that_is_lost_holds_nothing_up_for_long():
    echo = Echo()
    echo.ask(10, 0.0)
    echo.answered(0.01)
    echo.ask(10, 1.0)
    assert echo.behind(2.0, 0.01)
    assert not echo.behind(1.0 + LOST_S + 0.1, 0.01)
    assert echo.ask(10, 6.0) == Echo.QUESTION


def test_a_terminal_that_never_answers_is_asked_no_more():
    echo = Echo()
    asked = [echo.ask(10, at * (LOST_S + 1)) for at in range(6)]
    assert asked == [Echo.QUESTION] * MUTE + [""] * (6 - MUTE)
    assert echo.mute
    assert not echo.outstanding


def test_an_answer_nobody_asked_for_is_none():
    assert Echo().answered(1.0) is None


def test_the_rate_is_that_of_whole_seconds():
    rate = Rate(seconds=4)
    rate.add(100, 10.2)
    rate.add(300, 11.9)
    rate.add(5000, 12.0)
    assert rate.bytes_per_s(12.5) == 100
    assert rate.bytes_per_s(20.0) == 0
    rate.add(1, 30.0)
    assert list(rate._by_second) == [30]
