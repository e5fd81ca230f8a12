"""A sign before it is folded with others of one thing: it knows which objects it names, and whether these are all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.levels import LEVELS, Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.model.incidents import Sign

PATHS_SHOWN = 20
NODE_PARTS = Level.NODE.depth


@dataclass(frozen=True, eq=False)
class Draft:
    """A sign, the addresses of its objects, and whether these are `all` of them."""

    sign: Sign
    objects: tuple[str, ...]
    all: bool


def shared(paths: Sequence[str]) -> str:
    """Return the address that all paths have in common, empty where they have none."""
    split = [path.split("/") for path in paths]
    same = 0
    while split and all(len(parts) > same and parts[same] == split[0][same] for parts in split):
        same += 1
    return "/".join(split[0][:same]) if split else ""


def level_at(path: str) -> Level:
    """Return the level of what an address names."""
    return LEVELS[min(path.count("/") + 1, len(LEVELS) - 1)]


def nodes_of(paths: Iterable[str]) -> frozenset[str]:
    """Return the addresses of the nodes that some addresses are of or in; none where one of them is wider."""
    split = [path.split("/") for path in paths]
    if any(len(parts) < NODE_PARTS for parts in split):
        return frozenset()
    return frozenset("/".join(parts[:NODE_PARTS]) for parts in split)


def counted(key: str, level: Level, count: int) -> str:
    """Return what so many matches of a sign's key are called: `1 GPU`, `3 nodes`, `8 alerts`."""
    name = "alert" if key.startswith("alert:") else "GPU" if level is Level.GPU else level.value
    return f"{count:,} {name}{'' if count == 1 else 's'}"
