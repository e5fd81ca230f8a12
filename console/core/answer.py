"""Rows as an answer: columns, lazy addresses, and JSON-safe dicts in slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGITS = 6
Column = NDArray[np.floating[Any]] | Sequence[str]


class LazyTexts(Sequence[str]):
    """Texts that are spelled when looked at; `exact` tells a missing text (None) from an empty one."""

    def __init__(self, rows: NDArray[np.int64], spell: Callable[[int], str | None]) -> None:
        self._rows = rows
        self._spell = spell

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._spell(row) or "" for row in self._rows[index].tolist()]
        return self._spell(int(self._rows[index])) or ""

    def __iter__(self) -> Iterator[str]:
        return (self._spell(row) or "" for row in self._rows.tolist())

    def exact(self, start: int, stop: int) -> list[str | None]:
        """Return some texts, None where one is missing."""
        return [self._spell(row) for row in self._rows[start:stop].tolist()]


@dataclass(frozen=True, eq=False)
class Rows:
    """What a question gave: `ids` and `columns` (float arrays with NaN, or lazy texts) of the same length.

    `total` is how many rows there are without a limit or an `after`; `partial` says that something behind the numbers
    is stale or has not spoken yet. `whole` names the columns whose numbers are whole.
    """

    ids: Sequence[str]
    columns: Mapping[str, Column]
    total: int
    partial: bool
    whole: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.ids)

    def to_dicts(self, start: int = 0, stop: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield rows as JSON-safe dicts, always with `id`: missing is None, six significant digits, counts as int."""
        last = len(self.ids) if stop is None else min(stop, len(self.ids))
        names = list(self.columns) if "id" in self.columns else ["id", *self.columns]
        columns = [self.ids[start:last] if name == "id" else self._plain(name, start, last) for name in names]
        for row in zip(*columns, strict=True):
            yield dict(zip(names, row, strict=True))

    def _plain(self, name: str, start: int, stop: int) -> Sequence[Any]:
        column = self.columns[name]
        if isinstance(column, LazyTexts):
            return column.exact(start, stop)
        if not isinstance(column, np.ndarray):
            return column[start:stop]
        return plain_numbers(column[start:stop], whole=name in self.whole)


def plain_numbers(values: NDArray[np.floating[Any]], *, whole: bool) -> list[int | float | None]:
    """Return numbers for JSON: None for NaN and infinities, int where they are whole, else six significant digits."""
    numbers = values.astype(np.float64)
    if whole:
        return [int(value) if np.isfinite(value) else None for value in numbers.tolist()]
    there = np.isfinite(numbers)
    size = np.where(there & (numbers != 0), np.abs(numbers), 1.0)
    digits = DIGITS - 1 - np.floor(np.log10(size))
    up, down = 10.0 ** np.clip(digits, 0, 300), 10.0 ** np.clip(-digits, 0, 300)
    rounded = np.where(there, np.round(np.where(there, numbers, 0.0) * up / down) / up * down, np.nan)
    return [value if value == value else None for value in rounded.tolist()]
