"""One BMC and the visits to it: what it has is found out at the first and after hours, what it says at each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console.model.errors import BadPayload, NotOffered, SourceError, TimedOut
from console.sources.redfish import readings
from console.sources.redfish.asker import Asker, check_essential
from console.sources.redfish.explore import explore
from console.sources.redfish.gpus import values_of
from console.sources.redfish.logs import Mark, fresh, newest
from console.sources.redfish.readings import Found
from console.sources.redfish.values import BmcState, GpuState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from console.link.redfish import BmcLink
    from console.sources.redfish.targets import Target
    from console.sources.redfish.values import LogEntry, Plan

EXPLORE_EVERY_S = 6 * 3600.0
# Some BMCs take seconds for one resource, and have forty parts.
EXPLORE_LIMIT_S = 300.0
VISIT_LIMIT_S = 50.0


class Bmc:
    """What is known of one BMC; one visit at a time, and `follow` between them."""

    def __init__(
        self,
        target: Target,
        link: BmcLink,
        who: tuple[str, str],
        *,
        gpus: bool,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self.target = target
        self.link = link
        self.state: BmcState | None = None
        self.error: SourceError | None = None
        self.failures = 0
        self.started_at = -1e12
        self.task: asyncio.Task[None] | None = None
        self.listeners: list[asyncio.Queue[LogEntry]] = []
        self._who = who
        self._with_gpus = gpus
        self._clock, self._monotonic = clock, monotonic
        self._plan: Plan | None = None
        self._explored_at = 0.0
        self._marks: dict[str, Mark] = {}
        self._lock = asyncio.Lock()

    async def visit(self) -> Mapping[str, bytes]:
        """Ask everything and keep what was found; return the untouched bodies. Raises SourceError."""
        async with self._lock:
            self.started_at = self._monotonic()
            before = self.link.requests, self.link.body_bytes
            limit_s = VISIT_LIMIT_S if self._plan_holds() else EXPLORE_LIMIT_S
            try:
                async with asyncio.timeout(limit_s):
                    state, bodies = await self._visited(before)
            except TimeoutError:
                text = f"a visit to {self.link.host} did not end within {limit_s:g} s"
                raise TimedOut(*self._who, text, "the BMC is slow or hangs: restart it if that stays") from None
            finally:
                await self.link.rest()
            self.state, self.error, self.failures = state, None, 0
            for entry in state.entries:
                for each in self.listeners:
                    if not each.full():
                        each.put_nowait(entry)
            return bodies

    def failed(self, error: SourceError) -> None:
        """Note that a visit failed; what was known before stays, and grows old."""
        self.error, self.failures = error, self.failures + 1

    def odd(self, error: Exception) -> SourceError:
        """Return the error for an answer that nobody thought of."""
        text = f"{self.link.host} answers in a way that cannot be read: {type(error).__name__}: {error}"
        return BadPayload(*self._who, " ".join(text.split())[:200], "please report it, with the record that `d` shows")

    async def log(self) -> list[LogEntry]:
        """Return the newest entries of the event logs, oldest first; raises SourceError."""
        async with self._lock:
            try:
                async with asyncio.timeout(VISIT_LIMIT_S):
                    asker = Asker(self.link)
                    plan = self._plan or await explore(asker, self._who)
                    found = [each for path in plan.logs for each in await newest(asker, path, Mark())]
            except TimeoutError:
                raise TimedOut(*self._who, f"{self.link.host} does not give its event log in time") from None
            finally:
                await self.link.rest()
        return sorted(found, key=lambda each: each.at)

    def _plan_holds(self) -> bool:
        return self._plan is not None and self._monotonic() - self._explored_at < EXPLORE_EVERY_S

    async def _visited(self, before: tuple[int, int]) -> tuple[BmcState, Mapping[str, bytes]]:
        started = self._monotonic()
        asker = Asker(self.link, self._plan.expand if self._plan else "")
        plan = await self._planned(asker)
        found = Found()
        for step in plan.steps:
            await _take(asker, step.kind, step.path, found, whole=step.whole)
        gpus = tuple([GpuState(gpu, await values_of(asker, gpu)) for gpu in plan.gpus] if self._with_gpus else [])
        now = self._clock()
        entries = [each for path in plan.logs for each in await self._news(asker, path, now)]
        state = BmcState(
            now,
            plan,
            found.values(),
            tuple(found.leaks),
            tuple(found.supplies),
            tuple(found.fans),
            gpus,
            tuple(entries),
            tuple(asker.skipped),
            self.link.requests - before[0],
            self.link.body_bytes - before[1],
            self._monotonic() - started,
        )
        return state, asker.bodies

    async def _planned(self, asker: Asker) -> Plan:
        """Return what there is to ask: with what must be readable read, or found out anew where that is gone."""
        plan = self._plan
        if plan is not None and self._plan_holds():
            try:
                check_essential(await asker.need(plan.essential), asker, self._who, plan.essential)
            except NotOffered:
                self._plan = None
                raise
            return plan
        self._plan = await explore(asker, self._who)
        self._explored_at = self._monotonic()
        return self._plan

    async def _news(self, asker: Asker, path: str, now: float) -> tuple[LogEntry, ...]:
        mark = self._marks.setdefault(path, Mark())
        return fresh(await newest(asker, path, mark), mark, now)


async def _take(asker: Asker, kind: str, path: str, found: Found, *, whole: bool) -> None:
    skipped = len(asker.skipped)
    one = None if whole else await asker.get(path)
    resources = await asker.members(path) if whole else None if one is None else [one]
    if resources is None or len(asker.skipped) > skipped:
        readings.missed(kind, found)
    readings.read(kind, resources or [], found)
