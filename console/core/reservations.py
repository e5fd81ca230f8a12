"""Reservations of schedulers with the inventory's names for their nodes, and which nodes they keep at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from console.model.scheduling import Reservation
    from console.model.topology import SiteTopology


def reserved(
    reservations: Iterable[Reservation], topology: SiteTopology, node_row: Callable[[str], int]
) -> tuple[Reservation, ...]:
    """Return reservations with the names that the inventory has for nodes in any spelling; others stay as they are."""

    def named(name: str) -> str:
        row = node_row(name)
        return topology.nodes[row] if row >= 0 else name

    return tuple(replace(each, nodes=tuple(map(named, each.nodes))) for each in reservations)


def kept_rows(reservation: Reservation, topology: SiteTopology) -> NDArray[np.int64]:
    """Return the node rows of a reservation; names that lead nowhere are left out."""
    rows = (topology.node_row(name) for name in reservation.nodes)
    return np.fromiter((row for row in rows if row is not None), dtype=np.int64)


def holds_at(reservation: Reservation, now: float) -> bool:
    """Whether a reservation keeps its nodes at `now`; an end that is not told never comes."""
    return reservation.start_at <= now and (not reservation.end_at or now < reservation.end_at)
