"""The routes that read: each answer is made of one snapshot, once for all who ask the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.core.site_api import bodies
from console.core.site_api.framing import STREAM_VERSION
from console.core.site_api.judged import judged_of
from console.core.site_api.rows import row
from console.core.site_api.topology import head, topology_body
from console.serve.answers import TOPOLOGY_HEADER, VARY, Answers, wire_of
from console.serve.asked import number, rows_of
from console.serve.hub import SERVER
from console.serve.seen import Seen, Sight, columns_of, rows_within

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from console.core.site_api.packing import MediaType
    from console.model.snapshot import Judged
    from console.serve.hub import Hub
    from console.serve.role_word import RoleWord

    Body = dict[str, Any]
    Handler = Callable[[Request], Any]

FEATURES = (
    "stream",
    "focus",
    "ranges",
    "deeds",
    "incidents",
    "findings",
    "notes",
    "views",
    "checks",
    "reports",
    "facts",
    "reservations",
    "alerts",
    "records",
    "journal",
    "plans",
)
MOST_EVENTS = 10_000
MOST_NUMBER = 2**62


class Reads:
    """The handlers, over one hub."""

    def __init__(self, hub: Hub, answers: Answers) -> None:
        self._hub = hub
        self._answers = answers
        self._sight = Sight(hub)

    @property
    def simple(self) -> dict[str, Handler]:
        """The routes of a site that have no parameters, by name."""
        makers: dict[str, Callable[[Seen, MediaType], Body]] = {
            "jobs": _jobs,
            "facility": self._facility,
            "reports": lambda seen, media: bodies.reports_body(*seen.head, seen.frame.reports, media),
            "facts": lambda seen, media: bodies.facts_body(*seen.head, seen.frame.facts, media),
            "reservations": lambda seen, media: bodies.reservations_body(*seen.head, seen.frame.reservations),
            "alerts": lambda seen, media: bodies.alerts_body(*seen.head, seen.frame.alerts),
            "findings": lambda seen, media: bodies.findings_body(*seen.head, self._judged(seen).findings),
            "incidents": lambda seen, media: bodies.incidents_body(*seen.head, self._judged(seen).incidents),
            "notes": lambda seen, media: bodies.notes_body(*seen.head, self._judged(seen).notes),
            "views": lambda seen, media: bodies.views_body(*seen.head, self._judged(seen).views),
            "checks": lambda seen, media: {**head(*seen.head), "checks": [row(c) for c in self._judged(seen).checks]},
            "plans": lambda seen, media: {**head(*seen.head), "plans": []},
        }
        return {name: self._handler(name, make) for name, make in makers.items()}

    async def sites(self, request: Request) -> Response:
        """The list of sites."""
        snapshot = self._hub.sitting.session.latest()
        key = "sites", *(feed.log for feed in self._hub.sitting.feeds.values()), snapshot.seq if snapshot else 0
        return await self._answers.response(request, key, lambda media: bodies.sites_body(self._sight.all()))

    async def info(self, request: Request) -> Response:
        """What a client needs first."""
        seen, word = await self._sight.see(request.path_params["site"]), self._hub.word()
        key = *seen.key, "info", word.role, word.leader
        return await self._answers.response(request, key, lambda media: self._info(seen, word), tag=seen.tag)

    async def topology(self, request: Request) -> Response:
        """The topology, or 304 where the client has it."""
        seen = await self._sight.see(request.path_params["site"])
        headers = {"ETag": f'"{seen.tag}"', "Cache-Control": "no-cache"}
        if _matches(request.headers.get("if-none-match", ""), seen.tag):
            wire_of(request)
            return Response(status_code=304, headers={**headers, **VARY, TOPOLOGY_HEADER: seen.tag})
        key = seen.key[0], "topology", seen.tag
        return await self._answers.response(
            request, key, lambda media: topology_body(*seen.head, media), tag=seen.tag, headers=headers
        )

    async def telemetry(self, request: Request) -> Response:
        """Columns, now: all of them or some, all of their rows or those of a range or a place."""
        seen = await self._sight.see(request.path_params["site"])
        wanted = frozenset(filter(None, request.query_params.get("metrics", "").split(",")))
        level, within = request.query_params.get("level", ""), request.query_params.get("within", "")
        rows = rows_of(request)
        if rows is not None and (within or not level):
            raise HTTPException(400, "rows=start:stop needs level=, and goes without within=")
        if within and seen.topology.resolve(within) is None:
            raise HTTPException(404, f"there is no {within[:200]!r} at {seen.topology.site}")
        key = *seen.key, "telemetry", wanted, level, within, rows and (rows.start, rows.stop)
        return await self._answers.response(
            request, key, lambda media: self._telemetry(seen, media, wanted, level, rows or within), tag=seen.tag
        )

    async def events(self, request: Request) -> Response:
        """Events after a number."""
        site = request.path_params["site"]
        seen, feed = await self._sight.see(site), self._hub.feed(site)
        after = number(request, "after", 0, MOST_NUMBER)
        limit = max(1, number(request, "limit", bodies.EVENTS_A_PAGE, MOST_EVENTS))
        page = feed.events.after(after, limit)
        key = *seen.key, "events", after, limit, page.last
        return await self._answers.response(
            request,
            key,
            lambda media: bodies.events_body(
                *seen.head, log=feed.log, oldest=page.oldest, last=page.last, after=after, entries=page.entries
            ),
            tag=seen.tag,
        )

    def _handler(self, name: str, make: Callable[[Seen, MediaType], Body]) -> Handler:
        async def handler(request: Request) -> Response:
            seen = await self._sight.see(request.path_params["site"])
            key = *seen.key, name
            return await self._answers.response(request, key, lambda media: make(seen, media), tag=seen.tag)

        handler.__name__ = name
        return handler

    def _judged(self, seen: Seen) -> Judged:
        return judged_of(seen.snapshot, seen.topology.site, self._hub.keeper)

    def _info(self, seen: Seen, word: RoleWord) -> Body:
        metrics = self._hub.metrics
        body = bodies.info_body(
            *seen.head,
            cadence_s=self._hub.cadence_s,
            server=SERVER,
            columns=columns_of(seen, metrics),
            metrics=metrics,
        )
        more = {"stream": STREAM_VERSION, "keeper": self._hub.keeper, "role": word.role, "leader": word.leader}
        return {**body, **more, "features": list(FEATURES)}

    def _facility(self, seen: Seen, media: MediaType) -> Body:
        metrics = self._hub.metrics
        return bodies.facility_body(*seen.head, columns_of(seen, metrics), metrics)

    def _telemetry(self, seen: Seen, media: MediaType, wanted: frozenset[str], level: str, where: slice | str) -> Body:
        columns = columns_of(seen, self._hub.metrics, wanted=wanted, level=level)
        if not where:
            return bodies.telemetry_body(*seen.head, columns, media)
        cut, starts = [], []
        for name, measured, at, values in columns:
            rows = where if isinstance(where, slice) else rows_within(seen.topology, where, measured)
            if rows is not None and rows.stop <= len(values):
                cut.append((name, measured, at, values[rows]))
                starts.append(rows.start)
        body = bodies.telemetry_body(*seen.head, cut, media)
        for told, start in zip(body["columns"], starts, strict=True):
            told["start"] = start
        return body


def _jobs(seen: Seen, media: MediaType) -> Body:
    jobs = seen.frame.jobs
    return bodies.jobs_body(seen.topology, seen.tag, jobs.at or seen.snapshot.at, jobs, media)


def _matches(if_none_match: str, tag: str) -> bool:
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return f'"{tag}"' in tags or "*" in tags
