"""The source of kind `dcgm`: reads the exporters of a site's nodes directly, where no Prometheus does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.sources.dcgm.source import DcgmSource

if TYPE_CHECKING:
    from console.config.values import SiteConfig, SourceConfig
    from console.model.metrics import MetricTable
    from console.model.ports import Source


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> Source:
    """Return the source that a fleet file names; it has asked nothing yet. Raises ConfigErrors for bad targets."""
    if source.options.get("targets_file"):
        from console.sources.dcgm.retarget import RetargetingSource

        return RetargetingSource(site.name, source, lambda: DcgmSource(site.name, source, metrics))
    return DcgmSource(site.name, source, metrics)
