"""Reads what a request asks for: numbers, ranges, small bodies; everything bounded, and every refusal says why."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from console.core.site_api.packing import MediaType
from console.serve.gate import TooLargeError

if TYPE_CHECKING:
    from starlette.requests import Request

    from console.serve.who import Caller

MOST_BODY_BYTES = 64 * 1024
# Who is cut off in the middle of a body does not read why: a little more is taken and thrown away.
MOST_THROWN_AWAY = 1024 * 1024
BODY_S = 10.0
MOST_WORDS = 300

Shape = TypeVar("Shape")


def caller_of(request: Request) -> Caller:
    """Return who asks, as the gate has found out; raises HTTPException 401 where nobody was found."""
    caller: Caller | None = request.scope.get("state", {}).get("caller")
    if caller is None:
        raise HTTPException(401, "who asks? come by the UNIX socket, with a client certificate, or with a bearer token")
    return caller


def number(request: Request, name: str, default: int, most: int) -> int:
    """Return a whole number of the query; raises HTTPException 400."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) <= most):
        raise HTTPException(400, f"{name}={text[:40]!r} is not a number from 0 to {most}")
    return int(text)


def rows_of(request: Request) -> slice | None:
    """Return `rows=start:stop` of the query, None where it is not there; raises HTTPException 400."""
    text = request.query_params.get("rows", "")
    if not text:
        return None
    start, colon, stop = text.partition(":")
    digits = all(each.isascii() and each.isdigit() and len(each) <= 9 for each in (start, stop))
    if not (colon and digits and int(start) < int(stop)):
        raise HTTPException(400, f"rows={text[:40]!r} is not start:stop, such as 0:72, with start below stop")
    return slice(int(start), int(stop))


async def body_of(request: Request, shape: type[Shape]) -> Shape:
    """Return a small body, JSON or msgpack by its Content-Type, in a shape; raises HTTPException 408, 413, 415, 422."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (MediaType.JSON, MediaType.MSGPACK):
        raise HTTPException(415, f"Content-Type {kind[:60]!r}: send {MediaType.JSON} or {MediaType.MSGPACK}")
    data = await _whole(request)
    decode = msgspec.json.decode if kind == MediaType.JSON else msgspec.msgpack.decode
    try:
        return decode(data, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(422, f"the body is not as this call has it: {_brief(error)}") from None


async def _whole(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.stream():
                size += len(piece)
                if size <= MOST_BODY_BYTES:
                    pieces.append(piece)
                elif size > MOST_THROWN_AWAY:
                    break
        if size > MOST_BODY_BYTES:
            raise TooLargeError
    except TooLargeError:
        raise HTTPException(413, f"the body is over {MOST_BODY_BYTES:,} bytes", _CLOSE) from None
    except ClientDisconnect:
        raise HTTPException(400, "the connection ended in the middle of the body") from None
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {BODY_S:g} s", _CLOSE) from None
    return b"".join(pieces)


_CLOSE = {"Connection": "close"}  # what is left of the body is not waited for


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:MOST_WORDS]
