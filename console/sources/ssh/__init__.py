"""The source of kind `ssh`: agentless, for nodes without an exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.sources.ssh.source import SshSource

if TYPE_CHECKING:
    from console.config.values import SiteConfig, SourceConfig
    from console.model.metrics import MetricTable


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> SshSource:
    """Return the source that a fleet file names; it has asked nothing yet."""
    return SshSource(site, source, metrics)
