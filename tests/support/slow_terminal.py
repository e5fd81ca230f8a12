"""A terminal at the far end of a slow link: keys arrive late, and what is written is seen late, at a rate, stalling."""

from __future__ import annotations

import os
import random
import select
import time
from collections import deque
from typing import TYPE_CHECKING

from tests.support.slow_link import Link
from tests.support.terminal import READ_BYTES, Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

QUESTION, ANSWER = b"\x1b[6n", "\x1b[1;1R"
PIECE = 1400
STEP_S = 0.005


class SlowTerminal(Terminal):
    """A child on a pty whose far side is a link away; `seed` chooses what stalls."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 80,
        lines: int = 24,
        environ: Mapping[str, str] | None = None,
        link: Link | None = None,
    ) -> None:
        self._link = link or Link()
        self._chance = random.Random(self._link.seed)
        self._down: deque[tuple[float, bytes]] = deque()
        self._up: deque[tuple[float, str]] = deque()
        self._down_free = self._down_last = self._up_last = 0.0
        super().__init__(command, columns, lines, environ)

    def send(self, text: str) -> None:
        """Type; it arrives half a round trip later."""
        self._up_last = max(self._up_last, time.monotonic() + self._delay_s())
        self._up.append((self._up_last, text))

    def _delay_s(self) -> float:
        late = self._link.stall_s if self._chance.random() < self._link.stall_share else 0.0
        return self._link.round_trip_s / 2 + late

    def read(self, timeout_s: float = 0.1) -> bool:
        """Let time pass; return whether anything was seen."""
        end = time.monotonic() + timeout_s
        seen = False
        while not seen:
            self._type_what_arrived()
            self._take_what_is_written()
            seen = self._see_what_arrived()
            if time.monotonic() >= end:
                break
            select.select([self._fd], [], [], STEP_S) if not self._down else time.sleep(STEP_S)
        return seen

    def _type_what_arrived(self) -> None:
        while self._up and self._up[0][0] <= time.monotonic():
            os.write(self._fd, self._up.popleft()[1].encode())

    def _take_what_is_written(self) -> None:
        """Take pieces when the line is free: the program feels that the link is full."""
        now = time.monotonic()
        if self._down_free > now + STEP_S or not select.select([self._fd], [], [], 0)[0]:
            return
        try:
            data = os.read(self._fd, PIECE)
        except OSError:  # the child closed its side
            return
        self._down_free = max(self._down_free, now) + len(data) / self._link.bytes_per_s
        self._down_last = max(self._down_last, self._down_free + self._delay_s())
        self._down.append((self._down_last, data))

    def _see_what_arrived(self) -> bool:
        seen = False
        while self._down and self._down[0][0] <= time.monotonic():
            data = self._down.popleft()[1]
            self.raw = self.raw[-READ_BYTES:] + data.decode("utf-8", "replace")
            self._feed(data)
            for _ in range(data.count(QUESTION)):
                self.send(ANSWER)
            seen = True
        return seen

    def pass_time(self, seconds: float) -> None:
        """Watch for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)
