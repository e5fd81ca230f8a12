"""The full sweep: every GPU's every metric, read a few answers a turn so that store, line and memory stay calm."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from console.model.errors import SourceError
from console.sources.prometheus.answers import Shape, peek_warnings
from console.sources.prometheus.columns import Answer
from console.sources.prometheus.plan import Chunk, plan_sweep, sweep_period_s, window_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.link.answers import Body
    from console.model.metrics import MetricTable
    from console.sources.prometheus.api import Api
    from console.sources.prometheus.catalog import Catalog
    from console.sources.prometheus.plan import Settings

TURN_S = 12.0
# What is held undecoded at once, but for the last answer: this bounds the memory of a sweep.
TURN_BYTES = 32 * 1024 * 1024
CADENCE_S = 15.0


class Sweep:
    """Where a source's sweep stands; lives on the loop thread. Times are monotonic seconds."""

    def __init__(self, api: Api, settings: Settings, metrics: MetricTable, limit_bytes: int) -> None:
        self._api = api
        self._settings = settings
        self._metrics = metrics
        self._limit_bytes = limit_bytes
        self._pending: list[Chunk] = []
        self._catalog: Catalog | None = None
        self._started_at = -math.inf
        self._chunks = 0
        self._busy_s = 0.0
        self._bytes = 0
        self._cpu_s: float | None = None
        self._received_at = 0.0
        self.text = ""
        self.warnings: tuple[str, ...] = ()

    def adopt(self, catalog: Catalog) -> None:
        """Sweep what a new catalogue names; a sweep that is under way goes on if the series are the same."""
        if self._catalog is None or self._catalog.series != catalog.series or self._catalog.gpus != catalog.gpus:
            self._pending = []
        self._catalog = catalog

    @property
    def way(self) -> str:
        """`export`, `federate` or `query`."""
        chosen = self._settings.sweep
        server = self._api.server
        if chosen != "auto":
            return chosen
        return "export" if server.export else "federate" if server.federate else "query"

    @property
    def period_s(self) -> float:
        """Seconds between sweeps; 0 is one at every turn."""
        return sweep_period_s(self._settings, self._catalog) if self._catalog is not None else 0.0

    @property
    def under_way(self) -> bool:
        """Whether a sweep has begun and has not ended."""
        return bool(self._pending)

    async def turn(self, now: float, clock: Callable[[], float]) -> list[Answer]:
        """Return the answers of this turn, none while no sweep is due; raises SourceError if the first one fails."""
        if self._catalog is None or self._settings.sweep == "off":
            return []
        if not self._pending:
            if now - self._started_at < self.period_s - 0.5:
                return []
            await self._start(now)
        answers: list[Answer] = []
        spent = 0
        for _ in range(self._share()):
            began = clock()
            if answers and (began - now > TURN_S or spent > TURN_BYTES):
                break
            answer = await self._next(answers)
            if answer is None:
                break
            answers.append(answer)
            self._busy_s += clock() - began
            spent += sum(len(content) for contents in answer.contents.values() for content in contents)
        self._bytes += spent
        if not self._pending:
            await self._finish()
        return answers

    async def _start(self, now: float) -> None:
        assert self._catalog is not None  # turn() looks first
        self._pending = plan_sweep(self._catalog, self._metrics, self._settings.match, self.way, self._limit_bytes)
        self._started_at = now
        self._chunks, self._busy_s, self._bytes = len(self._pending), 0.0, 0
        self.warnings = ()
        self._cpu_s = await self._api.cpu_s() if self.way in ("export", "federate") else None

    async def _finish(self) -> None:
        after = await self._api.cpu_s() if self._cpu_s is not None else None
        cpu = f", server CPU {after - self._cpu_s:.2f} s" if after is not None and self._cpu_s is not None else ""
        self.text = f"{self._busy_s:.2f} s, {self._chunks} metrics, {self._bytes / 1e6:.1f} MB{cpu}"

    def _share(self) -> int:
        """How many metrics this turn reads: all in the first sweep, later as many as spread over the period."""
        if not self.text or not self.period_s:
            return len(self._pending)
        turns = max(1.0, self.period_s / (self._settings.cadence_s or self._interval_s))
        return max(1, math.ceil(self._chunks / turns))

    @property
    def _interval_s(self) -> float:
        return (self._catalog.interval_s if self._catalog else 0.0) or CADENCE_S

    async def _next(self, answers: list[Answer]) -> Answer | None:
        """Read the next metric; one that fails after others came is tried again at the next turn."""
        chunk = self._pending[0]
        try:
            contents: dict[str, list[bytes]] = {}
            for name, selectors in chunk.selectors.items():
                contents[name] = [await self._read(each) for each in selectors]
        except SourceError as error:
            if not answers:
                raise
            self.warnings = (*self.warnings, str(error))[-3:]
            return None
        del self._pending[0]
        return Answer(SHAPES[self.way], contents, self._received_at, chunk.metric)

    async def _read(self, selector: str) -> bytes:
        assert self._catalog is not None  # turn() looks first
        back_s = window_s(self._catalog)
        if self.way == "export":
            body = await self._api.export(selector, self._api.now() - back_s)
        elif self.way == "federate":
            body = await self._api.federate(selector)
        else:
            body = await self._api.query(f"{selector}[{math.ceil(back_s)}s]")
        return self._taken(body)

    def _taken(self, body: Body) -> bytes:
        self._received_at = body.received_at
        if self.way == "query":
            self.warnings = (*self.warnings, *peek_warnings(body.content))[-10:]
        return body.content


SHAPES = {"export": Shape.EXPORT, "federate": Shape.TEXT, "query": Shape.MATRIX}
