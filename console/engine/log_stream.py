"""Lines of logs on their way from the loop thread to who reads them: bounded, with what each voice does."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from console.model.voices import FollowState, VoiceLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_LINES = 5000
LONGEST_LINE = 4000


class LogStream:
    """What is followed; filled on the loop thread, read from any other. `close` ends every voice's iterator.

    At most 5,000 lines wait; of more, the oldest are dropped and counted.
    """

    def __init__(self, sources: tuple[str, ...]) -> None:
        self._lock = threading.Lock()
        self._lines: deque[VoiceLine] = deque(maxlen=MOST_LINES)
        self._voices = dict.fromkeys(sources, (FollowState.ASKED, ""))
        self._dropped = 0
        self._enders: list[Callable[[], None]] = []
        self._closed = False

    @property
    def voices(self) -> Mapping[str, tuple[FollowState, str]]:
        """What each voice does, by source, and in words why it failed."""
        with self._lock:
            return dict(self._voices)

    @property
    def dropped(self) -> int:
        """How many lines nobody took in time."""
        return self._dropped

    @property
    def closed(self) -> bool:
        """Whether nobody reads any more."""
        return self._closed

    def take(self) -> tuple[VoiceLine, ...]:
        """Return the lines that came since the last time."""
        with self._lock:
            lines = tuple(self._lines)
            self._lines.clear()
            return lines

    def close(self) -> None:
        """Follow no longer; a second call does nothing."""
        with self._lock:
            self._closed, enders = True, self._enders
            self._enders = []
        for end in enders:
            end()

    def put(self, source: str, text: str, at: float) -> None:
        """Add a line."""
        with self._lock:
            self._dropped += len(self._lines) == MOST_LINES
            self._lines.append(VoiceLine(source, text[:LONGEST_LINE], at))
            self._voices[source] = (FollowState.FOLLOWING, "")

    def say(self, source: str, state: FollowState, why: str = "") -> None:
        """Note what a voice does now."""
        with self._lock:
            self._voices[source] = (state, why)

    def at_close(self, end: Callable[[], None]) -> None:
        """Have something called when nobody reads any more, at once if that is so."""
        with self._lock:
            if not self._closed:
                self._enders.append(end)
                return
        end()
