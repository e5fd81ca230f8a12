"""Takes a list apart while it comes: a server that lists 12,500 nodes sends 190 MB, and nobody holds them at once.

The API server writes every item of a list alike, so that what stands between the first two parts them all (as in the
lists of Slurm); where that does not hold, the rest of the list is held and decoded at once.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from console.model.errors import TooLarge
from console.sources.kubernetes.wire import ListBody, ListMeta, short
from console.sources.tolerant import decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from console.sources.kubernetes.wire import Who

SLICE_BYTES = 256 * 1024
INFLATE_STEP_BYTES = 1 << 20
HEAD_BYTES = 64 * 1024
MOST_ITEMS = 2_000_000
_FIRST = re.compile(rb'"items"\s*:\s*\[\s*(\{\s*"[A-Za-z]+"\s*:)')
_LISTS = msgspec.json.Decoder(ListBody)
Row = TypeVar("Row", bound=msgspec.Struct)
Kept = TypeVar("Kept")


class Inflater:
    """What comes over the line, as it was before it was squeezed."""

    def __init__(self, encoding: str, who: Who) -> None:
        self._who = who
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise who.bad(f"content encoding {encoding[:40]!r} was not asked for", "is a broken proxy in between?")
        self._machine = None if encoding in ("", "identity") else zlib.decompressobj(zlib.MAX_WBITS | 32)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield pieces of at most a MiB; raises BadPayload."""
        if self._machine is None:
            yield chunk
            return
        try:
            while chunk and not self._machine.eof:
                yield self._machine.decompress(chunk, INFLATE_STEP_BYTES)
                chunk = self._machine.unconsumed_tail
        except zlib.error:
            raise self._who.bad("the compressed answer is damaged", "is a broken proxy in between?") from None

    def end(self) -> None:
        """Raise BadPayload where the end is missing."""
        if self._machine is not None and not self._machine.eof:
            raise self._who.bad("the compressed answer ends in the middle", "is a broken proxy in between?")


class ListParts(Generic[Row, Kept]):
    """One list, fed as it comes; `rows` is what `keep` made of its items, None left out.

    At most `limit_bytes` are held at once. Raises BadPayload and TooLarge.
    """

    def __init__(self, kind: type[Row], keep: Callable[[Row], Kept | None], who: Who, limit_bytes: int) -> None:
        self._decoder = msgspec.json.Decoder(list.__class_getitem__(kind))
        self._keep = keep
        self._who = who
        self._limit = limit_bytes
        self._held = bytearray()
        self._head = b""
        self._between: re.Pattern[bytes] | None = None
        self._cut = 0
        self._whole = False
        self.rows: list[Kept] = []
        self.items = 0

    def feed(self, piece: bytes) -> None:
        """Take some more of it; decodes whenever there is a slice."""
        self._held += piece
        if self._whole or len(self._held) < SLICE_BYTES:
            self._bound()
            return
        if self._between is None and not self._learn():
            self._whole = len(self._held) > HEAD_BYTES + SLICE_BYTES
        while self._between is not None and not self._whole and len(self._held) >= SLICE_BYTES:
            if not self._step():
                break
        self._bound()

    def end(self) -> ListMeta:
        """Take the rest of it, and return what the list says of itself."""
        try:
            body = decoded(_LISTS, bytes(self._head + self._held))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._who.bad(f"the answer is no list of Kubernetes: {short(error)}") from None
        self._held.clear()
        items = body.items or []
        for start in range(0, len(items), 100):
            self._take(b"[" + b",".join(map(bytes, items[start : start + 100])) + b"]")
        return body.metadata

    def _learn(self) -> bool:
        """Find what stands between two items, and cut off what stands before the first."""
        first = _FIRST.search(self._held, 0, HEAD_BYTES)
        if first is None:
            return False
        between = re.compile(rb"\}\s*,\s*(?=" + re.escape(first[1]) + rb")")
        if between.search(self._held, first.end()) is None:
            return False
        self._between = between
        self._head = bytes(self._held[: first.start(1)])
        del self._held[: first.start(1)]
        return True

    def _step(self) -> bool:
        """Decode a slice up to the end of an item; return whether there was one."""
        assert self._between is not None
        found = self._between.search(self._held, max(self._cut, SLICE_BYTES // 2))
        if found is None:
            self._cut = max(0, len(self._held) - HEAD_BYTES)
            return False
        slice_ = b"[" + bytes(self._held[: found.start() + 1]) + b"]"
        try:
            self._take(slice_)
        except _UnlikeError:
            self._whole = True  # an item within an item looks like its parent
            return False
        del self._held[: found.end()]
        self._cut = 0
        return True

    def _take(self, items: bytes) -> None:
        try:
            rows = decoded(self._decoder, items)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            if not self._whole and self._between is not None and self._held:
                raise _UnlikeError from None
            raise self._who.bad(f"an item of the list cannot be read: {short(error)}") from None
        self.items += len(rows)
        if self.items > MOST_ITEMS:
            raise TooLarge(*self._who, f"the list has more than {MOST_ITEMS:,} items")
        keep = self._keep
        self.rows += [kept for row in rows if (kept := keep(row)) is not None]

    def _bound(self) -> None:
        if len(self._held) > self._limit:
            text = f"an item of the list is over {self._limit / 1048576:.4g} MiB"
            raise TooLarge(*self._who, text, "raise `max_body` if that is meant")


class _UnlikeError(Exception):
    """What was cut out is not a row of items."""
