"""Label sets as dcgm-exporter writes them, made once a topology and re-used by every page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.emulator.wire.feed import State
    from console.model.jobs import Job
    from console.model.topology import SiteTopology

DRIVER_VERSION = "580.105.08"
# PCI addresses of an 8-GPU HGX board and of a 4-GPU GB200 tray; other sizes count up.
_HGX = ("1B", "43", "52", "61", "9D", "C3", "D1", "DF")
_TRAY = ("00000008:01", "00000009:01", "00000018:01", "00000019:01")


def escape(text: str) -> str:
    r"""Return a label value with \, " and newline escaped (Prometheus text format 0.0.4)."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def pci_bus_id(slot: int, gpus_in_node: int) -> str:
    """Return a GPU's PCI address as NVML spells it: `00000000:1B:00.0`."""
    if gpus_in_node == len(_TRAY) and slot < len(_TRAY):
        return f"{_TRAY[slot]}:00.0"
    return f"00000000:{_HGX[slot] if slot < len(_HGX) else f'{slot:02X}'}:00.0"


class GpuLabels:
    """The fixed labels of every GPU of a site: `{gpu="0",UUID="GPU-...",...,DCGM_FI_DRIVER_VERSION="..."`, brace open.

    `host_label` is `Hostname` (exporters before May 2026) or `hostname`.
    """

    def __init__(self, topology: SiteTopology, host_label: str) -> None:
        self._topology = topology
        self._host_label = host_label
        self._made: dict[int, tuple[str, ...]] = {}

    def of_node(self, node: int) -> tuple[str, ...]:
        """Return the labels of one node's GPUs."""
        made = self._made.get(node)
        if made is None:
            made = self._made[node] = self._make(node)
        return made

    def _make(self, node: int) -> tuple[str, ...]:
        topology = self._topology
        gpus = topology.span(Level.NODE, node, Level.GPU)
        host = escape(topology.nodes[node])
        labels = []
        for row in range(gpus.start, gpus.stop):
            slot = int(topology.gpu_slot[row])
            labels.append(
                f'{{gpu="{slot}",UUID="{topology.uuid(row)}",'
                f'pci_bus_id="{pci_bus_id(slot, gpus.stop - gpus.start)}",device="nvidia{slot}",'
                f'modelName="{escape(topology.gpu_model(row))}",{self._host_label}="{host}",'
                f'DCGM_FI_DRIVER_VERSION="{DRIVER_VERSION}"'
            )
        return tuple(labels)


@dataclass(frozen=True, slots=True)
class Pod:
    """The Kubernetes attributes of one pod, split where `err_code` and `err_msg` sort in between."""

    container: str
    rest: str


NO_POD = Pod("", "")


class PodLabels:
    """The pods of a site's running jobs: one pod a job and node, as an operator such as Kueue's would name them."""

    def __init__(self, topology: SiteTopology, state: State) -> None:
        self._jobs: Sequence[Job] = state.jobs
        self._gpu_job = state.gpu_job
        self._ranks = _ranks(topology, state.gpu_job)
        self._pods: dict[tuple[int, int], Pod] = {}

    def of_rows(self, rows: slice) -> list[Pod]:
        """Return the pod of each GPU row, NO_POD where none runs."""
        pairs = zip(self._gpu_job[rows].tolist(), self._ranks[rows].tolist(), strict=True)
        return [self._pod(pair) if pair[0] >= 0 else NO_POD for pair in pairs]

    def _pod(self, pair: tuple[int, int]) -> Pod:
        pod = self._pods.get(pair)
        if pod is None:
            job = self._jobs[pair[0]]
            name = f"{job.name}-{job.id}-{pair[1]}"
            rest = f',namespace="{escape(job.account or "default")}",pod="{escape(name)}"'
            pod = self._pods[pair] = Pod(',container="main"', rest)
        return pod


def _ranks(topology: SiteTopology, gpu_job: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return int32[gpus]: which of its job's nodes a GPU sits on, counted from 0."""
    nodes = topology.parents(Level.GPU, Level.NODE)
    order = np.lexsort((nodes, gpu_job))
    job, node = gpu_job[order], nodes[order]
    new_job = np.r_[True, job[1:] != job[:-1]] if len(job) else np.zeros(0, dtype=bool)
    new_node = new_job | (np.r_[True, node[1:] != node[:-1]] if len(job) else new_job)
    nth = np.cumsum(new_node)
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order] = nth - np.maximum.accumulate(np.where(new_job, nth, 0))
    return ranks
