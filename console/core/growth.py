"""Makes a discovered site's topology grow: new nodes, new GPU slots; everything else keeps its key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from console.core.arrange import Arrangement, arrange
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.model.topology import Domain, SiteTopology

    Rows = NDArray[np.int32]

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node that a voice told of."""

    name: str
    hall: str = ""
    rack: str = ""


def grow(old: SiteTopology, new: Sequence[NewNode], tree: Arrangement, spellings: Mapping[str, int]) -> SiteTopology:
    """Return the topology with `new` nodes, in the order that `arranged` found.

    `spellings` maps what voices say to positions among old and new nodes.
    """
    rows = tree.rows()
    node_rows = rows[: len(old.nodes)]
    gpu_rows = _gpu_rows(old, tree, node_rows)
    aliases = {name: int(node_rows[row]) for name, row in old.aliases.items()}
    names = {*old.nodes, *(node.name for node in new)}
    aliases |= {said: int(rows[at]) for said, at in spellings.items() if said not in names}
    total = len(tree.gpu_slot)
    return replace(
        old,
        version=old.version + 1,
        halls=tree.halls,
        racks=tree.racks,
        nodes=tree.nodes,
        hall_racks=tree.hall_racks,
        rack_nodes=tree.rack_nodes,
        node_gpus=tree.node_gpus,
        gpu_slot=tree.gpu_slot,
        uuid_high=_carried(old.uuid_high, gpu_rows, total),
        uuid_low=_carried(old.uuid_low, gpu_rows, total),
        model_code=None if old.model_code is None else _carried(old.model_code, gpu_rows, total),
        domains={kind: _moved(domain, node_rows, gpu_rows) for kind, domain in old.domains.items()},
        aliases=aliases,
        serials=_texts(old.serials, node_rows, len(tree.nodes)),
        bmcs=_texts(old.bmcs, node_rows, len(tree.nodes)),
    )


def arranged(old: SiteTopology, new: Sequence[NewNode], gpus: NDArray[np.int64]) -> Arrangement:
    """Return old and new nodes in order; `gpus` int64[old nodes + new] is how many slots each node then has."""
    halls = [old.halls[row] for row in old.parents(Level.NODE, Level.HALL).tolist()]
    racks = [old.racks[row] for row in old.parents(Level.NODE, Level.RACK).tolist()]
    return arrange(
        [*old.nodes, *(node.name for node in new)],
        [*halls, *(node.hall for node in new)],
        [*racks, *(node.rack for node in new)],
        gpus.tolist(),
    )


def _gpu_rows(old: SiteTopology, tree: Arrangement, node_rows: Rows) -> Rows:
    """Return the new row of each old GPU: slots only ever come behind those that a node has."""
    shift = tree.node_gpus[:-1][node_rows] - old.node_gpus[:-1]
    return (np.arange(old.gpus, dtype=np.int32) + np.repeat(shift, np.diff(old.node_gpus))).astype(np.int32)


def _carried(values: NDArray[Scalar], rows: Rows, total: int) -> NDArray[Scalar]:
    out = np.zeros(total, dtype=values.dtype)
    out[rows] = values
    return out


def _moved(domain: Domain, node_rows: Rows, gpu_rows: Rows) -> Domain:
    rows = gpu_rows if domain.unit is Level.GPU else node_rows
    return replace(domain, members=rows[domain.members])


def _texts(texts: Sequence[str], node_rows: Rows, total: int) -> tuple[str, ...]:
    if not texts:
        return ()
    out = [""] * total
    for row, text in zip(node_rows.tolist(), texts, strict=True):
        out[row] = text
    return tuple(out)
