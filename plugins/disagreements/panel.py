"""Where the voices of a site do not say the same of a node: which node, who says what, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.plugin import Align, ExpressionError, Part, Span, Split, Table, TableColumn, Text, clean, format_value

from .chosen import Node, nodes_of, sorted_by
from .witnesses import witnesses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.plugin import Place, Size, Snapshot, View

GLYPHS = {"ok": "✓", "info": "i", "unknown": "?", "warning": "▲", "critical": "✖"}
CHROME_LINES = 2
DETAIL_LINES = 7
LONGEST = 300


class DisagreementsPanel:
    """One row a node, by kind and age; below, what every voice says of the one under the cursor."""

    def view(self, snapshot: Snapshot, place: Place, size: Size) -> View:
        """Return the list, with the voices of the selected node below where there is room."""
        try:
            nodes = nodes_of(snapshot, place)
        except ExpressionError as fault:
            lines = (clean(fault.message, LONGEST), "/ changes it, Esc takes it away; it is about nodes here")
            return Text(tuple((Span(line, "state.warning"),) for line in lines), title="FILTER")
        table = node_table(nodes, snapshot, place)
        chosen = next((node for node in nodes if node.id == place.selected), nodes[0] if nodes else None)
        if chosen is None or size.height < 2 * CHROME_LINES + DETAIL_LINES:
            return table
        above = min(len(nodes) + CHROME_LINES, max(CHROME_LINES + 3, size.height // 2))
        return Split((Part(table, fixed=above), Part(witnesses(chosen, snapshot), minimum=CHROME_LINES + 1)))


def node_table(nodes: Sequence[Node], snapshot: Snapshot, place: Place) -> Table:
    """Return one row a node; ids are addresses, so that Enter goes to the node."""
    tokens = [f"state.{node.severity.value}" for node in nodes]
    columns = (
        TableColumn("severity", "", [GLYPHS[node.severity.value] for node in nodes], tokens=tokens),
        TableColumn("kind", "kind", [_kind(node) for node in nodes], width=14, weight=2, tokens=tokens),
        TableColumn(
            "where", "where", [clean(node.path.replace("/", " ", 1), 80) for node in nodes], width=21, weight=2
        ),
        TableColumn("what", "who says what", [clean(node.first.text, LONGEST) for node in nodes], width=20, weight=6),
        TableColumn(
            "since", "since", [_since(node, snapshot.at) for node in nodes], align=Align.RIGHT, width=6, drop=1
        ),
    )
    return Table(
        columns,
        ids=[node.id for node in nodes],
        title=_title(snapshot),
        total=len(nodes),
        sort=sorted_by(place),
        empty=_empty(snapshot, place),
        severities=[node.severity.value for node in nodes],
    )


def _kind(node: Node) -> str:
    more = len(node.rows) - 1
    return f"{clean(node.first.kind, 40)}{f' +{more}' if more else ''}"


def _since(node: Node, now: float) -> str:
    return format_value(now - node.since, "age")


def _title(snapshot: Snapshot) -> str:
    found = snapshot.disagreements
    told = "  ".join(f"{clean(kind, 40)} {count:,}" for kind, count in found.counts.items())
    unjudged = f"  {found.unjudged:,} nodes not judged" if found.unjudged else ""
    return f"DISAGREEMENTS  {told}{unjudged}" if told or unjudged else "DISAGREEMENTS"


def _empty(snapshot: Snapshot, place: Place) -> str:
    found = snapshot.disagreements
    if snapshot.loading or not found.at:
        return "waiting for the first reading; the voices have not been compared yet"
    if found.nodes and found.unjudged == found.nodes:
        return "nothing can be judged: schedulers or telemetry are silent or stale (see the sources)"
    if found.rows and (place.where or place.path or place.only_wrong):
        return "none here; Esc takes the filter away, ! shows what is only worth knowing"
    return f"the voices of all {found.nodes:,} nodes say the same" if found.nodes else "no node is known yet"


PANEL = DisagreementsPanel()
