"""Says what is wrong with a view before it is drawn: a panel may be somebody else's code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.views import HeatMap, Plot, Span, Split, Table, Text, Tree, TreeNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from console.model.views import View

DEPTH_LIMIT = 16


def fault_of(view: View) -> str:
    """Return the first fault of a view in words, empty if it can be drawn; costs no look at the rows themselves."""
    return next(_faults(view, 0), "")


def drawable(view: View) -> View:
    """Return the view, or one line of text that says why it cannot be drawn."""
    fault = fault_of(view)
    return Text(((Span(f"this view cannot be drawn: {fault}", "state.critical"),),)) if fault else view


def _faults(view: object, depth: int) -> Iterator[str]:
    check = _CHECKS.get(type(view))
    if check is None:
        yield f"{type(view).__name__} is not a view"
    elif depth > DEPTH_LIMIT:
        yield f"splits are nested more than {DEPTH_LIMIT} deep"
    elif isinstance(view, Split):
        for part in view.parts:
            yield from _faults(getattr(part, "view", part), depth + 1)
    elif not isinstance(getattr(view, "title", ""), str):
        yield f"the title of a {type(view).__name__} is not text"
    else:
        yield from check(view)


def _table(table: Table) -> Iterator[str]:
    rows = len(table.ids)
    if not table.columns:
        yield "a table has no columns"
    if len({column.key for column in table.columns}) < len(table.columns):
        yield "two columns of a table have one key"
    for column in table.columns:
        if len(column.values) != rows:
            yield f"column {column.key} has {len(column.values)} values for {rows} rows"
        if column.tokens is not None and len(column.tokens) != rows:
            yield f"column {column.key} has {len(column.tokens)} tokens for {rows} rows"


def _heat_map(view: HeatMap) -> Iterator[str]:
    cells = len(view.ids)
    if not len(view.values) == len(view.levels) == cells:
        yield f"a heat map has {len(view.values)} values and {len(view.levels)} levels for {cells} cells"
    ends = [0]
    for group in view.groups:
        if not ends[-1] <= group.start <= group.stop <= cells:
            yield f"group {group.id} of a heat map is cells {group.start}:{group.stop} of {cells}, out of order"
        ends.append(group.stop)


def _plot(plot: Plot) -> Iterator[str]:
    for series in plot.series:
        if len(series.at) != len(series.values):
            yield f"series {series.label} has {len(series.at)} times for {len(series.values)} values"


def _text(text: Text) -> Iterator[str]:
    if not all(isinstance(span, Span) for line in text.lines for span in line):
        yield "a line of text is not made of spans"


def _tree(tree: Tree) -> Iterator[str]:
    if not all(isinstance(node, TreeNode) for node in tree.roots):
        yield "a tree is not made of nodes"


_CHECKS: dict[type, Callable[[Any], Iterator[str]]] = {
    Table: _table,
    HeatMap: _heat_map,
    Plot: _plot,
    Text: _text,
    Tree: _tree,
    Split: lambda split: iter(()),
}
