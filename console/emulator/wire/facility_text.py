"""A site's facility as generic Prometheus text, as a building management exporter would offer it: in chunks of text."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from console.emulator.wire.exporter_labels import escape
from console.model.builtin_metrics import BUILTIN
from console.model.levels import SITE_LEVELS, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.emulator.wire.feed import Sample
    from console.model.columns import Values
    from console.model.metrics import Metric
    from console.model.topology import SiteTopology

LINES_A_CHUNK = 4096
# Prometheus's base units, where ours abbreviate them.
_SUFFIXES = {"_w": "_watts", "_c": "_celsius", "_lpm": "_liters_per_minute", "_g_kwh": "_grams_co2_per_kwh"}


def facility_name(metric: str) -> str:
    """Return the Prometheus name of one of our metrics: `it_power_w` is `gigadeck_it_power_watts`."""
    for ours, theirs in _SUFFIXES.items():
        if metric.endswith(ours):
            return f"gigadeck_{metric.removesuffix(ours)}{theirs}"
    return f"gigadeck_{metric}"


def facility_page(sample: Sample) -> Iterator[str]:
    """Yield every metric measured above the GPU; labels are `site`, then `hall`, `rack`, `node` or a domain kind."""
    for name, values in sample.state.columns.items():
        metric = BUILTIN.get(name)
        if metric is not None and metric.level != Level.GPU:
            yield from _family(metric, values, row_labels(sample.topology, metric.level))


def row_labels(topology: SiteTopology, level: str) -> list[str]:
    """Return the label set of each row of a level or domain kind, in the order of the columns."""
    site = f'site="{escape(topology.site)}"'
    if level not in SITE_LEVELS:
        domain = topology.domains.get(level)
        return [f'{site},{level}="{escape(name)}"' for name in (domain.names if domain else ())]
    labels = [site]
    for upper, lower in itertools.pairwise(SITE_LEVELS):
        if upper == level:
            break
        parents = topology.parents(lower, upper).tolist()
        labels = [
            f'{labels[parent]},{lower}="{escape(topology.name(lower, row))}"' for row, parent in enumerate(parents)
        ]
    return labels


def _family(metric: Metric, values: Values, labels: list[str]) -> Iterator[str]:
    name = facility_name(metric.name)
    head = f"# HELP {name} {metric.title} ({metric.unit}).\n# TYPE {name} gauge\n"
    for start in range(0, len(values), LINES_A_CHUNK):
        some = values[start : start + LINES_A_CHUNK]
        rows = np.flatnonzero(np.isfinite(some)).tolist()
        if rows:
            yield head + "".join([f"{name}{{{labels[start + row]}}} {float(some[row]):.9g}\n" for row in rows])
            head = ""
