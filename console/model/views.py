"""View values: what a panel returns. They speak in semantic tokens (`state.down`, `heat.7`), never in colours.

A Table is columnar and lazy: its cells are formatted by `console.present` when they are drawn, so that a table of
100,000 rows costs what its visible rows cost.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text with one semantic token; the text is data, never markup."""

    text: str
    token: str = "text"


Line = tuple[Span, ...]


class Align(StrEnum):
    """Where a cell's text stands."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, eq=False)
class TableColumn:
    """One column of a table.

    `values` is a NumPy array or a sequence of str, one a row. `format` names one of `console.present.formats`
    (`text`, `int`, `pct`, `temp`, `power`, `megawatt`, `age`, `ratio`, `si`, `bytes`, `severity`, ...). `tokens` gives
    a token for each row, or `heat` a (low, high) range that colours by value. `weight` > 0 lets the column take spare
    width; `drop` is the order in which columns leave a narrow screen (higher leaves first, 0 never).
    """

    key: str
    title: str
    values: Sequence[str] | NDArray[np.generic]
    format: str = "text"
    align: Align = Align.LEFT
    width: int = 0
    weight: int = 0
    drop: int = 0
    tokens: Sequence[str] | None = None
    heat: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """Rows with identity: `ids` are addresses (or other keys) in row order; the cursor follows the id, not the row.

    `total` is how many rows there would be without a limit; `enter` says that Enter goes deeper to the row's id.
    """

    columns: tuple[TableColumn, ...]
    ids: Sequence[str]
    title: str = ""
    total: int = 0
    sort: str = ""
    empty: str = "nothing to show"
    enter: bool = True
    severities: Sequence[str] | None = None


@dataclass(frozen=True, eq=False)
class HeatGroup:
    """A labelled run of cells (a rack, a node): rows `start:stop` of the map's cells."""

    id: str
    label: str
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Cells in groups: one cell a GPU, node or rack, coloured and shaped by `levels` uint8 (0..9, 255 is missing).

    `values` float32 are what the levels stand for, `ids` the address of each cell, in the same order.
    """

    values: NDArray[np.float32]
    levels: NDArray[np.uint8]
    ids: Sequence[str]
    groups: tuple[HeatGroup, ...]
    title: str
    unit: str
    low: float
    high: float
    format: str = "number"
    total: int = 0


@dataclass(frozen=True, slots=True)
class HistoryRef:
    """A wish for history: the host fills it in before the view is drawn."""

    path: str
    field: str
    span_s: float


@dataclass(frozen=True, eq=False)
class Series:
    """One line of a plot: `at` float64 UTC epoch seconds, `values` float32 (NaN is a gap); or a `ref` to fill in."""

    label: str
    at: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    values: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    token: str = "plot.1"
    ref: HistoryRef | None = None


@dataclass(frozen=True, eq=False)
class Plot:
    """Lines over time; `timezone` is the IANA zone of its clock, empty for UTC."""

    series: tuple[Series, ...]
    title: str = ""
    unit: str = ""
    format: str = "number"
    low: float | None = None
    high: float | None = None
    timezone: str = ""


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One line of a tree, with its children."""

    id: str
    line: Line
    children: tuple[TreeNode, ...] = ()
    open: bool = True


@dataclass(frozen=True, eq=False)
class Tree:
    """An outline."""

    roots: tuple[TreeNode, ...]
    title: str = ""


@dataclass(frozen=True, eq=False)
class Text:
    """Lines of spans."""

    lines: tuple[Line, ...]
    title: str = ""


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a split: `weight` shares what is left after `fixed` cells; `minimum` cells or it is not shown."""

    view: View
    weight: int = 1
    fixed: int = 0
    minimum: int = 1


@dataclass(frozen=True, eq=False)
class Split:
    """Views side by side (`across`) or on top of each other; `focus` is the part that takes the keys."""

    parts: tuple[Part, ...]
    across: bool = False
    focus: int = 0


View = Table | HeatMap | Plot | Tree | Text | Split
