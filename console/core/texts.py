"""Text fields as columns: distinct values and a code a row, so that a comparison costs the distinct values once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from console.core.naming import natural_key
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from console.model.topology import SiteTopology

Codes = NDArray[np.integer[Any]]
Truths = NDArray[np.bool_]
SHOWN_LIMIT = 8

Made = TypeVar("Made")
_memory: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()


def remembered(owner: object, key: object, make: Callable[[], Made]) -> Made:
    """Return what was made for `key` of an immutable owner before, or make it; it is forgotten with its owner."""
    shelf = _memory.setdefault(owner, {})
    if key not in shelf:
        shelf[key] = make()
    made: Made = shelf[key]
    return made


@dataclass(frozen=True, eq=False)
class TextValues:
    """A text field of `count` rows: `names[codes[i]]`, -1 where it is missing.

    `owners`, where given, says which row each code belongs to (ascending): such a field has several values a row (the
    jobs of a node, the feeds of a rack). `find` returns the code of one name, -1 if there is none, without a search.
    """

    names: Sequence[str]
    codes: Codes
    count: int
    owners: Codes | None = None
    find: Callable[[str], int] | None = None

    def any_of(self, hit: Truths) -> tuple[Truths, Truths]:
        """Return bool[count] twice: rows with a value that `hit` bool[names] marks, and rows without any value."""
        known = self.codes >= 0
        marked = np.append(hit, False)[self.codes]
        if self.owners is None:
            return marked, ~known
        found, empty = np.zeros(self.count, dtype=bool), np.ones(self.count, dtype=bool)
        found[self.owners[marked]] = True
        empty[self.owners[known]] = False
        return found, empty

    def missing(self) -> Truths:
        """Return bool[count]: rows without any value."""
        return self.any_of(np.zeros(len(self.names), dtype=bool))[1]

    def hits(self, wanted: frozenset[str]) -> Truths:
        """Return bool[names]: which names are among `wanted`."""
        if self.find is None:
            return np.fromiter((name in wanted for name in self.names), dtype=bool, count=len(self.names))
        hit = np.zeros(len(self.names), dtype=bool)
        for name in wanted:
            code = self.find(name)
            if code >= 0:
                hit[code] = True
        return hit

    def at(self, row: int) -> str | None:
        """Return a row's text, None where it is missing; several values are joined by commas."""
        if self.owners is None:
            code = int(self.codes[row])
            return None if code < 0 else self.names[code]
        first, last = np.searchsorted(self.owners, [row, row + 1])
        found = sorted({self.names[code] for code in self.codes[first:last].tolist() if code >= 0} - {""})
        found.sort(key=natural_key)
        more = [f"+{len(found) - SHOWN_LIMIT}"] if len(found) > SHOWN_LIMIT else []
        return ",".join(found[:SHOWN_LIMIT] + more) if last > first else None

    def ranks(self) -> NDArray[np.float64]:
        """Return float64[count] that sort as the texts do, naturally; NaN where missing, the first of several."""
        place = {name: at for at, name in enumerate(sorted(set(self.names), key=natural_key))}
        ranks = np.fromiter((place[name] for name in self.names), dtype=np.float64, count=len(self.names))
        each = np.append(ranks, np.nan)[self.codes]
        if self.owners is None:
            return each
        lowest = np.full(self.count, np.nan)
        np.fmin.at(lowest, self.owners, each)
        return lowest

    def lifted(self, starts: Codes) -> TextValues:
        """Return the field of wider rows, of which row i holds the rows `starts[i]:starts[i + 1]` of this one."""
        rows = np.arange(self.count) if self.owners is None else self.owners
        owners = np.searchsorted(starts, rows, side="right") - 1
        return TextValues(self.names, self.codes, len(starts) - 1, owners)


def constant(name: str | None, count: int) -> TextValues:
    """Return the same text (or None: missing) in every row."""
    return TextValues((name or "",), np.broadcast_to(np.int32(-1 if name is None else 0), count), count)


def joined(parts: Sequence[TextValues]) -> TextValues:
    """Return the rows of several parts one after the other."""
    names: list[str] = []
    codes, owners, before = [], [], 0
    for part in parts:
        codes.append(np.where(part.codes >= 0, part.codes.astype(np.int64) + len(names), -1))
        owners.append((np.arange(part.count) if part.owners is None else part.owners) + before)
        names.extend(part.names)
        before += part.count
    none = np.zeros(0, dtype=np.int64)
    single = all(part.owners is None for part in parts)
    return TextValues(
        names, np.concatenate([none, *codes]), before, None if single else np.concatenate([none, *owners])
    )


class PathNames(Sequence[str]):
    """The addresses of all rows of one level of a site; spelled when looked at, never kept."""

    def __init__(self, topology: SiteTopology, level: Level) -> None:
        self._topology = topology
        self._level = level

    def __len__(self) -> int:
        return self._topology.count(self._level)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._topology.path(self._level, index % len(self))

    def __iter__(self) -> Iterator[str]:
        if self._level in (Level.SITE, Level.FLEET):
            yield self._topology.site
            return
        upper = self._level.parent
        starts = self._topology.starts(upper, self._level).tolist()
        for above, first, last in zip(PathNames(self._topology, upper), starts[:-1], starts[1:], strict=True):
            for row in range(first, last):
                yield f"{above}/{self._topology.name(self._level, row)}"

    def find(self, path: str) -> int:
        """Return the row at an address, -1 if there is none of this level."""
        found = self._topology.resolve(path)
        return found[1] if found is not None and found[0] is self._level else -1


class UuidNames(Sequence[str]):
    """The UUIDs of a site's GPUs; spelled when looked at."""

    def __init__(self, topology: SiteTopology) -> None:
        self._topology = topology

    def __len__(self) -> int:
        return self._topology.gpus

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._topology.uuid(index % len(self))
