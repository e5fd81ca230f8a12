"""The line of the place: where in the tree the screen is and how it is looked at; the newest notice beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass
from console.model.views import Span
from console.present.safe import clean
from console.ui.bars import Segment, cut, ends, fit, line_width, segment
from console.ui.header import environment_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.place import Place
    from console.model.views import Line
    from console.ui.setup import PanelInfo

SHORTEST_PATH = 16


@dataclass(frozen=True)
class Marked:
    """How many objects are marked, and how many of them the table does not show (filtered, elsewhere or gone)."""

    total: int = 0
    hidden: int = 0


@dataclass(frozen=True)
class Crumbs:
    """What the line says; `notice` takes the place of the panels' names."""

    fleet: str
    environment: str
    place: Place
    panel: str
    panels: Sequence[PanelInfo] = ()
    marked: Marked = Marked()
    notice: Line = ()


def breadcrumb_line(crumbs: Crumbs, width: int) -> Line:
    """Return the line, exactly `width` cells."""
    stripe = Span(" ", environment_token(crumbs.environment))
    inner = max(0, width - 1)
    where = _path(crumbs)
    how = _looked_at(crumbs)
    right = crumbs.notice or _panels(crumbs, max(0, inner - min(line_width(where), inner // 2) - line_width(how) - 4))
    room = max(0, inner - line_width(right) - 2)
    keep = max(SHORTEST_PATH, room - line_width(how) - 2)
    left = fit((Segment((_tail(where, keep), _tail(where, SHORTEST_PATH)), 0), Segment((how,), 1)), room)
    return ends((stripe, *left), right, width)


def _path(crumbs: Crumbs) -> Line:
    """Return the fleet and every step of the address, the last one strong."""
    steps = [clean(crumbs.fleet, 40), *(clean(part, 40) for part in crumbs.place.path.split("/") if part)]
    spans: list[Span] = []
    for step in steps[:-1]:
        spans += [Span(step), Span(" › ", "text.dim")]
    return (*spans, Span(steps[-1], "text.strong"))


def _tail(line: Line, width: int) -> Line:
    """Return the end of a path that fits: the last steps tell more than the first."""
    spans = list(line)
    while len(spans) > 1 and line_width(tuple(spans)) > width - 2:
        spans = spans[2:]
    short: Line = tuple(spans) if len(spans) == len(line) else (Span("… ", "text.dim"), *spans)
    return cut(short, max(1, width))


def _looked_at(crumbs: Crumbs) -> Line:
    place, words = crumbs.place, []
    if place.where:
        words.append(Span(f"/{clean(place.where, 60)}", "match"))
    if place.by:
        words.append(Span(f"by {clean(place.by, 20)}", "key.label"))
    if place.only_wrong:
        words.append(Span("! only wrong", "state.warning"))
    if crumbs.marked.total:
        hidden = f", {crumbs.marked.hidden:,} not shown" if crumbs.marked.hidden else ""
        words.append(Span(f"marked {crumbs.marked.total:,}{hidden}", "mark"))
    spans: list[Span] = []
    for word in words:
        spans += [Span("  "), word] if spans else [word]
    return tuple(spans)


def _panels(crumbs: Crumbs, room: int) -> Line:
    """Return the panels with their keys, the present one marked; only the present one where there is no room."""
    segments = []
    for number, panel in enumerate(crumbs.panels):
        here = panel.id == crumbs.panel
        key = f"{panel.key} " if panel.key else ""
        text, token = f"{key}{clean(panel.title, 16)}", "title" if here else "text.dim"
        form = (Span(key, "key"), Span(clean(panel.title, 16), token)) if key else (Span(text, token),)
        segments.append(Segment((form,), 0 if here else 1 + number))
    return fit(segments, room) if segments else segment("").forms[0]
