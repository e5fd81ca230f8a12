"""The source of kind `logs`: kernel logs of the whole site out of a Loki or a VictoriaLogs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.sources.logs.source import LogsSource

if TYPE_CHECKING:
    from console.config.values import SiteConfig, SourceConfig
    from console.model.metrics import MetricTable


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> LogsSource:
    """Return the source that a fleet file names; it has asked nothing yet."""
    return LogsSource(site.name, source)
