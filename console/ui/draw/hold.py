"""Keeps the order of a table's rows while somebody presses keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.views import Table, TableColumn


HOLD_LIMIT = 20_000


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
    order = np.argsort(ranks, kind="stable")
    return replace(
        new,
        ids=[ids[i] for i in order.tolist()],
        columns=tuple(_picked(column, order) for column in new.columns),
        severities=None if new.severities is None else Picked(new.severities, order),
    )


def _picked(column: TableColumn, order: NDArray[np.int64]) -> TableColumn:
    values = column.values[order] if isinstance(column.values, np.ndarray) else Picked(column.values, order)
    return replace(column, values=values, tokens=None if column.tokens is None else Picked(column.tokens, order))
