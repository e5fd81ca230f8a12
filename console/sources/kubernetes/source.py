"""Reads one Kubernetes cluster: what is there is listed once and watched from then on."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from console.link.kubernetes.api import KubeLink
from console.model.errors import NotOffered, RateLimited, SourceError, TimedOut, Unauthorized
from console.model.reading import Reading
from console.sources.kubernetes import diagnosis, kueue
from console.sources.kubernetes.book import Book
from console.sources.kubernetes.decoder import Decoder, follower_id
from console.sources.kubernetes.follow import RELIST_JITTER_S, Follower, Kind
from console.sources.kubernetes.kueue import work_row
from console.sources.kubernetes.nodes import node_row
from console.sources.kubernetes.pods import pod_row
from console.sources.kubernetes.quantities import DEFAULT_RESOURCE, Resource
from console.sources.kubernetes.records import Records
from console.sources.kubernetes.wire import Who, WireNode, WirePod, WireWorkload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    import httpx

    from console.config.values import SourceConfig
    from console.model.ports import Subject

CADENCE_S = 5.0
# Without the right to watch, lists are all there is: each costs the API server, so that they are few.
LIST_CADENCE_S = 60.0
GATHER_S = 0.05
# What was refused, or is not there, is asked for again so often: rights and Kueue may come.
ASK_AGAIN_S = 300.0
WAIT_SHARE = 0.8
FIRST_SHARE = 0.9


class KubernetesSource:
    """A source for one cluster; a witness of its nodes and jobs, and a keeper of its pods' logs.

    Followers run on the loop thread and fill bounded inboxes; decode() empties them on the compute thread, so that a
    reading that is never decoded loses nothing.
    """

    def __init__(
        self,
        site: str,
        config: SourceConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        uniform: Callable[[float, float], float] = random.uniform,
        jitter_s: float = RELIST_JITTER_S,
    ) -> None:
        options = config.options
        self._config = config
        self._clock = clock
        self._uniform, self._jitter_s = uniform, jitter_s
        self._who = Who(site, config.name or config.kind)
        self._link = KubeLink(site, config, transport=transport, clock=clock)
        self._watch = options.get("watch", "auto") != "off"
        self._resource = Resource(str(options.get("gpu_resource") or DEFAULT_RESOURCE))
        self._user_label = str(options.get("user_label") or "")
        self._namespaces = tuple(options.get("namespaces") or ())
        self._book = Book(lambda: str(options.get("cluster") or "") or self._link.context)
        self._decoder = Decoder(self._who, self._book)
        self._followers: dict[str, Follower] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._faults: dict[str, tuple[SourceError, float]] = {}
        self._failed_at: dict[str, float] = {}
        self._kueue = "not asked yet"
        self._kueue_at = 0.0
        self._news = asyncio.Event()
        self._counted = (0, 0)
        self._records = Records(self._link, self._book, self._who)

    async def read(self) -> Reading:
        """Wait for news, at most four fifths of a cadence, and return them; raises SourceError."""
        self._mend()
        await self._start()
        await self._wait()
        self._collect()
        self._judge()
        now = self._clock()
        followers = tuple(self._followers.values())
        silent = frozenset(self._followers[key].kind.name for key in self._faults)
        requests, body_bytes = self._count()
        cadence_s = self._cadence_s()
        return Reading(
            received_at=now,
            decode=lambda: self._decoder.decode(followers, now, silent),
            body_bytes=body_bytes,
            requests=requests,
            cadence_s=cadence_s,
            warnings=self._warnings(),
            notes=self._notes(now),
            stale_after_s=max(30.0, 3 * cadence_s),
        )

    async def aclose(self) -> None:
        """End every watch and let go of every connection."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        await self._link.aclose()

    async def record(self, subject: Subject) -> str:
        """Return the objects of a node or a job, and their events, as YAML of the API server; raises SourceError."""
        return await self._records.record(subject)

    def follow(self, subject: Subject, since_at: float) -> AsyncIterator[str]:
        """Yield the log lines of a job's pods; raises SourceError."""
        return self._records.follow(subject, since_at)

    async def diagnose(self) -> Mapping[str, str]:
        """Return what is known, how old it is, and which rights are missing; raises SourceError."""
        namespace = self._namespaces[0] if self._namespaces else ""
        probe = await diagnosis.probe(self._link, namespace)
        return diagnosis.told(self._notes(self._clock()), self._book, self._followers.values(), probe)

    def _cadence_s(self) -> float:
        return self._config.cadence_s or (CADENCE_S if self._watch else LIST_CADENCE_S)

    def _mend(self) -> None:
        """Have what could not be decoded listed anew."""
        for key in list(self._decoder.broken):
            self._decoder.broken.discard(key)
            task = self._tasks.pop(key, None)
            if task is not None:
                task.cancel()
            if key in self._followers:
                self._followers[key].lose()

    async def _start(self) -> None:
        """Start every follower that does not run, but those that were refused a while ago."""
        if not self._followers:
            self._follow("nodes", "/api/v1/nodes", WireNode, lambda node: node_row(node, self._resource))
            self._follow_each("pods", "/api/v1", WirePod, lambda pod: pod_row(pod, self._resource, self._user_label))
        await self._look_for_kueue()
        now = self._clock()
        for key, follower in self._followers.items():
            error, again_at = self._faults.get(key, (None, 0.0))
            if key not in self._tasks and (error is None or now >= again_at):
                self._tasks[key] = asyncio.create_task(follower.run(), name=f"kubernetes {key}")

    async def _look_for_kueue(self) -> None:
        now = self._clock()
        if "kueue" in self._config.options and self._config.options["kueue"] == "off":
            self._kueue = "off"
            return
        if now - self._kueue_at < ASK_AGAIN_S or any(key.startswith("workloads") for key in self._followers):
            return
        try:
            version = await diagnosis.preferred_version(self._link, kueue.GROUP)
        except (NotOffered, Unauthorized):
            self._kueue, self._kueue_at = "not installed", now
            return
        self._kueue, self._kueue_at = version, now
        path = f"/apis/{kueue.GROUP}/{version}"
        self._follow_each("workloads", path, WireWorkload, lambda work: work_row(work, self._resource))

    def _follow_each(self, name: str, path: str, wire: type[Any], keep: Callable[[Any], Any]) -> None:
        if not self._namespaces:
            self._follow(name, f"{path}/{name}", wire, keep)
        for namespace in self._namespaces:
            self._follow(name, f"{path}/namespaces/{quote(namespace, safe='')}/{name}", wire, keep, namespace)

    def _follow(self, name: str, path: str, wire: type[Any], keep: Callable[[Any], Any], namespace: str = "") -> None:
        kind = Kind(name, path, wire, keep, namespace)
        self._followers[follower_id(kind)] = Follower(
            kind,
            self._link,
            self._who,
            self._news.set,
            limit_bytes=self._config.max_body_bytes,
            watch=self._watch,
            uniform=self._uniform,
            jitter_s=self._jitter_s,
        )

    async def _wait(self) -> None:
        """Wait until something is new; at first, and where there is no watch, until every list is here or failed."""
        total_s = self._config.timeouts.total_s * FIRST_SHARE
        with suppress(TimeoutError):
            if not self._watch or not any(each.lists for each in self._followers.values()):
                async with asyncio.timeout(total_s):
                    while pending := [task for key, task in self._tasks.items() if not self._settled(key, task)]:
                        await self._moved(pending)
                return
            async with asyncio.timeout(min(total_s, WAIT_SHARE * self._cadence_s())):
                if not any(task.done() for task in self._tasks.values()):
                    await self._moved(list(self._tasks.values()))
                await asyncio.sleep(GATHER_S)

    def _settled(self, key: str, task: asyncio.Task[None]) -> bool:
        return task.done() or (self._watch and bool(self._followers[key].lists))

    async def _moved(self, tasks: list[asyncio.Task[None]]) -> None:
        """Wait for news of a follower, or for the end of one of `tasks`."""
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait({news, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            self._news.clear()

    def _collect(self) -> None:
        """Take the errors of followers that ended, and forget those of followers that run again."""
        now = self._clock()
        for key, task in list(self._tasks.items()):
            if not task.done():
                # To try again is no proof: the server must have said something since.
                if self._followers[key].alive_at > self._failed_at.get(key, 0.0):
                    self._faults.pop(key, None)
                continue
            del self._tasks[key]
            self._faults.pop(key, None)
            error = None if task.cancelled() else task.exception()
            if error is None:
                continue
            if not isinstance(error, SourceError):
                error = SourceError(*self._who, f"{key}: {type(error).__name__}: {error}")
            patience_s = ASK_AGAIN_S if isinstance(error, Unauthorized | NotOffered) else 0.0
            self._faults[key] = (error, now + patience_s)
            self._failed_at[key] = now

    def _judge(self) -> None:
        """Raise what went wrong where nothing is left that works, or where the server asks to wait."""
        errors = [self._faults[key][0] for key in self._followers if key in self._faults]
        limited = next((error for error in errors if isinstance(error, RateLimited)), None)
        if limited is not None:
            raise limited
        if errors and len(errors) == len(self._followers):
            for key in self._followers:  # each read asks again: the engine knows how long to wait
                self._faults[key] = (self._faults[key][0], 0.0)
            raise errors[0]
        if not any(each.lists for each in self._followers.values()):
            if errors:
                raise errors[0]
            listed = ", ".join(f"{each.listed:,} {each.kind.name}" for each in self._followers.values())
            text = f"the first list is still coming ({listed} so far)"
            raise TimedOut(*self._who, text, "a slow link, or a busy API server")

    def _count(self) -> tuple[int, int]:
        before, self._counted = self._counted, (self._link.requests, self._link.wire_bytes)
        return self._counted[0] - before[0], self._counted[1] - before[1]

    def _warnings(self) -> tuple[str, ...]:
        remarks = {each.remark for each in self._followers.values() if each.remark}
        return (*sorted({str(error) for error, _ in self._faults.values()}), *sorted(remarks))

    def _notes(self, now: float) -> dict[str, str]:
        notes = {"login": self._link.origin, "kueue": self._kueue}
        if self._link.context:
            notes["context"] = self._link.context
        for key, each in self._followers.items():
            age_s = f", {now - each.version_at:.0f} s old" if each.version_at else ""
            notes[key] = f"{each.state}; {each.listed:,} listed{age_s}; lists {each.lists}, changes {each.changes}"
        if self._link.credentials_end_at:
            notes["credentials"] = f"end in {(self._link.credentials_end_at - now) / 3600:.1f} h"
        return notes
