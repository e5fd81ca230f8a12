"""What exporters call the metrics that we know: DCGM's fields, and the one table of other exporters' names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.sources.exposition.values import MIG_ACTIVE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.metrics import Metric, MetricTable

_MIB = 1048576.0
# nvidia_gpu_exporter (utkuozdemir): nvidia-smi's query fields, in base units; nvidia_gpu_prometheus_exporter
# (mindprince): NVML's. Name, our metric, and what turns their unit into ours.
FOREIGN: tuple[tuple[str, str, float], ...] = (
    ("nvidia_smi_utilization_gpu_ratio", "util_pct", 100.0),
    ("nvidia_smi_temperature_gpu", "temp_c", 1.0),
    ("nvidia_smi_temperature_memory", "mem_temp_c", 1.0),
    ("nvidia_smi_temperature_gpu_tlimit", "temp_margin_c", 1.0),
    ("nvidia_smi_power_draw_watts", "power_w", 1.0),
    ("nvidia_smi_power_limit_watts", "power_limit_w", 1.0),
    ("nvidia_smi_enforced_power_limit_watts", "power_limit_w", 1.0),
    ("nvidia_smi_clocks_current_sm_clock_hz", "sm_clock_mhz", 1e-6),
    ("nvidia_smi_memory_used_bytes", "mem_used_bytes", 1.0),
    ("nvidia_smi_memory_free_bytes", "mem_free_bytes", 1.0),
    ("nvidia_smi_ecc_errors_corrected_volatile_total", "ecc_sbe", 1.0),
    ("nvidia_smi_ecc_errors_uncorrected_volatile_total", "ecc_dbe", 1.0),
    ("nvidia_smi_remapped_rows_uncorrectable", "remapped_rows", 1.0),
    ("nvidia_smi_remapped_rows_failure", "remap_failed", 1.0),
    ("nvidia_smi_remapped_rows_pending", "remap_pending", 1.0),
    ("nvidia_smi_pcie_link_width_current", "pcie_width", 1.0),
    ("nvidia_smi_gpu_recovery_action", "recovery_action", 1.0),
    ("nvidia_smi_clocks_event_reasons_active", "clock_events", 1.0),
    ("nvidia_smi_clocks_throttle_reasons_active", "clock_events", 1.0),
    ("nvidia_gpu_duty_cycle", "util_pct", 1.0),
    ("nvidia_gpu_temperature_celsius", "temp_c", 1.0),
    ("nvidia_gpu_power_usage_milliwatts", "power_w", 1e-3),
    ("nvidia_gpu_memory_used_bytes", "mem_used_bytes", 1.0),
    # dcgm-exporter 1.x, and later ones with its file 1.x-compatibility-metrics.csv.
    ("dcgm_gpu_utilization", "util_pct", 1.0),
    ("dcgm_gpu_temp", "temp_c", 1.0),
    ("dcgm_memory_temp", "mem_temp_c", 1.0),
    ("dcgm_power_usage", "power_w", 1.0),
    ("dcgm_sm_clock", "sm_clock_mhz", 1.0),
    ("dcgm_fb_used", "mem_used_bytes", _MIB),
    ("dcgm_fb_free", "mem_free_bytes", _MIB),
    ("dcgm_ecc_sbe_volatile_total", "ecc_sbe", 1.0),
    ("dcgm_ecc_dbe_volatile_total", "ecc_dbe", 1.0),
    ("dcgm_nvlink_flit_crc_error_count_total", "nvlink_errors", 1.0),
    ("dcgm_pcie_replay_counter", "pcie_replays", 1.0),
    ("dcgm_fi_prof_sm_active", "sm_active_ratio", 1.0),
    ("dcgm_fi_prof_pipe_tensor_active", "tensor_active_ratio", 1.0),
    ("dcgm_xid_errors", "xid", 1.0),
)
# A row of nvidia_gpu_exporter that says which index and model a UUID has.
WHO_IS_WHO = "nvidia_smi_gpu_info"
COUNTER_SUFFIX = "_total"


@dataclass(frozen=True)
class Known:
    """What one name stands for. `rank` 0 is the preferred name of a metric; `mean` is taken over MIG instances."""

    metric: Metric
    scale: float
    rank: int
    mean: bool = False


def known_names(metrics: MetricTable) -> dict[str, Known]:
    """Return what every name stands for, in the form with OpenMetrics' counter suffix too."""
    found = dict(_known(metrics))
    return {f"{name}{COUNTER_SUFFIX}": each for name, each in found.items()} | found


def _known(metrics: MetricTable) -> Iterator[tuple[str, Known]]:
    for metric in metrics.at("gpu"):
        for rank, name in enumerate(metric.dcgm):
            yield name, Known(metric, metric.scale, rank, metric.unit == "0..1")
    for rank, (name, ours, scale) in enumerate(FOREIGN, 100):
        known = metrics.get(ours)
        if known is not None:
            yield name, Known(known, scale, rank)
    # Under MIG there is no utilisation of a GPU: how busy its instances are stands for it.
    busy = metrics.get("util_pct")
    if busy is not None and metrics.of_dcgm(MIG_ACTIVE) is None:
        yield MIG_ACTIVE, Known(busy, 100.0, 1000, mean=True)
