"""Draws one panel of a running fleet as a picture."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING

import click

from console.model.errors import NoDataError, TargetError

if TYPE_CHECKING:
    from console.wiring import Fleet


def draw(
    fleet: Fleet,
    *,
    panel: str,
    place: str,
    metric: str,
    by: str,
    theme_name: str,
    size: tuple[int, int],
    timeout_s: float,
) -> str:
    """Return a panel's view as SVG text; raises TargetError, NoDataError or a usage error."""
    from console.model.place import Place, Size
    from console.ui.palette import Palette
    from console.ui.picture import svg_of
    from console.wiring import all_themes

    themes, _ = all_themes()
    if theme_name not in themes:
        raise click.UsageError(f"no theme named {theme_name}; there are: {', '.join(sorted(themes))}")
    if metric not in fleet.metrics:
        raise TargetError(f"no metric named {metric}; there are: {', '.join(fleet.metrics)}")
    width, height = size
    future = fleet.session.view(panel, Place(path=place, metric=metric, by=by), Size(width, height))
    try:
        view = future.result(timeout_s)
    except FutureTimeoutError:
        raise NoDataError(f"panel {panel} drew nothing within {timeout_s:g} s") from None
    return svg_of(view, Palette(themes[theme_name], "true"), width, height, f"gigadeck {fleet.name}")
