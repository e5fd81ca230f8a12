"""What a source's own settings ask for, and how a sweep is cut into answers of bounded size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.sources.exposition.values import MIG_ACTIVE
from console.sources.prometheus.catalog import DEFAULT_INTERVAL_S, Catalog
from console.sources.prometheus.promql import quote, selector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.config.values import SourceConfig
    from console.model.metrics import MetricTable

SLICE_SERIES = 20_000
# A series of a raw answer with two or three samples is 310 to 450 bytes; a body stays well below its limit.
SERIES_BYTES = 450
SWEEP_S = 60.0
# So many series are read at every turn: the wide view is then folded from them and needs no aggregates.
SMALL = 200_000
HEX = "0123456789abcdef"
# Most telling first: what is shown when the first sweep is under way.
ORDER = ("power_w", "temp_c", "util_pct", "xid", "ecc_dbe", "recovery_action", "remap_failed", "remap_pending")


@dataclass(frozen=True)
class Settings:
    """A source's options (`console.config.kinds` has them)."""

    flavor: str = ""
    match: str = ""
    rules: str = "auto"
    sweep: str = "auto"
    sweep_s: float = 0.0
    cadence_s: float = 0.0
    queries: Mapping[str, str] = field(default_factory=dict)


def settings_of(site: str, config: SourceConfig) -> Settings:
    """Return what a source's configuration asks for at one site."""
    options: Mapping[str, Any] = config.options
    matchers = [
        f"job={quote(options['job'])}" if options.get("job") else "",
        f"{options['site_label']}={quote(site)}" if options.get("site_label") else "",
        str(options.get("selector", "")).strip().removeprefix("{").removesuffix("}").strip(" ,"),
    ]
    return Settings(
        flavor=str(options.get("flavor", "")).replace("auto", ""),
        match=",".join(each for each in matchers if each),
        rules=str(options.get("rules", "auto")),
        sweep=str(options.get("sweep", "auto")),
        sweep_s=float(options.get("sweep_cadence", 0.0)),
        cadence_s=config.cadence_s,
        queries=dict(options.get("queries", {})),
    )


@dataclass(frozen=True)
class Chunk:
    """One metric of a sweep: its series' names (later ones fill what earlier ones lack), and selectors for each."""

    metric: str
    selectors: Mapping[str, tuple[str, ...]]


def sweep_period_s(settings: Settings, catalog: Catalog) -> float:
    """Return the seconds between two sweeps; 0 is at every turn."""
    if settings.sweep_s:
        return settings.sweep_s
    return 0.0 if catalog.total <= SMALL else SWEEP_S


def window_s(catalog: Catalog) -> float:
    """Return how far back raw samples are asked for: two scrapes may fail before a series counts as gone."""
    return 2.5 * (catalog.interval_s or 4 * DEFAULT_INTERVAL_S)


def plan_sweep(catalog: Catalog, metrics: MetricTable, match: str, way: str, limit_bytes: int) -> list[Chunk]:
    """Return every metric's selectors, cut so that no answer is over 20,000 series (queries) or its size limit."""
    cuts = slices_needed(catalog.gpus, way, limit_bytes)
    known = [name for name in ORDER if name in catalog.series]
    names = known + [name for name in metrics if name in catalog.series and name not in known]
    chunks: list[Chunk] = []
    for metric in names:
        series = catalog.series[metric]
        if metric == "util_pct" and catalog.mig_active:
            series = (*series, MIG_ACTIVE)  # GPUs in MIG mode have no utilisation of their own
        chunks.append(Chunk(metric, {name: _selectors(name, catalog, match, cuts) for name in series}))
    return chunks


def slices_needed(gpus: int, way: str, limit_bytes: int) -> int:
    """Return into how many answers one metric is cut, 256 at most."""
    most = min(limit_bytes // (2 * SERIES_BYTES), SLICE_SERIES if way == "query" else limit_bytes)
    return max(1, min(256, -(-gpus // max(most, 1))))


def _selectors(name: str, catalog: Catalog, match: str, cuts: int) -> tuple[str, ...]:
    named = f"__name__={quote(name)}"
    if cuts == 1 or not catalog.spelling.uuid:
        return (selector(named, match),)
    uuid = catalog.spelling.uuid[0]
    return tuple(selector(named, f"{uuid}{matcher}", match) for matcher in uuid_cuts(cuts))


def uuid_cuts(cuts: int) -> list[str]:
    """Return matchers that part all UUIDs by their first digits; the last one takes every other spelling too."""
    heads = list(HEX) if cuts <= len(HEX) else [a + b for a in HEX for b in HEX]
    groups = [heads[i * len(heads) // cuts : (i + 1) * len(heads) // cuts] for i in range(cuts)]
    patterns = ["|".join(_any_case(head) for head in group) for group in groups]
    before = "|".join(patterns[:-1])
    return [f'=~"GPU-(?:{pattern}).*"' for pattern in patterns[:-1]] + [f'!~"GPU-(?:{before}).*"']


def _any_case(head: str) -> str:
    return "".join(f"[{each}{each.upper()}]" if each.isalpha() else each for each in head)
