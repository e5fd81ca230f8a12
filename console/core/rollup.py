"""Roll-ups of a metric: at every wider level of a site, and by any kind of domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.folding import Fold, Pyramid
from console.model.levels import LEVELS, SITE_LEVELS, Level
from console.model.metrics import Metric, MetricTable, RollUp
from console.model.snapshot import RollUps
from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.snapshot import SiteFrame
    from console.model.topology import Domain, SiteTopology

    Floats = NDArray[np.float32]
    Counts = NDArray[np.int32]

_TREE = {level.value: level for level in SITE_LEVELS}


@dataclass(frozen=True, eq=False)
class DomainValues:
    """One field by domain: float32[names], NaN where nothing reported; int32[names] how many values are in each."""

    names: tuple[str, ...]
    values: Floats
    counts: Counts


def tree_level(level: str) -> Level | None:
    """Return the site level that a metric's `level` names, None for a domain kind."""
    return _TREE.get(level)


def roll_up(topology: SiteTopology, metric: Metric, values: Floats) -> RollUps:
    """Return a metric at every level wider than its own; NaN values are missing.

    `values` is float32 in topology order of the metric's level; one of a domain kind (`cdu`) rolls up to the site.
    """
    level = tree_level(metric.level)
    if level is None:
        return domain_roll_up(metric.name, values)
    return Pyramid(topology).roll_up(metric.name, level, values)


def domain_roll_up(metric: str, values: Floats) -> RollUps:
    """Return the roll-up of a domain kind's values: the site alone is wider than any of them."""
    one = Fold(np.array([0, len(values)], dtype=np.int32))
    present = ~np.isnan(values)
    counts = one.totals(present.astype(np.int32))
    sums = np.where(counts > 0, one.sums(np.where(present, values, np.float32(0))), np.nan).astype(np.float32)
    maxima = one.maxima(np.where(present, values, np.float32(-np.inf)))
    maxima = np.where(counts > 0, maxima, np.float32(np.nan))
    return RollUps(metric, {Level.SITE: counts}, {Level.SITE: sums}, {Level.SITE: maxima})


def level_values(site: SiteFrame, metric: Metric, how: RollUp, level: Level, now: float) -> Floats | None:
    """Return float32[count(level)] of one metric at a level, current values only; None where the site has none.

    At the metric's own level these are its values, at wider levels its roll-up, NaN where nothing reported.
    """
    if level.value == metric.level:
        return site.values(metric.name, now)
    rollups = site.rollups.get(metric.name)
    if rollups is None or level not in rollups.sums:
        return None
    return rollups.get(level, how)


def reporting_counts(site: SiteFrame, level: Level) -> Counts:
    """Return int32[count(level)]: how many GPUs of each row report.

    A site that offers aggregates alone has no values of single GPUs: there the counts that came with them speak.
    """
    if level is Level.GPU:
        return site.reporting.astype(np.int32)
    if site.reporting.any():
        return Pyramid(site.topology).counts(Level.GPU, site.reporting)[level]
    most = np.zeros(site.topology.count(level), dtype=np.int32)
    for rollups in site.rollups.values():
        counts = rollups.counts.get(level)
        if counts is not None and Level.NODE in rollups.counts:
            most = np.maximum(most, counts)
    return most


def by_domain(site: SiteFrame, kind: str, field: str, metrics: MetricTable, now: float) -> DomainValues | None:
    """Return a field by the domains of one kind; None where the site knows no such domain or has no such numbers.

    `field` is an aggregate (`temp_c_max`), or the name of a metric that is measured at the domain itself. A node or
    GPU that belongs to two domains counts in both.
    """
    domain = site.domains.get(kind)
    aggregate = metrics.aggregate(field)
    if domain is None or aggregate is None:
        return None
    metric, how = aggregate
    if metric.level == kind:
        own = site.values(metric.name, now)
        return None if own is None else DomainValues(domain.names, own, (~np.isnan(own)).astype(np.int32))
    found = _unit_parts(site, domain, metric, how, now)
    if found is None:
        return None
    values, counts = found
    return DomainValues(domain.names, *_fold_members(domain, how, values, counts))


def _unit_parts(
    site: SiteFrame, domain: Domain, metric: Metric, how: RollUp, now: float
) -> tuple[Floats, Counts] | None:
    """Return what each node (or GPU) gives: its sum or maximum, and how many values are in it."""
    if metric.level == domain.unit.value:
        own = site.values(metric.name, now)
        return None if own is None else (own, (~np.isnan(own)).astype(np.int32))
    level = tree_level(metric.level)
    rollups = site.rollups.get(metric.name)
    if level is None or rollups is None or LEVELS.index(level) < LEVELS.index(domain.unit):
        return None
    if domain.unit not in rollups.sums:
        return None
    values = rollups.maxima[domain.unit] if how is RollUp.MAX else rollups.sums[domain.unit]
    return values, rollups.counts[domain.unit]


def _fold_members(domain: Domain, how: RollUp, values: Floats, counts: Counts) -> tuple[Floats, Counts]:
    fold = Fold(domain.starts)
    each, inside = values[domain.members], counts[domain.members]
    total = fold.totals(inside)
    present = ~np.isnan(each)
    if how is RollUp.MAX:
        folded = fold.maxima(np.where(present, each, np.float32(-np.inf)))
    else:
        sums = fold.sums(np.where(present, each, np.float32(0)))
        folded = (sums / np.maximum(total, 1) if how is RollUp.MEAN else sums).astype(np.float32)
    return np.where(total > 0, folded, np.float32(np.nan)), total
