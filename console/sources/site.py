"""The source of kind `site`: a thin client of `gigadeck serve`; it polls what does not stream (the emulator)."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from console.model.errors import NotOffered
from console.sources.site_bodies import Faults
from console.sources.site_control import STREAM_VERSION
from console.sources.site_deeds import Deeds
from console.sources.site_following import Following
from console.sources.site_polling import Polling
from console.sources.site_servers import Server, Servers, links_of, name_there

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from console.config.values import SiteConfig, SourceConfig
    from console.link.answers import Body
    from console.link.http import HttpLink
    from console.model.errors import SourceError
    from console.model.incidents import Deed
    from console.model.metrics import MetricTable
    from console.model.ports import Subject
    from console.model.reading import Reading

TOTAL_S = 30.0


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> SiteSource:
    """Return the source that a fleet file names; it has asked nothing yet."""
    there = str(source.options.get("site", "") or site.name)
    return SiteSource(
        site.name,
        source.name or source.kind,
        there,
        metrics,
        links_of(site, source),
        limit_s=source.timeouts.total_s,
        limit_bytes=source.max_body_bytes,
    )


class SiteSource:
    """Reads a site from the first of its servers that answers: by its stream where it has one, else by polling.

    `there` is the site's name on the servers; names and paths are given out under our own (`site`). A witness of its
    objects, and a keeper of what people do, where a `gigadeck serve` is on the other side.
    """

    def __init__(
        self,
        site: str,
        source: str,
        there: str,
        metrics: MetricTable,
        links: Sequence[HttpLink],
        *,
        limit_s: float = TOTAL_S,
        limit_bytes: int = 1 << 30,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._site = site
        self._there = there
        self._faults = faults = Faults(site, source)
        servers = [Server(link, faults, there, monotonic) for link in links]
        self._servers = Servers(servers, faults, limit_s=limit_s, sleep=sleep, uniform=uniform)
        self._polling = Polling(faults, site, there, metrics, monotonic=monotonic)
        self._following = Following(
            faults,
            site,
            there,
            metrics,
            limit_bytes=limit_bytes,
            limit_s=limit_s,
            clock=clock,
            monotonic=monotonic,
            sleep=sleep,
            uniform=uniform,
        )
        self._deeds = Deeds(faults, self._servers, site, there, sleep)
        self._told: SourceError | None = None

    async def read(self) -> Reading:
        """Return the next reading; raises SourceError."""
        if self._following.flowing and not self._servers.home_is_back:
            reading = await self._follow()
            if reading is not None:
                return reading
        lost = self._following.why_lost()
        if lost is not None and lost is not self._told:
            self._told = lost
            raise lost
        await self._following.rest()
        reading = await self._servers.first(self._read_from, shunned=self._following.shunned) or await self._follow()
        if reading is None:
            raise self._following.why_lost() or self._faults.bad("the stream ended as soon as it began")
        return reading

    async def record(self, subject: Subject) -> str:
        """Return what each voice of the server says of an object; where it tells none, what was read last of it."""
        server = self._servers.current
        if self._following.connection is None:
            return self._polling.record(subject)
        params = {"subject": name_there(subject.path, self._site, self._there)}
        try:
            body = await server.get("records", [], params)
        except NotOffered:
            return ""
        voices = self._faults.decode(body.content, dict[str, str], "the answer of records")
        return "\n".join(f"── {voice} ──\n{text.rstrip()}\n" for voice, text in voices.items() if text)

    async def keep(self, deed: Deed) -> str:
        """Bring a deed to who leads and return what came of it; raises RefusedError, StateError, SourceError."""
        return await self._deeds.keep(deed)

    def focus(self, path: str) -> None:
        """Have the server tell more of the place where the user looks; only a stream can."""
        self._following.focus(path)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._following.aclose()
        await self._servers.aclose()

    async def _read_from(self, server: Server) -> Reading | None:
        """Return a reading of one server, None where its stream has begun; raises SourceError."""
        bodies: list[Body] = []
        info = await server.know(bodies)
        if info.stream == STREAM_VERSION:
            await self._following.open(server, len(bodies))
            return None
        if info.stream:
            # Polled, it would share nothing of what people do there, and nobody would notice.
            raise self._faults.version(f"version {info.stream} of the stream", STREAM_VERSION, info.stream)
        await self._following.aclose()
        reading = await self._polling.read(server, info, bodies, self._notes(info.server))
        return replace(reading, warnings=(*reading.warnings, *self._warnings(server)))

    async def _follow(self) -> Reading | None:
        connection = self._following.connection
        warnings = self._warnings(connection.server) if connection is not None else ()
        return await self._following.read(self._notes(), warnings)

    def _warnings(self, server: Server) -> tuple[str, ...]:
        warning = self._servers.warning(server)
        return (warning,) if warning else ()

    def _notes(self, server: str = "") -> dict[str, str]:
        told = {"server": server[:80]} if server else {}
        return {**told, **({"named there": self._there} if self._there != self._site else {})}
