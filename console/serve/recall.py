"""Asks the voices of a site for their records of one object: once for all who ask at the same time, a few at a time."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from console.model.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.engine.session import Session
    from console.model.voices import VoiceRecord

KEPT_S = 2.0
LIMIT_S = 20.0
AT_A_TIME = 4
MOST_KEPT = 64


class Recall:
    """For one event loop. The systems of a site are asked as if one person did."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self._asked: OrderedDict[tuple[str, str], tuple[float, asyncio.Task[dict[str, str]]]] = OrderedDict()

    async def records(self, session: Session, log: str, site: str, subject: str) -> dict[str, str]:
        """Return each voice's record of an object by the voice's name; a voice without one is left out.

        `log` names the session's life; `subject` is the address of a node or GPU, or `job:SITE/ID`. Raises TargetError
        for one of another site.
        """
        if not subject.removeprefix("job:").startswith(f"{site}/"):
            raise TargetError(f"{site}: subject={subject[:200]!r} is no node, GPU or job of this site")
        key = log, subject
        asked = self._asked.pop(key, None)
        if asked is None or (asked[1].done() and self._monotonic() - asked[0] > KEPT_S):
            asked = self._monotonic(), asyncio.create_task(self._ask(session, subject), name=f"records of {subject}")
        self._asked[key] = asked
        while len(self._asked) > MOST_KEPT:
            self._asked.popitem(last=False)
        return await asyncio.shield(asked[1])

    async def _ask(self, session: Session, subject: str) -> dict[str, str]:
        async with self._slots:
            futures = [asyncio.wrap_future(each) for each in session.records(subject).values()]
            done, late = await asyncio.wait(futures, timeout=LIMIT_S) if futures else (set(), set())
            for each in late:
                each.cancel()
            told = [future.result() for future in futures if future in done and future.exception() is None]
        return {record.source: _text(record) for record in told if record.text or record.error}


def _text(record: VoiceRecord) -> str:
    return record.text or f"(no record: {record.error})"
