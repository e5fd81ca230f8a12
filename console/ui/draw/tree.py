"""Draws outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.ui.draw.painter import Look, Painter
from console.ui.draw.runs import Runs, Segments
from console.ui.draw.table import CURSOR, MARK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.views import Tree, TreeNode


class TreePainter(Painter):
    """An outline whose lines are items."""

    selectable = True

    def __init__(self, view: Tree, width: int, height: int) -> None:
        super().__init__(view.title, width, height)
        self.view = view
        self._rows = tuple(_outline(view.roots, ""))
        self._index = {node.id: i for i, (node, _) in enumerate(self._rows)}

    @property
    def lines(self) -> int:
        """Lines of the open outline."""
        return len(self._rows)

    @property
    def count(self) -> int:
        """Lines of the open outline."""
        return len(self._rows)

    def id_at(self, index: int) -> str:
        """Return the id of a line."""
        return self._rows[index][0].id if 0 <= index < self.count else ""

    def index_of(self, key: str) -> int:
        """Return the line with an id, -1 if it is gone or folded."""
        return self._index.get(key, -1)

    def body_line(self, line: int, look: Look) -> Segments:
        """Return one line with the branches that lead to it."""
        if line >= self.count:
            return self.blank(look)
        node, branch = self._rows[line]
        here, marked = line == look.cursor, node.id in look.marks
        over = ("cursor" if look.focused else "cursor.dim") if here else ""
        palette = look.palette
        runs = Runs(self.width, palette.style("text", over))
        pointer = CURSOR if here and look.focused else " "
        runs.add(pointer + (MARK if marked else " "), palette.style("mark" if marked else "key", over))
        runs.add(branch, palette.style("border", over))
        for span in node.line:
            runs.add_foreign(span.text, palette.style(span.token, over))
        return runs.done()


def _outline(nodes: tuple[TreeNode, ...], above: str, *, root: bool = True) -> Iterator[tuple[TreeNode, str]]:
    for number, node in enumerate(nodes):
        last = number == len(nodes) - 1
        fold = "" if node.open or not node.children else "▸ "
        yield node, fold if root else f"{above}{'└─ ' if last else '├─ '}{fold}"
        if node.open:
            yield from _outline(node.children, "" if root else f"{above}{'   ' if last else '│  '}", root=False)
