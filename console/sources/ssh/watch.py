"""Keeps one node's stream alive: logs in, runs the script, starts again after a fault; one process set at a time."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from console.model.errors import NotOffered, SourceError, TooLarge, Unreachable
from console.present.safe import clean
from console.sources.ssh.script import COMMAND, Order, script_of
from console.sources.ssh.stream import FloodError, NodeStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.link.ssh.pool import SshLink

LONGEST_REST_S = 30.0
SILENT_PERIODS = 3.0
SLOW_START_S = 15.0
TRIES_AT_ONCE = 12
# A driver takes up to 100 ms for each GPU.
QUIET_S = 0.5


class NodeWatch:
    """One node: its stream, its last error (None while all is well), and how often it was logged in to.

    `news` is called on the loop thread when rows or a failure came.
    """

    def __init__(
        self,
        node: str,
        address: str,
        link: SshLink,
        order: Order,
        news: Callable[[], None],
        *,
        who: tuple[str, str],
        clock: Callable[[], float] = time.time,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.node = node
        self.stream = NodeStream()
        self.error: SourceError | None = None
        self.logins = 0
        self.connected = False
        self._address = address
        self._link = link
        self._order = order
        self._news = news
        self._who = who
        self._clock = clock
        self._uniform = uniform
        self._failures = 0
        self._ended: asyncio.Event | None = None
        self._quiet: asyncio.TimerHandle | None = None
        self._flood: SourceError | None = None

    @property
    def spoke(self) -> bool:
        """Whether the node sent a row, or failed."""
        return bool(self.stream.row_at) or self.error is not None

    def silent_s(self, now: float) -> float:
        """Return for how long a node that runs our script has been silent for too long; 0.0 while it is not."""
        stream = self.stream
        if not self.connected or not stream.started_at or self.error is not None:
            return 0.0
        if not stream.row_at:
            waited = now - stream.started_at
            return waited if waited > SLOW_START_S + SILENT_PERIODS * self._order.period_s else 0.0
        quiet = now - stream.row_at
        return quiet if quiet > SILENT_PERIODS * self._order.period_s else 0.0

    async def run(self) -> None:
        """Stream until cancelled."""
        while True:
            try:
                async with self._link.connected(self._address) as connection:
                    self.logins += 1
                    self.connected = True
                    await self._stay(connection)
            except SourceError as error:
                self._fail(error)
            finally:
                self.connected = False
            await self._rest()

    async def _stay(self, connection: Any) -> None:
        """Run the script again and again on one connection; raises SourceError when that is lost."""
        for _ in range(TRIES_AT_ONCE):
            await self._session(connection)
            if connection.is_closed():
                raise Unreachable(*self._who, f"the connection to {self.node} was lost")
            if self._flood is not None or not self._learned():
                self._fail(self._flood or self._why())
                self._flood = None
                await self._rest()
        # A fresh login now and then: what was wrong may be the session's own.

    async def _session(self, connection: Any) -> None:
        stream = self._next_stream()
        ended = self._ended = asyncio.Event()
        session = _session_of(self, stream, ended)
        try:
            channel, _ = await connection.create_session(lambda: session, COMMAND, encoding=None)
        except Exception as error:  # asyncssh raises of several families when a channel is refused
            text = f"{self.node} opens no session: {clean(str(error), 120)}"
            raise Unreachable(*self._who, text, "its sshd may allow no shell or too few sessions") from None
        try:
            channel.write(script_of(self._order).encode())
            await ended.wait()
        finally:
            stream.flush()
            channel.abort()

    def _next_stream(self) -> NodeStream:
        """Return a stream that keeps what was not decoded yet of the last one."""
        old, new = self.stream, NodeStream()
        new.rows, new.kernel, new.lost = old.rows, old.kernel, old.lost
        new.row_at, new.body_bytes = old.row_at, old.body_bytes
        self.stream = new
        return new

    def take(self, stream: NodeStream, data: bytes, *, kernel: bool) -> None:
        """Take what a session sent (loop thread)."""
        now = self._clock()
        try:
            told = stream.feed_kernel(data, now) if kernel else stream.feed(data, now)
        except FloodError as error:
            text = f"{self.node}: {error}"
            self._flood = TooLarge(*self._who, text, "log in to the node and run nvidia-smi by hand")
            if self._ended is not None:
                self._ended.set()
            return
        if told:
            self._good(kernel=kernel)
        if stream.held:
            self._flush_soon(stream)

    def _good(self, *, kernel: bool = False) -> None:
        if not kernel:
            self.error, self._failures = None, 0
        self._news()

    def _flush_soon(self, stream: NodeStream) -> None:
        """Wait no longer for the other rows of a time when none has come for a while."""
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = asyncio.get_running_loop().call_later(QUIET_S, self._flush, stream)

    def _flush(self, stream: NodeStream) -> None:
        if stream.held:
            stream.flush()
            self._good()

    def _learned(self) -> bool:
        """Change the order by what the last session taught; return whether it is worth trying again at once."""
        failure = self.stream.failure()
        if failure is None:
            return False
        if failure.field:
            fields = tuple(tuple(name for name in group if name != failure.field) for group in self._order.fields)
            kept = tuple(group for group in fields if group)
            changed = kept != self._order.fields
            self._order = replace(self._order, fields=kept)
            return changed
        if failure.lost:
            self.stream.lost.add(failure.lost)
            others = tuple(pci for pci in self.stream.pcis if pci not in self.stream.lost)
            changed = bool(others) and others != self._order.only
            self._order = replace(self._order, only=others)
            self._news()
            return changed
        return False

    def _why(self) -> SourceError:
        stream = self.stream
        failure = stream.failure()
        if not stream.started_at:
            said = clean(" ".join(stream.said), 160)
            text = f"{self.node} runs no shell for us" + (f": {said}" if said else "")
            return NotOffered(*self._who, text, "the user needs a login shell that can start /bin/sh")
        if failure is not None:
            return NotOffered(*self._who, f"{self.node}: {clean(failure.message, 200)}", failure.advice)
        said = clean(" ".join(stream.said), 160)
        if said and not stream.row_at:
            text = f"{self.node}: nvidia-smi ended, and no row of what was asked for is in what it printed: {said}"
            return NotOffered(*self._who, text, "is `command` an nvidia-smi that knows --query-gpu? else `form: xml`")
        return NotOffered(*self._who, f"{self.node}: nvidia-smi ended", "it is started again")

    def _fail(self, error: SourceError) -> None:
        self.error = error
        self._failures += 1
        self._news()

    async def _rest(self) -> None:
        ceiling = min(LONGEST_REST_S, 2.0 ** min(self._failures, 8))
        await asyncio.sleep(self._uniform(ceiling / 2, ceiling))


def _session_of(watch: NodeWatch, stream: NodeStream, ended: asyncio.Event) -> Any:
    """Return an asyncssh session that feeds a watch; asyncssh is imported for sites with SSH alone."""
    import asyncssh

    class Session(asyncssh.SSHClientSession[bytes]):
        def data_received(self, data: bytes, datatype: int | None) -> None:
            watch.take(stream, data, kernel=datatype == asyncssh.EXTENDED_DATA_STDERR)

        def connection_lost(self, exc: Exception | None) -> None:
            ended.set()

    return Session()
