"""Reads one Prometheus-compatible store: aggregates at every turn, the full sweep in parts, one node closely."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from console.link.http import HttpLink
from console.model.errors import BadPayload, NotOffered, SourceError
from console.model.reading import Part, Reading
from console.sources.exposition.who import Who
from console.sources.prometheus.answers import Shape, peek_warnings
from console.sources.prometheus.api import Api
from console.sources.prometheus.catalog import Catalog, ask_interval_s, discover, interval_of
from console.sources.prometheus.columns import Answer, Columns, Findings
from console.sources.prometheus.cost import Measuring
from console.sources.prometheus.facts import Facts
from console.sources.prometheus.own import OwnDecoder, OwnQuery, own_queries
from console.sources.prometheus.plan import settings_of, window_s
from console.sources.prometheus.promql import literal, quote, selector
from console.sources.prometheus.record import record_of
from console.sources.prometheus.remarks import said, seen
from console.sources.prometheus.small import labelled_rows
from console.sources.prometheus.sweep import Sweep
from console.sources.prometheus.wide import decode_wide, wide_query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import httpx

    from console.config.values import SourceConfig
    from console.model.metrics import MetricTable
    from console.model.ports import Subject

REDISCOVER_S = 600.0
# Below this nothing is moved: clocks that are kept by NTP differ by less.
SKEW_S = 2.0
WORST = 20
SPARE = 1000
# A guest takes at most a tenth of a store's time for one kind of question.
REST = 10.0
WORST_OF = "temp_c"
T = TypeVar("T")


@dataclass(eq=False)
class _Haul:
    """What one turn brought in."""

    wide: bytes | None = None
    answers: list[Answer] = field(default_factory=list)
    own: list[tuple[OwnQuery, bytes]] = field(default_factory=list)
    facts: bytes | None = None
    faults: list[SourceError] = field(default_factory=list)
    warnings: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return self.wide is None and not self.answers and not self.own


class PrometheusSource:
    """A source for Prometheus, Thanos, Mimir and VictoriaMetrics.

    `read` runs on the loop thread; what it returns decodes on the compute thread.
    """

    def __init__(
        self,
        site: str,
        config: SourceConfig,
        metrics: MetricTable,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._site = site
        self._config = config
        self._metrics = metrics
        self._monotonic = monotonic
        self._wall = wall
        self._who = Who(site, config.name or config.kind)
        self._settings = settings_of(site, config)
        self._link = HttpLink(site, config, transport=transport, clock=wall)
        self._api = Api(self._link, self._who, self._settings.flavor, wall)
        self._sweep = Sweep(self._api, self._settings, metrics, config.max_body_bytes)
        self._own = own_queries(metrics, self._settings.queries)
        self._own_decoder = OwnDecoder(site, config.labels, self._who)
        self._facts = Facts(self._who)
        self._catalog: Catalog | None = None
        self._found_at = -math.inf
        self._columns: Columns | None = None
        self._focus = ""
        self._wide_at = self._worst_at = -math.inf
        self._worst_uuids: list[str] = []
        self._interval_s = 0.0

    def focus(self, path: str) -> None:
        """Read one node closely from now on: that of a path such as `muc1/h2/r017/n0653/g3`; other paths end it."""
        parts = path.split("/")
        self._focus = parts[3] if len(parts) > 3 else ""

    async def read(self) -> Reading:
        """Return what this turn brings; raises SourceError if it brings nothing."""
        started = self._monotonic()
        try:
            catalog = await self._known_catalog(started)
            haul = await self._haul(catalog, started)
        except (NotOffered, BadPayload):
            self._catalog = None  # another server may be there now: look at it afresh
            raise
        finally:
            requests, body_bytes = self._api.take_counts()
        return self._reading(catalog, haul, requests, body_bytes)

    async def diagnose(self) -> dict[str, str]:
        """Return what one full sweep costs, by name, and `advice` where something should be done; raises SourceError.

        It does that sweep, and disturbs nothing that `read` keeps.
        """
        catalog = await self._known_catalog(self._monotonic())
        sweep = Sweep(self._api, self._settings, self._metrics, self._config.max_body_bytes)
        sweep.adopt(catalog)
        columns = Columns(self._metrics, catalog.spelling, self._who)
        measuring = Measuring(self._api, sweep, columns, catalog, self._config, self._uses_rules(catalog), self._who)
        return await measuring.run(self._monotonic)

    async def record(self, subject: Subject) -> str:
        """Return every series of a node or GPU as the store has it now; raises SourceError."""
        if self._catalog is None:
            text = "the store has not been read yet, so that its labels are not known"
            raise SourceError(self._who.site, self._who.source, text, "look at the source's own error")
        return await record_of(self._api, subject, self._catalog.spelling, self._settings.match, self._who)

    async def aclose(self) -> None:
        """Let go of every connection."""
        await self._link.aclose()

    async def _known_catalog(self, now: float) -> Catalog:
        if self._catalog is None or now - self._found_at > REDISCOVER_S or self._outgrown(self._catalog):
            await self._api.probe()
            labels = self._config.labels
            catalog = await discover(self._api, self._metrics, labels, self._settings.match, self._who, self._api.now())
            if not self._fits(catalog):
                self._columns = Columns(self._metrics, catalog.spelling, self._who)
            self._catalog, self._found_at = catalog, now
            self._sweep.adopt(catalog)
        elif not self._catalog.interval_s:
            interval_s = await ask_interval_s(self._api, self._catalog.one, self._who)
            self._catalog = replace(self._catalog, interval_s=interval_s)
            self._sweep.adopt(self._catalog)
        self._interval_s = self._catalog.interval_s or self._interval_s
        return self._catalog

    def _outgrown(self, catalog: Catalog) -> bool:
        """Whether far more GPUs are there than when we looked: a store that has just started tells of a few."""
        return self._columns is not None and self._columns.known > 1.5 * catalog.gpus + SPARE

    def _fits(self, catalog: Catalog) -> bool:
        """Whether the decoder we have still serves: same labels, and not mostly GPUs that are gone."""
        same = self._catalog is not None and self._catalog.spelling == catalog.spelling
        return self._columns is not None and same and not self._outgrown(catalog)

    async def _haul(self, catalog: Catalog, now: float) -> _Haul:
        haul = _Haul()
        apart = bool(self._sweep.period_s) or self._settings.sweep == "off"
        if apart and now >= self._wide_at:
            haul.wide = await _attempt(self._read_wide(catalog, now), haul)
        haul.answers += await _attempt(self._sweep.turn(now, self._monotonic), haul) or []
        if apart:
            haul.answers += await _attempt(self._close_up(catalog), haul) or []
        for query in self._own:
            body = await _attempt(self._api.query(query.promql), haul)
            if body is not None:
                haul.own.append((query, body.content))
        if haul.empty and haul.faults:
            raise haul.faults[0]
        haul.facts = await _attempt(self._facts.ask(self._api, catalog, self._settings.match, now), haul)
        for content in (haul.wide, *(content for _, content in haul.own)):
            haul.warnings += peek_warnings(content) if content is not None else ()
        return haul

    async def _read_wide(self, catalog: Catalog, now: float) -> bytes | None:
        """Ask for aggregates; without rules they cost the store dear, and then they rest ten times as long."""
        rules, began = self._uses_rules(catalog), self._monotonic()
        promql = wide_query(catalog, self._metrics, self._settings.match, rules)
        try:
            return (await self._api.query(promql)).content if promql else None
        finally:
            self._wide_at = now if rules else now + REST * (self._monotonic() - began)

    def _uses_rules(self, catalog: Catalog) -> bool:
        return self._settings.rules == "on" or (catalog.rules and self._settings.rules == "auto")

    async def _close_up(self, catalog: Catalog) -> list[Answer]:
        """Read the raw samples of the worst GPUs and of the node that is looked at."""
        matchers = [f"{label}=~{quote(f'{literal(self._focus)}([.:].*)?')}" for label in catalog.spelling.node]
        wanted = matchers if self._focus else []
        worst = await self._worst(catalog)
        if worst:
            wanted.append(f"{catalog.spelling.uuid[0]}=~{quote('|'.join(literal(uuid) for uuid in worst))}")
        names = "|".join(names[0] for names in catalog.series.values())
        answers: list[Answer] = []
        for matcher in wanted:
            chosen = selector(f"__name__=~{quote(names)}", matcher, self._settings.match)
            body = await self._api.query(f"{chosen}[{math.ceil(window_s(catalog))}s]")
            answers.append(Answer(Shape.MATRIX, {"": [body.content]}, body.received_at, full=False))
        return answers

    async def _worst(self, catalog: Catalog) -> list[str]:
        now = self._monotonic()
        if now >= self._worst_at:
            self._worst_uuids = await self._ask_worst(catalog)
            self._worst_at = now + REST * (self._monotonic() - now)
        return self._worst_uuids

    async def _ask_worst(self, catalog: Catalog) -> list[str]:
        if WORST_OF not in catalog.series or not catalog.spelling.uuid:
            return []
        named = selector(f"__name__={quote(catalog.series[WORST_OF][0])}", self._settings.match)
        body = await self._api.query(f"topk({WORST}, {named} < {self._metrics[WORST_OF].high:g})")
        rows, _ = labelled_rows(body.content, self._who)
        uuid = catalog.spelling.uuid[0]
        return sorted({row.metric[uuid] for row in rows if row.metric.get(uuid)})

    def _reading(self, catalog: Catalog, haul: _Haul, requests: int, body_bytes: int) -> Reading:
        columns = self._columns
        assert columns is not None  # made with the catalogue
        self._interval_s = interval_of(list(columns.findings.intervals)) or self._interval_s
        warnings = [*haul.warnings, *self._sweep.warnings, *(str(fault) for fault in haul.faults), *said(columns)]
        columns.findings, last = Findings(), columns.findings
        skew_s = self._skew_s()
        notes = self._notes(catalog, last)
        period_s = self._sweep.period_s

        def decode() -> Iterator[Part]:
            yield from self._decode(columns, haul, skew_s)
            notes.update(seen(columns))

        return Reading(
            received_at=self._wall(),
            decode=decode,
            body_bytes=body_bytes,
            requests=requests,
            cadence_s=self._interval_s,
            clock_skew_s=self._api.skew_s,
            warnings=tuple(dict.fromkeys(warnings)),
            notes=notes,
            stale_after_s=1.5 * period_s + 3 * self._interval_s if period_s else 0.0,
        )

    def _skew_s(self) -> float:
        skew_s = self._api.skew_s or 0.0
        return skew_s if abs(skew_s) > SKEW_S else 0.0

    def _decode(self, columns: Columns, haul: _Haul, skew_s: float) -> Iterator[Part]:
        if haul.wide is not None:
            label = str(self._config.options.get("site_label", ""))
            yield from decode_wide(haul.wide, self._metrics, self._site, label, skew_s, self._who)
        while haul.answers:  # a body is let go of as soon as it is decoded
            answer = haul.answers.pop(0)
            yield from columns.decode(replace(answer, skew_s=skew_s))
        if haul.facts is not None and self._catalog is not None:
            yield from self._facts.decode(haul.facts, self._catalog, self._wall())
        for query, content in haul.own:
            if query.metric.level == "gpu":
                own = Answer(Shape.VECTOR, {query.metric.name: [content]}, self._wall(), query.metric.name)
                yield from columns.decode(replace(own, skew_s=skew_s))
            else:
                yield from self._own_decoder.decode(query.metric, content, skew_s)

    def _notes(self, catalog: Catalog, last: Findings) -> dict[str, str]:
        server = self._api.server
        notes = {
            "server": f"{server.flavour} {server.version}".strip(),
            "way": self._sweep.way,
            "series": f"{catalog.total:,} ({catalog.gpus:,} rows, {len(catalog.series)} metrics)",
            "sweep": self._sweep.text or "under way",
            "sweep_every": f"{self._sweep.period_s:g} s" if self._sweep.period_s else "turn",
            "rules": "used" if self._uses_rules(catalog) else "none (gigadeck rules prints them)",
        }
        if catalog.absent:
            notes["absent"] = f"{', '.join(catalog.absent)} (gigadeck rules --exporter prints the counters)"
        if last.repeated:
            notes["repeated"] = f"{last.repeated:,} rows repeat a GPU (MIG, replicas): counted once"
        return notes


async def _attempt(work: Awaitable[T], haul: _Haul) -> T | None:
    """Return what some work brings; a failure is kept, so that one refused query does not cost the others."""
    try:
        return await work
    except SourceError as error:
        haul.faults.append(error)
        return None
