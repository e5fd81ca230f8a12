"""The DCGM fields that the emulated exporter offers: name, Prometheus type, help text, and how values are printed.

Names, types, help texts and order (ascending field number, as dcgm-exporter sorts) are those of dcgm-exporter's
default-counters.csv and DCGM's field list; integers print with %d, doubles with %f.
"""

from __future__ import annotations

from enum import StrEnum

from console.model.values import dataclass


class Print(StrEnum):
    """How dcgm-exporter prints a value."""

    INTEGER = "%d"
    DOUBLE = "%f"


@dataclass(frozen=True, slots=True)
class DcgmField:
    """One field; `per_unit` is how many of our units make one of DCGM's."""

    name: str
    metric: str
    type: str
    help: str
    printed: Print = Print.INTEGER
    per_unit: float = 1.0


_MIB = 1024.0 * 1024.0
_GAUGE, _COUNTER = "gauge", "counter"

DCGM_FIELDS = (
    DcgmField("DCGM_FI_DEV_SM_CLOCK", "sm_clock_mhz", _GAUGE, "SM clock frequency (in MHz)."),
    DcgmField("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "clock_events", _GAUGE, "Current clock throttle reasons bitmask."),
    DcgmField("DCGM_FI_DEV_MEMORY_TEMP", "mem_temp_c", _GAUGE, "Memory temperature (in C)."),
    DcgmField("DCGM_FI_DEV_GPU_TEMP", "temp_c", _GAUGE, "GPU temperature (in C)."),
    DcgmField("DCGM_FI_DEV_GPU_TEMP_LIMIT", "temp_margin_c", _GAUGE, "Thermal margin to slowdown (in C)."),
    DcgmField("DCGM_FI_DEV_POWER_USAGE", "power_w", _GAUGE, "Power draw (in W).", Print.DOUBLE),
    DcgmField("DCGM_FI_DEV_POWER_MGMT_LIMIT", "power_limit_w", _GAUGE, "Current power limit (in W).", Print.DOUBLE),
    DcgmField("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "pcie_replays", _COUNTER, "Total number of PCIe retries."),
    DcgmField("DCGM_FI_DEV_GPU_UTIL", "util_pct", _GAUGE, "GPU utilization (in %)."),
    DcgmField("DCGM_FI_DEV_XID_ERRORS", "xid", _GAUGE, "Value of the last XID error encountered."),
    DcgmField("DCGM_FI_DEV_PCIE_LINK_WIDTH", "pcie_width", _GAUGE, "PCIe current link width."),
    DcgmField("DCGM_FI_DEV_FB_FREE", "mem_free_bytes", _GAUGE, "Framebuffer memory free (in MiB).", per_unit=_MIB),
    DcgmField("DCGM_FI_DEV_FB_USED", "mem_used_bytes", _GAUGE, "Framebuffer memory used (in MiB).", per_unit=_MIB),
    DcgmField("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "ecc_sbe", _COUNTER, "Total number of single-bit volatile ECC errors."),
    DcgmField("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "ecc_dbe", _COUNTER, "Total number of double-bit volatile ECC errors."),
    DcgmField(
        "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
        "remapped_rows",
        _COUNTER,
        "Number of remapped rows for uncorrectable errors",
    ),
    DcgmField("DCGM_FI_DEV_ROW_REMAP_FAILURE", "remap_failed", _GAUGE, "Whether remapping of rows has failed"),
    DcgmField("DCGM_FI_DEV_ROW_REMAP_PENDING", "remap_pending", _GAUGE, "Whether remapping of rows is pending"),
    DcgmField(
        "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL",
        "nvlink_errors",
        _COUNTER,
        "Total number of NVLink flow-control CRC errors.",
    ),
    DcgmField(
        "DCGM_FI_PROF_SM_ACTIVE",
        "sm_active_ratio",
        _GAUGE,
        "The ratio of cycles an SM has at least 1 warp assigned.",
        Print.DOUBLE,
    ),
    DcgmField(
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
        "tensor_active_ratio",
        _GAUGE,
        "Ratio of cycles the tensor (HMMA) pipe is active.",
        Print.DOUBLE,
    ),
    DcgmField("DCGM_FI_DEV_GET_GPU_RECOVERY_ACTION", "recovery_action", _GAUGE, "GPU recovery action."),
)

# What dcgm-exporter writes into err_msg; the texts of NVIDIA's XID catalogue, as far as the emulator makes such codes.
XID_TEXTS = {
    0: "No Error",
    13: "Graphics Engine Exception",
    31: "GPU memory page fault",
    43: "GPU stopped processing",
    45: "Preemptive cleanup, due to previous errors",
    48: "Double Bit ECC Error",
    61: "Internal micro-controller breakpoint/warning",
    62: "Internal micro-controller halt",
    63: "ECC page retirement or row remapping recording event",
    64: "ECC page retirement or row remapper recording failure",
    74: "NVLINK Error",
    79: "GPU has fallen off the bus",
    92: "High single-bit ECC error rate",
    94: "Contained ECC error",
    95: "Uncontained ECC error",
    119: "GSP RPC timeout",
    120: "GSP error",
}
UNKNOWN_XID = "Unknown Error"
