"""Marks follow the object: keys of what is marked to the addresses where it is now, and what is not shown of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.views import HeatMap, Table
from console.ui import objects
from console.ui.breadcrumb import Marked
from console.ui.footer import flat

if TYPE_CHECKING:
    from collections.abc import Collection

    from console.model.snapshot import Frame
    from console.model.views import View

# Beyond that the addresses of marks are not looked up on the screen's loop: all marks still count.
LOOKED_UP = 1000


def where_marked(frame: Frame | None, keys: frozenset[str]) -> frozenset[str]:
    """Return the addresses of marked objects that are there."""
    if frame is None or not keys:
        return frozenset()
    found = (objects.address_of(frame, key) for key in sorted(keys)[:LOOKED_UP])
    return frozenset(address for address in found if address)


def counted(keys: Collection[str], addresses: frozenset[str], view: View | None) -> Marked:
    """Return how many are marked, and how many of them no table or map of the view shows."""
    if not keys:
        return Marked()
    shown: set[str] = set()
    for part in flat(view):
        if isinstance(part, (Table, HeatMap)):
            ids = set(part.ids) if isinstance(part.ids, list) else part.ids
            shown |= {address for address in addresses - shown if address in ids}
    return Marked(len(keys), len(keys) - len(shown))
