"""Aggregates of the whole site for the wide views: from recording rules, or asked for where there are none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.model.metrics import RollUp
from console.model.reading import AggregatePart, NamedKeys
from console.sources.prometheus.promql import quote, selector
from console.sources.prometheus.rules import PARTS, PREFIX, parts_of, valid
from console.sources.prometheus.small import labelled_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.model.metrics import Metric, MetricTable
    from console.sources.exposition.who import Who
    from console.sources.prometheus.catalog import Catalog
    from console.sources.prometheus.small import LabelledRow

# Without rules each of these costs the store a pass over all its series.
WITHOUT_RULES = ("power_w", "temp_c", "util_pct")
TAG = "gigadeck"
HALL_LABELS = ("hall",)
Figures = dict[str, float]


def wide_query(catalog: Catalog, metrics: MetricTable, match: str, use_rules: bool) -> str:
    """Return one expression for all aggregates; rows are told apart by name or by the label `gigadeck`."""
    if use_rules:
        return selector(f'__name__=~"{PREFIX}:.+:({"|".join(PARTS)})"', match)
    terms: list[str] = []
    for name in WITHOUT_RULES:
        if name in catalog.series:
            terms += _terms(metrics[name], catalog, match)
    return " or ".join(terms)


def _terms(metric: Metric, catalog: Catalog, match: str) -> list[str]:
    named = selector(f"__name__={quote(catalog.series[metric.name][0])}", match)
    one = valid(metric, named)
    if catalog.spelling.mig:  # rows repeat their GPU: a pass more, where there is no other way
        one = f"max by ({catalog.spelling.one_gpu()}) ({one})"
    whole = {"sum": f"sum({one})", "max": f"max({one})", "count": f"count({one})", "oldest": f"min(timestamp({named}))"}
    return [f'label_replace({whole[part]}, "{TAG}", "{metric.name}:{part}", "", "")' for part in _parts_needed(metric)]


def _parts_needed(metric: Metric) -> tuple[str, ...]:
    hows = set(metric.aggregates.values())
    wanted = {"count", "oldest"}
    wanted |= {"max"} if RollUp.MAX in hows else set()
    wanted |= {"sum"} if hows - {RollUp.MAX} else set()
    return tuple(part for part in parts_of(metric) if part in wanted)


def decode_wide(
    content: bytes, metrics: MetricTable, site: str, site_label: str, skew_s: float, who: Who
) -> Iterator[AggregatePart]:
    """Yield the site's and its halls' aggregates; times are moved to our clock by `skew_s`. Raises BadPayload.

    Rows of another site (where `site_label` names the label that says so) are left out.
    """
    rows, _ = labelled_rows(content, who)
    sites = {row.metric.get(site_label or "site", "") for row in rows}
    if site in sites:
        rows = [row for row in rows if row.metric.get(site_label or "site", "") == site]
    for name, halls in _by_metric(rows).items():
        metric = metrics.get(name)
        if metric is not None:
            yield from _parts(metric, halls, site, skew_s)


def _by_metric(rows: list[LabelledRow]) -> dict[str, dict[str, Figures]]:
    found: dict[str, dict[str, Figures]] = {}
    for row in rows:
        tag = row.metric.get(TAG) or row.metric.get("__name__", "").removeprefix(f"{PREFIX}:")
        name, _, part = tag.rpartition(":")
        hall = next((row.metric[label] for label in HALL_LABELS if label in row.metric), "")
        figures = found.setdefault(name, {}).setdefault(hall, {})
        value = row.value[1]
        figures[part] = _joined(part, figures[part], value) if part in figures else value
    return found


def _joined(part: str, a: float, b: float) -> float:
    if part in ("sum", "count"):
        return a + b
    return max(a, b) if part == "max" else min(a, b)


def _parts(metric: Metric, halls: Mapping[str, Figures], site: str, skew_s: float) -> Iterator[AggregatePart]:
    total: Figures = {}
    for figures in halls.values():
        for part, value in figures.items():
            total[part] = _joined(part, total[part], value) if part in total else value
    named = {hall: figures for hall, figures in halls.items() if hall}
    for level, figures_by_name in (("site", {site: total}), ("hall", named)):
        if not figures_by_name:
            continue
        keys, figures_list = NamedKeys(level, tuple(figures_by_name)), list(figures_by_name.values())
        at = np.array([figures.get("oldest", 0.0) - skew_s for figures in figures_list])
        count = np.array([figures.get("count", math.nan) for figures in figures_list], dtype=np.float32)
        for name, how in metric.aggregates.items():
            values = np.array([_value(figures, how) * metric.scale for figures in figures_list], dtype=np.float32)
            if not np.isnan(values).all():
                yield AggregatePart(name, keys, values, at, count)


def _value(figures: Figures, how: RollUp) -> float:
    if how is RollUp.MAX:
        return figures.get("max", math.nan)
    total, count = figures.get("sum", math.nan), figures.get("count", math.nan)
    if how is RollUp.MEAN:
        return total / count if count else math.nan
    return total if how is RollUp.SUM else math.nan
