"""The two kinds of hardware that sites are built of, with their constants; sources in docs/emulator.md."""

from __future__ import annotations

from console.model.values import dataclass

MIB = 1048576.0


@dataclass(frozen=True)
class Platform:
    """One kind of rack.

    Power in W of one GPU: `idle_w` without and `context_w` with a CUDA context, `demand_w` what full load would take
    at nominal silicon, `limit_w` the cap. `host_idle_w` and `host_full_w` are a node's share beside its GPUs (CPUs,
    NICs, fans, NVLink switches, PSU loss). Thermal resistance in K/W and time constants in s of die and sink (heat
    sink or cold plate). `zone_racks` share one cooling zone: a CDU loop, or the air of a row. `network_ratio` is
    network and storage as a part of server power, `loss_ratio` power distribution as a part of IT power.
    """

    model: str
    short: str
    liquid: bool
    node_gpus: int
    rack_nodes: int
    hall_racks: int
    zone_racks: int
    leaf_nodes: int
    memory_bytes: float
    idle_w: float
    context_w: float
    demand_w: float
    limit_w: float
    idle_mhz: float
    boost_mhz: float
    die_k_per_w: float
    die_tau_s: float
    sink_k_per_w: float
    sink_tau_s: float
    host_idle_w: float
    host_full_w: float
    network_ratio: float
    loss_ratio: float
    supply_c: float
    rack_shelves: int = 0
    soft_limit_c: float = 87.0
    hard_limit_c: float = 89.0
    shutdown_c: float = 95.0

    @property
    def rack_gpus(self) -> int:
        """GPUs of a full rack."""
        return self.node_gpus * self.rack_nodes

    @property
    def k_per_w(self) -> float:
        """Die over coolant, steady state."""
        return self.die_k_per_w + self.sink_k_per_w


H100 = Platform(
    model="NVIDIA H100 80GB HBM3",
    short="h100",
    liquid=False,
    node_gpus=8,
    rack_nodes=4,
    hall_racks=800,
    zone_racks=20,
    leaf_nodes=32,
    memory_bytes=81_559 * MIB,
    idle_w=70.0,
    context_w=123.0,
    demand_w=715.0,
    limit_w=700.0,
    idle_mhz=345.0,
    boost_mhz=1980.0,
    die_k_per_w=0.020,
    die_tau_s=1.5,
    sink_k_per_w=0.050,
    sink_tau_s=45.0,
    host_idle_w=1400.0,
    host_full_w=2880.0,
    network_ratio=0.10,
    loss_ratio=0.045,
    supply_c=24.0,
)

GB200 = Platform(
    model="NVIDIA GB200",
    short="gb200",
    liquid=True,
    node_gpus=4,
    rack_nodes=18,
    hall_racks=400,
    zone_racks=8,
    leaf_nodes=72,
    memory_bytes=189_471 * MIB,
    idle_w=140.0,
    context_w=215.0,
    demand_w=1215.0,
    limit_w=1200.0,
    idle_mhz=345.0,
    boost_mhz=1965.0,
    die_k_per_w=0.010,
    die_tau_s=1.5,
    sink_k_per_w=0.019,
    sink_tau_s=6.0,
    host_idle_w=900.0,
    host_full_w=1780.0,
    network_ratio=0.03,
    loss_ratio=0.03,
    supply_c=28.0,
    rack_shelves=8,
)
