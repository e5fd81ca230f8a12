"""A list as what changed in it: runs of rows that stay, and rows that are new, in the order of the new list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

T = TypeVar("T")
Edits = list[Any]


class Listed(Generic[T]):
    """A list as it was told last. `key` is what a row keeps while it changes, `row` its plain form."""

    def __init__(self, key: Callable[[T], Hashable], row: Callable[[T], Any]) -> None:
        self._key = key
        self._row = row
        self.told: Sequence[T] = ()

    def take(self, new: Sequence[T]) -> tuple[Edits, list[int]] | None:
        """Return what leads from what was told to `new`, and the old place of each row (-1: a new row), or None.

        An edit is `[first, count]`, so many rows of the old list; or `[place, row]`, a row in its plain form and the
        place of the old row that it was before (-1: none).
        """
        if new is self.told:
            return None
        old = self.told
        places = {self._key(each): place for place, each in enumerate(old)}
        kept = [places.get(self._key(each), -1) for each in new]
        edits: Edits = []
        run: list[int] | None = None
        for place, each in zip(kept, new, strict=True):
            if place < 0 or old[place] != each:
                edits.append([place, self._row(each)])
                run = None
            elif run is not None and run[0] + run[1] == place:
                run[1] += 1
            else:
                run = [place, 1]
                edits.append(run)
        self.told = new
        if len(new) == len(old) and (edits == [[0, len(old)]] or not edits):
            return None
        return edits, kept

    def whole(self) -> list[Any]:
        """Return all rows in their plain form."""
        return [self._row(each) for each in self.told]
