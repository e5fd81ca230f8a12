"""What single voices say when they are asked: an untouched record, or a log that is followed."""

from __future__ import annotations

from enum import StrEnum

from console.model.values import dataclass


@dataclass(frozen=True, slots=True)
class VoiceRecord:
    """A voice's answer: its own record of one object as text, or why there is none (both empty: it knows nothing).

    `at` is when it answered (UTC epoch seconds), `latency_s` how long that took.
    """

    site: str
    source: str
    kind: str
    text: str = ""
    error: str = ""
    at: float = 0.0
    latency_s: float = 0.0


class FollowState(StrEnum):
    """What a voice does for somebody who follows: it was asked, sends lines, has no log of it, ended, or failed."""

    ASKED = "asked"
    FOLLOWING = "following"
    NO_LOG = "no log"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class VoiceLine:
    """One line of a log that is followed, as it came; `at` is when we got it (UTC epoch seconds)."""

    source: str
    text: str
    at: float
