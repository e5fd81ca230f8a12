"""Takes answers apart: their status, their type, their body; what is wrong with one as a SourceError."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from console.link.answers import Body, date_of, origin, printable, retry_after_s, said
from console.link.bodies import BodyReader, check_start, check_type
from console.link.failures import show_url, status_error
from console.model.errors import Redirected, SourceError, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from console.link.failures import Endpoint
    from console.link.shared import Shared

FIRST_ERROR = 400
ERROR_BODY_BYTES = 4096


class Receiver:
    """Of one endpoint; what bodies cost is taken from the budget that its links share."""

    def __init__(self, endpoint: Endpoint, limit_bytes: int, clock: Callable[[], float], shared: Shared) -> None:
        self._endpoint = endpoint
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._shared = shared

    async def check(self, response: httpx.Response, accept: str) -> None:
        """Raise what is wrong with the status or the type of an answer."""
        if response.status_code >= FIRST_ERROR:
            now, words = self._clock(), await self._error_text(response)
            raise status_error(self._endpoint, response.status_code, words, retry_after_s(response.headers, now))
        check_type(self._endpoint, response.headers.get("content-type", ""), accept)

    async def take(self, response: httpx.Response, accept: str, max_body_bytes: int, started: float) -> Body:
        """Return a good answer; raises SourceError. `started` is when it was asked for (`time.perf_counter`)."""
        await self.check(response, accept)
        reader = BodyReader(self._endpoint, max_body_bytes or self._limit_bytes)
        try:
            content = await reader.read(response)
        finally:
            self._shared.wire_bytes.take(reader.wire_bytes, self._clock())
        check_start(self._endpoint, content, accept)
        return self._body(response, content, reader.wire_bytes, started)

    async def take_refusal(self, response: httpx.Response, started: float) -> Body:
        """Return an answer of a status of 400 and more, which is short; raises SourceError."""
        reader = BodyReader(self._endpoint, ERROR_BODY_BYTES)
        return self._body(response, await reader.read(response), reader.wire_bytes, started)

    def check_redirect(self, request: httpx.Request, response: httpx.Response) -> None:
        """Raise Redirected for a redirect to another origin."""
        target = urljoin(str(request.url), response.headers["location"])
        if origin(target) != origin(str(request.url)):
            who = self._endpoint.site, self._endpoint.source
            text = f"{self._endpoint.shown_url} redirects to {printable(show_url(target))[:200]}"
            raise Redirected(*who, f"{text}, which is not followed with credentials", "set `url` to the new place")

    def _body(self, response: httpx.Response, content: bytes, wire_bytes: int, started: float) -> Body:
        elapsed_s, head = time.perf_counter() - started, dict(response.headers)
        return Body(content, response.status_code, head, self._clock(), elapsed_s, wire_bytes, date_of(head))

    async def _error_text(self, response: httpx.Response) -> str:
        """Return what a JSON error body says, in a few words; anything else is not repeated."""
        import msgspec

        try:
            content = await BodyReader(self._endpoint, ERROR_BODY_BYTES).read(response)
            told = msgspec.json.decode(content)
        except (TooLarge, SourceError, msgspec.MsgspecError, UnicodeDecodeError):
            return ""
        return printable(said(told))[:200]
