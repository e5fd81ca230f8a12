"""The kinds of disagreement, how bad each is, and how long it must last before it is told."""

from __future__ import annotations

from console.model.levels import Severity
from console.model.values import dataclass

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `hold_s`: voices are asked at different times, so that one may simply not have heard yet."""

    name: str
    title: str
    severity: Severity = Severity.WARNING
    hold_s: float = 0.0


# Slurm and Kubernetes are read every 30 s: what ends within two readings was a change, no disagreement.
CHANGING_S = 60.0
DRAINED = Kind("drained-elsewhere", "drained there and schedulable here", hold_s=CHANGING_S)
ALLOCATED_IDLE = Kind("allocated-idle", "allocated but idle for an hour")
IDLE_LATELY = Kind("allocated-idle-lately", "allocated but idle for less than an hour", Severity.INFO)
GPUS_SILENT = Kind("gpus-silent", "fewer GPUs report than there are", hold_s=CHANGING_S)
UNSCHEDULED = Kind("unknown-to-scheduler", "in telemetry but unknown to the scheduler", hold_s=CHANGING_S)
UNSEEN = Kind("unknown-to-telemetry", "known to the scheduler, never in telemetry", hold_s=CHANGING_S)
UNKNOWN_NAME = Kind("unknown-name", "known to the scheduler by a name that leads to no node")
DOWN_HEALTHY = Kind("down-healthy", "the scheduler says down, telemetry says healthy", hold_s=CHANGING_S)
USED_SILENT = Kind("usable-silent", "the scheduler says usable, telemetry is silent", Severity.CRITICAL, CHANGING_S)
ALERTED = Kind("usable-alerted", "the scheduler says usable, a critical alert is firing on it", hold_s=CHANGING_S)
GPU_COUNT = Kind("gpu-count", "GPU counts differ")
MINORITY = "minority-"


def minority(fact: str) -> Kind:
    """Return the kind of a node whose driver, VBIOS or firmware differs from that of its like: worth knowing."""
    return Kind(f"{MINORITY}{fact.replace('_', '-')}", f"a {fact_words(fact)} that few nodes have", Severity.INFO)


def is_counted(name: str) -> bool:
    """Return whether somebody should look at disagreements of a kind: the others are only worth knowing."""
    return name != IDLE_LATELY.name and not name.startswith(MINORITY)


def fact_words(fact: str) -> str:
    """Return a fact's name as people write it."""
    known = {"vbios": "VBIOS", "bmc_firmware": "BMC firmware", "nic_firmware": "NIC firmware", "os": "operating system"}
    return known.get(fact, fact.replace("_", " "))
