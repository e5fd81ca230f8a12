"""The source for Prometheus and the stores that speak its API: Thanos, Mimir, VictoriaMetrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.config.values import SiteConfig, SourceConfig
    from console.model.metrics import MetricTable
    from console.model.ports import Source


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> Source:
    """Return a source that has not asked anything yet."""
    from console.sources.prometheus.source import PrometheusSource

    return PrometheusSource(site.name, source, metrics)
