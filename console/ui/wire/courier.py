"""Decides what goes to the terminal and when: answers to keys first, the rest as the link has room."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from console.ui.wire.drain import Echo
from console.ui.wire.link import GATHER_S, LARGE_BYTES, LEAST_PAUSE_S
from console.ui.wire.patience import Patience

if TYPE_CHECKING:
    from console.ui.wire.link import Link
    from console.ui.wire.writer import FrameWriter

# How soon to see whether a terminal that was behind is so still.
LOOK_AGAIN_S = 0.25
# Header and body of the same data are drawn so soon after each other, and go in one frame.
TOGETHER_S = 0.04
# How often a slow link is asked: each answer is a packet that may be lost, and holds up the keys behind it.
ASK_EVERY_S = 10.0


class Courier:
    """Takes frames from a writer to a link; times are monotonic seconds."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.echo = Echo()
        self.patience = Patience()
        self._urgent_at: float | None = None
        self._patient_at: float | None = None
        self._asked_at = -math.inf

    def begin(self) -> None:
        """Take it that the terminal is another: no question is open."""
        self.echo = Echo()
        self._urgent_at = self._patient_at = None

    def answered(self, now: float) -> None:
        """Note an answer of the terminal."""
        told = self.echo.answered(now)
        if told is not None:
            self.link.answered(*told)

    def pause_s(self, writer: FrameWriter, now: float) -> float:
        """Return how long what waits must go on waiting, 0 if some of it may go."""
        link = self.link
        if not link.slow:
            behind = self.echo.behind(now, link.round_trip_s)
            return LOOK_AGAIN_S if behind else max(link.pause_s(now), self._together_s(writer, now))
        urgent, patient = self._lines(writer)
        if urgent is None or urgent:
            self._urgent_at = now if self._urgent_at is None else self._urgent_at
            gather = self._urgent_at + GATHER_S - now if urgent else 0.0
            return max(link.pause_s(now), gather if gather > LEAST_PAUSE_S else 0.0)
        if not patient:
            return 0.0
        usual_s = link.round_trip_s + LARGE_BYTES / link.rate_bytes_per_s
        return LOOK_AGAIN_S if self.echo.behind(now, usual_s) else link.pause_s(now, urgent=False)

    def _together_s(self, writer: FrameWriter, now: float) -> float:
        """Return how long what nobody waits for waits for more of its kind: a body comes behind its header."""
        waiting = writer.waiting
        if not waiting or self.patience.parted(waiting)[0]:
            self._patient_at = None
            return 0.0
        self._patient_at = now if self._patient_at is None else self._patient_at
        left = self._patient_at + TOGETHER_S - now
        return left if left > LEAST_PAUSE_S else 0.0

    def frame(self, writer: FrameWriter, cursor: tuple[int, int], now: float) -> str:
        """Return what may go now; some may be left pending."""
        urgent, patient = self._lines(writer)
        before = range(writer.size[1]) if writer.waiting is None else writer.waiting
        self._urgent_at = self._patient_at = None
        if urgent is None or urgent or not patient:
            text = writer.send(cursor, urgent)
            self.link.goes(now, urgent=True)
        else:
            text = writer.send(cursor, patient, self.link.slice_bytes(now))
            self.link.goes(now, urgent=False)
        self.patience.sent(set(before).difference(writer.waiting or ()))
        return text

    def question(self, size_bytes: int, now: float) -> str:
        """Return what to ask behind a frame of so many bytes, often nothing."""
        link = self.link
        if link.hidden:
            return ""
        if link.slow and link.measured and now - self._asked_at < ASK_EVERY_S:
            return ""
        question = self.echo.ask(size_bytes, now, again=size_bytes >= LARGE_BYTES and not link.measured)
        if question:
            self._asked_at = now
        return question

    def _lines(self, writer: FrameWriter) -> tuple[list[int] | None, list[int]]:
        """Return the lines that somebody waits for (None: all there are), and the others."""
        waiting = writer.waiting
        return (None, []) if waiting is None or not self.link.slow else self.patience.parted(waiting)
