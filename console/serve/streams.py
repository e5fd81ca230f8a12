"""Sends a stream to one client: pieces as it takes them, a beat where there is nothing, an end where it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from starlette.responses import Response

from console.core.site_api.framing import STREAM_MEDIA_TYPE

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from console.serve.client import Client
    from console.serve.hub import Hub

HEADERS = (
    (b"content-type", STREAM_MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx holds back what it proxies unless it is told not to
)

log = logging.getLogger("console.serve")


class StreamAnswer(Response):
    """An answer without an end of its own; it never holds more than a slice for a client that does not read."""

    def __init__(self, hub: Hub, client: Client) -> None:
        super().__init__()
        self._hub = hub
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client is gone, is let go of, or the server ends."""
        gone = asyncio.create_task(_gone(receive), name=f"stream {self._client.id}")
        gone.add_done_callback(lambda _: self._client.news.set())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
            await self._pump(send, gone)
        except TimeoutError:
            self._hub.counts.stalled += 1
            log.info("a client of a stream took nothing for %g s and is cut off", self._hub.limits.stall_s)
            _cut_off(scope)
        finally:
            self._hub.leave(self._client)
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await gone

    async def _pump(self, send: Send, gone: asyncio.Task[None]) -> None:
        client = self._client
        while not gone.done():
            client.news.clear()
            piece = client.next()
            if piece is not None:
                await self._send(send, piece)
            elif client.ended:
                await self._send(send, b"", more=False)
                return
            elif not await self._news():
                await self._send(send, client.beat(self._hub.clock.time()))

    async def _news(self) -> bool:
        """Wait until there is news, or as long as a client is left without a word; return which it was."""
        try:
            async with asyncio.timeout(self._hub.limits.beat_s):
                await self._client.news.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, send: Send, piece: bytes | memoryview, *, more: bool = True) -> None:
        async with asyncio.timeout(self._hub.limits.stall_s):
            await send({"type": "http.response.body", "body": piece, "more_body": more})
        self._hub.counts.bytes_sent += len(piece)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _cut_off(scope: Scope) -> None:
    """Close a connection at once, with what it still holds for a client that does not read."""
    abort = scope.get("state", {}).get("abort")
    if abort is not None:
        abort()
