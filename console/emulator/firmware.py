"""What an emulated site's nodes run: driver, VBIOS and firmware, with a few nodes that an update has left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.model.levels import Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.topology import SiteTopology

# The usual text and the one of nodes left behind, by GPU model; form after nvidia-smi's and Redfish's, set by hand.
VBIOS = {"H100": ("96.00.99.00.01", "96.00.74.00.1A"), "GB200": ("97.00.B9.00.4B", "97.00.82.00.40")}
BMC_FIRMWARE = {"H100": ("24.09.17", "23.11.02"), "GB200": ("25.01-4_rc1", "24.10-9")}
NIC_FIRMWARE = {"H100": ("28.43.1014", "28.39.1002"), "GB200": ("28.44.1036", "28.43.1014")}
FACTS = {"vbios": (VBIOS, 211), "bmc_firmware": (BMC_FIRMWARE, 307), "nic_firmware": (NIC_FIRMWARE, 401)}
STRAY_EVERY = 1009
LEAST_NODES = 64


def strays(nodes: int, first: int = 500) -> NDArray[np.bool_]:
    """Return bool[nodes]: about every thousandth node, none of a small site."""
    every = min(STRAY_EVERY, nodes)
    rows = np.arange(nodes)
    return (rows % every == first % every) if nodes >= LEAST_NODES else np.zeros(nodes, dtype=bool)


def facts_of(topology: SiteTopology) -> dict[str, tuple[str, ...]]:
    """Return a text a node for each fact, in the topology's order."""
    nodes = len(topology.nodes)
    told = {"driver": _domain_texts(topology, "driver")}
    newer = _is_gb200(topology)
    for fact, (texts, first) in FACTS.items():
        names = (*texts["H100"], *texts["GB200"])
        codes = 2 * newer + strays(nodes, first)
        told[fact] = tuple(map(names.__getitem__, codes.tolist()))
    return told


def _is_gb200(topology: SiteTopology) -> NDArray[np.int64]:
    """Return int64[nodes]: 1 where the GPUs of a node are GB200."""
    codes = topology.model_code
    if codes is None or not topology.gpus:
        return np.zeros(len(topology.nodes), dtype=np.int64)
    newer = np.array(["GB200" in model for model in topology.models], dtype=np.int64)
    return newer[codes[np.minimum(topology.node_gpus[:-1], topology.gpus - 1)]]


def _domain_texts(topology: SiteTopology, kind: str) -> tuple[str, ...]:
    domain = topology.domains[kind]
    assert domain.unit is Level.NODE  # the emulator's own
    codes = np.empty(len(topology.nodes), dtype=np.int64)
    codes[domain.members] = np.repeat(np.arange(len(domain.names)), np.diff(domain.starts))
    return tuple(map(domain.names.__getitem__, codes.tolist()))
