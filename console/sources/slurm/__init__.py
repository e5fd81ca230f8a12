"""The source for Slurm: slurmrestd over TCP or a UNIX socket, whatever version of its API it speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.config.values import SiteConfig, SourceConfig
    from console.model.metrics import MetricTable
    from console.model.ports import Source


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> Source:
    """Return a source that has not asked anything yet; Slurm measures none of `metrics`."""
    from console.sources.slurm.source import SlurmSource

    return SlurmSource(site.name, source)
