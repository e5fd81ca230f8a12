"""What one GPU says through `nvidia-smi`, and which fields stand for which metric."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.sources.smi.cells import NAN, Trouble, read_number, read_recovery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.model.metrics import Metric, MetricTable

IDENTITY = ("index", "uuid", "pci.bus_id", "name", "mig.mode.current", "count", "driver_version", "vbios_version")


@dataclass(frozen=True, slots=True)
class SmiGpu:
    """One GPU at one time.

    `values` are in our units by metric, NaN where there is none; `faults` names the metrics whose cell tells of a
    fault (`[Unknown Error]`, `ERR!`, `[GPU is lost]`). `index` is -1 and texts are empty where it does not say;
    `facts` are what it says of its driver and VBIOS, by the fact's name.
    """

    index: int
    uuid: str
    pci: str
    model: str
    values: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    mig: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What tells it from the node's others."""
        return self.uuid or self.pci or str(self.index)


def wanted_fields(metrics: MetricTable) -> tuple[tuple[str, ...], ...]:
    """Return what to ask for: each an order of preference of names for the same thing; identity comes first."""
    asked = [(name,) for name in IDENTITY]
    return (*asked, *(metric.nvidia_smi for metric in metrics.at("gpu") if metric.nvidia_smi))


def metric_of_field(metrics: MetricTable) -> dict[str, Metric]:
    """Return the metric that each field name stands for."""
    return {name: metric for metric in metrics.at("gpu") for name in metric.nvidia_smi}


def read_cell(metric: Metric, cell: str) -> tuple[float, Trouble | None]:
    """Return a metric's value in our unit, NaN with the reason if there is none or it is out of the metric's range."""
    number, trouble = read_recovery(cell) if metric.name == "recovery_action" else read_number(cell)
    number *= metric.scale
    if trouble is None and not metric.low <= number <= metric.high:
        return NAN, Trouble.ODD
    return number, trouble
