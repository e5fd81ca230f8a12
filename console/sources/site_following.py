"""Follows the stream of a site: readings of what came since the last one; a lost connection goes on where it was."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from console.model.errors import SourceError
from console.model.reading import ColumnPart, JudgedPart, Reading
from console.sources.site_connection import Connection
from console.sources.site_inbox import Inbox
from console.sources.site_polling import skew_warning
from console.sources.site_servers import name_there
from console.sources.site_stream import StreamDecoder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from console.model.metrics import MetricTable
    from console.model.reading import Part
    from console.model.snapshot import Judged
    from console.sources.site_bodies import Faults
    from console.sources.site_control import WireHello
    from console.sources.site_servers import Server

# At most four readings a second; each waits for news for most of that time, and a moment for what comes with them.
READ_EVERY_S = 0.25
WAIT_SHARE = 0.8
GATHER_S = 0.03
# So long the first reading waits for all that a stream begins with: half a picture would be drawn twice.
FIRST_S = 0.5
MOST_WAITING_BYTES = 64 * 1024 * 1024
# Columns come in turn, each once a minute: one that was missed is not stale yet, two are.
SWEEP_S = 60.0
LEAST_PATIENCE_S = 30.0
FOCUS_TRIES = 2
FIRST_REFUSAL = 400
# A stream that ends sooner than this was none: the next one waits, longer each time.
SHORT_LIFE_S = 5.0
FIRST_REST_S, LONGEST_REST_S = 0.5, 15.0


class Following:
    """The stream, whichever server it comes from; on the loop thread, but for `_decode`.

    A reading that the engine drops loses nothing: the inbox keeps what was not decoded.
    """

    def __init__(
        self,
        faults: Faults,
        site: str,
        there: str,
        metrics: MetricTable,
        *,
        limit_bytes: int = MOST_WAITING_BYTES,
        limit_s: float = 3 * LONGEST_REST_S,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._faults = faults
        self._site = site
        self._there = there
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._uniform = uniform
        # A read that rests for longer than it may take would be told as one that hangs.
        self._longest_rest_s = min(LONGEST_REST_S, limit_s / 3)
        self._inbox = Inbox(min(limit_bytes, MOST_WAITING_BYTES))
        self._metrics = metrics
        self._decoder: StreamDecoder | None = None
        self._version = 0
        self._connection: Connection | None = None
        self._focus_task: asyncio.Task[None] | None = None
        self._path: str | None = None
        self._short_lives = 0
        self._resumes = 0
        self._anew = 0
        self._server_patience_s = 0.0
        self._requests = 0
        self._counted_bytes = 0

    @property
    def flowing(self) -> bool:
        """Whether there is something to read without a new connection."""
        connection = self._connection
        return connection is not None and not self._inbox.lost and (not connection.ended or len(self._inbox) > 0)

    @property
    def connection(self) -> Connection | None:
        """The present connection, or the last one; None before the first."""
        return self._connection

    @property
    def shunned(self) -> Server | None:
        """The server whose stream fell silent."""
        return self._connection.server if self._connection is not None and self._connection.silent else None

    def why_lost(self) -> SourceError | None:
        """Return why the stream ended, where it ended so soon that it is a failure and not a restart."""
        connection = self._connection
        if connection is None or connection.error is None or connection.lived_s >= SHORT_LIFE_S:
            return None
        return connection.error

    async def open(self, server: Server, requests: int = 0) -> WireHello:
        """Follow a server's stream in place of the present one, from where that was if it can; raises SourceError.

        `requests` were made before it.
        """
        before = self._connection
        if before is not None:
            await before.aclose()  # two that fill one inbox would mix
        connection = Connection(
            server, self._faults, self._there, self._inbox, resume=self._position(), monotonic=self._monotonic
        )
        self._requests += 1 + requests
        hello = await connection.open()
        if before is not None:
            self._resumes += hello.resumed
            self._anew += not hello.resumed
            self._short_lives = self._short_lives + 1 if before.lived_s < SHORT_LIFE_S else 0
        self._connection, self._counted_bytes = connection, 0
        self._look()
        return hello

    async def read(self, notes: dict[str, str], warnings: tuple[str, ...]) -> Reading | None:
        """Wait a little for news and return what came; None where the stream ended and nothing is left."""
        connection = self._connection
        if connection is None:
            return None
        await self._wait(connection)
        if not self.flowing:
            return None
        requests, self._requests = self._requests, 0
        came = connection.wire_bytes - self._counted_bytes
        self._counted_bytes += came
        ahead_s = connection.clock_skew_s
        return Reading(
            received_at=self._clock(),
            decode=lambda: self._decode(-(ahead_s or 0.0)),
            body_bytes=came,
            requests=requests,
            cadence_s=READ_EVERY_S,
            clock_skew_s=ahead_s,
            warnings=(*warnings, *skew_warning(ahead_s or 0.0)),
            notes={**notes, **self._notes(connection)},
            stale_after_s=self._patience_s(),
            latency_s=connection.latency_s,
        )

    async def rest(self) -> None:
        """Wait a little before the next connection, longer where the last ones did not last: others come back too."""
        connection = self._connection
        if connection is None or not connection.ended:
            return
        lives = self._short_lives + (connection.lived_s < SHORT_LIFE_S)
        await self._sleep(self._uniform(0.0, min(self._longest_rest_s, FIRST_REST_S * 2.0 ** min(lives, 8))))

    def focus(self, path: str) -> None:
        """Tell the server where the user looks; the newest word wins."""
        self._path = path
        self._look()

    async def aclose(self) -> None:
        """Hang up; what was received and not decoded is forgotten."""
        if self._focus_task is not None:
            self._focus_task.cancel()
            await asyncio.gather(self._focus_task, return_exceptions=True)
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()
        self._inbox.begin_anew()

    def _position(self) -> tuple[str, int] | None:
        """Return where to go on, None where that is not known or something was lost."""
        connection = self._connection
        if connection is None or self._inbox.lost or not connection.log or not connection.seq:
            return None
        return connection.log, connection.seq

    async def _wait(self, connection: Connection) -> None:
        if not connection.seen:
            connection.seen = True
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_S):
                    await connection.whole.wait()
            return
        if not len(self._inbox) and not connection.ended:
            connection.news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(WAIT_SHARE * READ_EVERY_S):
                    await connection.news.wait()
        await self._sleep(GATHER_S)

    def _decode(self, behind_s: float) -> Iterator[Part]:
        """Yield the parts of what is in the inbox (compute thread); one that fails makes the stream begin anew."""
        decoder = self._decoder = self._decoder or StreamDecoder(
            self._faults, self._site, self._there, self._metrics, version_after=self._version
        )
        decoder.behind_s = behind_s
        try:
            for _ in range(len(self._inbox)):
                record = self._inbox.take()
                if record is None:
                    return
                for part in decoder.feed(record):
                    yield self._fit(part)
        except BaseException as error:
            self._decoder = None
            self._version = decoder.topology.version if decoder.topology is not None else self._version
            self._inbox.fail(f"a record could not be decoded: {type(error).__name__}")
            raise

    def _fit(self, part: Part) -> Part:
        """Return a part with how long it stays good."""
        if isinstance(part, JudgedPart):
            self._server_patience_s = _patience_of(part.judged)
        if isinstance(part, ColumnPart):
            return replace(part, stale_after_s=self._patience_s() + 2 * SWEEP_S)
        return part

    def _patience_s(self) -> float:
        """Return how old data may be: as long as the server's own sources take, for it tells when those sampled."""
        hello = self._connection.hello if self._connection is not None else None
        cadence_s = hello.cadence_s if hello is not None else 0.0
        return max(LEAST_PATIENCE_S, 3 * cadence_s, self._server_patience_s)

    def _notes(self, connection: Connection) -> dict[str, str]:
        hello = connection.hello
        assert hello is not None  # it is open
        again = f", {self._resumes:,} resumed, {self._anew:,} begun anew" if self._resumes or self._anew else ""
        rate = f"{connection.bytes_per_s / 1000:.1f} kB/s"
        led = f", {hello.leader[:60]} leads" if hello.leader and hello.role != "leader" else ""
        told = {"stream": f"for {_span(connection.lived_s)}, {rate}{again}"}
        if hello.server:
            told["server"] = hello.server[:80]
        if hello.keeper or hello.role:
            told["serve"] = f"{hello.keeper[:60] or 'unnamed'} ({hello.role[:20] or 'alone'}{led})"
        return told

    def _look(self) -> None:
        if self._path is None or self._connection is None or self._connection.ended:
            return
        if self._focus_task is None or self._focus_task.done():
            self._focus_task = asyncio.get_running_loop().create_task(self._tell_focus(), name="where the user looks")

    async def _tell_focus(self) -> None:
        """Tell the newest path, and again while it changed meanwhile; a server that does not hear is asked twice."""
        told: tuple[str, str] | None = None
        failures = 0
        while (connection := self._connection) is not None and connection.hello is not None:
            wanted = connection.hello.id, name_there(self._path or "", self._site, self._there)
            if wanted == told or connection.ended or failures == FOCUS_TRIES:
                return
            if await self._hears(connection, *wanted):
                told, failures = wanted, 0
            else:
                failures += 1
                await self._sleep(READ_EVERY_S)

    async def _hears(self, connection: Connection, stream: str, path: str) -> bool:
        """Return whether the server took where the user looks."""
        self._requests += 1
        body = msgspec.json.encode({"stream": stream, "path": path})
        try:
            answer = await connection.server.link.ask("POST", connection.server.path("focus"), body)
        except SourceError:
            return False
        return answer.status < FIRST_REFUSAL


def _patience_of(judged: Judged) -> float:
    """Return the longest patience of a server's own sources that tell of values."""
    return max((each.stale_after_s for each in judged.sources if each.data_at), default=0.0)


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
