"""What one store offers for one site: which DCGM series under which labels, how many, how often, with which rules."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from console.model.errors import SourceError
from console.sources.exposition.facts import fact_labels
from console.sources.exposition.labels import Spelling, choose_spelling
from console.sources.exposition.values import MIG_ACTIVE
from console.sources.prometheus.promql import quote, selector
from console.sources.prometheus.rules import PREFIX
from console.sources.prometheus.small import LabelledRow, labelled_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.config.values import LabelNames
    from console.model.metrics import MetricTable
    from console.sources.exposition.who import Who
    from console.sources.prometheus.api import Api

# Power moves with every scrape and no exporter leaves it out: it tells age, interval and what is frozen.
ANCHORS = ("power_w", "temp_c", "util_pct", "sm_clock_mhz")
LOOK_BACK_S = 3600.0
DEFAULT_INTERVAL_S = 15.0


@dataclass(frozen=True, eq=False)
class Catalog:
    """What is there to read. `series` maps a metric's name to its series' names, the preferred one first.

    `one` selects one series of the anchor, `gpus` is how many it has, `interval_s` the scrape interval (0: not known).
    `facts` are the labels that say what a node has, by fact.
    """

    series: Mapping[str, tuple[str, ...]]
    absent: tuple[str, ...]
    spelling: Spelling
    anchor: str
    one: str
    gpus: int
    interval_s: float
    rules: bool
    mig_active: bool
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many series a full sweep reads, about."""
        return self.gpus * len(self.series)


async def discover(api: Api, metrics: MetricTable, labels: LabelNames, match: str, who: Who, now: float) -> Catalog:
    """Ask a store what it has; raises SourceError, BadPayload where it has no GPU series at all.

    `match` are label matchers that every selector carries; `now` is the store's clock.
    """
    names = frozenset(await api.names(now - LOOK_BACK_S))
    series = {
        metric.name: tuple(name for name in metric.dcgm if name in names)
        for metric in metrics.at("gpu")
        if any(name in names for name in metric.dcgm)
    }
    anchor = next((series[name][0] for name in (*ANCHORS, *series) if name in series), "")
    if not anchor:
        raise who.bad("the store has no DCGM series", "is dcgm-exporter scraped there? is a tenant or prefix missing?")
    named = selector(f"__name__={quote(anchor)}", match)
    samples = await _rows(api, f"topk(5, {named})", who)
    counted = await _rows(api, f"count({named})", who)
    present = await _label_names(api, anchor, samples)
    spelling = choose_spelling([row.metric for row in samples], labels, present)
    if not samples:  # a spelling chosen from nothing would join nothing until the next look
        raise who.bad(f"no series of {anchor} has a sample now", "do the scrapes of dcgm-exporter fail there?")
    if not spelling.joins:
        raise who.bad("the series carry neither a UUID nor node and index", "set `labels` to this site's spelling")
    one = _one_series(anchor, samples, spelling, match)
    return Catalog(
        series=series,
        absent=tuple(m.name for m in metrics.at("gpu") if m.dcgm and m.name not in series),
        spelling=spelling,
        anchor=anchor,
        gpus=int(counted[0].value[1]) if counted else 0,
        one=one,
        interval_s=await ask_interval_s(api, one, who),
        rules=any(name.startswith(f"{PREFIX}:") for name in names),
        mig_active=MIG_ACTIVE in names,
        facts=fact_labels(present),
    )


async def _rows(api: Api, promql: str, who: Who) -> list[LabelledRow]:
    return labelled_rows((await api.query(promql)).content, who)[0]


async def _label_names(api: Api, anchor: str, samples: list[LabelledRow]) -> frozenset[str]:
    """Return every label of the anchor; where the store does not say, those of the samples."""
    try:
        return frozenset(await api.label_names(anchor))
    except SourceError:
        return frozenset(name for row in samples for name in row.metric)


def _one_series(anchor: str, samples: list[LabelledRow], spelling: Spelling, match: str) -> str:
    label = (spelling.uuid or spelling.node or ("",))[0]
    value = samples[0].metric.get(label, "") if samples else ""
    return selector(f"__name__={quote(anchor)}", f"{label}={quote(value)}", match) if value else ""


async def ask_interval_s(api: Api, one: str, who: Who) -> float:
    """Return the spacing of one series' raw samples (`one` selects it), 0.0 while there are not two."""
    gaps: list[float] = []
    for row in await _rows(api, f"{one}[10m]", who) if one else []:
        times = [at for at, _ in row.values]
        gaps += [b - a for a, b in pairwise(times) if b > a]
    return interval_of(gaps)


def interval_of(gaps: list[float]) -> float:
    """Return the usual gap between samples, 0.0 of none; half seconds at the finest."""
    return max(0.5, round(statistics.median(gaps) * 2) / 2) if gaps else 0.0
