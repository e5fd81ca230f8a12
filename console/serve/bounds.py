"""The bounds of plain requests: how many at a time, how long each may take, and which version of the API is spoken."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from console.core.site_api.bodies import API_VERSION
from console.core.site_api.framing import STREAM_MEDIA_TYPE
from console.serve.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_HEADER = b"gigadeck-api"
REQUESTS = 256
ANSWER_S = 30.0
_STREAM = STREAM_MEDIA_TYPE.encode()

log = logging.getLogger("console.serve")


class Bounds:
    """An ASGI middleware; a stream counts as a request until it has begun, and is then bounded by itself."""

    def __init__(self, app: ASGIApp, *, requests: int = REQUESTS, answer_s: float = ANSWER_S) -> None:
        self._app = app
        self._requests = requests
        self._answer_s = answer_s
        self.under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request within its bounds."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = next((value for name, value in scope["headers"] if name == API_HEADER), b"")
        if said and said.strip() != b"%d" % API_VERSION:
            await _other_version(said)(scope, receive, send)
        elif self.under_way >= self._requests:
            words = f"{self._requests} requests are being answered, and this server takes no more at a time"
            await refusal(503, words, headers={"Retry-After": "1"})(scope, receive, send)
        else:
            await self._bounded(scope, receive, send)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.under_way += 1
        answer = _Watched(send)
        try:
            async with asyncio.timeout(self._answer_s) as limit:
                answer.at_stream = lambda: self._set_free(limit)
                await self._app(scope, receive, answer)
        except TimeoutError:
            if answer.streams:
                raise
            log.warning("%s was not answered within %g s", scope["path"], self._answer_s)
            await self._too_late(scope, receive, send, answer)
        finally:
            if not answer.streams:
                self.under_way -= 1

    def _set_free(self, limit: asyncio.Timeout) -> None:
        limit.reschedule(None)
        self.under_way -= 1

    async def _too_late(self, scope: Scope, receive: Receive, send: Send, answer: _Watched) -> None:
        if answer.began:
            abort = scope.get("state", {}).get("abort")
            if abort is not None:
                abort()
            return
        words = f"no answer within {self._answer_s:g} s: this server is too busy; try again in a moment"
        await refusal(503, words, headers={"Retry-After": "5"})(scope, receive, send)


class _Watched:
    """Passes messages on, and knows whether an answer has begun and whether it is a stream."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.began = False
        self.streams = False
        self.at_stream: Callable[[], None] = _nothing

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began = True
            self.streams = (b"content-type", _STREAM) in message.get("headers", ())
            if self.streams:
                self.at_stream()
        await self._send(message)


def _nothing() -> None:
    """Nothing hangs on it yet."""


def _other_version(said: bytes) -> ASGIApp:
    theirs = said[:20].decode("ascii", "replace")
    words = (
        f"you speak version {theirs!r} of the site API (header Gigadeck-Api), this server speaks {API_VERSION}; "
        "update whichever is older"
    )
    spoken = f"{API_VERSION}"
    return refusal(426, words, headers={"Gigadeck-Api": spoken, "Upgrade": f"gigadeck-site-api/{spoken}"})
