"""Asks single voices: each source of a site for its untouched record of one object, or for the object's log."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from console.engine.log_stream import LogStream
from console.engine.setup import DEFAULT_TIMEOUT_S
from console.engine.views import settle
from console.model.errors import SourceError
from console.model.ports import LogKeeper, Subject, Witness
from console.model.voices import FollowState, VoiceRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence

    from console.engine.record import SourceRecord
    from console.model.ports import Clock

    Work = Callable[[], Coroutine[Any, Any, None]]

# Somebody waits at the screen: a voice that takes longer is told as such.
RECORD_LIMIT_S = 15.0
# A stream that somebody forgot must not run for ever on somebody else's machines.
FOLLOW_LIMIT_S = 3600.0
END_LIMIT_S = 2.0
MOST_STREAMS = 4
# A flood is taken in gulps, so that the loop thread goes on reading everything else.
GULP_LINES = 200
GULP_REST_S = 0.02
LONGEST_RECORD = 1_000_000

log = logging.getLogger("console.engine")


class VoiceDesk:
    """Runs the questions on the loop thread, each voice by itself: one that fails or hangs costs the others nothing.

    `run` starts the coroutine that a function makes on the loop thread, and returns whether that is there.
    """

    def __init__(
        self,
        records: Sequence[SourceRecord],
        clock: Clock,
        run: Callable[[Work], bool],
    ) -> None:
        self._records = records
        self._clock = clock
        self._run = run
        self._streams: list[LogStream] = []

    def records(self, subject: Subject | None) -> Mapping[str, Future[VoiceRecord]]:
        """Return the answer to come of every voice of the subject's site that can show a record, by source."""
        asked: dict[str, Future[VoiceRecord]] = {}
        for each in self._of(subject, Witness):
            assert subject is not None  # without one there is nobody to ask
            future: Future[VoiceRecord] = Future()
            asked[each.setup.name] = future
            if not self._run(partial(self._ask, each, subject, future)):
                settle(future, result=self._answer(each, error="the engine is not running"))
        return asked

    def follow(self, subject: Subject | None, since_at: float) -> LogStream:
        """Return the stream of the logs of a subject; the oldest of more than four open ones is closed."""
        keepers = self._of(subject, LogKeeper)
        stream = LogStream(tuple(each.setup.name for each in keepers))
        self._streams = [each for each in self._streams if not each.closed]
        while len(self._streams) >= MOST_STREAMS:
            self._streams.pop(0).close()
        self._streams.append(stream)
        for each in keepers:
            assert subject is not None  # without one there is nobody to ask
            if not self._run(partial(self._follow, each, subject, since_at, stream)):
                stream.say(each.setup.name, FollowState.FAILED, "the engine is not running")
        return stream

    def close(self) -> None:
        """End every stream."""
        for stream in self._streams:
            stream.close()

    def _of(self, subject: Subject | None, port: type) -> list[SourceRecord]:
        site = subject.site if subject is not None else ""
        return [each for each in self._records if each.site == site and isinstance(each.setup.source, port)]

    def _answer(self, record: SourceRecord, **more: Any) -> VoiceRecord:
        return VoiceRecord(record.site, record.setup.name, record.setup.kind, at=self._clock.time(), **more)

    async def _ask(self, record: SourceRecord, subject: Subject, future: Future[VoiceRecord]) -> None:
        source, began = record.setup.source, self._clock.monotonic()
        assert isinstance(source, Witness)
        limit_s = min(record.setup.timeout_s or DEFAULT_TIMEOUT_S, RECORD_LIMIT_S)
        text = error = ""
        try:
            async with asyncio.timeout(limit_s):
                text = (await source.record(subject))[:LONGEST_RECORD]
        except TimeoutError:
            error = f"no answer within {limit_s:g} s"
        except SourceError as fault:
            error = f"{fault.message}; {fault.advice}" if fault.advice else fault.message
        except asyncio.CancelledError:
            error = "the engine stopped"
            raise
        except Exception as fault:  # whatever a source raises is this voice's failure alone
            log.exception("%s/%s: its record failed", *record.key)
            error = f"internal fault: {type(fault).__name__}"
        finally:
            latency_s = self._clock.monotonic() - began
            settle(future, result=self._answer(record, text=text, error=error, latency_s=latency_s))

    async def _follow(self, record: SourceRecord, subject: Subject, since_at: float, stream: LogStream) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # it runs as one
        stream.at_close(lambda: _cancel(loop, task))
        name, source = record.setup.name, record.setup.source
        assert isinstance(source, LogKeeper)
        try:
            async with asyncio.timeout(FOLLOW_LIMIT_S):
                lines = await self._pass_on(source.follow(subject, since_at), name, stream)
            stream.say(name, FollowState.ENDED if lines else FollowState.NO_LOG)
        except TimeoutError:
            stream.say(name, FollowState.ENDED, f"followed for {FOLLOW_LIMIT_S / 3600:g} h; open it again to go on")
        except SourceError as fault:
            stream.say(name, FollowState.FAILED, f"{fault.message}; {fault.advice}" if fault.advice else fault.message)
        except asyncio.CancelledError:
            stream.say(name, FollowState.ENDED)
        except Exception as fault:  # whatever a source raises is this voice's failure alone
            log.exception("%s/%s: following failed", *record.key)
            stream.say(name, FollowState.FAILED, f"internal fault: {type(fault).__name__}")

    async def _pass_on(self, iterator: AsyncIterator[str], name: str, stream: LogStream) -> int:
        """Pass lines on until there are no more; return how many there were."""
        count = 0
        try:
            async for line in iterator:
                stream.put(name, line, self._clock.time())
                count += 1
                if count % GULP_LINES == 0:
                    await asyncio.sleep(GULP_REST_S)
        finally:
            await _ended(iterator)
        return count


async def _ended(iterator: AsyncIterator[str]) -> None:
    """End an iterator within a limit: it lets go of its connection."""
    if inspect.isasyncgen(iterator):
        with contextlib.suppress(TimeoutError, SourceError):
            async with asyncio.timeout(END_LIMIT_S):
                await iterator.aclose()


def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: the task ended with it
        loop.call_soon_threadsafe(task.cancel)
