"""Takes what followers brought in apart, on the compute thread, a slice at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from console.sources.kubernetes.book import BREATH, Book, Shelf
from console.sources.kubernetes.follow import Listed
from console.sources.kubernetes.wire import Change, Meta, NodeMeta, Wire, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.model.reading import Part
    from console.sources.kubernetes.follow import Follower, Kind
    from console.sources.kubernetes.wire import Who

CHANGES_A_STEP = 200
_CHANGES = msgspec.json.Decoder(Change)
_KINDS = ("ADDED", "MODIFIED", "DELETED")


class NamedNode(Wire):
    """Which node it is."""

    metadata: NodeMeta


class Named(Wire):
    """Which object it is, and of which namespace."""

    metadata: Meta


class Decoder:
    """Puts lists and changes into a book; keeps what was wrong with them."""

    def __init__(self, who: Who, book: Book) -> None:
        self._who = who
        self._book = book
        self._decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
        self.broken: set[str] = set()

    def decode(self, followers: Sequence[Follower], at: float, silent: frozenset[str] = frozenset()) -> Iterator[Part]:
        """Yield what is new, and empty parts between slices; raises BadPayload, after which that kind is listed anew.

        Of the kinds in `silent` nothing is heard at present: what is known of them grows old.
        """
        for each in followers:
            yield from self._empty(each)
        listed = {each.kind.name for each in followers if each.lists} - silent
        yield from self._book.parts(at, nodes="nodes" in listed, jobs="pods" in listed)

    def shelf(self, kind: str) -> Shelf:
        """Return where the rows of a kind are kept."""
        return {"nodes": self._book.nodes, "pods": self._book.pods}.get(kind, self._book.works)

    def _empty(self, follower: Follower) -> Iterator[Part]:
        shelf, inbox, number = self.shelf(follower.kind.name), follower.inbox, 0
        while (item := inbox.take()) is not None:
            if isinstance(item, Listed):
                keyed = ((_key(row), row) for row in item.rows)
                for _ in shelf.replace(keyed, follower.kind.namespace):
                    yield BREATH
                self._book.confirmed()
                continue
            self._change(shelf, follower.kind, item)
            number += 1
            if number % CHANGES_A_STEP == 0:
                yield BREATH

    def _change(self, shelf: Shelf, kind: Kind, line: bytes) -> None:
        """Put one line of a watch on its shelf."""
        try:
            change = _CHANGES.decode(_readable(line))
            if change.type not in _KINDS:
                return  # a kind of change that a later API may have
            wire = self._decoder(kind.wire).decode(change.object)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.broken.add(follower_id(kind))
            raise self._who.bad(f"a change of {kind.name} cannot be read: {short(error)}") from None
        meta, row = wire.metadata, kind.keep(wire)
        key = (getattr(meta, "namespace", ""), meta.name)
        version = int(meta.resource_version) if meta.resource_version.isdecimal() else -1
        if change.type == "DELETED" and row is not None:
            shelf.gone(key, version)
        else:
            shelf.put(key, None if change.type == "DELETED" else row, version)

    def _decoder(self, wire: type[Any]) -> msgspec.json.Decoder[Any]:
        if wire not in self._decoders:
            self._decoders[wire] = msgspec.json.Decoder(wire)
        return self._decoders[wire]


def follower_id(kind: Kind) -> str:
    """Return what tells followers apart: a kind, of one namespace or of all."""
    return f"{kind.name} {kind.namespace}".strip()


def _key(row: Any) -> tuple[str, str]:
    return getattr(row, "namespace", ""), row.name


def _readable(line: bytes) -> bytes:
    """Return a line as UTF-8, whatever one odd label holds."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode("utf-8", "replace").encode()
    return line
