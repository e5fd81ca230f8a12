"""Lays out splits: fixed parts first, the rest by weight, parts without room left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass
from console.model.views import Split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.model.views import HeatMap, Part, Plot, Table, Text, Tree, View

SEPARATOR = 1


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of cells."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Leaf:
    """One view that is not a split, where it stands, and the way to it through the splits."""

    way: tuple[int, ...]
    view: Table | HeatMap | Plot | Tree | Text
    box: Box


def leaves(view: View, box: Box, way: tuple[int, ...] = ()) -> Iterator[Leaf]:
    """Yield the visible leaf views with their rectangles, in reading order."""
    if box.width < 1 or box.height < 1:
        return
    if not isinstance(view, Split):
        yield Leaf(way, view, box)
        return
    at = box.x if view.across else box.y
    gap = SEPARATOR if view.across else 0
    for number, size in share(view.parts, box.width if view.across else box.height, gap):
        inner = Box(at, box.y, size, box.height) if view.across else Box(box.x, at, box.width, size)
        yield from leaves(view.parts[number].view, inner, (*way, number))
        at += size + gap


def share(parts: Sequence[Part], total: int, gap: int = 0) -> list[tuple[int, int]]:
    """Return (part, cells) of the parts that have room; together with the gaps they fill `total`.

    Parts leave from the end until what is fixed and the minima of the others fit; a lone part is cut.
    """
    shown = list(range(len(parts)))
    while len(shown) > 1 and sum(_least(parts[i]) for i in shown) + gap * (len(shown) - 1) > total:
        shown.remove(_leaving(parts, shown))
    if not shown:
        return []
    sizes = {i: _least(parts[i]) for i in shown}
    spare = total - gap * (len(shown) - 1) - sum(sizes.values())
    elastic = [i for i in shown if not parts[i].fixed] or shown[-1:]
    _spread(sizes, elastic, parts, spare)
    return [(i, max(1, sizes[i])) for i in shown]


def _least(part: Part) -> int:
    return part.fixed or max(1, part.minimum)


def _leaving(parts: Sequence[Part], shown: Sequence[int]) -> int:
    """Return the part that leaves: the last elastic one after the first part, else the last."""
    elastic = [i for i in shown[1:] if not parts[i].fixed]
    return elastic[-1] if elastic else shown[-1]


def _spread(sizes: dict[int, int], elastic: Sequence[int], parts: Sequence[Part], spare: int) -> None:
    """Give the spare cells so that elastic parts come as near to their weights as their minima allow."""
    if spare <= 0:
        sizes[elastic[-1]] += spare
        return
    growing = list(elastic)
    whole = spare + sum(sizes[i] for i in growing)
    while True:
        weight = sum(max(1, parts[i].weight) for i in growing)
        full = [i for i in growing if sizes[i] > whole * max(1, parts[i].weight) / weight]
        if not full:
            break
        growing = [i for i in growing if i not in full]
        whole -= sum(sizes[i] for i in full)
    for number, i in enumerate(growing):
        left = sum(max(1, parts[each].weight) for each in growing[number:])
        sizes[i] = whole * max(1, parts[i].weight) // left
        whole -= sizes[i]
