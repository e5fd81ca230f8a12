"""Where the columns of a table stand: natural widths, then by weight, then by what leaves first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.model.values import dataclass
from console.model.views import Align
from console.present.cells import cell_width
from console.present.formats import FORMATS, TEXT_LIMIT, format_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.model.views import TableColumn

GAP = 2
# Texts are measured in full up to this many rows; of longer tables the head stands for the rest.
MEASURED_ROWS = 2000
SEVERITY_CELLS = 10
MINIMUM = 4
STEP = 4


@dataclass(frozen=True, slots=True)
class Placed:
    """One visible column: its number in the table, its first cell, its width, whether it stands right."""

    index: int
    start: int
    width: int
    right: bool


def natural_width(column: TableColumn) -> int:
    """Return the cells that a column needs; numbers of one format need the same whatever they are just now."""
    title = cell_width(column.title) + 2 * (column.format in FORMATS)
    return max(title, column.width, _content_width(column))


def _content_width(column: TableColumn) -> int:
    values = column.values
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        least = FORMATS[column.format].width if column.format in FORMATS else 0
        return max(least, *(cell_width(format_value(each, column.format)) for each in _extremes(values)))
    if column.format == "severity":
        return SEVERITY_CELLS
    return _text_width(values[:MEASURED_ROWS], column.format)


def _text_width(head: Sequence[str] | np.ndarray[tuple[int, ...], np.dtype[np.generic]], form: str) -> int:
    texts = isinstance(head, (list, tuple)) and all(isinstance(each, str) for each in head)
    if texts and "".join(head).isascii():
        return min(TEXT_LIMIT, max(map(len, head), default=0))
    return max((cell_width(format_value(each, form)) for each in head), default=0)


def _extremes(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> tuple[float, ...]:
    """Return the least and the greatest number, without a copy of a long column."""
    if not len(values):
        return (float("nan"),)
    return float(np.fmin.reduce(values)), float(np.fmax.reduce(values))


def place_columns(
    columns: Sequence[TableColumn],
    width: int,
    *,
    indent: int = 0,
    widest_gap: int = GAP,
    natural: Mapping[str, int] | None = None,
) -> tuple[Placed, ...]:
    """Return the visible columns of a table in `width` cells, the first at cell `indent`.

    Gaps grow to `widest_gap` where there is room; `natural` are widths by key where they have been measured already.
    """
    needs = natural or {each.key: natural_width(each) for each in columns}
    wanted = [needs[each.key] for each in columns]
    least = [_least(column, need) for column, need in zip(columns, wanted, strict=True)]
    room = max(1, width - indent)
    kept = _keep(columns, least, room)
    widths = _share([columns[i] for i in kept], [wanted[i] for i in kept], [least[i] for i in kept], room)
    spare = room - sum(widths) - GAP * (len(widths) - 1)
    gap = GAP + max(0, min(widest_gap - GAP, spare // max(1, len(widths) - 1)))
    placed, start = [], indent
    for i, cells in zip(kept, widths, strict=True):
        placed.append(Placed(i, start, cells, columns[i].align is Align.RIGHT))
        start += cells + gap
    return tuple(placed)


def _least(column: TableColumn, natural: int) -> int:
    if not column.weight:
        return natural
    return min(natural, max(column.width, MINIMUM, min(cell_width(column.title), 2 * MINIMUM)))


def _keep(columns: Sequence[TableColumn], least: Sequence[int], room: int) -> list[int]:
    """Return the columns that fit: the highest `drop` leaves first; then the last one."""
    kept = list(range(len(columns)))
    while len(kept) > 1 and sum(least[i] + GAP for i in kept) - GAP > room:
        kept.remove(max(kept, key=lambda i: (columns[i].drop, i)))
    return kept


def _share(columns: Sequence[TableColumn], natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return widths: the least that each needs, and what is left to the weighted ones that want more."""
    widths = list(least)
    spare = room - sum(widths) - GAP * (len(widths) - 1)
    weights = [column.weight for column in columns]
    spare = _feed(widths, natural, weights, spare)
    spare = _feed(widths, [-(-need // STEP) * STEP for need in natural], weights, spare)
    if spare < 0 and widths:
        widths[0] = max(1, widths[0] + spare)
    return widths


def _feed(widths: list[int], wanted: Sequence[int], weights: Sequence[int], spare: int) -> int:
    """Let the weighted columns grow towards what they want, by weight; return what is left."""
    while spare > 0:
        hungry = [i for i, weight in enumerate(weights) if weight and widths[i] < wanted[i]]
        if not hungry:
            break
        total, before = sum(weights[i] for i in hungry), spare
        for i in hungry:
            more = min(wanted[i] - widths[i], max(1, before * weights[i] // total), spare)
            widths[i] += more
            spare -= more
    return spare
