"""The servers of one site, in order of preference: who is asked, who in its place, and the way back to the first."""

from __future__ import annotations

import asyncio
import math
import random
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlsplit

from console.link.http import HttpLink
from console.link.shared import Shared
from console.model.errors import NotOffered, SourceError, TimedOut
from console.sources.site_bodies import API_VERSION, MSGPACK, Faults, WireInfo, WireSites

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from console.config.values import SiteConfig, SourceConfig
    from console.link.answers import Body

INFO_EVERY_S = 300.0
# The first server is looked for again so often (half to once and a half of it) while another one is read.
HOME_EVERY_S = 15.0
LIMIT_SHARE = 0.9
SOCKET_URL = "http://gigadeck"
UNIX = "unix:"

Result = TypeVar("Result")


def links_of(site: SiteConfig, source: SourceConfig) -> tuple[HttpLink, ...]:
    """Return the links to a source's servers: `url` or `socket`, then those of `also` (URLs, or paths of sockets)."""
    shared = Shared(source)
    places = (source.url or str(source.options.get("socket", "")), *source.options.get("also", ()))
    links = []
    for place in places:
        socket = "" if "://" in place else place
        config = replace(source, url=SOCKET_URL if socket else place)
        links.append(HttpLink(site.name, config, shared=shared, socket=socket))
    return tuple(links)


def name_there(text: str, site: str, there: str) -> str:
    """Return an address or a row's id (`SITE/...`, `job:SITE/...`) under another name of the site.

    What is not of this site, and what names no site (`gpu:UUID`), stays as it is.
    """
    head, slash, rest = text.partition("/")
    kind, colon, name = head.rpartition(":")
    return f"{kind}{colon}{there}{slash}{rest}" if name == site else text


class Server:
    """One server: what it says of itself, asked again every five minutes, and after each failure."""

    def __init__(self, link: HttpLink, faults: Faults, there: str, monotonic: Callable[[], float]) -> None:
        self.link = link
        self._faults = faults
        self._there = there
        self._monotonic = monotonic
        self._info: WireInfo | None = None
        self._due = 0.0

    @property
    def shown(self) -> str:
        """Where it is, fit for a message."""
        return self.link.endpoint.shown_url

    @property
    def remembers(self) -> bool:
        """Whether it is a `gigadeck serve`, as far as is known."""
        return self._info is None or self._info.stream > 0

    def is_at(self, address: str) -> bool:
        """Whether an address that another server names leads here."""
        ours, theirs = urlsplit(self.link.endpoint.url), urlsplit(address)
        if self.link.endpoint.socket:
            return address.removeprefix(UNIX).removeprefix("//") == self.link.endpoint.socket
        return bool(theirs.netloc) and (ours.scheme, ours.netloc.rpartition("@")[2]) == (theirs.scheme, theirs.netloc)

    def path(self, what: str) -> str:
        """Return the path of one of the site's routes."""
        return f"/site/v1/{quote(self._there, safe='')}/{what}"

    async def get(self, what: str, bodies: list[Body], params: dict[str, str] | None = None) -> Body:
        """Return the answer of a route, and add it to `bodies`; raises SourceError."""
        body = await self.link.get(self.path(what), params or {}, accept=MSGPACK)
        bodies.append(body)
        return body

    async def know(self, bodies: list[Body]) -> WireInfo:
        """Return what the server says of itself; raises SourceError, also for a version that we do not speak."""
        if self._info is None or self._monotonic() >= self._due:
            try:
                body = await self.get("info", bodies)
            except NotOffered as error:
                raise await self._explained(error) from error
            info = self._faults.decode(body.content, WireInfo, "the answer of info")
            if info.api != API_VERSION:
                raise self._faults.version(f"version {info.api} of the site API", API_VERSION, info.api)
            if not math.isfinite(info.cadence_s):
                raise self._faults.bad(f"the server says that its cadence is {info.cadence_s} s")
            self._info = info
            self._due = self._monotonic() + INFO_EVERY_S
        return self._info

    def forget(self) -> None:
        """Ask anew what the server is: it failed, and another one may come up in its place."""
        self._info = None

    async def _explained(self, error: NotOffered) -> NotOffered:
        """Return the error for a site that is not there, with the sites that are."""
        try:
            body = await self.link.get("/site/v1/sites", accept=MSGPACK)
            sites = self._faults.decode(body.content, WireSites, "the answer of sites").sites
        except SourceError:
            return error
        names = ", ".join(repr(each.site[:40]) for each in sites[:8]) or "none"
        text = f"the server has no site {self._there!r}; it has: {names}"
        return NotOffered(self._faults.site, self._faults.source, text, "set `site` of this source to one of them")


class Servers:
    """Whom to ask: the first server that answers, the present one before those after it; loop thread alone."""

    def __init__(
        self,
        servers: Sequence[Server],
        faults: Faults,
        *,
        limit_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.all = tuple(servers)
        self._faults = faults
        self._limit_s = limit_s
        self._sleep = sleep
        self._uniform = uniform
        self._homeward: asyncio.Task[None] | None = None
        self._failed: SourceError | None = None
        self.current = self.all[0]
        self.home_is_back = False

    def warning(self, read: Server) -> str:
        """Return what to say while a server is read that is not the first, empty where it is."""
        if read is self.all[0]:
            return ""
        why = f" ({self._failed.message})" if self._failed else ""
        return f"{self.all[0].shown} is not read{why}; {read.shown} is, in its place"

    async def first(self, read: Callable[[Server], Awaitable[Result]], *, shunned: Server | None = None) -> Result:
        """Return what the first server gives that answers; raises the errors of all as one SourceError.

        The one that was read last is asked before the others (the first of all, where that is there again), and
        `shunned` last: it fell silent, and to ask it would take long.
        """
        best = self.all[0] if self.home_is_back else self.current
        order = sorted(self.all, key=lambda each: (each is shunned, each is not best))
        errors: list[tuple[Server, SourceError]] = []
        for server in order:
            try:
                result = await self._limited(read(server))
            except SourceError as error:
                server.forget()
                errors.append((server, error))
                continue
            self._failed = next((error for each, error in errors if each is self.all[0]), self._failed)
            self._settle(server)
            return result
        raise self._together(errors)

    def _settle(self, server: Server) -> None:
        self.current = server
        self.home_is_back = False
        home = server is self.all[0]
        if home and self._homeward is not None:
            self._homeward.cancel()
            self._homeward = None
        if not home and (self._homeward is None or self._homeward.done()):
            self._homeward = asyncio.create_task(self._look_home(), name="the way back to the first server")

    async def aclose(self) -> None:
        """End the search for the first server, and close every connection."""
        if self._homeward is not None:
            self._homeward.cancel()
            await asyncio.gather(self._homeward, return_exceptions=True)
            self._homeward = None
        await asyncio.gather(*(each.link.aclose() for each in self.all), return_exceptions=True)

    async def _limited(self, result: Awaitable[Result]) -> Result:
        """Let one server not use up the time of the others."""
        if len(self.all) == 1:
            return await result
        limit_s = self._limit_s * LIMIT_SHARE / len(self.all)
        try:
            async with asyncio.timeout(limit_s):
                return await result
        except TimeoutError:
            text = f"no complete answer within {limit_s:g} s"
            raise TimedOut(self._faults.site, self._faults.source, text, "the server may be overloaded") from None

    async def _look_home(self) -> None:
        while not self.home_is_back:
            await self._sleep(self._uniform(0.5, 1.5) * HOME_EVERY_S)
            with suppress(SourceError):
                self.all[0].forget()
                await self._limited(self.all[0].know([]))
                self.home_is_back = True

    def _together(self, errors: list[tuple[Server, SourceError]]) -> SourceError:
        """Return the first server's error, with what the others say."""
        first = next((error for server, error in errors if server is self.all[0]), errors[0][1])
        others = [f"{server.shown}: {error.message}" for server, error in errors if error is not first]
        if not others:
            return first
        return type(first)(
            first.site, first.source, "; ".join((first.message, *others)), first.advice, first.retry_after_s
        )
