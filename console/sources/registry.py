"""Opens the source that a fleet file names; each kind's module is imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from console.model.errors import SourceError

if TYPE_CHECKING:
    from console.config.values import SiteConfig, SourceConfig
    from console.model.metrics import MetricTable
    from console.model.ports import Source

MODULES = {
    "prometheus": "console.sources.prometheus",
    "site": "console.sources.site",
    "slurm": "console.sources.slurm",
    "kubernetes": "console.sources.kubernetes",
    "dcgm": "console.sources.dcgm",
    "alertmanager": "console.sources.alertmanager",
    "emulator": "console.sources.emulator",
    "ssh": "console.sources.ssh",
    "nvml": "console.sources.nvml",
    "redfish": "console.sources.redfish",
    "logs": "console.sources.logs",
}


def open_source(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> Source:
    """Return a source that has not asked anything yet; raises SourceError for a kind that is not built in."""
    module = MODULES.get(source.kind)
    if module is None:
        text = f"there is no source of kind {source.kind!r}"
        raise SourceError(site.name, source.name or source.kind, text, f"the kinds are: {', '.join(sorted(MODULES))}")
    opened: Source = import_module(module).open(site, source, metrics)
    return opened
