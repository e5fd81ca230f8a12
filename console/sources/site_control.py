"""What the loop thread must know of a record before it is decoded: its number, its type, and the words of a server."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import msgspec

from console.sources.site_bodies import API_VERSION

if TYPE_CHECKING:
    from console.sources.site_bodies import Faults

STREAM_VERSION = 1
STREAM_TYPE = "application/vnd.gigadeck.stream"
PLAIN, ZLIB = 0, 1
# `seq` and `type` come first in a record, so that its start tells them.
START_BYTES = 256
MOST_CONTROL_BYTES = 65_536
MOST_INFLATED_BYTES = 256 * 1024 * 1024


class WireHead(msgspec.Struct, gc=False):
    """The part that every record has; `seq` 0 is a record for this client alone."""

    seq: int
    type: str


class WireHello(msgspec.Struct, gc=False):
    """The first record of a stream: who serves, and whether what we missed follows or everything anew."""

    type: str
    api: int
    stream: int
    site: str
    log: str
    seq: int
    id: str = ""
    keeper: str = ""
    role: str = ""
    leader: str = ""
    cadence_s: float = 0.0
    server: str = ""
    resumed: bool = False


class WireFarewell(msgspec.Struct, gc=False):
    """Why a stream ends: `dropped` (we read too slowly) or `bye` (the server ends, or leads no more)."""

    type: str
    reason: str = ""
    count: int = 0
    leader: str = ""


def head_of(faults: Faults, record: bytes) -> WireHead:
    """Return number and type of a record (coding, then content); raises BadPayload."""
    coding, content = record[:1], memoryview(record)[1:]
    if coding == b"\0":
        return faults.decode(content, WireHead, "a record of the stream")
    if coding != b"\1":
        raise faults.bad(f"a record of the stream has coding {coding[0] if coding else 'none'}")
    start = _inflated(faults, content, START_BYTES)
    return _head_at_start(start) or faults.decode(
        _inflated(faults, content, MOST_INFLATED_BYTES), WireHead, "a record of the stream"
    )


def hello_of(faults: Faults, record: bytes, there: str) -> WireHello:
    """Return the first record of a stream; raises BadPayload for another version, another site, or no hello at all."""
    head = head_of(faults, record)
    if head.type != "hello":
        raise faults.bad(f"the stream begins with {head.type[:40]!r} in place of hello")
    hello = faults.decode(control(faults, record), WireHello, "the hello of the stream")
    if (hello.api, hello.stream) != (API_VERSION, STREAM_VERSION):
        raise faults.version(f"version {hello.stream} of the stream", STREAM_VERSION, hello.stream)
    if hello.site != there:
        raise faults.bad(f"the stream is of site {hello.site[:40]!r} in place of {there!r}")
    return hello


def farewell_of(faults: Faults, record: bytes) -> WireFarewell:
    """Return why a stream ends; raises BadPayload."""
    return faults.decode(control(faults, record), WireFarewell, "the end of the stream")


def control(faults: Faults, record: bytes) -> bytes:
    """Return the content of a small record; raises BadPayload for one that is not small."""
    content = memoryview(record)[1:]
    return bytes(content) if record[:1] == b"\0" else _inflated(faults, content, MOST_CONTROL_BYTES)


def _inflated(faults: Faults, content: memoryview, most_bytes: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, most_bytes)
    except zlib.error:
        raise faults.bad("a record of the stream is damaged") from None


def _head_at_start(start: bytes) -> WireHead | None:
    """Return number and type from the start of a record, None unless they are its first two members."""
    try:
        at = {0xDE: 3, 0xDF: 5}.get(start[0], 1)
        items = []
        for _ in range(4):
            item, at = _item(start, at)
            items.append(item)
    except IndexError:
        return None
    told = dict(zip(items[::2], items[1::2], strict=True))
    seq, kind = told.get("seq"), told.get("type")
    return WireHead(seq, kind) if isinstance(seq, int) and isinstance(kind, str) else None


def _item(data: bytes, at: int) -> tuple[int | str, int]:
    """Return a whole number of 0 or more, or a short text, and where it ends; raises IndexError for anything else."""
    first = data[at]
    if first < 0x80:
        return first, at + 1
    if 0xCC <= first <= 0xCF:
        end = at + 1 + (1 << (first - 0xCC))
        return int.from_bytes(data[at + 1 : end]), end
    if 0xA0 <= first < 0xC0:
        end = at + 1 + (first & 0x1F)
        return data[at + 1 : end].decode("ascii", "replace"), end
    raise IndexError(at)
