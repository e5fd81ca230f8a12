"""Compares which tasks were alive at two times, by what they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def gained_tasks(looks: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Return by how many tasks the last look differs from the first, by what they run; what stayed is left out."""
    first, last = looks[0], looks[-1]
    changes = {name: last.get(name, 0) - first.get(name, 0) for name in sorted({*first, *last})}
    return {name: change for name, change in changes.items() if change}


def told_tasks(changes: Mapping[str, int]) -> str:
    """Return what was gained and what is gone as text: `+2 Poller.run, -1 sleep`."""
    return ", ".join(f"{change:+d} {name}" for name, change in changes.items())
