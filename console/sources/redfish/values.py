"""What is known of one BMC: what there is to ask (a plan, made now and then) and what a visit found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.sources.redfish.resources import NAN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.model.levels import Severity


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to ask at each visit: `kind` says how it is read; a `whole` collection comes with its members."""

    kind: str
    path: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class GpuPlan:
    """One GPU, once, however many systems list it; `sensors` are the paths of its sensors by metric."""

    name: str
    uuid: str
    model: str = ""
    firmware: str = ""
    collection: str = ""
    sensors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a BMC has: `essential` must be readable at each visit, `serials` is everything that identifies it."""

    essential: str
    steps: tuple[Step, ...] = ()
    logs: tuple[str, ...] = ()
    gpus: tuple[GpuPlan, ...] = ()
    serial: str = ""
    serials: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    shelf: bool = False
    expand: str = ""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of a BMC's event log; `at` is UTC epoch seconds, 0 where its clock was never set."""

    at: float
    severity: Severity
    text: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class GpuState:
    """What a BMC says of one GPU."""

    plan: GpuPlan
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class BmcState:
    """What one visit found, at `at` (UTC epoch seconds); NaN is unknown.

    `values` are by metric; `leaks`, `supplies` and `fans` name the parts that are not well.
    """

    at: float
    plan: Plan
    values: Mapping[str, float]
    leaks: tuple[str, ...] = ()
    supplies: tuple[str, ...] = ()
    fans: tuple[str, ...] = ()
    gpus: tuple[GpuState, ...] = ()
    entries: tuple[LogEntry, ...] = ()
    skipped: tuple[str, ...] = ()
    requests: int = 0
    body_bytes: int = 0
    took_s: float = 0.0


METRICS = ("inlet_c", "node_power_w", "psu_failed", "fan_failed", "leak")
SHELF_POWER = "shelf_power_w"
UNKNOWN: Mapping[str, float] = dict.fromkeys((*METRICS, SHELF_POWER), NAN)
