"""Reads an answer's body in pieces: inflates it, and stops at the size limit whatever the server claims."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from console.link.failures import HTML
from console.model.errors import BadPayload, TooLarge

if TYPE_CHECKING:
    import httpx

    from console.link.failures import Endpoint

INFLATE_STEP_BYTES = 1 << 20
ANY_TYPE = ("json", "text", "octet-stream", "msgpack", "yaml", "xml")


class BodyReader:
    """Collects one body of at most `limit_bytes` after inflation; `wire_bytes` is what came over the line."""

    def __init__(self, endpoint: Endpoint, limit_bytes: int) -> None:
        self._endpoint = endpoint
        self._limit = limit_bytes
        self._chunks: list[bytes] = []
        self._size = 0
        self.wire_bytes = 0

    async def read(self, response: httpx.Response) -> bytes:
        """Return the whole body; raises TooLarge or BadPayload."""
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._limit:
            raise self._too_large()
        if response.is_stream_consumed:  # a test's transport that answers in one piece
            self.wire_bytes = len(response.content)
            self._add(response.content)
            return response.content
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding in ("", "identity"):
            async for piece in response.aiter_raw():
                self.wire_bytes += len(piece)
                self._add(piece)
        else:
            await self._read_inflated(response, encoding)
        return b"".join(self._chunks)

    async def _read_inflated(self, response: httpx.Response, encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise self._bad(f"content encoding {encoding[:40]!r} was not asked for")
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
        async for piece in response.aiter_raw():
            self.wire_bytes += len(piece)
            self._inflate(inflater, piece)
        if self.wire_bytes and not inflater.eof:
            raise self._bad("the compressed answer ends in the middle")

    def _inflate(self, inflater: zlib._Decompress, piece: bytes) -> None:
        try:
            while piece and not inflater.eof:
                self._add(inflater.decompress(piece, INFLATE_STEP_BYTES))
                piece = inflater.unconsumed_tail
        except zlib.error:
            raise self._bad("the compressed answer is damaged") from None

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise self._too_large()
        self._chunks.append(piece)

    def _too_large(self) -> TooLarge:
        endpoint = self._endpoint
        text = f"the answer of {endpoint.shown_url} is over {self._limit / 1048576:.4g} MiB"
        return TooLarge(endpoint.site, endpoint.source, text, "raise `max_body` if that is meant")

    def _bad(self, text: str) -> BadPayload:
        return BadPayload(self._endpoint.site, self._endpoint.source, text, "is a broken proxy in between?")


def check_type(endpoint: Endpoint, content_type: str, accept: str) -> None:
    """Raise BadPayload for a content type that cannot be what was asked for."""
    kind = content_type.partition(";")[0].strip().lower()
    if not kind or kind == accept or "html" in accept:
        return
    if "html" in kind:
        raise html_error(endpoint, accept)
    if not any(word in kind for word in ANY_TYPE):
        text = f"content type {kind[:60]!r} instead of {accept}"
        raise BadPayload(endpoint.site, endpoint.source, text, "check `url`")


def check_start(endpoint: Endpoint, content: bytes, accept: str) -> None:
    """Raise BadPayload for a body that is HTML whatever its content type says."""
    start = content[:64].lstrip().lower()
    if "html" not in accept and start.startswith((b"<!doctype html", b"<html")):
        raise html_error(endpoint, accept)


def html_error(endpoint: Endpoint, accept: str) -> BadPayload:
    """Return the error for a web page where data was asked for."""
    wanted = "JSON" if "json" in accept else "data"
    return BadPayload(endpoint.site, endpoint.source, f"{endpoint.shown_url} answers {HTML.format(wanted=wanted)}")
