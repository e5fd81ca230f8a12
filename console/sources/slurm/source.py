"""Reads one Slurm cluster: nodes and jobs at most every 30 s, reservations, and what that costs slurmctld."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.model.errors import (
    BadPayload,
    NotOffered,
    RateLimited,
    ServerFailed,
    SourceError,
    Unauthorized,
    Unreachable,
)
from console.model.reading import Reading
from console.sources.slurm.api import Api, link_of
from console.sources.slurm.bodies import Who
from console.sources.slurm.lists import Lists
from console.sources.slurm.witness import other_cluster, record_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import httpx

    from console.config.values import SourceConfig
    from console.link.answers import Body
    from console.model.ports import Question, Subject
    from console.model.reading import Part
    from console.sources.slurm.commands import Commands
    from console.sources.slurm.diag import Diag

CADENCE_S = 30.0
BUSY_CADENCE_S = 120.0
SLACK_S = 1.0
SKEW_S = 2.0
LISTS = ("nodes", "jobs")
RESERVATIONS = "reservations"
# People make reservations, days ahead: they are asked for ten times more seldom.
RESERVATIONS_EVERY = 10


@dataclass(eq=False)
class _Haul:
    """What one turn brought in."""

    bodies: dict[str, Body] = field(default_factory=dict)
    diag: Diag | None = None
    warnings: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


class SlurmSource:
    """A source for one cluster. `read` runs on the loop thread; what it returns decodes on the compute thread."""

    def __init__(
        self,
        site: str,
        config: SourceConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        commands: Commands | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._cadence_s = config.cadence_s or CADENCE_S
        self._user = str(config.options.get("user", ""))
        self._monotonic = monotonic
        self._wall = wall
        self._api: Api | Commands = commands or Api(link_of(site, config, transport, wall), config, wall)
        who = Who(site, config.name or config.kind)
        self._who = who
        cluster = str(config.options.get("cluster", ""))
        readers = commands.readers if commands else None
        self._lists = Lists(who, cluster, lambda text: self._api.explained(ServerFailed(*who, text)), readers)
        self._lists_at = -math.inf
        self._lists_read = 0
        self._busy = ""

    async def read(self) -> Reading:
        """Return what this turn brings; raises SourceError if it brings nothing."""
        haul = _Haul()
        try:
            await self._api.negotiate()
            await self._read_diag(haul)
            if self._monotonic() - self._lists_at >= self._every_s() - min(SLACK_S, self._cadence_s / 2):
                await self._read_lists(haul)
                await self._read_reservations(haul)
                self._lists_at = self._monotonic()
        except (NotOffered, BadPayload, Unreachable):
            self._api.forget()  # another slurmrestd may be there when it is back
            raise
        finally:
            requests, body_bytes = self._api.take_counts()
        return Reading(
            received_at=self._wall(),
            decode=lambda: self._decode(haul),
            body_bytes=body_bytes,
            requests=requests,
            cadence_s=self._every_s(),
            clock_skew_s=self._skew_s(haul),
            warnings=tuple(haul.warnings),
            notes=haul.notes,
            stale_after_s=3 * self._every_s(),
        )

    async def aclose(self) -> None:
        """Let go of every connection."""
        await self._api.aclose()

    async def record(self, subject: Subject) -> str:
        """Return Slurm's own record of a node or job, empty where it knows nothing of it; raises SourceError."""
        if other_cluster(subject, self._lists.cluster):
            return ""
        if isinstance(self._api, Api):
            return await record_of(self._api, subject)
        return await self._api.show(subject)

    async def sign_in(self, ask: Callable[[Question], Awaitable[str | None]]) -> str:
        """Log in where the way to Slurm's commands waits for a person; over HTTP nothing does."""
        return await self._api.sign_in(ask) if not isinstance(self._api, Api) else ""

    async def way(self, host: str) -> str:
        """Return a socket to a host through jump hosts that a person logged in to, empty for none."""
        return await self._api.way(host) if not isinstance(self._api, Api) else ""

    def _every_s(self) -> float:
        return max(self._cadence_s, BUSY_CADENCE_S) if self._busy else self._cadence_s

    async def _read_diag(self, haul: _Haul) -> None:
        """Ask how slurmctld does; a site may refuse that, and the lists are worth reading all the same."""
        try:
            haul.diag = await self._api.diag(self._user)
        except (NotOffered, BadPayload) as error:
            haul.notes["diag"] = error.message
            return
        haul.notes |= haul.diag.notes
        self._busy = haul.diag.busy
        if self._busy:
            haul.warnings.append(f"slurmctld is busy ({self._busy}): asked every {self._every_s():.0f} s only")

    async def _read_lists(self, haul: _Haul) -> None:
        faults: list[SourceError] = []
        for what in LISTS:
            try:
                haul.bodies[what] = await self._ask_list(what)
            except SourceError as error:
                faults.append(error)
                if isinstance(error, RateLimited):
                    raise
        if faults and not haul.bodies:
            raise faults[0]
        haul.warnings += map(str, faults)

    async def _read_reservations(self, haul: _Haul) -> None:
        """Ask for the reservations now and then; a site may refuse that, and the rest is worth reading all the same."""
        due = self._lists_read % RESERVATIONS_EVERY == 0
        self._lists_read += 1
        if not due:
            return
        try:
            haul.bodies[RESERVATIONS] = await self._ask_list(RESERVATIONS)
        except SourceError as error:
            haul.notes[RESERVATIONS] = f"not known: {error.message}"

    async def _ask_list(self, what: str) -> Body:
        """Return a list, or that it has not changed.

        22.05 fails to tell of nodes that changed while no partition did: then the list is asked for in full.
        """
        only_changes = self._lists.changes_only(what, self._wall())
        try:
            return await self._api.ask(what, only_changes)
        except (ServerFailed, Unauthorized):
            if not only_changes:
                raise
            return await self._api.ask(what)

    def _skew_s(self, haul: _Haul) -> float | None:
        if haul.diag is None or not haul.diag.at:
            return None
        skew_s = haul.diag.at + 0.5 - self._wall()
        return skew_s if abs(skew_s) > SKEW_S else 0.0

    def _decode(self, haul: _Haul) -> Iterator[Part]:
        server_at = haul.diag.at if haul.diag is not None else 0.0
        for what in list(haul.bodies):
            # A body is let go of as soon as it is decoded.
            try:
                yield from self._lists.decode(what, haul.bodies.pop(what), server_at, haul.notes)
            except SourceError as error:
                if what != RESERVATIONS:
                    raise
                haul.notes[what] = f"not known: {error.message}"
        haul.notes |= self._notes()

    def _notes(self) -> dict[str, str]:
        release, ends_at = self._lists.release, self._api.ends_at
        notes = {"api": self._api.version, "server": f"Slurm {release.release or '(no release told)'}"}
        if release.cluster:
            notes["cluster"] = release.cluster
        if ends_at:
            notes["token"] = f"ends in {(ends_at - self._wall()) / 3600:.1f} h"
        return notes
