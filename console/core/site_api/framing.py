"""A record of the stream: a length, how it is coded, and a msgpack map."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAM_VERSION = 1
STREAM_MEDIA_TYPE = "application/vnd.gigadeck.stream"
PLAIN, ZLIB = 0, 1
# A header of zlib and its check are 11 bytes: below this nothing is gained.
ZLIB_FROM_BYTES = 100
_HEAD = struct.Struct(">IB")
# Of 100,000 GPUs: level 1 is 8 % larger, level 9 is 1 % smaller and half as much work again.
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Record:
    """One record, framed and ready to be written; `seq` is 0 where it is for one client alone."""

    seq: int
    kind: str
    data: bytes


def framed(seq: int, kind: str, members: Mapping[str, Any]) -> Record:
    """Return a record of the stream; its members are plain values."""
    whole = {"seq": seq, "type": kind, **members}
    try:
        body = msgspec.msgpack.encode(whole)
    except UnicodeEncodeError:  # half a character, from somebody's system: one name must not end the stream
        body = msgspec.msgpack.encode(_sound(whole))
    coding = PLAIN
    if len(body) >= ZLIB_FROM_BYTES:
        smaller = zlib.compress(body, _LEVEL)
        if len(smaller) < len(body):
            coding, body = ZLIB, smaller
    return Record(seq, kind, _HEAD.pack(1 + len(body), coding) + body)


def _sound(value: Any) -> Any:
    """Return a plain value with a mark in place of what is no character."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_sound(name): _sound(each) for name, each in value.items()}
    return [_sound(each) for each in value] if isinstance(value, list | tuple) else value
