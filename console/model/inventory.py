"""The declared inventory: what a site says it has, one value a node."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One declared (or discovered) node; `domains` maps a kind (`cdu`, `nvlink`, `feed`, ...) to domain names."""

    name: str
    hall: str = ""
    rack: str = ""
    gpus: int = 8
    aliases: tuple[str, ...] = ()
    serial: str = ""
    bmc: str = ""
    model: str = ""
    gpu_uuids: tuple[str, ...] = ()
    domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
