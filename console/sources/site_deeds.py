"""Brings what a person does to the `gigadeck serve` of a site, and tells in words what came of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from console.link.answers import printable, retry_after_s
from console.model.errors import (
    RateLimited,
    RefusedError,
    ServerFailed,
    SourceError,
    StateError,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from console.sources.site_servers import name_there

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from console.link.answers import Body
    from console.model.errors import ConsoleError
    from console.model.incidents import Deed
    from console.sources.site_bodies import Faults
    from console.sources.site_servers import Server, Servers

TRIES = 6
FIRST_REST_S = 0.3
LONGEST_WAIT_S = 5.0
WORDS = 300
# What may be different at the next try, or at another server.
PASSING = (Unreachable, TimedOut, ServerFailed)


class Deeds:
    """Tries until it is known what came of a deed: a deed's id makes it safe to bring it twice."""

    def __init__(
        self,
        faults: Faults,
        servers: Servers,
        site: str,
        there: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._faults = faults
        self._servers = servers
        self._site = site
        self._there = there
        self._sleep = sleep

    async def keep(self, deed: Deed) -> str:
        """Return what a deed came to; raises RefusedError, StateError, SourceError."""
        content = msgspec.json.encode(
            {
                "id": deed.id,
                "kind": deed.kind.value,
                "subject": name_there(deed.subject, self._site, self._there),
                "text": deed.text,
            }
        )
        server, rest_s = self._servers.current, FIRST_REST_S
        last: ConsoleError | None = None
        following: Server | None
        for _ in range(TRIES):
            try:
                body = await server.link.ask("POST", server.path("deeds"), content)
            except PASSING as error:
                last, following, wait_s = error, self._after(server), rest_s
            else:
                if body.status < 300:
                    return self._outcome(body)
                last = self._refusal(server, body)
                following, wait_s = self._next(server, body, last, rest_s)
            if following is None:
                break
            await self._sleep(wait_s)
            server, rest_s = following, rest_s * 2
        assert last is not None  # each try that does not return sets it
        raise last

    def _next(self, server: Server, body: Body, error: ConsoleError, rest_s: float) -> tuple[Server | None, float]:
        """Return whom to try next and after how long, None where another try would change nothing."""
        if body.status == 421:
            leader = _word(_read(body), "leader")
            found = next((each for each in self._servers.all if each.is_at(leader)), None) if leader else None
            return (found, 0.0) if found not in (None, server) else (self._other(server), rest_s)
        if body.status == 429:
            wait_s = error.retry_after_s if isinstance(error, SourceError) else None
            return (server, wait_s) if wait_s is not None and wait_s <= LONGEST_WAIT_S else (None, 0.0)
        return (self._after(server), rest_s) if body.status >= 500 else (None, 0.0)

    def _after(self, server: Server) -> Server:
        """Return the next server in turn: the same one where there is only one."""
        all_of_them = self._servers.all
        return all_of_them[(all_of_them.index(server) + 1) % len(all_of_them)]

    def _other(self, server: Server) -> Server | None:
        """Return the next server, None where there is only this one."""
        other = self._after(server)
        return None if other is server else other

    def _outcome(self, body: Body) -> str:
        told = _word(_read(body), "outcome")
        if not told:
            raise self._faults.bad("the answer to a deed does not say what came of it")
        return told

    def _refusal(self, server: Server, body: Body) -> ConsoleError:
        """Return the error that an answer stands for, with what to do."""
        who, told = (self._faults.site, self._faults.source), _read(body)
        said = _word(told, "error") or f"HTTP {body.status}"
        where = f"{who[0]}/{who[1]}: {server.shown}"
        status = body.status
        if status == 401:
            return Unauthorized(*who, f"{server.shown}: {said}", "check the source's `auth` or client certificate")
        if status == 403:
            return RefusedError(f"{where}: {said} (docs/operations.md tells who may do what)")
        if status == 404 and not server.remembers:
            return RefusedError(f"{where} remembers nothing ({said}); attach to a `gigadeck serve`")
        if status == 421:
            leader = _word(told, "leader")
            advice = f"add {leader} to `also` of this source" if leader else "nobody leads now; try again"
            return RefusedError(f"{where} does not lead: {said}; {advice}")
        if status == 429:
            wait_s = retry_after_s(body.headers, body.received_at)
            return RateLimited(*who, f"{server.shown}: {said}", "too many at once; try again", wait_s)
        if status >= 500:
            return StateError(f"{where} cannot write it down: {said}; try again when its database is back")
        return RefusedError(f"{where}: {said}")


def _read(body: Body) -> Any:
    try:
        return msgspec.json.decode(body.content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _word(told: Any, name: str) -> str:
    """Return a member of an answer as a short text, empty where there is none."""
    text = told.get(name) if isinstance(told, dict) else None
    return printable(text)[:WORDS] if isinstance(text, str) else ""
