"""The source for Slurm: slurmrestd in whatever version it speaks, or Slurm's own commands over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.config.values import SiteConfig, SourceConfig
    from console.model.metrics import MetricTable
    from console.model.ports import Source


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> Source:
    """Return a source that has not asked anything yet; Slurm measures none of `metrics`."""
    from console.sources.slurm.source import SlurmSource

    if source.options.get("ssh"):
        from console.sources.slurm.commands import Commands

        return SlurmSource(site.name, source, commands=Commands(site, source))
    return SlurmSource(site.name, source)
