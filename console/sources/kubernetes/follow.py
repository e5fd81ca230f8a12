"""Follows one kind of objects: a list, then a watch from there; lists anew only where the server lost the thread."""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.link.kubernetes.api import Gone
from console.model.errors import NotOffered, ServerFailed, SourceError, TimedOut, TooLarge, Unauthorized, Unreachable
from console.sources.kubernetes.pieces import Inflater, ListParts
from console.sources.kubernetes.wire import version_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from console.link.answers import Answer
    from console.link.kubernetes.api import KubeLink
    from console.sources.kubernetes.wire import ListMeta, Who

PAGE = 500
# A bookmark comes about once a minute; a watch that says less than that is lost on the way.
IDLE_S = 150.0
WATCH_S = (240.0, 480.0)
LIST_LIMIT_S = 600.0
# All consoles of a site lose their watches at once when the API server restarts.
RELIST_JITTER_S = 5.0
REWATCH_JITTER_S = 1.0
MOST_WAITING_BYTES = 16 * 1024 * 1024
FULL_WAIT_S = 0.05
LIST_EVERY_S = 60.0
TRIES = 3
FROM_CACHE = "0"
# An object's own version is the first that stands in it.
_VERSION = re.compile(rb'"resourceVersion"\s*:\s*"([0-9]{1,30})"')


@dataclass(frozen=True, eq=False)
class Listed:
    """All rows of a list, in place of those before."""

    rows: list[Any]


@dataclass(eq=False)
class Inbox:
    """What came and was not read yet: lists and lines of a watch, in their order. Filled here, emptied by decode()."""

    waiting: deque[Listed | bytes] = field(default_factory=deque)
    held_bytes: int = 0
    taken_bytes: int = 0

    def put(self, item: Listed | bytes) -> None:
        """Add one."""
        if isinstance(item, bytes):
            self.held_bytes += len(item)
        else:  # whatever came before it is in it
            self.waiting.clear()
            self.held_bytes = self.taken_bytes
        self.waiting.append(item)

    def take(self) -> Listed | bytes | None:
        """Return the oldest one, None where nothing waits; called by the compute thread alone."""
        try:
            item = self.waiting.popleft()
        except IndexError:
            return None
        if isinstance(item, bytes):
            self.taken_bytes += len(item)
        return item

    @property
    def full(self) -> bool:
        """Whether more should wait."""
        return self.held_bytes - self.taken_bytes > MOST_WAITING_BYTES


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of objects: its path, the objects' type, and what is kept of each (None: nothing)."""

    name: str
    path: str
    wire: type[Any]
    keep: Callable[[Any], Any]
    namespace: str = ""


class Follower:
    """One list with its watch. `run` ends with an error, or where a list is all that is wanted (`watch` false).

    `version_at` is when it last heard what is there, `alive_at` when it last heard anything; UTC epoch seconds.
    """

    def __init__(
        self,
        kind: Kind,
        link: KubeLink,
        who: Who,
        news: Callable[[], None],
        *,
        limit_bytes: int,
        watch: bool,
        uniform: Callable[[float, float], float] = random.uniform,
        jitter_s: float = RELIST_JITTER_S,
    ) -> None:
        self.kind = kind
        self._link = link
        self._who = who
        self._news = news
        self._limit = limit_bytes
        self._watch = watch
        self._uniform = uniform
        self._jitter_s = jitter_s
        self._last_version = ""
        self.inbox = Inbox()
        self.version = ""
        self.version_at = 0.0
        self.alive_at = 0.0
        self.state = "not asked yet"
        self.listed = 0
        self.remark = ""
        self.lists = self.watches = self.changes = 0

    @property
    def watching(self) -> bool:
        """Whether its list is here."""
        return bool(self.version)

    def lose(self) -> None:
        """List anew: what came makes no sense."""
        self.version = self._last_version = ""
        self.inbox = Inbox()

    async def run(self) -> None:
        """List, then watch for ever; raises SourceError. A later run goes on from where this one ended."""
        while True:
            if not self.version or not self._watch:
                await self._list()
                if not self._watch:
                    return
            try:
                await self._watch_once()
                await asyncio.sleep(self._uniform(0.1, REWATCH_JITTER_S))
            except (Unauthorized, NotOffered) as error:
                await self._do_without(error)
            except Gone:
                self.state = "lists anew: the server no longer has its version"
                self._last_version, self.version = self.version, ""
                await asyncio.sleep(self._uniform(0.0, self._jitter_s))

    async def _do_without(self, error: SourceError) -> None:
        """List now and then where there is no right to watch; raises `error` where it was watched before."""
        if self.changes or (self.lists > 1 and not self.remark):
            raise error
        self.remark = f"{self.kind.name} are not watched but listed every {LIST_EVERY_S:g} s: {error.message}"
        self.state = "listed, for want of the right to watch"
        await asyncio.sleep(self._uniform(0.9, 1.1) * LIST_EVERY_S)
        self._last_version, self.version = self.version, ""

    async def _list(self) -> None:
        self.state = "listing"
        for left in range(TRIES, 0, -1):
            try:
                async with asyncio.timeout(LIST_LIMIT_S):
                    rows, meta = await self._pages()
                break
            except Gone:
                self._last_version = ""
                if left == 1:
                    raise
            except TimeoutError:
                raise TimedOut(*self._who, f"the list of {self.kind.name} takes over {LIST_LIMIT_S:g} s") from None
        self.inbox.put(Listed(rows))
        self._mark(meta.resource_version)
        self.lists += 1
        self.state = "listed"
        self._news()

    async def _pages(self) -> tuple[list[Any], ListMeta]:
        """Return all rows: in one answer of the watch cache, or page by page where the server has no such thing."""
        rows: list[Any] = []
        params = self._first_page()
        while True:
            try:
                parts = await self._page(params)
            except SourceError as error:
                if "resourceVersionMatch" not in params or type(error) not in (SourceError, ServerFailed):
                    raise
                self._last_version = ""  # that server does not know this version: whatever it has
                params = self._first_page()
                continue
            rows += parts[0].rows
            self.listed = len(rows)
            if not parts[1].go_on:
                return rows, parts[1]
            params = {"limit": str(PAGE), "continue": parts[1].go_on}

    def _first_page(self) -> dict[str, str]:
        """Ask the watch cache, never etcd; after a watch was lost for nothing older than what is known."""
        if self._last_version:
            return {"resourceVersion": self._last_version, "resourceVersionMatch": "NotOlderThan"}
        return {"limit": str(PAGE), "resourceVersion": FROM_CACHE}

    async def _page(self, params: dict[str, str]) -> tuple[ListParts[Any, Any], ListMeta]:
        parts: ListParts[Any, Any] = ListParts(self.kind.wire, self.kind.keep, self._who, self._limit)
        async with self._link.stream(self.kind.path, params) as answer:
            inflater = Inflater(answer.encoding, self._who)
            async for chunk in _gathered(answer):
                # A thread of its own, a slice at a time: nobody holds the whole body, nor the interpreter for long.
                await asyncio.to_thread(_feed, parts, inflater, chunk)
                self.listed = len(parts.rows)
            inflater.end()
        return parts, await asyncio.to_thread(parts.end)

    async def _watch_once(self) -> None:
        length_s = self._uniform(*WATCH_S)
        params = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": self.version}
        params["timeoutSeconds"] = str(int(length_s))
        self.watches += 1
        loop, lines = asyncio.get_running_loop(), 0
        opened_at = math.inf
        try:
            async with self._link.stream(self.kind.path, params, idle_s=IDLE_S) as answer:
                self.state, self.remark = "watching", ""
                self.alive_at = self._link.now()
                opened_at = loop.time()
                async for line in self._lines(answer):
                    lines += 1
                    await self._take(line)
        except (Unreachable, TimedOut) as error:
            # A line that was good for a while and broke is opened anew; one that cannot be opened, or on which not
            # even a bookmark comes, is an error.
            held = isinstance(error, Unreachable) and loop.time() - opened_at > REWATCH_JITTER_S
            if not lines and not held:
                raise

    async def _lines(self, answer: Answer) -> AsyncIterator[bytes]:
        rest = b""
        async for chunk in answer.chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.strip():
                    yield line
            if len(rest) > self._limit:
                text = f"a line of the watch of {self.kind.name} is over {self._limit / 1048576:.4g} MiB"
                raise TooLarge(*self._who, text, "raise `max_body` if that is meant")
        if rest.strip():
            yield rest

    async def _take(self, line: bytes) -> None:
        """Keep a change for decode(); bookmarks and errors are for the watch itself."""
        start = line[:64].replace(b" ", b"")
        if b'"BOOKMARK"' in start or b'"ERROR"' in start:
            self._heed(line)
            return
        while self.inbox.full:  # noqa: ASYNC110 - it is emptied on another thread
            await asyncio.sleep(FULL_WAIT_S)
        self.inbox.put(line)
        self.changes += 1
        found = _VERSION.search(line)
        if found is not None:
            self._seen(found[1].decode())
        self._news()

    def _heed(self, line: bytes) -> None:
        try:
            told = json.loads(line)
            thing = told["object"]
            if told["type"] == "BOOKMARK":
                self._mark(str(thing["metadata"]["resourceVersion"]))
                self._news()
                return
            code, text = int(thing.get("code") or 0), str(thing.get("message") or thing.get("reason") or "")[:200]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._who.bad(f"the watch of {self.kind.name} sends what is no event") from None
        if code == 410:
            raise Gone(*self._who, f"the watch of {self.kind.name} is over: {text}")
        raise ServerFailed(*self._who, f"the watch of {self.kind.name} is over: {text or code}")

    def _mark(self, version: str) -> None:
        self.version = version
        self.version_at = self.alive_at = self._link.now()

    def _seen(self, version: str) -> None:
        """Note a change's version: the next watch starts there, or at a later one that was seen before."""
        if version_of(version) >= version_of(self.version):
            self._mark(version)


async def _gathered(answer: Answer) -> AsyncIterator[bytes]:
    """Yield what comes in pieces of some size: each costs a change of threads."""
    held: list[bytes] = []
    size = 0
    async for chunk in answer.chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= 256 * 1024:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _feed(parts: ListParts[Any, Any], inflater: Inflater, chunk: bytes) -> None:
    for piece in inflater.feed(chunk):
        parts.feed(piece)
