"""Fills the wishes for history that a view carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from console.model.views import HistoryRef, Part, Plot, Series, Split, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Lookup = Callable[[HistoryRef], "tuple[NDArray[np.float64], NDArray[np.float32]]"]


def wants_history(view: View) -> bool:
    """Return whether any plot of a view has a wish that is not filled in."""
    if isinstance(view, Split):
        return any(wants_history(part.view) for part in view.parts)
    return isinstance(view, Plot) and any(series.ref is not None for series in view.series)


def fill_history(view: View, look_up: Lookup) -> View:
    """Return the view with every wish replaced by its series; what needs nothing stays the same object."""
    if not wants_history(view):
        return view
    if isinstance(view, Split):
        parts = tuple(Part(fill_history(p.view, look_up), p.weight, p.fixed, p.minimum) for p in view.parts)
        return replace(view, parts=parts)
    assert isinstance(view, Plot)  # nothing else carries wishes
    return replace(view, series=tuple(_fill(series, look_up) for series in view.series))


def _fill(series: Series, look_up: Lookup) -> Series:
    if series.ref is None:
        return series
    at, values = look_up(series.ref)
    return replace(series, at=at, values=values, ref=None)
