"""One connection to the stream of a site: a task that takes what comes into an inbox, until the stream ends."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from console.model.errors import BadPayload, SourceError, TimedOut, Unreachable
from console.sources.site_control import STREAM_TYPE, STREAM_VERSION, farewell_of, head_of, hello_of
from console.sources.site_polling import skew_s
from console.sources.site_stream import split

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from console.sources.site_bodies import Faults
    from console.sources.site_control import WireHello
    from console.sources.site_inbox import Inbox
    from console.sources.site_servers import Server

# A server has something to say every BEAT_S; one that misses three beats is dead.
BEAT_S = 5.0
BEATS_MISSED = 3
# So little in that time is not a record that comes slowly, but a line that drips.
LEAST_BYTES = 4096
RATE_WINDOW_S = 60.0


class Connection:
    """Lives on the loop thread alone; `news` is set when a record is in the inbox, and when the stream has ended.

    `whole` is set when all has come that was there when the stream began (or nothing more will come).

    `log` and `seq` say up to where records were taken: where a later connection may go on.
    """

    def __init__(
        self,
        server: Server,
        faults: Faults,
        there: str,
        inbox: Inbox,
        *,
        resume: tuple[str, int] | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.server = server
        self.hello: WireHello | None = None
        self.news = asyncio.Event()
        self.error: SourceError | None = None
        self.silent = False
        self.whole = asyncio.Event()
        self.seen = False
        """Whether a reading was made of it."""
        self.clock_skew_s: float | None = None
        self.latency_s = 0.0
        """How long the server took for its first record."""
        self.wire_bytes = 0
        self.log, self.seq = resume or ("", 0)
        self._faults = faults
        self._there = there
        self._inbox = inbox
        self._resume = resume
        self._monotonic = monotonic
        self._farewell = ""
        self._opened = asyncio.Event()
        self._record_at = 0.0
        self._since_record = 0
        self._chunks: deque[tuple[float, int]] = deque(maxlen=4096)
        self._opened_at = monotonic()
        self._ended_at = 0.0
        self._task = asyncio.create_task(self._run(), name=f"the stream of {there}")

    async def open(self) -> WireHello:
        """Return the server's first record when it is here; raises SourceError, and then the connection is closed."""
        try:
            await self._opened.wait()
        except BaseException:
            await self.aclose()
            raise
        if self.hello is None:
            assert self.error is not None  # one of the two is told
            raise self.error
        return self.hello

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._task.done() or self.error is not None

    @property
    def lived_s(self) -> float:
        """How long it has been there, or was."""
        return (self._ended_at or self._monotonic()) - self._opened_at

    @property
    def bytes_per_s(self) -> float:
        """What the stream costs: the mean of the last minute."""
        now = self._monotonic()
        while self._chunks and now - self._chunks[0][0] > RATE_WINDOW_S:
            self._chunks.popleft()
        span_s = min(RATE_WINDOW_S, max(1.0, now - self._opened_at))
        return sum(size for _, size in self._chunks) / span_s

    async def aclose(self) -> None:
        """Hang up."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            await self._take_all()
            who = self._faults.site, self._faults.source
            if self.hello is None:
                raise self._faults.bad("the stream ended before it began")
            self.error = Unreachable(*who, self._farewell or f"{self.server.shown} ended the stream")
        except BadPayload as error:
            # To go on where it was would bring the same again.
            self._inbox.fail(error.message)
            self.error = error
        except SourceError as error:
            self.silent = isinstance(error, TimedOut)
            self.error = error
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever goes wrong here is this connection's end alone
            text = f"the stream failed: {type(error).__name__}: {error}"
            self.error = SourceError(self._faults.site, self._faults.source, text)
        finally:
            self._ended_at = self._monotonic()
            for each in (self._opened, self.news, self.whole):
                each.set()

    async def _take_all(self) -> None:
        params = {"stream": str(STREAM_VERSION)}
        if self._resume is not None:
            params |= {"log": self._resume[0], "after": str(self._resume[1])}
        path, silent_s = self.server.path("stream"), BEAT_S * BEATS_MISSED
        self._record_at = self._monotonic()
        async with self.server.link.stream(path, params, accept=STREAM_TYPE, idle_s=silent_s) as answer:
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != STREAM_TYPE:
                raise self._faults.bad(f"content type {kind[:60]!r} instead of {STREAM_TYPE}")
            self.clock_skew_s = skew_s(answer.server_date, answer.received_at)
            rest = b""
            async for chunk in self._each(answer.chunks, silent_s):
                self._count(len(chunk))
                records, rest = split(rest + chunk, self._faults)
                for record in records:
                    self._take(record)
                self._judge_pace(bool(records), silent_s)

    async def _each(self, chunks: AsyncIterator[bytes], silent_s: float) -> AsyncIterator[bytes]:
        """Yield chunks; raises TimedOut where none comes, though bytes may (what is not HTTP is no chunk)."""
        while True:
            try:
                async with asyncio.timeout(silent_s):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                text = f"{self.server.shown} said nothing for {silent_s:g} s"
                raise TimedOut(self._faults.site, self._faults.source, text, "is the server alive?") from None
            if chunk is None:
                return
            yield chunk

    def _take(self, record: bytes) -> None:
        if self.hello is None:
            self._begin(record)
        else:
            head = head_of(self._faults, record)
            if head.type in ("dropped", "bye"):
                self._note_farewell(record)
            self.seq = max(self.seq, head.seq)
            if head.seq:  # of what a stream begins with the last record alone has a number
                self.whole.set()
        if not self._inbox.put(record):
            who = self._faults.site, self._faults.source
            raise SourceError(*who, self._inbox.lost, "this computer is too busy; the stream begins anew")
        self.news.set()

    def _begin(self, record: bytes) -> None:
        hello = hello_of(self._faults, record, self._there)
        if hello.resumed:
            self.whole.set()
        else:
            self._inbox.begin_anew()
            self.seq = 0
        self.log = hello.log
        self.hello = hello
        self.latency_s = self._monotonic() - self._opened_at
        self._opened.set()

    def _note_farewell(self, record: bytes) -> None:
        end = farewell_of(self._faults, record)
        lost = f", {end.count:,} records lost" if end.count else ""
        self._farewell = f"{self.server.shown} ended the stream: {end.reason[:200] or end.type}{lost}"

    def _count(self, size: int) -> None:
        self.wire_bytes += size
        self._since_record += size
        self._chunks.append((self._monotonic(), size))

    def _judge_pace(self, complete: bool, silent_s: float) -> None:
        """Raise TimedOut where something comes now and then and never a whole record."""
        now = self._monotonic()
        if complete or self._since_record >= LEAST_BYTES:
            self._record_at, self._since_record = now, 0
        elif now - self._record_at > silent_s:
            text = f"{self.server.shown} sent no whole record for {now - self._record_at:.0f} s"
            raise TimedOut(self._faults.site, self._faults.source, text, "the line may be overloaded")
