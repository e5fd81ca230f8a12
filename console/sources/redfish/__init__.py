"""The source of kind `redfish`: BMCs of nodes and power shelves, asked once a minute each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.sources.redfish.source import RedfishSource

if TYPE_CHECKING:
    from console.config.values import SiteConfig, SourceConfig
    from console.model.metrics import MetricTable


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> RedfishSource:
    """Return the source that a fleet file names; it has asked nothing yet."""
    return RedfishSource(site, source)
