"""Keeps the order of a table's rows: while somebody presses keys, and against noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from console.present.steady import QUANTA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.views import Table, TableColumn
    from console.present.steady import Steady


HOLD_LIMIT = 20_000
REST_LIMIT = 1000


class Picked(Sequence[Any]):
    """The items of a sequence in another order, read when they are looked at."""

    def __init__(self, items: Sequence[Any], order: NDArray[np.int64]) -> None:
        self._items = items
        self._order = order

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._items[i] for i in self._order[index].tolist()]
        return self._items[int(self._order[index])]


def hold_order(old: Table, new: Table) -> Table:
    """Return `new` with the rows that `old` has in the order they have there, new rows last.

    Tables of more than HOLD_LIMIT rows come back as they are: holding them would stall the screen.
    """
    if max(len(old.ids), len(new.ids)) > HOLD_LIMIT:
        return new
    before, ids = list(old.ids), list(new.ids)
    if before == ids:
        return new
    places = {key: place for place, key in enumerate(before)}
    ranks = np.array([places.get(key, len(before)) for key in ids], dtype=np.int64)
    return _ordered(new, ids, np.argsort(ranks, kind="stable"))


def _ordered(new: Table, ids: list[str], order: NDArray[np.int64]) -> Table:
    return replace(
        new,
        ids=[ids[i] for i in order.tolist()],
        columns=tuple(_picked(column, order) for column in new.columns),
        severities=None if new.severities is None else Picked(new.severities, order),
    )


def _picked(column: TableColumn, order: NDArray[np.int64]) -> TableColumn:
    values = column.values[order] if isinstance(column.values, np.ndarray) else Picked(column.values, order)
    return replace(column, values=values, tokens=None if column.tokens is None else Picked(column.tokens, order))


def rest_order(old: Table, new: Table, steady: Steady) -> Table:
    """Return `new`, if it is sorted by a number, with rows moved only where their number moved by a quantum.

    The numbers are those that `steady` keeps for the cells of the column, so what is seen is in order. Tables of more
    than REST_LIMIT rows come back as they are.
    """
    column = _sorting(new)
    if column is None or not 0 < len(new.ids) <= REST_LIMIT:
        return new
    places = {key: place for place, key in enumerate(old.ids if new.sort == old.sort else new.ids)}
    ids = list(new.ids)
    ranks = np.array([places.get(key, len(places)) for key in ids], dtype=np.int64)
    values = np.asarray(column.values, dtype=np.float64).tolist()
    kept = np.array(
        [steady.keep((key, column.key), value, column.format) for key, value in zip(ids, values, strict=True)]
    )
    order = np.lexsort((ranks, -kept if new.sort.startswith("-") else kept))
    if (order[1:] > order[:-1]).all():
        return new
    return _ordered(new, ids, order)


def _sorting(table: Table) -> TableColumn | None:
    """Return the column of numbers that the rows are sorted by."""
    name = table.sort.removeprefix("-")
    found = next((each for each in table.columns if each.key == name), None)
    return found if found is not None and isinstance(found.values, np.ndarray) and found.format in QUANTA else None
