"""A site's own metrics: each one an expression, its rows named by a label of the metric's level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.core.spellings import NODE, WITH_PORT
from console.model.reading import ColumnPart, NamedKeys
from console.sources.exposition.labels import strip_port
from console.sources.prometheus.small import labelled_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.config.values import LabelNames
    from console.model.metrics import Metric, MetricTable
    from console.sources.exposition.who import Who
    from console.sources.prometheus.small import LabelledRow

LABELS_OF_LEVEL = {"hall": ("hall", "datahall", "room"), "rack": ("rack", "rack_id")}


@dataclass(frozen=True, eq=False)
class OwnQuery:
    """One metric and the expression that gives it."""

    metric: Metric
    promql: str


def own_queries(metrics: MetricTable, queries: Mapping[str, str]) -> tuple[OwnQuery, ...]:
    """Return the expressions to ask for: those of the table, and those that this source's `queries` add or replace."""
    found = {metric.name: OwnQuery(metric, metric.promql) for metric in metrics.values() if metric.promql}
    found |= {name: OwnQuery(metrics[name], promql) for name, promql in queries.items() if name in metrics}
    return tuple(found.values())


class OwnDecoder:
    """Decodes own metrics; the same keys object is given while names and their order stay the same."""

    def __init__(self, site: str, labels: LabelNames, who: Who) -> None:
        self._site = site
        self._labels = labels
        self._who = who
        self._keys: dict[str, NamedKeys] = {}

    def decode(self, metric: Metric, content: bytes, skew_s: float) -> Iterator[ColumnPart]:
        """Yield the column of one metric; a row that no label names is left out. Raises BadPayload."""
        rows, _ = labelled_rows(content, self._who)
        named = {self._name(metric.level, row): row for row in rows}
        named.pop("", None)
        if not named:
            return
        values = np.array([row.value[1] * metric.scale for row in named.values()], dtype=np.float32)
        at = np.array([row.value[0] - skew_s for row in named.values()])
        yield ColumnPart(metric.name, self._same(metric, tuple(named)), values, at)

    def _same(self, metric: Metric, names: tuple[str, ...]) -> NamedKeys:
        known = self._keys.get(metric.name)
        if known is None or known.names != names:
            known = self._keys[metric.name] = NamedKeys(metric.level, names)
        return known

    def _name(self, level: str, row: LabelledRow) -> str:
        if level == "site":
            return self._site
        for label in self._candidates(level):
            value = row.metric.get(label, "")
            if value:
                return strip_port(value) if label in WITH_PORT else value
        others = [value for name, value in row.metric.items() if name != "__name__"]
        return others[0] if len(others) == 1 else ""

    def _candidates(self, level: str) -> tuple[str, ...]:
        configured: tuple[str, ...] = getattr(self._labels, level, ())
        usual = NODE if level == "node" else LABELS_OF_LEVEL.get(level, ())
        return (*configured, level, *usual)
