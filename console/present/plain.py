"""Any view as aligned plain text: for pipes, reports and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.views import HeatMap, Plot, Split, Table, Text, Tree
from console.present.cells import cut, fit
from console.present.curves import BRAILLE, draw_curves
from console.present.formats import FORMATS, format_cell, format_value
from console.present.heat_grid import BARS, HeatGrid, glyphs
from console.present.layout import GAP, place_columns
from console.present.safe import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from console.model.views import TreeNode, View

PLOT_LINES = 6
USUAL_WIDTH = 100
TEXT_LIMIT = 1000


def render(view: View, width: int) -> list[str]:
    """Return a view as lines of at most `width` cells; the first line of a table is its header."""
    body: Callable[[Any, int], Iterator[str]] = _BODIES[type(view)]
    return [cut(line.rstrip(), width) for line in body(view, max(1, width))]


def _table(table: Table, width: int) -> Iterator[str]:
    placed = place_columns(table.columns, width)
    gap = " " * GAP
    yield gap.join(fit(clean(table.columns[each.index].title), each.width, right=each.right) for each in placed)
    for row in range(len(table.ids)):
        cells = (format_cell(table.columns[each.index], row).text for each in placed)
        yield gap.join(fit(cell, each.width, right=each.right) for cell, each in zip(cells, placed, strict=True))
    if not len(table.ids):
        yield clean(table.empty)


def _heat_map(view: HeatMap, width: int) -> Iterator[str]:
    yield f"{clean(view.title)}  {heat_legend(view)}"
    grid = HeatGrid(view, min(width, USUAL_WIDTH) if width > 1000 else width)
    for line in range(grid.lines):
        text = ""
        for run in grid.runs(line):
            text = (
                fit(text, run.x)
                + fit(clean(run.label), run.cells_x - run.x)
                + glyphs(view.levels[run.start : run.stop])
            )
        yield text


def heat_legend(view: HeatMap) -> str:
    """Return the scale of a heat map with its ends and unit."""
    low, high = format_value(view.low, view.format), format_value(view.high, view.format)
    unit = "" if view.format in FORMATS and FORMATS[view.format].unit else f" {clean(view.unit, 12)}"
    return f"{low} {BARS} {high}{unit}".rstrip()


def _plot(plot: Plot, width: int) -> Iterator[str]:
    if plot.title:
        yield clean(plot.title)
    width = min(width, USUAL_WIDTH)
    axis = [format_value(each, plot.format) for each in (plot.low or 0.0, plot.high or 0.0)]
    curves = draw_curves(plot, max(1, width - 12), PLOT_LINES)
    if curves is not None:
        axis = [format_value(each, plot.format) for each in (curves.low, curves.high)]
        for line, bits in enumerate(curves.bits.tolist()):
            label = axis[1] if line == 0 else axis[0] if line == PLOT_LINES - 1 else ""
            yield f"{fit(label, 10, right=True)} ┤" + "".join(chr(BRAILLE + each) if each else " " for each in bits)
    for series in plot.series:
        last = series.values[-1] if len(series.values) else None
        yield f"{clean(series.label, 40)}: {format_value(last, plot.format)}"


def _tree(tree: Tree, width: int) -> Iterator[str]:
    def lines(nodes: tuple[TreeNode, ...], depth: int) -> Iterator[str]:
        for node in nodes:
            yield "  " * depth + "".join(clean(span.text, TEXT_LIMIT) for span in node.line)
            yield from lines(node.children, depth + 1)

    yield from lines(tree.roots, 0)


def _text(text: Text, width: int) -> Iterator[str]:
    for line in text.lines:
        yield "".join(clean(span.text, TEXT_LIMIT) for span in line)


def _split(split: Split, width: int) -> Iterator[str]:
    for number, part in enumerate(split.parts):
        if number:
            yield ""
        title = getattr(part.view, "title", "")
        if title and not isinstance(part.view, (HeatMap, Plot)):
            yield f"── {clean(title)} ──"
        yield from render(part.view, width)


_BODIES: dict[type, Callable[[Any, int], Iterator[str]]] = {
    Table: _table,
    HeatMap: _heat_map,
    Plot: _plot,
    Tree: _tree,
    Text: _text,
    Split: _split,
}
