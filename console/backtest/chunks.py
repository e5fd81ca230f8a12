"""A table in chunks of rows: its columns, and its cells as numbers, checked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.backtest.problems import Problems

    Cells = Sequence[str] | NDArray[np.float64]

# How exporters and people write 'not known', in lower case.
MISSING = frozenset({"", "n/a", "[n/a]", "na", "nan", "null", "none", "-", "[not supported]", "not supported"})
# Later than the year 2200: milliseconds, most likely.
LATEST_AT = 7.3e9


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows that lie side by side: cells by column, as text or float64; `lines` says where each row stood."""

    lines: Sequence[int]
    cells: Mapping[str, Cells]

    def __len__(self) -> int:
        return len(self.lines)

    def texts(self, column: str) -> Sequence[str]:
        """Return a column as text; whole numbers without a point, missing ones empty."""
        cells = self.cells[column]
        if not isinstance(cells, np.ndarray):
            return cells
        return ["" if math.isnan(each) else f"{each:.12g}" for each in cells.tolist()]


def numbers(chunk: Chunk, column: str, problems: Problems, *, needed: bool = False) -> NDArray[np.float64]:
    """Return a column as float64, NaN where a cell is missing; notes what is no number, and what is `needed`."""
    cells = chunk.cells[column]
    if isinstance(cells, np.ndarray):
        found = cells
    else:
        try:
            found = np.array([cell or "nan" for cell in cells], dtype=np.float64)
        except ValueError:
            found = _one_by_one(chunk, column, cells, problems)
    found = np.where(np.isfinite(found), found, np.nan)
    if needed:
        for i in np.flatnonzero(np.isnan(found)).tolist():
            problems.add(chunk.lines[i], column, "a number is needed here")
    return found


def times(chunk: Chunk, column: str, problems: Problems, *, needed: bool = True) -> NDArray[np.float64]:
    """Return a column of UTC epoch seconds; notes what cannot be any."""
    found = numbers(chunk, column, problems, needed=needed)
    for i in np.flatnonzero((found <= 0) | (found > LATEST_AT)).tolist():
        hint = "; milliseconds?" if found[i] > LATEST_AT else ""
        problems.add(chunk.lines[i], column, f"{found[i]:.15g} is no time in UTC epoch seconds{hint}")
    return found


def _one_by_one(chunk: Chunk, column: str, cells: Sequence[str], problems: Problems) -> NDArray[np.float64]:
    found = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells):
        text = cell.strip()
        if text.lower() not in MISSING:
            try:
                found[i] = float(text)
            except ValueError:
                problems.add(chunk.lines[i], column, f"{text[:40]!r} is not a number")
    return found
