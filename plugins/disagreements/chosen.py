"""Which disagreements a place shows, node by node, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.plugin import Level, Severity, compile_expression

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.plugin import Disagreement, Place, SiteFrame, Snapshot

SORTS: dict[str, Callable[[Node], object]] = {
    "kind": lambda node: (node.first.kind, node.since, node.path),
    "since": lambda node: (-node.since, node.path),
    "where": lambda node: node.path,
}
# The worst first, those of one kind together.
USUAL = "severity"


@dataclass(frozen=True)
class Node:
    """What is disputed of one node, the worst first; of a name that leads to no node, `id` is no address."""

    id: str
    path: str
    rows: tuple[Disagreement, ...]

    @property
    def first(self) -> Disagreement:
        """The worst of them."""
        return self.rows[0]

    @property
    def severity(self) -> Severity:
        """How bad the worst is."""
        return self.first.severity

    @property
    def since(self) -> float:
        """Since when the worst has been seen."""
        return self.first.since


def nodes_of(snapshot: Snapshot, place: Place) -> list[Node]:
    """Return the nodes of a place that its filter takes; raises ExpressionError for one that says nothing of nodes.

    The worst come first, those of one kind together, the oldest of a kind first.
    """
    rows = [row for row in snapshot.disagreements.rows if _is_within(row.path, place.path)]
    if place.only_wrong:
        rows = [row for row in rows if row.severity is not Severity.INFO]
    taken = _filter(snapshot, place.where)
    nodes = [node for node in _by_node(rows) if taken(node)]
    if sorted_by(place) != USUAL:
        key = SORTS[place.sort.removeprefix("-")]
        return sorted(nodes, key=key, reverse=place.sort.startswith("-"))  # type: ignore[arg-type]  # tuples and texts
    return sorted(nodes, key=lambda node: (-node.severity.rank, node.first.kind, node.since, node.path))


def sorted_by(place: Place) -> str:
    """Return the column that orders the rows; by severity, the worst come first."""
    return place.sort if place.sort.removeprefix("-") in SORTS else USUAL


def _by_node(rows: list[Disagreement]) -> list[Node]:
    found: dict[str, list[Disagreement]] = {}
    for row in rows:
        found.setdefault(row.path if row.voices else f"name:{row.text}", []).append(row)
    return [Node(id, rows[0].path, tuple(rows)) for id, rows in found.items()]


def _is_within(path: str, place: str) -> bool:
    # A domain's id (`site/kind:name`) is no place of the tree: its site is shown.
    wanted = place.partition("/")[0] if ":" in place else place
    return not wanted or path == wanted or path.startswith(f"{wanted}/") or wanted.startswith(f"{path}/")


def _filter(snapshot: Snapshot, where: str) -> Callable[[Node], bool]:
    if not where.strip():
        return lambda node: True
    kinds = sorted({kind for site in snapshot.frame.sites for kind in site.domains})
    expression = compile_expression(where, snapshot.frame.metrics, Level.NODE, domains=kinds)
    true = {site.site: expression.evaluate(site, snapshot.at, snapshot).true for site in snapshot.frame.sites}

    def takes(node: Node) -> bool:
        site = snapshot.frame.site(node.first.site)
        row = _row(site, node.path) if site else -1
        return row >= 0 and bool(true[node.first.site][row])

    return takes


def _row(site: SiteFrame, path: str) -> int:
    found = site.topology.resolve(path)
    return found[1] if found is not None and found[0] is Level.NODE else -1
