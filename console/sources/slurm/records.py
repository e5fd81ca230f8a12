"""Parts what `scontrol -o` prints into records and values, in slices; what users wrote must not look like Slurm's own.

A record is a line of `Key=value`, unless a job's name or a comment holds a line break. Keys are looked for where Slurm
writes them: free text stands behind all that is read by key, or between two keys that only Slurm writes in that order.
"""

from __future__ import annotations

import calendar
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NULLS = frozenset({"", "(null)", "N/A", "n/a", "None", "none", "Unknown", "(none)"})
NO_LIMIT = 0xFFFFFFFF
NO_LIMITS = frozenset({"UNLIMITED", "INFINITE"})
_LENGTH = re.compile(r"(?:(\d{1,6})-)?(?:(\d{1,6}):)?(\d{1,6}):(\d{1,2})")
_TIME = "%Y-%m-%dT%H:%M:%S"


def records(content: bytes, begin: re.Pattern[bytes], first: bytes) -> Iterator[str]:
    """Yield each record that begins as `begin` does at the start of a line; `first` is how every one begins."""
    start = -1
    at = 0 if content.startswith(first) else _next(content, first, 0)
    while at >= 0:
        if begin.match(content, at):
            if start >= 0:
                yield _text(content, start, at)
            start = at
        at = _next(content, first, at)
    if start >= 0:
        yield _text(content, start, len(content))


def _next(content: bytes, first: bytes, at: int) -> int:
    found = content.find(b"\n" + first, at)
    return found + 1 if found >= 0 else -1


def _text(content: bytes, start: int, stop: int) -> str:
    return content[start:stop].decode("utf-8", "replace").rstrip("\n")


def value(text: str | None) -> str | None:
    """Return a value, None for every way in which Slurm says that there is none."""
    return None if text is None or text in NULLS else text


def number(text: str | None) -> int | None:
    """Return the whole number that a value begins with (`2-2` is 2), None where there is none."""
    found = re.match(r"\d{1,18}", text or "")
    return int(found[0]) if found else None


@lru_cache(maxsize=8192)
def at(text: str) -> int:
    """Return UTC epoch seconds of a time as Slurm writes it under TZ=UTC, 0 for `Unknown`, `None` and what is none."""
    if text.isdecimal() and len(text) <= 12:
        return int(text)
    try:
        return max(0, calendar.timegm(time.strptime(text, _TIME)))
    except ValueError:
        return 0


@lru_cache(maxsize=8192)
def minutes(text: str) -> int | None:
    """Return the minutes of `1-02:03:04`, Slurm's own number for no limit, None for anything else."""
    if text.upper() in NO_LIMITS:
        return NO_LIMIT
    found = _LENGTH.fullmatch(text)
    if found is None:
        return None
    days, hours, mins, seconds = (int(each or 0) for each in found.groups())
    return days * 1440 + hours * 60 + mins + (1 if seconds >= 30 else 0)


@lru_cache(maxsize=4096)
def states(text: str) -> str:
    """Return a node's state with the sign at its end spelt out (`DOWN*` is `DOWN+NOT_RESPONDING`)."""
    base = text.rstrip("".join(_SIGNS))
    return "+".join([base, *(_SIGNS[sign] for sign in text[len(base) :])])


_SIGNS = {
    "*": "NOT_RESPONDING",
    "~": "POWERED_DOWN",
    "#": "POWERING_UP",
    "!": "POWER_DOWN",
    "%": "POWERING_DOWN",
    "$": "MAINTENANCE",
    "@": "REBOOT_REQUESTED",
    "^": "REBOOT_ISSUED",
    "-": "PLANNED",
}
