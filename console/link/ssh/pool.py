"""Connections to nodes: one to each jump host, shared by all nodes behind it; logins are few at a time and limited.

What a site's sources share (`Commons`): the jump hosts above all, so that a person logs in once for all of them.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from console.link.ssh.doors import Doors
from console.link.ssh.hops import Hop, read_hop
from console.link.ssh.identities import Identities
from console.link.ssh.openssh import OpenSsh
from console.link.ssh.renewal import Renewal
from console.link.ssh.trust import KnownHosts
from console.model.errors import SourceError, Unauthorized, WaitsForLogin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import asyncssh

    from console.config.values import SshConfig
    from console.link.ssh.route import Route
    from console.model.ports import Question

    Ask = Callable[[Question], Awaitable[str | None]]

# sshd's defaults: MaxStartups 10:30:100 drops logins at random from the tenth unfinished one on, per server.
LOGINS_A_SERVER = 8
LOGINS_AT_ONCE = 32
# A login that takes longer lets the next one in; so many may be under way in all.
PATIENCE_S = 0.5
MOST_UNDER_WAY = 128
# Each forwarded channel is a file descriptor of the jump host's sshd, which has 1,024 by default.
CHANNELS_A_JUMP = 400
REST_S = (2.0, 5.0, 10.0, 30.0)
# Each try at a host that asks for a code is a failed login there, and bastions lock users out: a person decides when.
WAIT_FOR_LOGIN_S = 600.0
# sshd waits for two minutes (LoginGraceTime).
ASKING_S = 120.0


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
    asking: bool = False
    by_person: bool = False


class Commons:
    """What all sources of a site share, as long as one of them is open: connections, keys, limits."""

    def __init__(self, config: SshConfig) -> None:
        self.config = config
        self.known = KnownHosts()
        self.identities = Identities()
        self.jumps: dict[tuple[tuple[Hop, ...], int], _Jump] = {}
        self.logins = asyncio.Semaphore(LOGINS_AT_ONCE)
        self.under_way = asyncio.Semaphore(MOST_UNDER_WAY)
        self.servers: dict[tuple[str, int, tuple[Hop, ...]], asyncio.Semaphore] = {}
        self.renewal = Renewal(config.renew, self.identities.forget)
        self.doors = Doors()
        self.users = 0


_COMMONS: WeakValueDictionary[int, Commons] = WeakValueDictionary()


def commons_of(config: SshConfig) -> Commons:
    """Return what the sources that were opened with this very configuration share."""
    held = _COMMONS.get(id(config))  # it holds the configuration, whose id cannot be another's meanwhile
    if held is None or not held.users:
        held = _COMMONS[id(config)] = Commons(config)
    held.users += 1
    return held


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
        self._commons = commons_of(config)
        self._jumps = self._commons.jumps
        self._closed = False
        self._lenient = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be said of configuration, keys and known hosts."""
        own = (self._lenient, self._commons.renewal.warning)
        return (*self._commons.known.warnings, *self._commons.identities.warnings, *(each for each in own if each))

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

    @asynccontextmanager
    async def kept(self, host: str) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Give the connection to a host that is kept and shared, as those to jump hosts are; raises SourceError."""
        route = await self._openssh.resolve(Hop(host))
        async with self._through((*route.jump, Hop(host))) as jump:
            assert jump.connection is not None  # _through connects
            yield jump.connection

    async def sign_in(self, ask: Ask) -> str:
        """Log in wherever a person is waited for, asking what is asked, and return where; raises SourceError.

        Where nothing waits, the site's own jump hosts are logged in to, unless they are connected.
        """
        waiting = [hops for (hops, _), jump in self._jumps.items() if isinstance(jump.error, WaitsForLogin)]
        own = tuple(read_hop(each) for each in self._commons.config.jump)
        done = []
        for hops in dict.fromkeys(waiting or ([own] if own else [])):
            jump = self._jumps.setdefault((hops, 0), _Jump())
            if jump.asking or (jump.connection is not None and not jump.connection.is_closed()):
                continue
            async with jump.lock:
                await self._connect_jump(hops, jump, ask)
            done.append(" > ".join(map(str, hops)))
        return f"logged in on {', '.join(done)}; this is kept until the console ends or it is lost" if done else ""

    async def way(self, host: str) -> str:
        """Return a socket's path that leads to a host through jump hosts a person logged in to, empty for none."""
        route = await self._openssh.resolve(Hop(host))
        jump = self._jumps.get((route.jump, 0)) if route.jump else None
        if jump is None or not jump.by_person or jump.connection is None or jump.connection.is_closed():
            return ""
        return await self._commons.doors.to(jump.connection, route.host, route.port)

    async def aclose(self) -> None:
        """Drop every jump host when the last source goes; nodes' connections end with their blocks."""
        if self._closed:
            return
        self._closed = True
        self._commons.users -= 1
        if self._commons.users:
            return
        await self._commons.renewal.aclose()
        self._commons.doors.close()
        for jump in self._jumps.values():
            if jump.connection is not None:
                jump.connection.abort()
                jump.connection = None
            await jump.stack.aclose()

    @asynccontextmanager
    async def _through(self, hops: tuple[Hop, ...], ask: Ask | None = None) -> AsyncIterator[_Jump]:
        """Take a place on a connected chain; another connection is opened where one is full."""
        number = 0
        while (held := self._jumps.get((hops, number))) is not None and held.channels >= CHANNELS_A_JUMP:
            number += 1
        jump = self._jumps.setdefault((hops, number), _Jump())
        jump.channels += 1
        try:
            if jump.asking and jump.error is not None:
                raise self._again(jump.error)  # a person may take two minutes
            async with jump.lock:
                if jump.connection is None or jump.connection.is_closed():
                    await self._connect_jump(hops, jump, ask)
            yield jump
        finally:
            jump.channels -= 1

    async def _connect_jump(self, hops: tuple[Hop, ...], jump: _Jump, ask: Ask | None = None) -> None:
        if jump.error is not None and self._monotonic() < jump.rest_until and ask is None:
            raise self._again(jump.error)  # a jump host that is down must not be asked once for each of its nodes
        jump.asking = self._commons.renewal.paused = ask is not None
        try:
            route = await self._openssh.resolve(hops[-1])
            before = hops[:-1] or route.jump
            place = await self._place(before, jump, ask) if before else None
            jump.connection = await self._log_in(route, place, ask, kept=True)
        except SourceError as error:
            waits = isinstance(error, WaitsForLogin)
            jump.connection, jump.error = None, error
            rest_s = WAIT_FOR_LOGIN_S if waits else REST_S[min(jump.failures, len(REST_S) - 1)]
            jump.rest_until = self._monotonic() + rest_s
            jump.failures += 1
            raise
        finally:
            jump.asking = self._commons.renewal.paused = False
        jump.error, jump.failures, jump.by_person = None, 0, ask is not None

    def _again(self, error: SourceError) -> SourceError:
        """Return an error that another source may have had, as this one's."""
        return type(error)(*self._who, error.message, error.advice)

    async def _place(self, hops: tuple[Hop, ...], jump: _Jump, ask: Ask | None) -> _Jump:
        """Take a place on the chain before a jump host, for as long as that one's connection is ours."""
        await jump.stack.aclose()
        return await jump.stack.enter_async_context(self._through(hops, ask))

    async def _log_in(
        self, route: Route, jump: _Jump | None, ask: Ask | None = None, *, kept: bool = False
    ) -> asyncssh.SSHClientConnection:
        async with self._commons.under_way, self._server(route):
            await self._commons.logins.acquire()
            login = asyncio.ensure_future(self._login(route, jump, ask, kept=kept))
            try:
                await asyncio.wait({login}, timeout=PATIENCE_S)
            except asyncio.CancelledError:
                login.cancel()
                raise
            finally:
                self._commons.logins.release()
            try:
                return await login
            except asyncio.CancelledError:
                login.cancel()
                raise

    def _server(self, route: Route) -> asyncio.Semaphore:
        key = (route.host, route.port, route.jump)
        return self._commons.servers.setdefault(key, asyncio.Semaphore(LOGINS_A_SERVER))

    async def _login(
        self, route: Route, jump: _Jump | None, ask: Ask | None = None, *, kept: bool = False
    ) -> asyncssh.SSHClientConnection:
        # asyncssh is imported for sites with SSH alone, and off the loop: it takes 150 ms.
        failures, login = await asyncio.to_thread(_modules)
        witness, known = login.Interpreter(route.name, ask) if ask is not None else login.Witness(), None
        limit_s = min(self._limit_s, route.connect_timeout_s or self._limit_s) if ask is None else ASKING_S
        tunnel = jump.connection if jump is not None else None
        via = str(route.jump[-1]) if route.jump else ""
        try:
            await self._commons.renewal.tend(route)
            known = await self._commons.known.of(route)
            keys = await self._commons.identities.of(route)
            async with asyncio.timeout(limit_s):
                connection: asyncssh.SSHClientConnection = await login.log_in(
                    route, witness, known, keys, tunnel, limit_s
                )
                return connection
        except Exception as error:  # asyncssh raises of many families; each becomes one clear SourceError
            found: SourceError = failures.translate(error, self._who, route, witness, known, limit_s, via, kept=kept)
            if isinstance(found, Unauthorized):
                self._commons.identities.forget()
            raise found from None


def _modules() -> tuple[Any, Any]:
    from console.link.ssh import failures, login

    return failures, login
