"""A site's inventory as CSV, as a site would export it from its asset database: in chunks of text."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from console.model.levels import Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.topology import Domain, SiteTopology

NODES_A_CHUNK = 1000
SEPARATOR = ";"
_COLUMNS = ("node", "hall", "rack", "gpus", "aliases", "serial", "bmc", "model", "gpu_uuids")


def inventory_page(topology: SiteTopology) -> Iterator[str]:
    """Yield one line a node; kinds of domains that hold nodes are further columns. Several values are split by `;`."""
    kinds = {kind: domain for kind, domain in topology.domains.items() if domain.unit is Level.NODE}
    members = {kind: _by_node(domain, len(topology.nodes)) for kind, domain in kinds.items()}
    spellings = _spellings(topology)
    yield _text([[*_COLUMNS, *kinds]])
    for start in range(0, len(topology.nodes), NODES_A_CHUNK):
        rows = range(start, min(start + NODES_A_CHUNK, len(topology.nodes)))
        yield _text(
            [
                [*_node(topology, row, spellings[row]), *(SEPARATOR.join(members[kind][row]) for kind in kinds)]
                for row in rows
            ]
        )


def _node(topology: SiteTopology, row: int, aliases: list[str]) -> list[str]:
    gpus = topology.span(Level.NODE, row, Level.GPU)
    return [
        topology.nodes[row],
        topology.halls[topology.parent(Level.NODE, row, Level.HALL)],
        topology.racks[topology.parent(Level.NODE, row, Level.RACK)],
        str(gpus.stop - gpus.start),
        SEPARATOR.join(aliases),
        topology.serials[row] if topology.serials else "",
        topology.bmcs[row] if topology.bmcs else "",
        topology.gpu_model(gpus.start) if gpus.stop > gpus.start else "",
        SEPARATOR.join(filter(None, (topology.uuid(gpu) for gpu in range(gpus.start, gpus.stop)))),
    ]


def _spellings(topology: SiteTopology) -> list[list[str]]:
    by_node: list[list[str]] = [[] for _ in topology.nodes]
    for name, row in topology.aliases.items():
        by_node[row].append(name)
    return by_node


def _by_node(domain: Domain, nodes: int) -> list[list[str]]:
    by_node: list[list[str]] = [[] for _ in range(nodes)]
    for index, name in enumerate(domain.names):
        for row in domain.members[domain.starts[index] : domain.starts[index + 1]].tolist():
            by_node[row].append(name)
    return by_node


def _text(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
