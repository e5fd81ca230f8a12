"""The source for Kubernetes: nodes, pods with GPUs and Kueue's workloads of one cluster, listed once, then watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.config.values import SiteConfig, SourceConfig
    from console.model.metrics import MetricTable
    from console.model.ports import Source


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> Source:
    """Return a source that has not asked anything yet; Kubernetes measures none of `metrics`."""
    from console.sources.kubernetes.source import KubernetesSource

    return KubernetesSource(site.name, source)
