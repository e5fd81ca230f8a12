"""What a site can add to make the fleet view cheap and whole: recording rules, and the exporter's counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.builtin_metrics import BUILTIN
from console.model.metrics import Kind, RollUp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.metrics import Metric, MetricTable

PREFIX = "gigadeck"
PARTS = ("sum", "max", "count", "oldest")
GROUP_LABELS = ("site", "hall")
# A counter's or a code's sum says something; a code's or a mask's does not.
NOT_SUMMED = (Kind.CODE, Kind.BITMASK)

# What the fleet needs beside what dcgm-exporter offers by default (its etc/default-counters.csv).
EXTRA_COUNTERS = (
    ("DCGM_FI_DEV_GPU_UTIL", "gauge", "GPU utilization (in %)."),
    ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "counter", "Total energy consumption since boot (in mJ)."),
    ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "gauge", "Ratio of time the graphics engine is active (the load under MIG)."),
)
DRIVER_LABEL = ("DCGM_FI_DRIVER_VERSION", "label", "Driver Version")


def recording_rules(metrics: MetricTable, by: Sequence[str] = GROUP_LABELS, uuid: str = "UUID") -> str:
    """Return a Prometheus rule file (YAML): for each GPU metric its sum, max, count and oldest sample, `by` labels.

    The console asks for these instead of every series: the fleet view then costs O(sites + halls). Labels that the
    series do not carry group as empty. Values stay in DCGM's units.
    """
    lines = [
        "# Recording rules for gigadeck: what the fleet view reads instead of every GPU's series.",
        "# Rows that repeat a GPU (MIG instances, replicas) count once; sentinels are left out.",
        "groups:",
        f"- name: {PREFIX}",
        "  rules:",
    ]
    for metric in metrics.at("gpu"):
        if metric.dcgm:
            lines += _rules_of(metric, ", ".join(by), uuid)
    return "\n".join(lines) + "\n"


def _rules_of(metric: Metric, by: str, uuid: str) -> list[str]:
    one = f"max by ({by}, {uuid}) ({valid(metric, ' or '.join(metric.dcgm))})"
    stamp = (
        f"timestamp({metric.dcgm[0]})"
        if len(metric.dcgm) == 1
        else " or ".join(f"timestamp({name})" for name in metric.dcgm)
    )
    expressions = {
        "sum": f"sum by ({by}) ({one})",
        "max": f"max by ({by}) ({one})",
        "count": f"count by ({by}) ({one})",
        "oldest": f"min by ({by}) ({stamp})",
    }
    found: list[str] = []
    for part in parts_of(metric):
        found += [f"  - record: {rule_name(metric.name, part)}", f"    expr: '{expressions[part]}'"]
    return found


def rule_name(metric: str, part: str) -> str:
    """Return the name of the series that records one part of one metric."""
    return f"{PREFIX}:{metric}:{part}"


def parts_of(metric: Metric) -> tuple[str, ...]:
    """Return which parts of a metric mean something: no sum of codes."""
    summed = metric.kind not in NOT_SUMMED and any(how is not RollUp.MAX for how in metric.aggregates.values())
    return PARTS if summed else PARTS[1:]


def valid(metric: Metric, expression: str) -> str:
    """Return the samples of an expression that are in the metric's range (in DCGM's unit), so without sentinels."""
    low, high = metric.low / metric.scale, metric.high / metric.scale
    return f"(({expression}) >= {low:.10g} <= {high:.10g})"


def exporter_counters() -> str:
    """Return the counters that the fleet needs as a dcgm-exporter CSV file.

    The exporter's own default leaves ECC, NVLink and clock event reasons out. A field that a driver does not know is
    skipped by the exporter with a warning.
    """
    lines = [
        "# Counters for gigadeck: dcgm-exporter -f THIS_FILE",
        "# DCGM FIELD, Prometheus metric type, help message",
    ]
    rows = {name: (name, kind, text) for name, kind, text in EXTRA_COUNTERS}
    for metric in BUILTIN.at("gpu"):
        kind = "counter" if metric.kind is Kind.COUNTER else "gauge"
        for name in metric.dcgm:
            rows.setdefault(name, (name, kind, _help(metric)))
    lines += [", ".join(row) for row in sorted(rows.values())]
    return "\n".join([*lines, ", ".join(DRIVER_LABEL)]) + "\n"


def _help(metric: Metric) -> str:
    unit = "MiB" if metric.unit == "bytes" else metric.unit
    return f"{metric.title[:1].upper()}{metric.title[1:]} (in {unit})."
