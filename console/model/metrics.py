"""The metric table: the one place that knows a metric's name, unit, range, roll-up, format and foreign names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from console.model.values import dataclass


class RollUp(StrEnum):
    """How a metric is combined at a wider level."""

    MEAN = "mean"
    MAX = "max"
    SUM = "sum"
    LAST = "last"


class Kind(StrEnum):
    """What the numbers are."""

    GAUGE = "gauge"
    COUNTER = "counter"
    CODE = "code"
    BITMASK = "bitmask"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    `level` is the level (or domain kind, such as `cdu`) at which it is measured. `aggregates` maps the field names that
    stand for it at wider levels to their roll-up; a metric with exactly one keeps its bare name there. `low`..`high` is
    the valid range: outside is a sentinel and reads as missing. `heat` is the range of its colour scale, `quantum` the
    smallest step worth showing, `scale` turns the DCGM unit into ours. `worse` is +1 if more is worse, -1 if less is.
    """

    name: str
    unit: str
    title: str
    aggregates: Mapping[str, RollUp]
    level: str = "gpu"
    kind: Kind = Kind.GAUGE
    low: float = 0.0
    high: float = 1e18
    heat: tuple[float, float] = (0.0, 100.0)
    quantum: float = 1.0
    worse: int = 1
    dcgm: tuple[str, ...] = ()
    scale: float = 1.0
    nvidia_smi: tuple[str, ...] = ()
    nvml: str = ""
    promql: str = ""
    field: str = ""

    @property
    def bare_above(self) -> bool:
        """Whether the bare name means something above the metric's own level."""
        return self.name in self.aggregates


class MetricTable(Mapping[str, Metric]):
    """All metrics that a fleet knows, by name; built-in ones and the site's own are alike."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = {metric.name: metric for metric in metrics}
        self._by_dcgm = {name: metric for metric in self._metrics.values() for name in metric.dcgm}
        self._by_aggregate = {
            name: (metric, how) for metric in self._metrics.values() for name, how in metric.aggregates.items()
        }

    def __getitem__(self, name: str) -> Metric:
        return self._metrics[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)

    def at(self, level: str) -> tuple[Metric, ...]:
        """Return the metrics measured at one level or domain kind."""
        return tuple(metric for metric in self._metrics.values() if metric.level == level)

    def of_dcgm(self, field_name: str) -> Metric | None:
        """Return the metric that a DCGM field name stands for."""
        return self._by_dcgm.get(field_name)

    def aggregate(self, field_name: str) -> tuple[Metric, RollUp] | None:
        """Return the metric and roll-up that a field name of a wider level stands for."""
        return self._by_aggregate.get(field_name)

    def with_own(self, metrics: Iterable[Metric]) -> MetricTable:
        """Return a table with a site's own metrics added."""
        return MetricTable([*self._metrics.values(), *metrics])
