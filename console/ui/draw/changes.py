"""Which cells of a line differ from what was drawn before: only these go over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.ui.draw.runs import Segments

# Cells that are cheaper to send again than a new cursor position with a new style.
NEAR = 6


def changed_spans(old: Segments, new: Segments, width: int) -> list[tuple[int, int]]:
    """Return (first cell, cells) of what differs between two lines of `width` cells.

    Lines with characters of other than one cell are one span.
    """
    if sum(len(each.text) for each in old) != width or sum(len(each.text) for each in new) != width:
        return [(0, width)]
    if not all(segment.cell_length == len(segment.text) for line in (old, new) for segment in line):
        return [(0, width)]
    spans: list[tuple[int, int]] = []
    for start, end in _differing(old, new):
        if spans and start - sum(spans[-1]) <= NEAR:
            spans[-1] = (spans[-1][0], end - spans[-1][0])
        else:
            spans.append((start, end - start))
    return spans


def _differing(old: Segments, new: Segments) -> Iterator[tuple[int, int]]:
    """Yield the pieces, no longer than a segment of either line, whose text or style differs."""
    i = j = at_i = at_j = x = 0
    while i < len(old) and j < len(new):
        one, other = old[i], new[j]
        size = min(len(one.text) - at_i, len(other.text) - at_j)
        same = one.style == other.style and one.text[at_i : at_i + size] == other.text[at_j : at_j + size]
        if size and not same:
            yield x, x + size
        x, at_i, at_j = x + size, at_i + size, at_j + size
        if at_i == len(one.text):
            i, at_i = i + 1, 0
        if at_j == len(other.text):
            j, at_j = j + 1, 0
