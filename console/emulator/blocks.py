"""The rows of a site that are of one kind of hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from console.emulator.hardware import Platform


@dataclass(frozen=True, eq=False)
class Block:
    """The rows of a site that one section fills, at every level; zones are runs of racks that share their cooling."""

    platform: Platform
    halls: slice
    racks: slice
    nodes: slice
    gpus: slice
    zones: slice
