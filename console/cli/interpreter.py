"""Sets the interpreter up for many threads and large tables: nobody waits long for its lock or for its collector."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.engine.session import Session
    from console.model.snapshot import Snapshot

# A thread that waits for the lock asks for it after so long; the default, 5 ms, is as much as a key may take.
SWITCH_S = 0.0005
# Imports and tables make objects that stay; looking for cycles among them at every 700 is a tenth of a start.
YOUNG, MIDDLE, OLD = 20_000, 20, 10
SETTLING_SNAPSHOTS = 5


def tune() -> None:
    """Choose the times at which threads take turns, and how often young objects are looked through for cycles."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(YOUNG, MIDDLE, OLD)


def keep_pauses_short(session: Session) -> None:
    """Take what there is out of the collector's sight whenever the fleet has settled after a change of its sites.

    Looking through the names, jobs and series of a million GPUs takes a tenth of a second, in which no thread runs.
    """
    session.subscribe(_Settling())


class _Settling:
    """Counts the snapshots since a site came or changed."""

    def __init__(self) -> None:
        self._sites: tuple[tuple[str, int], ...] = ()
        self._left = 0

    def __call__(self, snapshot: Snapshot) -> None:
        sites = tuple((site.site, site.topology.version) for site in snapshot.frame.sites if site.data_at)
        if sites != self._sites:
            self._sites, self._left = sites, SETTLING_SNAPSHOTS
        elif self._left:
            self._left -= 1
            if not self._left:
                gc.freeze()
