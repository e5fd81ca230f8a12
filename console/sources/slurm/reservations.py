"""Reservations as slurmctld lists them: which nodes are kept, for whom or what, and from when to when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.scheduling import Reservation
from console.sources.slurm.nodelist import names
from console.sources.slurm.words import split, when

if TYPE_CHECKING:
    from console.sources.slurm.bodies import WireReservation
    from console.sources.slurm.words import Words


def reservation(row: WireReservation, cluster: str) -> Reservation:
    """Return one reservation, its node list expanded."""
    return Reservation(
        name=row.name or "",
        nodes=names(row.node_list) if row.node_list else (),
        start_at=when(row.start_time),
        end_at=when(row.end_time),
        flags=tuple(word for each in split(row.flags) for word in each.split(",") if word),
        users=_listed(row.users),
        accounts=_listed(row.accounts),
        cluster=cluster,
    )


def _listed(words: Words) -> tuple[str, ...]:
    """Return the names of `ada,bob` or of a list, each once."""
    several = words.split(",") if isinstance(words, str) else words or ()
    return tuple(dict.fromkeys(name.strip() for name in several if name.strip()))
