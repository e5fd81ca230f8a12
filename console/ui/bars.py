"""Lines of the screen's frame made of segments that shorten, then leave, as the width shrinks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from console.model.values import dataclass
from console.model.views import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.views import Line

GAP = "  "


@dataclass(frozen=True)
class Segment:
    """A piece of a line; `forms` from the longest to the shortest, the highest `rank` shortens and leaves first."""

    forms: tuple[Line, ...]
    rank: int = 0


def segment(text: str, token: str = "text", rank: int = 0) -> Segment:
    """Return a segment of one form and one token."""
    return Segment(((Span(text, token),),), rank)


def line_width(line: Line) -> int:
    """Return how many cells a line takes."""
    texts = "".join([span.text for span in line])
    return len(texts) if texts.isascii() else sum([cell_len(span.text) for span in line])


def fit(segments: Sequence[Segment], width: int, gap: str = GAP) -> Line:
    """Return the segments in their order with gaps between, as many and as long as fit in `width` cells."""
    widths = [[line_width(form) + cell_len(gap) if form else 0 for form in each.forms] for each in segments]
    forms: list[int | None] = [0] * len(segments)
    order = sorted(range(len(segments)), key=lambda i: -segments[i].rank)
    while order and sum(widths[i][form] for i, form in enumerate(forms) if form is not None) > width + cell_len(gap):
        at = next((i for i in order if forms[i] is not None), order[-1])
        form = (forms[at] or 0) + 1
        forms[at] = form if form < len(widths[at]) else None
        if all(form is None for form in forms):
            return cut(segments[order[-1]].forms[-1], width)
    return _joined(segments, forms, gap)


def _joined(segments: Sequence[Segment], forms: Sequence[int | None], gap: str) -> Line:
    spans: list[Span] = []
    for each, form in zip(segments, forms, strict=True):
        if form is not None and each.forms[form]:
            spans += [Span(gap), *each.forms[form]] if spans else each.forms[form]
    return tuple(spans)


def cut(line: Line, width: int) -> Line:
    """Return a line of at most `width` cells, with `…` where something was cut."""
    if line_width(line) <= width:
        return line
    left, spans = width - 1, []
    for span in line:
        size = cell_len(span.text)
        if size > left:
            spans.append(Span(f"{set_cell_size(span.text, max(0, left)).rstrip()}…"[:width], span.token))
            break
        spans.append(span)
        left -= size
    return tuple(spans)


def ends(left: Line, right: Line, width: int) -> Line:
    """Return one line with a left and a right end; the left is cut where both do not fit."""
    right = cut(right, width)
    room = width - line_width(right) - (1 if right else 0)
    left = cut(left, room) if room > 0 else ()
    return (*left, Span(" " * max(0, width - line_width(left) - line_width(right))), *right)
