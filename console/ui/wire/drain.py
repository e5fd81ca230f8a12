"""The way to the terminal: what it has taken, and how far it is behind."""

from __future__ import annotations

import os
import select
from collections import deque
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

PIECE_BYTES = 2048
STUCK_S = 0.5
# An answer that is so much later than usual tells of a queue; one that takes so long is lost; after so many lost ones
# no more questions are asked.
SLACK_S, LOST_S, MUTE = 0.1, 4.0, 2
# So many questions may be open.
MOST_OPEN = 2


@dataclass(frozen=True, slots=True)
class WireSettings:
    """Limits of what is sent: frames and bytes a second; 0 leaves it to what the terminal takes."""

    fps: float = 0.0
    bandwidth_bytes_per_s: float = 0.0


class Outlet:
    """A file for Textual's writing thread that knows how much of what was queued the terminal has taken.

    `on_drained` is called in that thread each time nothing is left. When the terminal is gone the rest is dropped.
    """

    def __init__(self, file: TextIO, on_drained: Callable[[], None]) -> None:
        file.flush()
        self._fd = file.fileno()
        self._tty = file.isatty()
        self._encoding = file.encoding or "utf-8"
        self._on_drained = on_drained
        self._queued = 0
        self._gone = False
        self.taken_bytes = 0

    def queue(self, text: str) -> int:
        """Note that a text will be written; return its size in bytes."""
        size = len(text.encode(self._encoding, "replace"))
        self._queued += size
        return size

    @property
    def gone(self) -> bool:
        """Whether the terminal is no more."""
        return self._gone

    @property
    def backlog_bytes(self) -> int:
        """What was queued and not taken."""
        return self._queued - self.taken_bytes

    def write(self, text: str) -> int:
        """Write a text; called in the writing thread, blocks while the terminal takes nothing."""
        data = text.encode(self._encoding, "replace")
        for start in range(0, len(data), PIECE_BYTES):
            self._put(data[start : start + PIECE_BYTES])
        if not self.backlog_bytes:
            self._on_drained()
        return len(text)

    def _put(self, data: bytes) -> None:
        while data and not self._gone:
            try:
                size = os.write(self._fd, data)
            except BlockingIOError:
                select.select([], [self._fd], [], STUCK_S)
            except OSError:  # the terminal is gone; SIGHUP ends the program
                self._gone = True
            else:
                self.taken_bytes += size
                data = data[size:]
        self.taken_bytes += len(data)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""

    def fileno(self) -> int:
        """Return the terminal's file descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._tty


class Echo:
    """Tells from the terminal's answers to a question behind a frame how far the terminal is behind us.

    Much that lies between (ssh, the network) takes bytes long before the terminal shows them, so that an empty outlet
    does not tell that what was sent has arrived. Times are monotonic seconds.
    """

    QUESTION = "\x1b[6n"  # where is the cursor: every terminal answers, and Textual takes no answer for a key

    def __init__(self) -> None:
        self._open: deque[tuple[float, int]] = deque()
        self._lost = 0

    @property
    def outstanding(self) -> bool:
        """Whether an answer is on its way."""
        return bool(self._open)

    @property
    def mute(self) -> bool:
        """Whether the terminal gives no answers."""
        return self._lost >= MUTE

    def ask(self, size_bytes: int, now: float, *, again: bool = False) -> str:
        """Return the question to send behind so many bytes, empty if one is open or the terminal gives no answers.

        `again` asks even if one is open.
        """
        self._settle(now)
        if len(self._open) >= (MOST_OPEN if again else 1) or self.mute:
            return ""
        self._open.append((now, size_bytes))
        return self.QUESTION

    def answered(self, now: float) -> tuple[int, float] | None:
        """Note an answer; return behind how many bytes it was asked, and how long ago."""
        self._lost = 0
        if not self._open:
            return None
        asked_at, size_bytes = self._open.popleft()
        return size_bytes, now - asked_at

    def behind(self, now: float, usual_s: float) -> bool:
        """Whether an answer is later than the link alone explains (`usual_s`): more would only queue up."""
        self._settle(now)
        return bool(self._open) and usual_s > 0 and now - self._open[0][0] > usual_s + SLACK_S

    def _settle(self, now: float) -> None:
        if self._open and now - self._open[0][0] > LOST_S:
            self._open.clear()
            self._lost += 1


class Rate:
    """Bytes a second over the last whole seconds."""

    def __init__(self, seconds: int = 10) -> None:
        self._seconds = seconds
        self._by_second: dict[int, int] = {}
        self.total_bytes = 0

    def add(self, size_bytes: int, now: float) -> None:
        """Note bytes that were sent."""
        self.total_bytes += size_bytes
        second = int(now)
        self._by_second[second] = self._by_second.get(second, 0) + size_bytes
        for old in [at for at in self._by_second if at < second - self._seconds]:
            del self._by_second[old]

    def bytes_per_s(self, now: float) -> float:
        """Return the mean over the last whole seconds."""
        second = int(now)
        return (
            sum(size for at, size in self._by_second.items() if second - self._seconds <= at < second) / self._seconds
        )
