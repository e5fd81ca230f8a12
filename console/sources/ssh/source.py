"""The source of kind `ssh`: nvidia-smi streams and kernel logs of nodes that have no exporter, through jump hosts."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from console.link.ssh.pool import SshLink
from console.model.errors import ConsoleError, SourceError, TimedOut
from console.model.reading import Reading
from console.sources.smi.values import wanted_fields
from console.sources.ssh.asking import file_script, kernel_script, lines_of, output_file, printed, record_script
from console.sources.ssh.decoder import Decoder
from console.sources.ssh.report import common_error, notes_of, warnings_of
from console.sources.ssh.script import Order
from console.sources.ssh.watch import NodeWatch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from console.config.values import SiteConfig, SourceConfig
    from console.model.metrics import MetricTable
    from console.model.ports import Question, Subject

PERIOD_S = 5.0
# The engine takes a source's data for good for three cadences or 30 s.
LOOK_EVERY_S, LOOK_LIMIT_S = 1.0, 10.0
SETTLE_S = 1.0
GATHER_S = 0.1
MOST_NODES = 2000
KERNEL_ADVICE = "add the user to group systemd-journal or adm"
FILE_ADVICE = "may this user read the job's output file there?"


class SshSource:
    """Many nodes as one stream of readings: each delivers what arrived since the last one. Satisfies Source.

    Watches run on the loop thread and fill bounded queues; decode() empties them on the compute thread, so that a
    reading that is never decoded loses nothing.
    """

    def __init__(
        self, site: SiteConfig, source: SourceConfig, metrics: MetricTable, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._config, self._source, self._metrics = site, source, metrics
        self._who = (site.name, source.name or source.kind)
        self._clock = clock
        self._period_s = source.cadence_s or PERIOD_S
        self._link = SshLink(*self._who, site.ssh, limit_s=source.timeouts.total_s)
        self._watches: tuple[NodeWatch, ...] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self._settled = False
        self._counted = (0, 0, 0.0)
        self._decoder = Decoder(self._who, metrics)

    async def read(self) -> Reading:
        """Wait for news and return them; raises SourceError while no node has any."""
        if not self._watches:
            await self._start()
        await self._wait()
        now = self._clock()
        if not any(watch.stream.row_at for watch in self._watches):
            raise common_error(self._watches) or self._nothing()
        error = common_error(self._watches)
        if error is not None:
            raise error
        body_bytes, requests, rate = self._count(now)
        return Reading(
            received_at=now,
            decode=lambda: self._decoder.decode(self._watches, now),
            body_bytes=body_bytes,
            requests=requests,
            cadence_s=LOOK_EVERY_S if self._period_s <= LOOK_LIMIT_S else self._period_s,
            warnings=warnings_of(self._watches, self._link, now),
            notes=notes_of(self._watches, self._link, rate),
            stale_after_s=max(30.0, 3 * self._period_s + 5.0),
        )

    async def sign_in(self, ask: Callable[[Question], Awaitable[str | None]]) -> str:
        """Log in to jump hosts that wait for a person; the nodes behind them follow by themselves."""
        return await self._link.sign_in(ask)

    async def way(self, host: str) -> str:
        """Return a socket to a node through jump hosts that a person logged in to, empty for none."""
        return await self._link.way(host)

    async def record(self, subject: Subject) -> str:
        """Return what nvidia-smi knows of a node or GPU in full; raises SourceError."""
        watch = self._watch_of((subject.node, *subject.aliases))
        if watch is None or subject.job:
            return ""
        script = record_script(tuple(self._source.options.get("command") or ("nvidia-smi",)), subject.gpu)
        async with self._link.connected(self._config.ssh.address_of(watch.node)) as connection:
            return await printed(connection, script, self._who, watch.node)

    async def follow(self, subject: Subject, since_at: float) -> AsyncGenerator[str, None]:
        """Yield a node's kernel log, or what a job writes to its output file; raises SourceError."""
        path = output_file(subject.output, subject.job) if subject.job else ""
        watch = self._watch_of(subject.nodes[:1] if subject.job else (subject.node, *subject.aliases))
        if watch is None or (subject.job and not path):
            return
        script, advice = (file_script(path), FILE_ADVICE) if path else (kernel_script(since_at), KERNEL_ADVICE)
        async with (
            self._link.connected(self._config.ssh.address_of(watch.node)) as connection,
            aclosing(lines_of(connection, script, self._who, watch.node, advice)) as lines,
        ):
            async for line in lines:
                yield line

    def _watch_of(self, names: tuple[str, ...]) -> NodeWatch | None:
        return next((watch for watch in self._watches if watch.node in names), None)

    async def aclose(self) -> None:
        """End every stream; the nodes' processes end with them."""
        for task in self._tasks:
            task.cancel()
        await self._link.aclose()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _start(self) -> None:
        names = await self._names()
        order = self._order()
        self._watches = tuple(
            NodeWatch(
                name,
                self._config.ssh.address_of(name),
                self._link,
                order,
                self._news.set,
                who=self._who,
                clock=self._clock,
            )
            for name in names
        )
        self._tasks = [asyncio.create_task(watch.run(), name=f"ssh {watch.node}") for watch in self._watches]

    def _order(self) -> Order:
        options = self._source.options
        return Order(
            fields=wanted_fields(self._metrics),
            period_s=self._period_s,
            command=tuple(options.get("command") or ("nvidia-smi",)),
            kernel_log=options.get("kernel_log", "auto") != "off",
            xml=options.get("form", "csv") == "xml",
        )

    async def _names(self) -> list[str]:
        """Return the nodes: the ones that the source names, else the site's inventory; raises SourceError."""
        said = str(self._source.options.get("nodes") or "")
        try:
            names = await asyncio.to_thread(_expanded, said) if said else await asyncio.to_thread(self._inventory)
        except ConsoleError as error:
            text = f"the nodes cannot be told: {error}"
            raise SourceError(*self._who, text, "correct `nodes`, or the site's inventory") from None
        if not names:
            advice = "set `nodes: n[0001-0200]`, or give the site an inventory"
            raise SourceError(*self._who, "no nodes are named", advice)
        if len(names) > MOST_NODES:
            text = f"{len(names):,} nodes over SSH; {MOST_NODES:,} are the most"
            raise SourceError(*self._who, text, "use exporters and Prometheus for a site of this size")
        return names

    def _inventory(self) -> list[str]:
        from console.config.inventory import read_inventory

        return [spec.name for spec in read_inventory(self._config, Path(self._source.base_dir or "."))]

    async def _wait(self) -> None:
        """Wait until something is new; at first for most of the nodes, for a settling time."""
        limit_s = self._source.timeouts.total_s * 0.9 if not self._settled else 1.5 * self._period_s
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._news.wait()
                if self._settled:
                    await asyncio.sleep(GATHER_S)
                else:
                    await self._settle()
        self._news.clear()

    async def _settle(self) -> None:
        while not any(watch.stream.row_at for watch in self._watches):
            if all(watch.error is not None for watch in self._watches):
                return
            self._news.clear()
            await self._news.wait()
        self._settled = True
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while not all(watch.spoke for watch in self._watches):
                    self._news.clear()
                    await self._news.wait()

    def _nothing(self) -> SourceError:
        waiting = sum(1 for watch in self._watches if not watch.spoke)
        text = f"no node has sent anything yet; {waiting} of {len(self._watches)} are being logged in to"
        return TimedOut(*self._who, text, "slow logins? look at the nodes' PAM, name service and shell start-up files")

    def _count(self, now: float) -> tuple[int, int, float]:
        """Return bytes and logins since the last reading, and bytes per second."""
        total = sum(watch.stream.body_bytes for watch in self._watches)
        logins = sum(watch.logins for watch in self._watches)
        before, logins_before, at = self._counted
        self._counted = (total, logins, now)
        return total - before, logins - logins_before, (total - before) / max(0.1, now - at) if at else 0.0


def _expanded(text: str) -> list[str]:
    from console.core.hostlist import expand

    return expand(text)
