"""Lists of the site API's stream: all rows, or what changed: runs of the rows before, and rows that are new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from console.sources.site_bodies import Faults

MOST_ROWS = 1_000_000
# What a millisecond or two is enough for.
ROWS_A_STEP = 250

Wire = TypeVar("Wire")
Row = TypeVar("Row")


class Rows(Generic[Wire, Row]):
    """One list as the server told it."""

    def __init__(self, faults: Faults, what: str, read: Callable[[Wire], Row]) -> None:
        self._faults = faults
        self._what = what
        self._read = read
        self.rows: tuple[Row, ...] = ()

    def put(self, wires: Sequence[Wire]) -> Iterator[None]:
        """Take all rows, in steps; raises BadPayload for too many."""
        yield from self.edit([(-1, wire) for wire in wires])

    def edit(self, edits: Sequence[tuple[int, int | Wire]]) -> Generator[None, None, list[int]]:
        """Take what changed, in steps, and return the old place of each row, -1 for a new one; raises BadPayload.

        An edit is `[first, count]` of the rows before, or `[place, row]`, the row that is now in place of an old one.
        """
        rows: list[Row] = []
        places: list[int] = []
        for number, (first, told) in enumerate(edits):
            if number % ROWS_A_STEP == ROWS_A_STEP - 1:
                yield
            count = told if isinstance(told, int) else 1
            least = 0 if isinstance(told, int) else -1
            if first < least or count < 1 or first + count > len(self.rows):
                raise self._faults.bad(f"{self._what} keep rows {first} and {count} on of {len(self.rows)}")
            self._bounded(len(rows) + count)
            rows += self.rows[first : first + count] if isinstance(told, int) else (self._read(told),)
            places += range(first, first + count)
        self.rows = tuple(rows)
        return places

    def _bounded(self, rows: int) -> None:
        if rows > MOST_ROWS:
            raise self._faults.bad(f"{self._what} are {rows} rows, more than {MOST_ROWS}")
