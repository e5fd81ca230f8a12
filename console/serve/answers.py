"""How answers are made: once for all who ask the same of the same snapshot, on worker threads, never on the loop."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.core.site_api.packing import (
    GZIP_FROM_BYTES,
    MediaType,
    accepts_gzip,
    gzip_bytes,
    pack,
    preferred,
)
from console.model.errors import NoDataError
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

Body = dict[str, Any]

TOPOLOGY_HEADER = "Gigadeck-Topology"
VARY = {"Vary": "Accept, Accept-Encoding"}
WORKERS = 2
MOST_ANSWERS = 256
MOST_BYTES = 64 * 1024 * 1024
SLICE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Wire:
    """How a client wants an answer."""

    media: MediaType
    gzipped: bool


@dataclass(frozen=True, slots=True)
class Packed:
    """An answer's bytes, and whether they are in a gzip container."""

    data: bytes
    gzipped: bool


def wire_of(request: Request) -> Wire:
    """Return how a client wants its answer; raises HTTPException 406."""
    media = preferred(request.headers.get("accept", ""))
    if media is None:
        raise HTTPException(406, f"this API speaks {MediaType.JSON} and {MediaType.MSGPACK}")
    return Wire(media, accepts_gzip(request.headers.get("accept-encoding", "")))


class Answers:
    """Makes answers and keeps the newest; its methods are for one event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="gigadeck-answers")
        self._made: OrderedDict[Hashable, asyncio.Future[Packed]] = OrderedDict()
        self._bytes = 0
        self._closed = False
        self.made = 0

    async def response(
        self,
        request: Request,
        key: Hashable,
        make: Callable[[MediaType], Body],
        *,
        tag: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return the answer under a key, which says all that it is made of but the media type."""
        wire = wire_of(request)
        packed = await self.packed((key, wire), make, wire)
        more = {"Cache-Control": "no-store", **VARY, **(headers or {})}
        if tag:
            more[TOPOLOGY_HEADER] = tag
        if packed.gzipped:
            more["Content-Encoding"] = "gzip"
        return SlicedResponse(packed.data, media_type=wire.media, headers=more)

    async def once(self, request: Request, body: Body) -> Response:
        """Return an answer that is not kept: nobody else will ask for the same."""
        wire = wire_of(request)
        packed = await self._begun(lambda media: body, wire)
        headers = {"Cache-Control": "no-store", **VARY, **({"Content-Encoding": "gzip"} if packed.gzipped else {})}
        return SlicedResponse(packed.data, media_type=wire.media, headers=headers)

    async def packed(self, key: Hashable, make: Callable[[MediaType], Body], wire: Wire) -> Packed:
        """Return an answer's bytes: those that are kept or being made, else new ones."""
        future = self._made.get(key)
        if future is None:
            self.made += 1
            future = self._begun(make, wire)
            self._made[key] = future
            future.add_done_callback(lambda done: self._finished(key, done))
        else:
            self._made.move_to_end(key)
        return await asyncio.shield(future)  # the others go on waiting when one hangs up

    def close(self) -> None:
        """Let go of the workers; who asks now is refused."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begun(self, make: Callable[[MediaType], Body], wire: Wire) -> asyncio.Future[Packed]:
        if self._closed:
            raise NoDataError("this server ends")
        return asyncio.get_running_loop().run_in_executor(self._pool, lambda: _packed(make(wire.media), wire))

    def _finished(self, key: Hashable, future: asyncio.Future[Packed]) -> None:
        if future.cancelled() or future.exception() is not None:
            self._made.pop(key, None)
            return
        self._bytes += len(future.result().data)
        while len(self._made) > MOST_ANSWERS or self._bytes > MOST_BYTES:
            oldest = next((each for each, made in self._made.items() if made.done()), None)
            if oldest is None:
                return
            gone = self._made.pop(oldest)
            self._bytes -= len(gone.result().data)


class SlicedResponse(Response):
    """A response that is handed to the connection in slices: what one holds for a slow client is bounded."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        view = memoryview(bytes(self.body))
        for at in range(0, max(1, len(view)), SLICE_BYTES):
            more = at + SLICE_BYTES < len(view)
            await send({"type": "http.response.body", "body": view[at : at + SLICE_BYTES], "more_body": more})


def _packed(body: Body, wire: Wire) -> Packed:
    data = pack(body, wire.media)
    if wire.gzipped and len(data) >= GZIP_FROM_BYTES:
        return Packed(gzip_bytes(data), True)
    return Packed(data, False)
