"""A model of the link behind the terminal: how fast it is, when it is free, how much of a frame may go at a time.

What a key changed goes at once. The rest of a frame, on a slow link, goes in slices so small that the answer to a key
never waits long behind one; what is not sent yet is replaced by what is newer.
"""

from __future__ import annotations

import math
import os
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.ui.wire.drain import WireSettings

# From this rate on a whole frame is gone within a few milliseconds.
FAST_BYTES_PER_S = 64_000.0
# What is taken for the rate of a far link that cannot be measured: little enough for keys to come through 64 kbit/s,
# enough for a whole screen to come within two seconds.
UNSURE_BYTES_PER_S = 12_000.0
# A slice takes so much of the link's time, but has room for a line; the answer to a key may queue up for so long.
SLICE_S, LEAST_SLICE_BYTES, HASTE_S = 0.06, 240, 0.25
# Of a slow link that nobody limited half is left free. Each packet may be lost, and all behind it waits: while somebody
# types, a slice goes right behind an answer, when the next key is farthest away, and else seldom.
SHARE, TYPING_S, BEHIND_S, TYPING_EVERY_S, SELDOM_S = 0.5, 3.0, 0.3, 0.7, 1.5
# The answer to a key comes in two or three paints: they go together.
GATHER_S = 0.008
# A pause shorter than this is not worth a timer.
LEAST_PAUSE_S = 0.002
# Waits of answers to questions behind so many bytes tell the rate, behind few ones the round trip.
LARGE_BYTES, SMALL_BYTES, WAITS_KEPT = 500, 400, 8
JITTER_S = 0.001
# After so many answers a fast link is reckoned anew once in so many.
OFTEN = 16
# Terminals within a terminal answer by themselves, whatever link is behind them.
MULTIPLEXERS = ("TMUX", "STY", "ZELLIJ")
# What sshd tells a session, and tmux its windows.
FROM_AFAR = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")


def is_hidden(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether the terminal that answers is not the one that a person looks at."""
    environ = os.environ if environ is None else environ
    return any(environ.get(name) for name in MULTIPLEXERS) or environ.get("TERM", "").startswith(("screen", "tmux"))


def is_far(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether the person sits at another machine."""
    environ = os.environ if environ is None else environ
    return any(environ.get(name) for name in FROM_AFAR)


class Link:
    """Says when what may go; times are monotonic seconds."""

    def __init__(self, settings: WireSettings, *, hidden: bool = False, far: bool = True) -> None:
        """`hidden` tells that the link cannot be measured, `far` whether there may be a slow one at all."""
        self.settings = settings
        self.hidden = hidden
        self._far = far
        self._large: deque[tuple[int, float]] = deque(maxlen=WAITS_KEPT)
        self._small: deque[tuple[int, float]] = deque(maxlen=WAITS_KEPT)
        self._answers = 0
        self._rate = self._known_rate()
        self._frame_at = self._typed_at = self._patient_at = self._answer_at = -math.inf
        self._free_at = self._rested_at = -math.inf

    # What it is like

    @property
    def rate_bytes_per_s(self) -> float:
        """The rate that is reckoned with; infinite where nothing tells of a limit."""
        return self._rate

    @property
    def slow(self) -> bool:
        """Whether frames go in slices."""
        return self._rate < math.inf

    @property
    def round_trip_s(self) -> float:
        """The shortest wait of the last answers, 0 while none is known."""
        return min((wait_s for _, wait_s in (*self._small, *self._large)), default=0.0)

    @property
    def measured(self) -> bool:
        """Whether both was answered, much and little: together they tell the rate."""
        return bool(self._large and self._small)

    def answered(self, size_bytes: int, wait_s: float) -> None:
        """Note how long the answer took to a question behind so many bytes."""
        if size_bytes >= LARGE_BYTES:
            self._large.append((size_bytes, wait_s))
        elif size_bytes <= SMALL_BYTES:
            self._small.append((size_bytes, wait_s))
        self._answers += 1
        if self._answers < OFTEN or self._answers % OFTEN == 0 or self.slow:
            self._rate = self._known_rate()

    def _known_rate(self) -> float:
        limit = self.settings.bandwidth_bytes_per_s or math.inf
        if self.hidden:
            return UNSURE_BYTES_PER_S if limit == math.inf and self._far else limit
        if not self.measured:
            return limit
        fastest = max(max(size / wait_s for size, wait_s in self._large), envelope_rate((*self._small, *self._large)))
        return min(limit, fastest if fastest < FAST_BYTES_PER_S else math.inf)

    # What goes over it

    def typed(self, now: float) -> None:
        """Note that somebody typed."""
        self._typed_at = now

    def goes(self, now: float, *, urgent: bool) -> None:
        """Note what kind of frame goes: what somebody waits for, or a slice of the rest."""
        if urgent:
            self._answer_at = now
        else:
            self._patient_at = now

    def sent(self, size_bytes: int, now: float, *, frame: bool = True) -> None:
        """Note what was sent: a frame, or what others wrote."""
        if frame:
            self._frame_at = now
        if self.slow:
            took = size_bytes / self._rate
            self._free_at = max(now, self._free_at) + took
            share = 1.0 if self.settings.bandwidth_bytes_per_s else SHARE
            self._rested_at = self._free_at + took * (1 / share - 1)

    def slice_bytes(self, now: float) -> float:
        """Return how much of what nobody waits for may go at a time.

        Where the rate is a guess, a screen that comes in pieces for seconds is worse than one key that may wait: while
        nobody types all goes at once.
        """
        guessed = self.hidden and not self.settings.bandwidth_bytes_per_s
        if not self.slow or (guessed and now - self._typed_at >= TYPING_S):
            return math.inf
        return max(LEAST_SLICE_BYTES, self._rate * SLICE_S)

    def pause_s(self, now: float, *, urgent: bool = True) -> float:
        """Return how long the next frame must wait, 0 if it may go."""
        due = self._frame_at + 1 / self.settings.fps if self.settings.fps > 0 else -math.inf
        if self.slow and urgent:
            due = max(due, self._free_at - HASTE_S)
        elif self.slow:
            due = max(due, self._rested_at, self._quiet_until(now))
        left = due - now
        return left if left > LEAST_PAUSE_S else 0.0

    def _quiet_until(self, now: float) -> float:
        """Return until when nothing goes that nobody waits for because somebody types."""
        if now - self._typed_at >= TYPING_S:
            return -math.inf
        behind_answer = self._typed_at <= self._answer_at and now - self._answer_at < BEHIND_S
        return self._patient_at + (TYPING_EVERY_S if behind_answer else SELDOM_S)


def envelope_rate(samples: Sequence[tuple[int, float]]) -> float:
    """Return the bytes a second that (bytes, wait in seconds) tell.

    Waits are a round trip plus bytes over the rate, or longer for a queue or a stall, never shorter: what counts is the
    line that lies under all of them, as near as can be.
    """
    sizes = np.array([size for size, _ in samples], float)
    waits = np.array([wait_s for _, wait_s in samples])
    first, second = np.triu_indices(len(samples), 1)
    apart = np.abs(sizes[second] - sizes[first]) >= LARGE_BYTES - SMALL_BYTES
    first, second = first[apart], second[apart]
    slopes = (waits[second] - waits[first]) / (sizes[second] - sizes[first])
    starts = waits[first] - slopes * sizes[first]
    above = waits[None, :] - starts[:, None] - slopes[:, None] * sizes[None, :]
    under = (above >= -JITTER_S).all(axis=1) & (starts >= 0)
    if not under.any():
        return math.inf
    slope = float(slopes[under][np.argmin(above[under].sum(axis=1))])
    return 1 / slope if slope > 0 else math.inf
