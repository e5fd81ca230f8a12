"""Slurm's notations: numbers that may be unset or infinite, times, and states as a word or a list of words.

Up to v0.0.38 numbers are plain (4294967294 is unset, 4294967295 infinite, and the same with 64 bits) and states are
words; later numbers are `{set, infinite, number}` and states lists. They are told apart by their shape, never by a
version.
"""

from __future__ import annotations

import math
from functools import lru_cache

import msgspec

from console.model.jobs import JobState
from console.model.scheduling import NodeState

NAN, INFINITE = math.nan, math.inf
_UNSET = frozenset({0xFFFFFFFE, 0xFFFFFFFFFFFFFFFE})
_INFINITE = frozenset({0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF})
# No time of this world, and below every way to write 'unset' and 'infinite' as a plain number.
LATEST_AT = 4.29e9
MINUTE_S = 60.0
# Slurm's order in which a flag stands for the whole state (job_state_string() of slurm_protocol_defs.c).
_JOB_FLAGS = (
    "COMPLETING", "STAGE_OUT", "CONFIGURING", "RESIZING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT",
    "STOPPED", "REVOKED", "RESV_DEL_HOLD", "SIGNALING",
)  # fmt: skip
_NODE_STATES = frozenset({"ALLOCATED", "DOWN", "ERROR", "FUTURE", "IDLE", "MIXED", "UNKNOWN", "INVALID"})
_JOB_WORDS = frozenset(JobState)


class Number(msgspec.Struct, gc=False):
    """A number of v0.0.39 and later."""

    set: bool = False
    infinite: bool = False
    number: int | float = 0


Loose = int | float | Number | None
Words = str | tuple[str, ...] | None


def number(value: Loose) -> float:
    """Return a number in any notation: NaN where it is unset, infinity where it has no limit."""
    if isinstance(value, Number):
        if value.infinite:
            return INFINITE
        value = value.number if value.set else None
    if value is None or value in _UNSET or value < 0:
        return NAN
    return INFINITE if value in _INFINITE else float(value)


def count(value: Loose) -> int:
    """Return a whole number, 0 where it is unset or infinite."""
    found = number(value)
    return int(found) if math.isfinite(found) else 0


def when(value: Loose) -> float:
    """Return UTC epoch seconds, 0 for never, unset, infinite and what is no time of this world."""
    if isinstance(value, Number):
        value = 0 if value.infinite or not value.set else value.number
    return float(value) if value is not None and 0 < value < LATEST_AT else 0.0


def minutes_s(value: Loose) -> float:
    """Return a length given in minutes as seconds: 0 where it is unset, infinity where it has no limit."""
    found = number(value)
    return 0.0 if math.isnan(found) else found * MINUTE_S


@lru_cache(maxsize=4096)
def split(words: Words) -> tuple[str, ...]:
    """Return a state's words in capitals: of a list, of one word, or of words that are joined by `+`."""
    if isinstance(words, str):
        words = tuple(words.split("+"))
    return tuple(word.strip().upper() for word in words or () if word.strip())


@lru_cache(maxsize=1024)
def job_state(words: tuple[str, ...]) -> tuple[JobState | None, str]:
    """Return the state that Slurm shows for these words, and all of them where they say more; None if unknown."""
    flag = next((each for each in _JOB_FLAGS if each in words), "")
    state = flag or next((word for word in words if word in _JOB_WORDS), "")
    base = [word for word in words if word not in _JOB_FLAGS]
    shown = "+".join([*base, *(word for word in words if word in _JOB_FLAGS)])
    return (JobState(state) if state else None), "" if shown == state else shown


@lru_cache(maxsize=4096)
def node_state(words: tuple[str, ...], flags: tuple[str, ...] = ()) -> NodeState:
    """Return a node's state and flags: those of a list, or a word with its flags beside it."""
    every = tuple(dict.fromkeys((*words, *flags)))
    base = next((word for word in every if word in _NODE_STATES), every[0] if every else "UNKNOWN")
    return NodeState(base, tuple(word for word in every if word != base))
