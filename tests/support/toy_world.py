"""A small world with the shape of the emulator's, whose numbers tests know."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from console.model.builtin_metrics import GPU_METRICS
from console.model.events import Event
from console.model.identity import parse_uuids
from console.model.jobs import Job, JobState
from console.model.levels import Level, Severity
from console.model.topology import Domain, Geo, SiteTopology


def toy_topology(site: str = "muc1", nodes: int = 6, gpus: int = 8, version: int = 1) -> SiteTopology:
    total = nodes * gpus
    racks = (nodes + 1) // 2
    high, low = parse_uuids([f"GPU-{i + 1:08x}-0000-4000-8000-{i + 1:012x}" for i in range(total)])
    return SiteTopology(
        site=site,
        version=version,
        halls=("h1",),
        racks=tuple(f"r{i:03d}" for i in range(racks)),
        nodes=tuple(f"{site}-n{i:04d}" for i in range(nodes)),
        hall_racks=np.array([0, racks], dtype=np.int32),
        rack_nodes=np.minimum(np.arange(racks + 1) * 2, nodes).astype(np.int32),
        node_gpus=(np.arange(nodes + 1) * gpus).astype(np.int32),
        gpu_slot=np.tile(np.arange(gpus, dtype=np.uint8), nodes),
        uuid_high=high,
        uuid_low=low,
        models=("NVIDIA H100 80GB HBM3",),
        model_code=np.zeros(total, dtype=np.uint8),
        domains={
            "cdu": Domain(
                "cdu",
                ("c0", "c1"),
                Level.NODE,
                np.arange(nodes, dtype=np.int32),
                np.array([0, nodes // 2, nodes], dtype=np.int32),
            )
        },
        aliases={f"bmc-{i}": i for i in range(nodes)},
        serials=tuple(f"S{i}" for i in range(nodes)),
        bmcs=tuple(f"192.0.2.{i}" for i in range(nodes)),
        geo=Geo("DE", 48.1, 11.6, "Europe/Berlin"),
        declared=True,
    )


@dataclass(eq=False)
class ToyState:
    at: float
    version: int
    columns: dict[str, np.ndarray]
    jobs: tuple[Job, ...]
    gpu_job: np.ndarray
    events: tuple[Event, ...]


@dataclass
class ToyWorld:
    site_names: tuple[str, ...] = ("muc1",)
    nodes: int = 6
    gpus: int = 8
    seed: int = 1
    topologies: dict[str, SiteTopology] = field(default_factory=dict)
    blind: tuple[int, ...] = (3,)
    more_events: tuple[Event, ...] = ()

    def topology(self, site: str) -> SiteTopology:
        if site not in self.topologies:
            self.topologies[site] = toy_topology(site, self.nodes, self.gpus)
        return self.topologies[site]

    def rename(self, site: str, version: int) -> None:
        topology = self.topology(site)
        names = tuple(f"{name}x" for name in topology.nodes)
        self.topologies[site] = replace(topology, nodes=names, version=version)

    def state(self, site: str, now: float) -> ToyState:
        topology = self.topology(site)
        jobs = (
            Job("41", "llm-7", "ada", JobState.RUNNING, self.gpus * 2, 2, account="research", start_at=now - 100),
            Job("42", "sft-3", "bob", JobState.PENDING, 8, 1, reason="Resources"),
        )
        gpu_job = np.full(topology.gpus, -1, dtype=np.int32)
        gpu_job[self.gpus : 3 * self.gpus] = 0
        event = Event(1000.0, site, f"{site}/h1/r000/{topology.nodes[0]}", "xid", Severity.WARNING, "XID 79")
        return ToyState(now, topology.version, self._columns(topology), jobs, gpu_job, (event, *self.more_events))

    def _columns(self, topology: SiteTopology) -> dict[str, np.ndarray]:
        random = np.random.default_rng(self.seed)
        ranges = {"mem_used_bytes": 8e10, "mem_free_bytes": 8e10, "sm_active_ratio": 1, "tensor_active_ratio": 1}
        columns = {
            metric.name: (random.random(topology.gpus) * ranges.get(metric.name, 90)).astype(np.float32)
            for metric in GPU_METRICS
        }
        columns["xid"] = np.zeros(topology.gpus, dtype=np.float32)
        columns["xid"][-1] = 79
        for column in columns.values():
            column[[row for row in self.blind if row < len(column)]] = np.nan
        columns["it_power_w"] = np.array([1.5e8], dtype=np.float32)
        columns["hall_inlet_c"] = np.array([24.5], dtype=np.float32)
        columns["cdu_flow_lpm"] = np.array([900, np.nan], dtype=np.float32)
        columns["host_power_w"] = (random.random(len(topology.nodes)) * 3000).astype(np.float32)
        return columns
