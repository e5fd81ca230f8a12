"""Reads BMCs through Redfish: leaks, power, fans, temperatures, event logs and firmware, once a minute each."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from console.config.values import MAX_BODY_BYTES, Timeouts
from console.link.redfish import BmcLink, Login
from console.link.shared import Shared
from console.model.errors import ConsoleError, SourceError, TimedOut
from console.model.reading import Part, Reading
from console.sources.redfish.books import Books
from console.sources.redfish.follow import lines
from console.sources.redfish.owners import Owners
from console.sources.redfish.report import advice, figures, notes_of, shown_record, warnings_of
from console.sources.redfish.rounds import Rounds
from console.sources.redfish.targets import targets_of
from console.sources.redfish.visits import Bmc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    import httpx

    from console.config.values import SiteConfig, SourceConfig
    from console.model.inventory import NodeSpec
    from console.model.ports import Subject

# At most one visit a minute: a BMC is a small computer that has other things to do.
CADENCE_S = 60.0
# How often what came meanwhile is taken.
LOOK_EVERY_S = 2.0
LOOK_S = 1.6
FIRST_LOOK_S = 12.0
CONCURRENCY = 128
LIMITS = Timeouts(connect_s=3.0, read_s=15.0, total_s=20.0)
LARGEST_BODY_BYTES = 2 * 1024 * 1024
# Kinds that tell of GPUs themselves: a BMC's minute-old word on them would only hide that they fell silent.
GPU_KINDS = frozenset(("prometheus", "dcgm", "ssh", "nvml", "site", "emulator"))


class RedfishSource:
    """BMCs of one site as a stream of readings; satisfies Source, Diagnosable, Witness and LogKeeper."""

    def __init__(
        self,
        site: SiteConfig,
        config: SourceConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site, self._config = site, config
        self._who = (site.name, config.name or config.kind)
        self._transport = transport
        self._clock, self._monotonic = clock, monotonic
        self._cadence_s = config.cadence_s or CADENCE_S
        self._rounds: Rounds | None = None
        self._books: Books | None = None
        self._counted = (0, 0)
        self._starting = asyncio.Lock()

    async def read(self) -> Reading:
        """Return what BMCs said since the last time; raises SourceError where none of them answers."""
        first = self._rounds is None
        rounds, books = await self._started()
        patience_s = 0.8 * self._config.timeouts.total_s
        await rounds.turn(min(FIRST_LOOK_S if first else LOOK_S, patience_s))
        if all(bmc.error is not None for bmc in rounds.bmcs):
            rounds.forgive()
            raise self._nobody(rounds.bmcs)
        if not any(bmc.state is not None for bmc in rounds.bmcs):
            text = f"none of {len(rounds.bmcs):,} BMCs has answered yet"
            raise TimedOut(*self._who, text, "BMCs are slow at first; check the network path to them if it stays so")
        return self._reading(rounds, books)

    async def aclose(self) -> None:
        """Delete the sessions and close every connection."""
        rounds, self._rounds = self._rounds, None
        if rounds is not None:
            await rounds.aclose()

    async def diagnose(self) -> Mapping[str, str]:
        """Return what visits cost and which BMCs fail, from the visits that there were; raises SourceError."""
        if self._rounds is None:
            await self.read()
        rounds, books = await self._started()
        found = figures(rounds.bmcs, self._cadence_s)
        told = advice(rounds.bmcs, books.remarks, self._round_s(rounds), self._cadence_s)
        return {**found, "advice": told} if told else found

    async def record(self, subject: Subject) -> str:
        """Return the resources of a node's BMC as its last visit found them; raises SourceError if it cannot be read.

        Only a BMC that has not been asked for a minute is asked.
        """
        number = await self._number(subject)
        if number < 0:
            return ""
        rounds, _ = await self._started()
        bodies = rounds.record(number)
        if bodies is None:
            await rounds.visit_now(number)
            bodies = rounds.record(number)
        bmc = rounds.bmcs[number]
        if bodies is None and bmc.error is not None:
            raise bmc.error
        return shown_record(bmc, bodies or {}, self._clock())

    async def follow(self, subject: Subject, since_at: float) -> AsyncIterator[str]:
        """Yield the event log of a node's BMC: what is there since a time, then what visits find."""
        number = await self._number(subject)
        if number >= 0:
            rounds, _ = await self._started()
            async for line in lines(rounds.bmcs[number], since_at):
                yield line

    async def _started(self) -> tuple[Rounds, Books]:
        async with self._starting:
            if self._rounds is None or self._books is None:
                specs = await self._inventory()
                targets = targets_of(self._site.name, self._config, specs)
                shared = Shared(self._limited())
                login = Login(shared.credentials)
                gpus = self._with_gpus()
                bmcs = [
                    Bmc(each, self._link(each.url, shared, login), self._who, gpus=gpus, **self._clocks())
                    for each in targets
                ]
                concurrency = int(self._config.options.get("concurrency", 0) or CONCURRENCY)
                self._books = Books(*self._who, targets, Owners(specs))
                self._rounds = Rounds(bmcs, self._cadence_s, concurrency, self._monotonic)
            return self._rounds, self._books

    def _clocks(self) -> dict[str, Callable[[], float]]:
        return {"clock": self._clock, "monotonic": self._monotonic}

    def _link(self, url: str, shared: Shared, login: Login) -> BmcLink:
        config = replace(self._limited(), url=url)
        return BmcLink(self._site.name, config, shared, login, transport=self._transport, clock=self._clock)

    def _limited(self) -> SourceConfig:
        config = self._config
        if config.timeouts == Timeouts():
            config = replace(config, timeouts=LIMITS)
        if config.max_body_bytes == MAX_BODY_BYTES:
            config = replace(config, max_body_bytes=LARGEST_BODY_BYTES)
        return config

    def _with_gpus(self) -> bool:
        said = str(self._config.options.get("gpus", "auto"))
        others = {each.kind for each in self._site.sources} & GPU_KINDS
        return said == "on" or (said == "auto" and not others)

    async def _inventory(self) -> Sequence[NodeSpec]:
        from console.config.inventory import read_inventory

        try:
            return await asyncio.to_thread(read_inventory, self._site, Path(self._config.base_dir or "."))
        except ConsoleError as error:
            text = f"the inventory cannot be read: {error}"
            raise SourceError(*self._who, text, "correct the site's inventory") from None

    def _reading(self, rounds: Rounds, books: Books) -> Reading:
        now, states = self._clock(), tuple(bmc.state for bmc in rounds.bmcs)
        requests = sum(bmc.link.requests for bmc in rounds.bmcs)
        body_bytes = sum(bmc.link.body_bytes for bmc in rounds.bmcs)
        before, self._counted = self._counted, (requests, body_bytes)
        round_s = self._round_s(rounds)
        notes = notes_of(rounds.bmcs)

        def decode() -> Iterator[Part]:
            yield from books.take(states, now)
            if books.remarks:
                notes["not as declared"] = "; ".join(books.remarks)

        return Reading(
            received_at=now,
            decode=decode,
            body_bytes=body_bytes - before[1],
            requests=requests - before[0],
            cadence_s=min(LOOK_EVERY_S, self._cadence_s),
            warnings=tuple(warnings_of(rounds.bmcs, books.remarks, round_s, self._cadence_s)),
            notes=notes,
            stale_after_s=3 * max(self._cadence_s, round_s),
        )

    def _round_s(self, rounds: Rounds) -> float:
        """Return how long a round over all BMCs takes, by the time that their visits take."""
        took = [bmc.state.took_s for bmc in rounds.bmcs if bmc.state is not None]
        concurrency = int(self._config.options.get("concurrency", 0) or CONCURRENCY)
        return sum(took) / len(took) * len(rounds.bmcs) / concurrency if took else 0.0

    def _nobody(self, bmcs: Sequence[Bmc]) -> SourceError:
        error = bmcs[0].error
        if error is None or len(bmcs) == 1:
            return error or SourceError(*self._who, "no BMC answers")
        text = f"none of {len(bmcs):,} BMCs answers; {bmcs[0].target.name}: {error.message}"
        return type(error)(*self._who, text, error.advice, error.retry_after_s)

    async def _number(self, subject: Subject) -> int:
        """Return which BMC is a node's, -1 where none is; a power shelf has no node."""
        if not subject.node:
            return -1
        rounds, books = await self._started()
        owner = books.number_of(subject.node)
        if owner >= 0:
            return owner
        names = {subject.node, *subject.aliases}
        return next((i for i, bmc in enumerate(rounds.bmcs) if {bmc.target.node, bmc.target.name} & names - {""}), -1)
