"""JSON or msgpack, gzip or not: how a body of the native site API goes onto the wire."""

from __future__ import annotations

import base64
import zlib
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

GZIP_FROM_BYTES = 1024
_SLICE = 1 << 18


class MediaType(StrEnum):
    """The two media types of the site API."""

    JSON = "application/json"
    MSGPACK = "application/msgpack"


def block(array: NDArray[np.generic], media: MediaType) -> dict[str, Any]:
    """Return an array as a block: `encoding`, `length` and `data` (base64 text in JSON, binary in msgpack).

    Encodings: `uint8`, `int32-le`, `float32-le`.
    """
    encodings = {"u1": "uint8", "i4": "int32-le", "f4": "float32-le"}
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    encoding = encodings[f"{array.dtype.kind}{array.dtype.itemsize}"]
    return {"encoding": encoding, "length": len(array), "data": binary(little.tobytes(), media)}


def binary(data: bytes, media: MediaType) -> bytes | str:
    """Return bytes as the media type carries them."""
    return data if media is MediaType.MSGPACK else base64.b64encode(data).decode("ascii")


def pack(body: Any, media: MediaType) -> bytes:
    """Return a body of plain values as bytes."""
    return msgspec.msgpack.encode(body) if media is MediaType.MSGPACK else msgspec.json.encode(body)


def gzip_bytes(data: bytes) -> bytes:
    """Return data in a gzip container, level 1: telemetry is noise, more effort gains nothing."""
    return b"".join(gzip_chunks(data[at : at + _SLICE] for at in range(0, len(data), _SLICE)))


def gzip_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Compress a stream of chunks as gzip, level 1."""
    stream = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for chunk in chunks:
        out = stream.compress(chunk)
        if out:
            yield out
    yield stream.flush()


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header allows gzip."""
    for item in accept_encoding.split(","):
        coding, _, quality = item.replace(" ", "").partition(";")
        if coding.lower() in ("gzip", "*"):
            return quality not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def preferred(accept: str) -> MediaType | None:
    """Return the media type for an Accept header: msgpack where it is named, JSON for the rest, None for neither."""
    wanted = [item.partition(";")[0].strip().lower() for item in accept.split(",") if item.strip()]
    if any(each in (MediaType.MSGPACK, "application/x-msgpack", "application/vnd.msgpack") for each in wanted):
        return MediaType.MSGPACK
    if not wanted or any(each in (MediaType.JSON, "*/*", "application/*") for each in wanted):
        return MediaType.JSON
    return None
