"""The built-in rows of the metric table. DCGM names and units: dcgm-exporter's default-counters.csv and DCGM's field list."""

from __future__ import annotations

from console.model.metrics import Kind, Metric, MetricTable, RollUp

_MIB = 1048576.0
_MEAN, _MAX, _SUM, _LAST = RollUp.MEAN, RollUp.MAX, RollUp.SUM, RollUp.LAST


def _counter(name: str, title: str, dcgm: str, nvidia_smi: str = "") -> Metric:
    return Metric(
        name,
        "count",
        title,
        {name: _SUM},
        kind=Kind.COUNTER,
        heat=(0, 10),
        dcgm=(dcgm,),
        nvidia_smi=(nvidia_smi,) if nvidia_smi else (),
    )


GPU_METRICS = (
    Metric(
        "util_pct", "%", "GPU utilisation", {"util_pct": _MEAN}, high=100, worse=-1,
        dcgm=("DCGM_FI_DEV_GPU_UTIL",), nvidia_smi=("utilization.gpu",), nvml="utilization",
    ),
    Metric(
        "temp_c", "C", "GPU temperature", {"temp_c_max": _MAX, "temp_c_avg": _MEAN}, low=-20, high=150, heat=(25, 90),
        dcgm=("DCGM_FI_DEV_GPU_TEMP",), nvidia_smi=("temperature.gpu",), nvml="temperature",
    ),
    Metric(
        "mem_temp_c", "C", "memory temperature", {"mem_temp_c_max": _MAX, "mem_temp_c_avg": _MEAN}, low=-20, high=150,
        heat=(30, 95), dcgm=("DCGM_FI_DEV_MEMORY_TEMP",), nvidia_smi=("temperature.memory",),
    ),
    Metric(
        "power_w", "W", "GPU power", {"gpu_power_w_sum": _SUM, "power_w_avg": _MEAN, "power_w_max": _MAX}, high=5000,
        heat=(60, 1200), quantum=5, dcgm=("DCGM_FI_DEV_POWER_USAGE",), nvidia_smi=("power.draw",), nvml="power",
    ),
    Metric(
        "power_limit_w", "W", "power limit", {"power_limit_w_sum": _SUM}, high=5000, heat=(200, 1400),
        dcgm=("DCGM_FI_DEV_POWER_MGMT_LIMIT", "DCGM_FI_DEV_ENFORCED_POWER_LIMIT"), nvidia_smi=("power.limit",),
    ),
    Metric(
        "sm_clock_mhz", "MHz", "SM clock", {"sm_clock_mhz": _MEAN}, high=10000, heat=(300, 2000), quantum=15, worse=-1,
        dcgm=("DCGM_FI_DEV_SM_CLOCK",), nvidia_smi=("clocks.current.sm", "clocks.sm"),
    ),
    Metric(
        "mem_used_bytes", "bytes", "memory used", {"mem_used_bytes": _SUM}, heat=(0, 2e11), quantum=1e9,
        dcgm=("DCGM_FI_DEV_FB_USED",), scale=_MIB, nvidia_smi=("memory.used",),
    ),
    Metric(
        "mem_free_bytes", "bytes", "memory free", {"mem_free_bytes": _SUM}, heat=(0, 2e11), quantum=1e9, worse=-1,
        dcgm=("DCGM_FI_DEV_FB_FREE",), scale=_MIB, nvidia_smi=("memory.free",),
    ),
    _counter("ecc_sbe", "corrected memory errors", "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "ecc.errors.corrected.volatile.total"),
    _counter(
        "ecc_dbe", "uncorrected memory errors", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "ecc.errors.uncorrected.volatile.total"
    ),
    Metric(
        "remapped_rows", "count", "remapped rows", {"remapped_rows": _SUM}, kind=Kind.COUNTER, heat=(0, 8),
        dcgm=("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS"),
        nvidia_smi=("remapped_rows.uncorrectable",),
    ),
    Metric(
        "remap_failed", "0/1", "row remap failed", {"remap_failed": _SUM}, kind=Kind.FLAG, heat=(0, 1),
        dcgm=("DCGM_FI_DEV_ROW_REMAP_FAILURE",), nvidia_smi=("remapped_rows.failure",),
    ),
    Metric(
        "remap_pending", "0/1", "row remap pending", {"remap_pending": _SUM}, kind=Kind.FLAG, heat=(0, 1),
        dcgm=("DCGM_FI_DEV_ROW_REMAP_PENDING",), nvidia_smi=("remapped_rows.pending",),
    ),
    _counter("nvlink_errors", "NVLink CRC errors", "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL"),
    _counter("pcie_replays", "PCIe replays", "DCGM_FI_DEV_PCIE_REPLAY_COUNTER"),
    Metric(
        "sm_active_ratio", "0..1", "SM active", {"sm_active_ratio": _MEAN}, high=1.001, heat=(0, 1), quantum=0.01,
        worse=-1, dcgm=("DCGM_FI_PROF_SM_ACTIVE",),
    ),
    Metric(
        "tensor_active_ratio", "0..1", "tensor pipe active", {"tensor_active_ratio": _MEAN}, high=1.001, heat=(0, 1),
        quantum=0.01, worse=-1, dcgm=("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",),
    ),
    Metric("temp_margin_c", "C", "margin to slowdown", {"temp_margin_c_avg": _MEAN}, low=-50, high=150, worse=-1,
           dcgm=("DCGM_FI_DEV_GPU_TEMP_LIMIT",), nvidia_smi=("temperature.gpu.tlimit",)),
    Metric("pcie_width", "lanes", "PCIe width", {"pcie_width": _MEAN}, high=64, heat=(1, 16), worse=-1,
           dcgm=("DCGM_FI_DEV_PCIE_LINK_WIDTH",), nvidia_smi=("pcie.link.width.current",)),
    Metric("recovery_action", "code", "recovery action", {"recovery_action": _MAX}, kind=Kind.CODE, high=16,
           heat=(0, 4), dcgm=("DCGM_FI_DEV_GPU_RECOVERY_ACTION", "DCGM_FI_DEV_GET_GPU_RECOVERY_ACTION"),
           nvidia_smi=("gpu_recovery_action",)),
    Metric("xid", "code", "last XID", {"xid": _MAX}, kind=Kind.CODE, high=1e6, heat=(0, 1),
           dcgm=("DCGM_FI_DEV_XID_ERRORS",)),
    Metric(
        "clock_events", "bitmask", "clock event reasons", {"clock_events": _MAX}, kind=Kind.BITMASK, high=1e9,
        heat=(0, 255), dcgm=("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS"),
        nvidia_smi=("clocks_event_reasons.active", "clocks_throttle_reasons.active"),
    ),
)

FACILITY_METRICS = (
    Metric("it_power_w", "W", "IT power", {"it_power_w": _SUM}, level="site", high=1e11, heat=(0, 2e8), quantum=1e5),
    Metric("facility_power_w", "W", "facility power", {"facility_power_w": _SUM}, level="site", high=1e11,
           heat=(0, 2e8), quantum=1e5),
    Metric("cooling_power_w", "W", "cooling power", {"cooling_power_w": _SUM}, level="site", high=1e11,
           heat=(0, 5e7), quantum=1e5),
    Metric("pue", "ratio", "PUE", {"pue": _MEAN}, level="site", low=1, high=10, heat=(1, 1.6), quantum=0.01),
    Metric("supply_c", "C", "coolant supply", {"supply_c": _MEAN}, level="site", low=-40, high=120, heat=(15, 45)),
    Metric("return_c", "C", "coolant return", {"return_c": _MEAN}, level="site", low=-40, high=120, heat=(20, 60)),
    Metric("outdoor_c", "C", "outdoor temperature", {"outdoor_c": _MEAN}, level="site", low=-60, high=70,
           heat=(-10, 40)),
    Metric("grid_g_kwh", "gCO2/kWh", "grid intensity", {"grid_g_kwh": _MEAN}, level="site", high=5000, heat=(0, 800)),
    Metric("hall_inlet_c", "C", "hall inlet", {"hall_inlet_c": _MAX}, level="hall", low=-40, high=120, heat=(15, 40)),
    Metric("host_power_w", "W", "host power", {"host_power_w": _SUM}, level="node", high=1e5, heat=(0, 3000)),
    Metric("cdu_flow_lpm", "l/min", "CDU flow", {"cdu_flow_lpm": _SUM}, level="cdu", high=1e5, heat=(0, 2000),
           worse=-1),
    Metric("cdu_supply_c", "C", "CDU supply", {"cdu_supply_c": _MAX}, level="cdu", low=-40, high=120, heat=(15, 45)),
    Metric("cdu_return_c", "C", "CDU return", {"cdu_return_c": _MAX}, level="cdu", low=-40, high=120, heat=(20, 60)),
    Metric("shelf_power_w", "W", "shelf power", {"shelf_power_w": _SUM}, level="shelf", high=1e6, heat=(0, 33000)),
)

# What only a node's BMC tells.
BMC_METRICS = (
    Metric("node_power_w", "W", "node power", {"node_power_w": _SUM}, level="node", high=1e6, heat=(0, 12000), quantum=10),
    Metric("inlet_c", "C", "node air inlet", {"inlet_c": _MAX}, level="node", low=-40, high=120, heat=(15, 45)),
    Metric("leak", "0/1", "liquid leak", {"leak": _SUM}, level="node", kind=Kind.FLAG, heat=(0, 1)),
    Metric("psu_failed", "count", "failed power supplies", {"psu_failed": _SUM}, level="node", high=1000, heat=(0, 2)),
    Metric("fan_failed", "count", "failed fans", {"fan_failed": _SUM}, level="node", high=1000, heat=(0, 2)),
)

BUILTIN = MetricTable([*GPU_METRICS, *FACILITY_METRICS, *BMC_METRICS])
