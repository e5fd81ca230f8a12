"""Which path answers with what; docs/site-api.md has them in words, docs/site-api.openapi.json in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from console.core.site_api.framing import STREAM_MEDIA_TYPE, STREAM_VERSION
from console.serve.asked import caller_of, number
from console.serve.hub import SERVER, TooManyStreamsError
from console.serve.recall import Recall
from console.serve.refusals import refusal
from console.serve.routes_read import MOST_EVENTS, MOST_NUMBER, Reads
from console.serve.routes_write import Writes
from console.serve.streams import StreamAnswer

if TYPE_CHECKING:
    from starlette.requests import Request

    from console.serve.answers import Answers
    from console.serve.hub import Hub

SITE = "/site/v1/{site}"
JOURNAL_PAGE = 500
AGAIN_S = 5


class Routes:
    """The handlers, over one hub."""

    def __init__(self, hub: Hub, answers: Answers) -> None:
        self._hub = hub
        self._answers = answers
        self._reads = Reads(hub, answers)
        self._writes = Writes(hub)
        self._recall = Recall()

    def table(self) -> list[Route]:
        """Return every route."""
        reads = self._reads
        return [
            Route("/", self.index),
            Route("/site/v1/sites", reads.sites),
            Route(f"{SITE}/info", reads.info),
            Route(f"{SITE}/topology", reads.topology),
            Route(f"{SITE}/telemetry", reads.telemetry),
            Route(f"{SITE}/events", reads.events),
            *(Route(f"{SITE}/{name}", handler) for name, handler in reads.simple.items()),
            Route(f"{SITE}/records", self.records),
            Route(f"{SITE}/journal", self.journal),
            Route(f"{SITE}/stream", self.stream),
            Route(f"{SITE}/deeds", self._writes.deeds, methods=["POST"]),
            Route(f"{SITE}/focus", self._writes.focus, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        """Say what is here."""
        lines = [f"{SERVER}, sites: {' '.join(self._hub.sitting.feeds)}", ""]
        return PlainTextResponse("\n".join(lines + [route.path for route in self.table()]) + "\n")

    async def records(self, request: Request) -> Response:
        """The untouched record of each voice of one object, by the voice's name."""
        caller_of(request)
        site, subject = request.path_params["site"], request.query_params.get("subject", "")
        log = self._hub.feed(site).log
        if not subject:
            raise HTTPException(400, f"say of what: subject={site}/HALL/RACK/NODE, or subject=job:{site}/ID")
        told: dict[str, Any] = await self._recall.records(self._hub.sitting.session, log, site, subject)
        return await self._answers.once(request, told)

    async def journal(self, request: Request) -> Response:
        """What this server noted after a number: starts, failures, what people did."""
        site = request.path_params["site"]
        feed, session = self._hub.feed(site), self._hub.sitting.session
        after = number(request, "after", 0, MOST_NUMBER)
        page = session.journal(after, max(1, number(request, "limit", JOURNAL_PAGE, MOST_EVENTS)))
        entries = [{"seq": seq, **entry} for seq, entry in page.entries if entry.get("site", site) == site]
        body = {"site": site, "log": feed.log, "after": after, "oldest": page.oldest, "last": page.last}
        return await self._answers.once(request, {**body, "entries": entries})

    async def stream(self, request: Request) -> Response:
        """Everything as it changes, without an end."""
        caller, site = caller_of(request), request.path_params["site"]
        said = request.query_params.get("stream", "")
        if said not in ("", str(STREAM_VERSION)):
            raise HTTPException(400, f"this server speaks version {STREAM_VERSION} of the stream, not {said[:20]!r}")
        after = number(request, "after", 0, MOST_NUMBER)
        self._hub.feed(site)
        if request.method == "HEAD":
            return Response(media_type=STREAM_MEDIA_TYPE)
        try:
            client = await self._hub.open(site, caller.author, log=request.query_params.get("log", ""), after=after)
        except TooManyStreamsError as error:
            return refusal(503, str(error), headers={"Retry-After": str(AGAIN_S)})
        return StreamAnswer(self._hub, client)
