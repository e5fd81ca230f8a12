from __future__ import annotations

import pytest
from rich.color import ColorSystem
from rich.segment import Segment

from console.ui.wire.courier import ASK_EVERY_S, LOOK_AGAIN_S, TOGETHER_S, Courier
from console.ui.wire.drain import Echo, WireSettings
from console.ui.wire.link import GATHER_S, Link
from console.ui.wire.moves import Dialect
from console.ui.wire.writer import FrameWriter

COLUMNS, LINES = 100, 12
LONG = "0123456789" * 9


class Screen:
    """A writer and a courier over a link of 8,000 bytes a second."""

    def __init__(self, rate=8000.0, round_trip_s=0.3):
        link = Link(WireSettings())
        link.answered(0, round_trip_s)
        link.answered(4000, round_trip_s + 4000 / rate)
        self.courier = Courier(link)
        self.writer = FrameWriter(ColorSystem.TRUECOLOR, Dialect())
        self.lines = [""] * LINES
        self.draw(range(LINES), "")
        self.courier.frame(self.writer, (0, 0), 0.0)

    def draw(self, lines, text, *, patient=False):
        patience = self.courier.patience
        (patience.may_wait if patient else patience.hurry)(lines)
        pieces = [(y, 0, COLUMNS, [Segment(text.ljust(COLUMNS))]) for y in lines]
        patience.drawn(self.writer.take(pieces, (COLUMNS, LINES)))

    def pause(self, now):
        return self.courier.pause_s(self.writer, now)

    def send(self, now):
        text = self.courier.frame(self.writer, (0, 0), now)
        self.courier.link.sent(len(text), now)
        return text


def test_the_answer_to_a_key_goes_before_data_that_wait():
    screen = Screen()
    screen.draw(range(LINES), LONG, patient=True)
    screen.courier.link.typed(9.9)
    screen.courier.link.goes(9.5, urgent=False)
    screen.draw([5], "answer")
    screen.pause(10.0)
    sent = screen.send(10.0 + GATHER_S)
    assert "answer" in sent
    assert "0123" not in sent
    assert screen.writer.pending


def test_paints_of_one_answer_go_together():
    screen = Screen()
    screen.draw([5], "first")
    assert screen.pause(10.0) == pytest.approx(GATHER_S)
    screen.draw([6], "second")
    assert screen.pause(10.004) == pytest.approx(GATHER_S - 0.004)
    assert screen.pause(10.0 + GATHER_S) == 0
    sent = screen.send(10.0 + GATHER_S)
    assert "first" in sent
    assert "second" in sent


def test_data_go_in_slices_that_leave_the_link_free():
    screen = Screen()
    screen.draw(range(LINES), LONG, patient=True)
    now, sizes = 10.0, []
    while screen.writer.pending:
        now += screen.pause(now)
        sizes.append(len(screen.send(now)))
    assert len(sizes) == 3
    assert max(sizes) <= screen.courier.link.slice_bytes(0.0) + 10
    assert now - 10.0 == pytest.approx(2 * sum(sizes[:-1]) / 8000)


def test_the_lines_that_wait_longest_go_first_and_in_their_newest_state():
    screen = Screen()
    screen.draw(range(LINES), LONG, patient=True)
    first = screen.send(10.0)
    screen.draw(range(LINES), LONG[::-1], patient=True)
    now = 10.0 + screen.pause(10.0)
    second = screen.send(now)
    sent_first = first.count(LONG)
    assert 0 < sent_first < LINES
    assert LONG not in second
    assert second.startswith(f"\x1b[{sent_first + 1}H{LONG[::-1]}"), "it goes on below, with what is there now"


def test_while_somebody_types_a_slice_goes_right_behind_an_answer():
    screen = Screen()
    screen.draw([3], LONG, patient=True)
    screen.courier.link.goes(8.9, urgent=False)
    screen.courier.link.typed(10.0)
    assert screen.pause(10.0) == pytest.approx(0.4), "until a slice is due"
    screen.draw([5], "answer")
    screen.pause(10.0)
    assert "answer" in screen.send(10.0 + GATHER_S)
    assert screen.pause(10.0 + GATHER_S) < 0.05
    assert LONG in screen.send(10.06)


def test_while_somebody_types_fast_few_slices_go():
    screen = Screen()
    slices = 0
    for number in range(40):
        now = 10.0 + number * 0.1
        screen.courier.link.typed(now)
        screen.draw([5], f"answer {number}")
        screen.draw([3], f"{number:02}" * 40, patient=True)
        screen.pause(now)
        screen.send(now + GATHER_S)
        if not screen.pause(now + 0.05):
            slices += f"{number:02}" * 9 in screen.send(now + 0.05)
    assert slices == 6, "one in 0.7 s"


def test_a_line_that_a_key_changed_does_not_wait_because_data_came_to_it():
    screen = Screen()
    screen.draw([5], "answer")
    screen.draw([5], "answer and data", patient=True)
    screen.pause(10.0)
    assert "answer and data" in screen.send(10.0 + GATHER_S)
    screen.draw([5], "data", patient=True)
    screen.courier.link.typed(10.1)
    screen.courier.link.goes(10.1, urgent=False)
    assert screen.pause(10.2) > 0.5


def test_data_that_are_drawn_while_older_ones_go_still_may_wait():
    screen = Screen()
    screen.draw([3], "old", patient=True)
    screen.courier.patience.may_wait([3])
    assert "old" in screen.send(10.0)
    screen.courier.patience.drawn(
        screen.writer.take([(3, 0, COLUMNS, [Segment("new".ljust(COLUMNS))])], (COLUMNS, LINES))
    )
    screen.courier.link.typed(10.0)
    assert screen.pause(10.01) > 0.5


def test_another_picture_does_not_wait_for_the_lines_below_it():
    screen = Screen()
    screen.draw([3], "data", patient=True)
    screen.courier.link.typed(10.0)
    screen.courier.link.goes(10.0, urgent=False)
    assert screen.pause(10.01) > 0.5
    screen.courier.patience.hurry_all()
    assert screen.pause(10.01) == pytest.approx(GATHER_S)


def test_a_slow_link_is_asked_seldom_and_a_hidden_one_never():
    screen = Screen()
    assert screen.courier.question(100, 10.0) == Echo.QUESTION
    screen.courier.answered(10.3)
    assert screen.courier.question(100, 11.0) == ""
    assert screen.courier.question(2000, 11.0) == ""
    assert screen.courier.question(2000, 10.0 + ASK_EVERY_S) == Echo.QUESTION
    assert Courier(Link(WireSettings(), hidden=True)).question(5000, 0.0) == ""


def test_data_wait_while_the_terminal_is_behind_and_answers_to_keys_do_not():
    screen = Screen()
    screen.courier.question(100, 10.0)
    screen.draw([3], LONG, patient=True)
    assert screen.pause(11.0) == LOOK_AGAIN_S
    screen.draw([5], "answer")
    screen.pause(11.0)
    assert screen.pause(11.0 + GATHER_S) == 0
    screen.courier.answered(11.1)
    screen.send(11.1)
    assert "a" not in screen.send(11.1)


def test_a_new_terminal_is_sent_all_at_once():
    screen = Screen()
    screen.draw(range(LINES), LONG, patient=True)
    screen.writer.forget()
    assert screen.send(10.0).count(LONG) == LINES
    assert not screen.writer.pending


def test_a_fast_link_has_no_slices():
    screen = Screen(rate=1e6)
    screen.draw(range(LINES), LONG, patient=True)
    assert screen.pause(10.0) == pytest.approx(TOGETHER_S)
    assert screen.pause(10.0 + TOGETHER_S) == 0
    assert screen.send(10.0 + TOGETHER_S).count(LONG) == LINES


def test_on_a_fast_link_an_answer_waits_for_nothing():
    screen = Screen(rate=1e6)
    screen.draw([3], "data", patient=True)
    assert screen.pause(10.0) > 0
    screen.draw([5], "answer")
    assert screen.pause(10.001) == 0
    sent = screen.send(10.001)
    assert "answer" in sent
    assert "data" in sent
