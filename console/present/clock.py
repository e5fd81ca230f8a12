"""The clock that a person reads: UTC, or a site's own time."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo


def local_time(at: float, timezone: str = "") -> datetime:
    """Return UTC epoch seconds as a date and time in an IANA zone; UTC for none, and for one that is not known here."""
    return datetime.fromtimestamp(at, _zone(timezone) if timezone else UTC)


def zone_mark(at: float, timezone: str = "") -> str:
    """Return what stands behind a time: `Z` for UTC, else ` CET` and the like."""
    return f" {local_time(at, timezone).tzname() or ''}".rstrip() if timezone else "Z"


@lru_cache(64)
def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
