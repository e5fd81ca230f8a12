"""The web application of the emulator: which path answers with what; encoding runs on worker threads, in slices."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from console.core.site_api.packing import (
    GZIP_FROM_BYTES,
    MediaType,
    accepts_gzip,
    gzip_bytes,
    gzip_chunks,
    pack,
    preferred,
)
from console.emulator.wire import dcgm_text, site_api
from console.emulator.wire.facility_text import facility_page
from console.emulator.wire.inventory_csv import inventory_page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.requests import Request

    from console.emulator.wire.feed import Feed, Sample

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"
TOPOLOGY_HEADER = "Gigadeck-Topology"
MOST_SHARDS = 100_000


class Routes:
    """The handlers, over one feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._pages = dcgm_text.DcgmPages()
        self._topologies: dict[tuple[str, MediaType, bool], bytes] = {}

    def table(self) -> list[Route]:
        """Return every route."""
        site = "/site/v1/{site}"
        return [
            Route("/", self.index),
            Route("/health", self.health),
            Route("/metrics", self.metrics),
            Route("/node/{node}/metrics", self.node_metrics),
            Route("/facility", self.facility_text),
            Route("/inventory", self.inventory),
            Route("/site/v1/sites", self.sites),
            Route(f"{site}/info", self.info),
            Route(f"{site}/topology", self.topology),
            Route(f"{site}/telemetry", self.telemetry),
            Route(f"{site}/jobs", self.jobs),
            Route(f"{site}/facility", self.facility),
            Route(f"{site}/events", self.events),
        ]

    async def index(self, request: Request) -> Response:
        """Say what is here."""
        lines = [f"gigadeck emulator, sites: {' '.join(self._feed.site_names)}", ""]
        return PlainTextResponse("\n".join(lines + [route.path for route in self.table()]) + "\n")

    async def health(self, request: Request) -> Response:
        """Answer as dcgm-exporter does."""
        return PlainTextResponse("KO" if not self._feed.site_names else "OK")

    async def metrics(self, request: Request) -> Response:
        """A shard of one site or of all."""
        index, count = _number(request, "shard", 0, MOST_SHARDS), _number(request, "shards", 1, MOST_SHARDS)
        if index >= count:
            raise HTTPException(400, f"shard={index} of shards={count}: shards count from 0 to {count - 1}")
        samples = [await self._sample(site) for site in self._sites(request)]
        ranges = [dcgm_text.shard(sample, index, count) for sample in samples]
        return _stream(request, self._pages.page(ranges, _host_label(request)))

    async def node_metrics(self, request: Request) -> Response:
        """The page of one node's exporter."""
        name = request.path_params["node"]
        for site in self._sites(request):
            found = dcgm_text.node_range(await self._sample(site), name)
            if found is not None:
                return _whole(request, self._pages.page([found], _host_label(request)))
        raise HTTPException(404, f"no node named {name!r} at {', '.join(self._sites(request))}")

    async def facility_text(self, request: Request) -> Response:
        """A site's facility, as Prometheus text."""
        return _stream(request, facility_page(await self._one(request)))

    async def inventory(self, request: Request) -> Response:
        """A site's inventory, as CSV for `inventory: {file: ...}`."""
        return _stream(request, inventory_page((await self._one(request)).topology), "text/csv; charset=utf-8")

    async def sites(self, request: Request) -> Response:
        """The list of sites."""
        samples = [await self._sample(site) for site in self._feed.site_names]
        return await _answer(request, lambda media: site_api.sites_body(samples))

    async def info(self, request: Request) -> Response:
        """What a client needs first."""
        sample = await self._sample(request.path_params["site"])
        return await _answer(request, lambda media: site_api.info_body(sample, self._feed.cadence_s), sample)

    async def topology(self, request: Request) -> Response:
        """The topology, or 304 where the client has it."""
        sample = await self._sample(request.path_params["site"])
        media, gzipped = _media(request), accepts_gzip(request.headers.get("accept-encoding", ""))
        headers = {"ETag": f'"{sample.tag}"', "Cache-Control": "no-cache", TOPOLOGY_HEADER: sample.tag, **_VARY}
        if _matches(request.headers.get("if-none-match", ""), sample.tag):
            return Response(status_code=304, headers=headers)
        key = (sample.tag, media, gzipped)
        if key not in self._topologies:
            data = await asyncio.to_thread(lambda: pack(site_api.topology_body(sample, media), media))
            if len(self._topologies) >= 4 * len(self._feed.site_names):
                self._topologies.clear()
            self._topologies[key] = await asyncio.to_thread(gzip_bytes, data) if gzipped else data
        if gzipped:
            headers["Content-Encoding"] = "gzip"
        return Response(self._topologies[key], media_type=media, headers=headers)

    async def telemetry(self, request: Request) -> Response:
        """Columns, now."""
        sample = await self._sample(request.path_params["site"])
        wanted = frozenset(filter(None, request.query_params.get("metrics", "").split(",")))
        level = request.query_params.get("level", "")
        return await _answer(request, lambda media: site_api.telemetry_body(sample, media, wanted, level), sample)

    async def jobs(self, request: Request) -> Response:
        """Every job."""
        sample = await self._sample(request.path_params["site"])
        return await _answer(request, lambda media: site_api.jobs_body(sample, media), sample)

    async def facility(self, request: Request) -> Response:
        """What is measured above the node."""
        sample = await self._sample(request.path_params["site"])
        return await _answer(request, lambda media: site_api.facility_body(sample), sample)

    async def events(self, request: Request) -> Response:
        """Events after a number."""
        site = request.path_params["site"]
        sample = await self._sample(site)
        after = _number(request, "after", 0, 2**62)
        limit = max(1, _number(request, "limit", site_api.EVENTS_A_PAGE, 10_000))
        log, entries = await asyncio.to_thread(self._feed.events, site, after, limit)
        return await _answer(request, lambda media: site_api.events_body(sample, log, after, entries), sample)

    async def _sample(self, site: str) -> Sample:
        if site not in self._feed.site_names:
            raise HTTPException(404, f"no site named {site!r}; there are: {', '.join(self._feed.site_names)}")
        held = self._feed.fresh(site)
        return held if held is not None else await asyncio.to_thread(self._feed.sample, site)

    async def _one(self, request: Request) -> Sample:
        sites = self._sites(request)
        if len(sites) != 1:
            raise HTTPException(400, f"say which site: {request.url.path}?site={sites[0]}")
        return await self._sample(sites[0])

    def _sites(self, request: Request) -> tuple[str, ...]:
        site = request.query_params.get("site", "")
        return (site,) if site else self._feed.site_names


_VARY = {"Vary": "Accept, Accept-Encoding"}


async def _answer(
    request: Request, encode: Callable[[MediaType], site_api.Body], sample: Sample | None = None
) -> Response:
    """Encode a body on a worker thread, in the media type and coding that the client asked for."""
    media, gzipped = _media(request), accepts_gzip(request.headers.get("accept-encoding", ""))
    data = await asyncio.to_thread(lambda: pack(encode(media), media))
    headers = {"Cache-Control": "no-store", **_VARY}
    if sample is not None:
        headers[TOPOLOGY_HEADER] = sample.tag
    if gzipped and len(data) >= GZIP_FROM_BYTES:
        data = await asyncio.to_thread(gzip_bytes, data)
        headers["Content-Encoding"] = "gzip"
    return Response(data, media_type=media, headers=headers)


def _stream(request: Request, chunks: Iterator[str], media_type: str = PROMETHEUS_TEXT) -> Response:
    """Send a page while it is made: Starlette takes each chunk on a worker thread."""
    data = (chunk.encode("utf-8", "replace") for chunk in chunks)
    if not accepts_gzip(request.headers.get("accept-encoding", "")):
        return StreamingResponse(data, media_type=media_type, headers={"Vary": "Accept-Encoding"})
    headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return StreamingResponse(gzip_chunks(data), media_type=media_type, headers=headers)


def _whole(request: Request, chunks: Iterator[str]) -> Response:
    """Send one node's page, made on the spot in less than a millisecond: a Prometheus asks for thousands of them."""
    data = "".join(chunks).encode("utf-8", "replace")
    headers = {"Vary": "Accept-Encoding"}
    if accepts_gzip(request.headers.get("accept-encoding", "")):
        data = gzip_bytes(data)
        headers["Content-Encoding"] = "gzip"
    return Response(data, media_type=PROMETHEUS_TEXT, headers=headers)


def _media(request: Request) -> MediaType:
    media = preferred(request.headers.get("accept", ""))
    if media is None:
        raise HTTPException(406, f"this API speaks {MediaType.JSON} and {MediaType.MSGPACK}")
    return media


def _matches(if_none_match: str, tag: str) -> bool:
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return f'"{tag}"' in tags or "*" in tags


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) <= most):
        raise HTTPException(400, f"{name}={text[:40]!r} is not a number from 0 to {most}")
    return int(text)


def _host_label(request: Request) -> str:
    spelling = request.query_params.get("hostname", "")
    if spelling not in ("", "lower", "upper"):
        raise HTTPException(400, "hostname=lower is the spelling since May 2026, hostname=upper the one before")
    return "hostname" if spelling == "lower" else "Hostname"


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer an error: as JSON below /site (whatever was asked for), as plain text elsewhere."""
    assert isinstance(error, HTTPException)
    if not request.url.path.startswith("/site/"):
        return PlainTextResponse(f"{error.detail}\n", error.status_code)
    body = {"status": error.status_code, "error": error.detail}
    return Response(pack(body, MediaType.JSON), error.status_code, media_type=MediaType.JSON)


def make_app(feed: Feed) -> Starlette:
    """Return the application over a feed."""
    handlers: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {HTTPException: _refuse}
    return Starlette(routes=Routes(feed).table(), exception_handlers=handlers)
