"""The faults that an emulated site suffers, with their rates; sources in docs/emulator.md."""

from __future__ import annotations

from console.model.levels import Severity
from console.model.values import dataclass

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault. `rate` is events for each 1,000 GPU-days; `repair_s` the median of a log-normal repair time.

    `xids` are what the driver logs, the last one stays in the exporter's field. `silent` GPUs vanish from telemetry;
    `whole_node` takes the node with all its GPUs; `fatal` ends the job and drains the node. `recovery` is NVML's
    recovery action (1 reset, 2 reboot, 4 drain and reset).
    """

    name: str
    rate: float
    repair_s: float
    text: str
    xids: tuple[int, ...] = ()
    silent: bool = False
    whole_node: bool = False
    fatal: bool = True
    recovery: int = 0
    severity: Severity = Severity.CRITICAL


FAULTS: tuple[FaultKind, ...] = (
    FaultKind(
        "gpu-off-bus", 0.0700, 4 * HOUR_S, "GPU has fallen off the bus.", (79,), silent=True, recovery=2
    ),
    FaultKind(
        "nvlink-error", 0.0973, 2 * HOUR_S, "NVLink: fatal error detected on link {link}", (74,), recovery=1
    ),
    FaultKind(
        "hbm-uncorrectable", 0.0814, 1 * HOUR_S,
        "Row Remapper: New row marked for remapping, reset gpu to activate.", (48, 63, 94), recovery=4,
    ),
    FaultKind("sram-uncorrectable", 0.0215, 1 * HOUR_S, "DBE (double bit error) in SRAM", (48, 94), recovery=1),
    FaultKind(
        "gsp-timeout", 0.0192, 1 * HOUR_S, "Timeout after 45s of waiting for RPC response from GPU GSP!", (119,),
        recovery=2,
    ),
    FaultKind(
        "thermal-interface", 0.0068, 30 * HOUR_S, "temperature at this power is far above the node's other GPUs",
        fatal=False, severity=Severity.WARNING,
    ),
    FaultKind("node-crash", 0.0594, 3 * HOUR_S, "node stopped responding", silent=True, whole_node=True),
    FaultKind(
        "network-link", 0.0396, 0.5 * HOUR_S, "link to leaf switch went down", whole_node=True,
        severity=Severity.WARNING,
    ),
)  # fmt: skip
THERMAL_SHUTDOWN = FaultKind(
    "thermal-shutdown", 0.0, 1 * HOUR_S, "GPU over its shutdown temperature, node switched off", silent=True,
    whole_node=True,
)  # fmt: skip
REPAIR_SIGMA = 0.6
# Few parts carry most faults: this part of the nodes gets this part of the events.
LEMON_NODES, LEMON_EVENTS = 0.015, 0.30
