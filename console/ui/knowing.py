"""What a command or a filter may name here, gathered for completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.ui import objects
from console.ui.commands import Known
from console.ui.filter_check import domain_kinds
from console.ui.footer import sort_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.metrics import MetricTable
    from console.model.snapshot import Frame
    from console.model.views import View


def known_here(
    frame: Frame | None,
    view: View | None,
    metrics: MetricTable,
    panels: Sequence[str],
    themes: Sequence[str],
    views: Sequence[str],
) -> Known:
    """Return the names; of objects, domains and columns only where there is data."""
    aggregates = (name for metric in metrics.values() for name in metric.aggregates)
    return Known(
        panels=panels,
        sites=[site.site for site in frame.sites] if frame else (),
        themes=themes,
        views=views,
        metrics=sorted({*metrics, *aggregates}),
        domains=domain_kinds(frame) if frame else (),
        fields=[column.key for column in sort_columns(view)],
        children=lambda path: objects.children(frame, path) if frame else (),
    )
