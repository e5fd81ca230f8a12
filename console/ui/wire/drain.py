"""The way to the terminal: what it has taken, how fast it takes more, and when the next frame may go."""

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
# A pause shorter than this is not worth a timer.
LEAST_PAUSE_S = 0.002
# An answer that is so much later than usual tells of a queue; one that takes so long is lost; after so many lost ones
# no more questions are asked.
SLACK_S, LOST_S, MUTE = 0.1, 4.0, 2
WAITS = 32


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


class Pace:
    """Says when the next frame may go; times are monotonic seconds."""

    def __init__(self, settings: WireSettings) -> None:
        self.settings = settings
        self._next_at = 0.0

    def sent(self, size_bytes: int, now: float) -> None:
        """Note a frame that was sent."""
        pause = 1 / self.settings.fps if self.settings.fps > 0 else 0.0
        if self.settings.bandwidth_bytes_per_s > 0:
            pause = max(pause, size_bytes / self.settings.bandwidth_bytes_per_s)
        self._next_at = now + pause

    def pause_s(self, now: float) -> float:
        """Return how long the next frame must wait, 0 if it may go."""
        left = self._next_at - now
        return left if left > LEAST_PAUSE_S else 0.0


class Echo:
    """Tells from the terminal's answers to a question behind a frame how far the terminal is behind us.

    Much that lies between (ssh, the network) takes bytes long before the terminal shows them, so that an empty outlet
    does not tell that what was sent has arrived. Times are monotonic seconds.
    """

    QUESTION = "\x1b[6n"  # where is the cursor: every terminal answers, and Textual takes no answer for a key

    def __init__(self) -> None:
        self._asked_at: float | None = None
        self._lost = 0
        self._waits: deque[float] = deque(maxlen=WAITS)

    @property
    def outstanding(self) -> bool:
        """Whether an answer is on its way."""
        return self._asked_at is not None

    @property
    def round_trip_s(self) -> float:
        """The shortest wait of the last answers, 0 while none is known."""
        return min(self._waits, default=0.0)

    def ask(self, now: float) -> str:
        """Return the question to send behind a frame, empty if one is open or the terminal gives no answers."""
        self._settle(now)
        if self._asked_at is not None or self._lost >= MUTE:
            return ""
        self._asked_at = now
        return self.QUESTION

    def answered(self, now: float) -> None:
        """Note an answer."""
        if self._asked_at is not None:
            self._waits.append(now - self._asked_at)
        self._asked_at = None
        self._lost = 0

    def behind(self, now: float) -> bool:
        """Whether an answer is later than the link alone explains: more would only queue up."""
        self._settle(now)
        if self._asked_at is None or not self._waits:
            return False
        return now - self._asked_at > self.round_trip_s + SLACK_S

    def _settle(self, now: float) -> None:
        if self._asked_at is not None and now - self._asked_at > LOST_S:
            self._asked_at = None
            self._lost += 1


class Rate:
    """Bytes a second over the last whole seconds."""

    def __init__(self, seconds: int = 10) -> None:
        self._seconds = seconds
        self._by_second: dict[int, int] = {}

    def add(self, size_bytes: int, now: float) -> None:
        """Note bytes that were sent."""
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
