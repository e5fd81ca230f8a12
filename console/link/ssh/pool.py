"""Connections to nodes: one to each jump host, shared by all nodes behind it; logins are few at a time and limited."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.link.ssh.hops import Hop
from console.link.ssh.identities import Identities
from console.link.ssh.openssh import OpenSsh
from console.link.ssh.trust import KnownHosts
from console.model.errors import SourceError, Unauthorized

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import asyncssh

    from console.config.values import SshConfig
    from console.link.ssh.route import Route

# sshd's defaults: MaxStartups 10:30:100 drops logins at random from the tenth unfinished one on, per server.
LOGINS_A_SERVER = 8
LOGINS_AT_ONCE = 32
# A login that takes longer lets the next one in; so many may be under way in all.
PATIENCE_S = 0.5
MOST_UNDER_WAY = 128
# Each forwarded channel is a file descriptor of the jump host's sshd, which has 1,024 by default.
CHANNELS_A_JUMP = 400
REST_S = (2.0, 5.0, 10.0, 30.0)


@dataclass(eq=False)
class _Jump:
    """A chain of jump hosts: its connection, how many go through it, and when it may be tried again after a fault."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    connection: asyncssh.SSHClientConnection | None = None
    channels: int = 0
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    failures: int = 0
    error: SourceError | None = None
    rest_until: float = 0.0


class SshLink:
    """The way to one site's nodes; lives on one event loop. `limit_s` is how long a login may take."""

    def __init__(
        self,
        site: str,
        source: str,
        config: SshConfig,
        *,
        limit_s: float = 30.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._who = (site, source)
        self._limit_s = limit_s
        self._monotonic = monotonic
        self._openssh = OpenSsh(site, source, config)
        self._known = KnownHosts()
        self._identities = Identities()
        self._jumps: dict[tuple[tuple[Hop, ...], int], _Jump] = {}
        self._logins = asyncio.Semaphore(LOGINS_AT_ONCE)
        self._under_way = asyncio.Semaphore(MOST_UNDER_WAY)
        self._servers: dict[tuple[str, int, tuple[Hop, ...]], asyncio.Semaphore] = {}
        self._lenient = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be said of configuration, keys and known hosts."""
        return (*self._known.warnings, *self._identities.warnings, *((self._lenient,) if self._lenient else ()))

    @property
    def jumps(self) -> tuple[tuple[str, int], ...]:
        """The jump chains that are connected, and how many channels go through each."""
        return tuple(
            (" > ".join(map(str, hops)), jump.channels)
            for (hops, _), jump in self._jumps.items()
            if jump.connection is not None
        )

    @asynccontextmanager
    async def connected(self, host: str) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Log in to a host and give its connection, closed at the end of the block; raises SourceError."""
        route = await self._openssh.resolve(Hop(host))
        if route.lenient:
            self._lenient = f"ssh_config turns StrictHostKeyChecking off for {host}; host keys are checked all the same"
        async with AsyncExitStack() as stack:
            jump = await stack.enter_async_context(self._through(route.jump)) if route.jump else None
            connection = await self._log_in(route, jump)
            try:
                yield connection
            finally:
                connection.abort()

    async def aclose(self) -> None:
        """Drop every jump host; nodes' connections end with their blocks."""
        for jump in self._jumps.values():
            if jump.connection is not None:
                jump.connection.abort()
                jump.connection = None
            await jump.stack.aclose()

    @asynccontextmanager
    async def _through(self, hops: tuple[Hop, ...]) -> AsyncIterator[_Jump]:
        """Take a place on a connected chain; another connection is opened where one is full."""
        number = 0
        while (held := self._jumps.get((hops, number))) is not None and held.channels >= CHANNELS_A_JUMP:
            number += 1
        jump = self._jumps.setdefault((hops, number), _Jump())
        jump.channels += 1
        try:
            async with jump.lock:
                if jump.connection is None or jump.connection.is_closed():
                    await self._connect_jump(hops, jump)
            yield jump
        finally:
            jump.channels -= 1

    async def _connect_jump(self, hops: tuple[Hop, ...], jump: _Jump) -> None:
        if jump.error is not None and self._monotonic() < jump.rest_until:
            raise jump.error  # a jump host that is down must not be asked once for each of its nodes
        try:
            route = await self._openssh.resolve(hops[-1])
            before = hops[:-1] or route.jump
            jump.connection = await self._log_in(route, await self._place(before, jump) if before else None)
        except SourceError as error:
            jump.connection, jump.error = None, error
            jump.rest_until = self._monotonic() + REST_S[min(jump.failures, len(REST_S) - 1)]
            jump.failures += 1
            raise
        jump.error, jump.failures = None, 0

    async def _place(self, hops: tuple[Hop, ...], jump: _Jump) -> _Jump:
        """Take a place on the chain before a jump host, for as long as that one's connection is ours."""
        await jump.stack.aclose()
        return await jump.stack.enter_async_context(self._through(hops))

    async def _log_in(self, route: Route, jump: _Jump | None) -> asyncssh.SSHClientConnection:
        async with self._under_way, self._server(route):
            await self._logins.acquire()
            login = asyncio.ensure_future(self._login(route, jump))
            try:
                await asyncio.wait({login}, timeout=PATIENCE_S)
            except asyncio.CancelledError:
                login.cancel()
                raise
            finally:
                self._logins.release()
            try:
                return await login
            except asyncio.CancelledError:
                login.cancel()
                raise

    def _server(self, route: Route) -> asyncio.Semaphore:
        key = (route.host, route.port, route.jump)
        return self._servers.setdefault(key, asyncio.Semaphore(LOGINS_A_SERVER))

    async def _login(self, route: Route, jump: _Jump | None) -> asyncssh.SSHClientConnection:
        # asyncssh is imported for sites with SSH alone, and off the loop: it takes 150 ms.
        failures, login = await asyncio.to_thread(_modules)
        witness, known = login.Witness(), None
        limit_s = min(self._limit_s, route.connect_timeout_s or self._limit_s)
        tunnel = jump.connection if jump is not None else None
        via = str(route.jump[-1]) if route.jump else ""
        try:
            known = await self._known.of(route)
            keys = await self._identities.of(route)
            async with asyncio.timeout(limit_s):
                connection: asyncssh.SSHClientConnection = await login.log_in(
                    route, witness, known, keys, tunnel, limit_s
                )
                return connection
        except Exception as error:  # asyncssh raises of many families; each becomes one clear SourceError
            found: SourceError = failures.translate(error, self._who, route, witness, known, limit_s, via)
            if isinstance(found, Unauthorized):
                self._identities.forget()
            raise found from None


def _modules() -> tuple[Any, Any]:
    from console.link.ssh import failures, login

    return failures, login
