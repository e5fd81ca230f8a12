"""Reads a site's kernel logs out of its log store: what tells of faults at every turn, a node's lines on demand."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.core.kernel_signs import WORDS
from console.link.http import HttpLink
from console.model.errors import BadPayload, NotOffered, RateLimited, SourceError, Unauthorized
from console.model.reading import Reading
from console.sources.logs.cursor import Cursor
from console.sources.logs.discovery import find_store
from console.sources.logs.intake import Intake
from console.sources.logs.stores import Ask

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    import httpx

    from console.config.values import SourceConfig
    from console.link.answers import Body
    from console.model.ports import Subject
    from console.sources.logs.lines import LogLine
    from console.sources.logs.stores import Store

CADENCE_S = 10.0
# Loki and most proxies allow 5,000 lines an answer; 2,000 lines of 200 bytes are decoded in some milliseconds.
LINES_A_PAGE = 2000
PAGES_A_TURN = 4
LOOK_BACK_S = 900.0
# Collectors send every second or so, and keep trying for minutes after a fault: a minute catches what is usual.
OVERLAP_S = 60.0
MOST_BEHIND_S = 300.0
MOST_NAMES = 20
FOLLOW_EVERY_S = 2.0
HURRY_S = 0.25
FOLLOW_OVERLAP_S = 10.0
FOLLOW_LINES = 500
SKEW_S = 2.0
LABELS_S = 3600
SECOND_NS = 1_000_000_000
CHECK_SELECTOR = "check `selector` and `node_label`"


class LogsSource:
    """Satisfies Source and LogKeeper. `read` runs on the loop thread; what it returns decodes on the compute thread."""

    def __init__(
        self,
        site: str,
        config: SourceConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        options = config.options
        self._who = (site, config.name or config.kind)
        self._flavour = str(options.get("flavor", "auto") or "auto")
        self._selector = str(options.get("selector", "") or "")
        self._node_label = str(options.get("node_label", "") or "")
        self._cadence_s = config.cadence_s or CADENCE_S
        self._clock = clock
        self._sleep = sleep
        self._link = HttpLink(site, _with_tenant(config), transport=transport, clock=clock)
        self._store: Store | None = None
        self._cursor = Cursor(self._now_ns() - int(LOOK_BACK_S * SECOND_NS), OVERLAP_S)
        self._intake = Intake(*self._who)
        self._requests = self._bytes = self._lines = 0

    async def read(self) -> Reading:
        """Return what is new since the last read; raises SourceError."""
        self._requests = self._bytes = 0
        store = await self._known_store()
        skew_s, warnings = await self._turn(store)
        notes = {"store": store.flavour, "selector": store.selector[:200], "lines": f"{self._lines:,}"}
        now = self._clock()
        return Reading(
            received_at=now,
            decode=lambda: self._intake.decode(now, notes),
            body_bytes=self._bytes,
            requests=self._requests,
            cadence_s=self._cadence_s,
            clock_skew_s=skew_s,
            warnings=tuple(warnings),
            notes=notes,
        )

    async def follow(self, subject: Subject, since_at: float) -> AsyncGenerator[str, None]:
        """Yield the kernel lines of a node, or of the nodes of a job, older ones first, then as they come.

        Each has its time, and its node where there are several; raises SourceError.
        """
        told = subject.nodes if subject.job else (subject.node, *subject.aliases)
        names = tuple(dict.fromkeys(name for name in told if name))[:MOST_NAMES]
        if not names:
            return
        store = await self._known_store()
        cursor = Cursor(int(since_at * SECOND_NS), FOLLOW_OVERLAP_S)
        # Older lines than the first page holds are left out: this is to see what goes on, not an archive.
        ask = Ask(cursor.start_ns, self._now_ns(), FOLLOW_LINES, nodes=names, newest=True)
        while True:
            lines, _ = await self._page(store, ask)
            for line in cursor.take(lines, ask.end_ns, full=not ask.newest and len(lines) >= ask.limit):
                yield f"{_clock_time(line.at_ns)} {f'{line.node}: ' if subject.job else ''}{line.text}"
            await self._sleep(HURRY_S if cursor.behind_s(self._now_ns()) else FOLLOW_EVERY_S)
            ask = Ask(cursor.start_ns, self._now_ns(), FOLLOW_LINES, nodes=names)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._link.aclose()

    async def _known_store(self) -> Store:
        if self._store is None:
            start_ns = self._now_ns() - LABELS_S * SECOND_NS
            try:
                self._store = await find_store(self._link, self._flavour, self._selector, self._node_label, start_ns)
            except Unauthorized as error:
                raise self._without_tenant(error) from None
        return self._store

    async def _turn(self, store: Store) -> tuple[float | None, list[str]]:
        """Read page after page, as many as a turn may; return the store's clock skew and what is to be said."""
        skew_s: float | None = None
        for page in range(PAGES_A_TURN):
            end_ns = self._now_ns()
            ask = Ask(self._cursor.start_ns, end_ns, LINES_A_PAGE, words=WORDS)
            try:
                lines, body = await self._page(store, ask)
            except SourceError as error:
                if page == 0:
                    raise
                return skew_s, [error.message]  # what was read before is good
            skew_s = _skew_s(body)
            full = len(lines) >= LINES_A_PAGE
            self._take(self._cursor.take(lines, end_ns, full=full))
            if not full:
                return skew_s, []
        return skew_s, [self._storm()]

    def _take(self, fresh: list[LogLine]) -> None:
        self._lines += len(fresh)
        self._intake.waiting.extend(fresh)

    def _storm(self) -> str:
        """Say that there is more than we take, and leave out what would make us late for ever."""
        now_ns = self._now_ns()
        behind_s = self._cursor.behind_s(now_ns)
        most = LINES_A_PAGE * PAGES_A_TURN
        if behind_s <= MOST_BEHIND_S:
            return f"more than {most:,} lines a turn: {behind_s:.0f} s behind"
        left_out_s = self._cursor.skip_to(now_ns - int(OVERLAP_S * SECOND_NS))
        return f"more than {most:,} lines a turn: {left_out_s:.0f} s of them were left out; narrow `selector`"

    async def _page(self, store: Store, ask: Ask) -> tuple[list[LogLine], Body]:
        question = store.question(ask)
        self._requests += 1
        try:
            body = await self._link.query(question.path, question.params, accept=question.accept)
        except NotOffered:
            self._store = None  # another store may be there when it is back
            raise
        except Unauthorized as error:
            raise self._without_tenant(error) from None
        except SourceError as error:
            raise _with_advice(error) from None
        self._bytes += body.body_bytes_wire
        try:
            return store.lines(body.content), body
        except ValueError as error:
            text = f"the answer is not what {store.flavour} promises: {' '.join(str(error).split())[:160]}"
            raise BadPayload(*self._who, text, "check `url` and `flavor`") from None

    def _without_tenant(self, error: Unauthorized) -> Unauthorized:
        advice = f"{error.advice}; a multi-tenant store needs `tenant`"
        return Unauthorized(*self._who, error.message, advice, error.retry_after_s)

    def _now_ns(self) -> int:
        return int(self._clock() * 1e6) * 1000


def _with_tenant(config: SourceConfig) -> SourceConfig:
    """Return the config with VictoriaLogs' tenant headers, where the tenant is written as `ACCOUNT:PROJECT`."""
    account, colon, project = config.tenant.partition(":")
    if not (colon and account.isdigit() and project.isdigit()):
        return config
    return replace(config, headers={**config.headers, "AccountID": account, "ProjectID": project})


def _with_advice(error: SourceError) -> SourceError:
    """Return a refusal of the query itself (400) with what to look at."""
    if type(error) is not SourceError or isinstance(error, RateLimited):
        return error
    return SourceError(error.site, error.source, error.message, CHECK_SELECTOR, error.retry_after_s)


def _skew_s(body: Body) -> float | None:
    """Return how far the store's clock is ahead of ours; its Date has whole seconds."""
    if body.server_date is None:
        return None
    skew_s = body.server_date + 0.5 - (body.received_at - body.elapsed_s / 2)
    return skew_s if abs(skew_s) > SKEW_S else 0.0


def _clock_time(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns / 1e9, UTC):%H:%M:%S}Z"
