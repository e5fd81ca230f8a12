"""Follows one BMC's event log: what is there, then what visits find; nothing is asked more often for it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from console.sources.redfish.values import LogEntry
    from console.sources.redfish.visits import Bmc

MOST_WAITING = 200


async def lines(bmc: Bmc, since_at: float) -> AsyncIterator[str]:
    """Yield lines, older ones first, until closed; raises SourceError where the log cannot be read."""
    news: asyncio.Queue[LogEntry] = asyncio.Queue(MOST_WAITING)
    bmc.listeners.append(news)
    try:
        told: dict[tuple[float, str, str], None] = {}
        for entry in await bmc.log():
            told[_key(entry)] = None
            # An entry without a time is of a BMC whose clock was never set: it may be as new as any.
            if entry.at >= since_at or not entry.at:
                yield line_of(entry)
        while True:
            entry = await news.get()
            if _key(entry) not in told:
                yield line_of(entry)
    finally:
        bmc.listeners.remove(news)


def _key(entry: LogEntry) -> tuple[float, str, str]:
    return entry.at, entry.id, entry.text


def line_of(entry: LogEntry) -> str:
    """Return an entry as one line: time, severity, text."""
    at = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if entry.at else "(no time)"
    return f"{at} {entry.severity.value:<8} {entry.text}"
