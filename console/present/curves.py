"""Lines over time as braille dots: bins of equal time, gaps kept, axes on round numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.model.values import dataclass
from console.present.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.model.views import Plot, Series

    Floats = NDArray[np.float64]

# Bits of a braille character by dot row and dot column (Unicode block 2800).
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.int64)
BRAILLE = 0x2800
SPANS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)
GAP_FACTOR = 3.0
# A plot scrolls no more often than this, by some cells at once: each time all of it is painted.
SCROLL_S = 5.0


@dataclass(frozen=True, eq=False)
class Curves:
    """A drawn plot: braille `bits` uint8[height, width] and `owner` int8, the series of each cell (-1 is none)."""

    bits: NDArray[np.int64]
    owner: NDArray[np.int64]
    low: float
    high: float
    start: float
    end: float


def draw_curves(plot: Plot, width: int, height: int) -> Curves | None:
    """Return the dots of a plot in a rectangle of cells, None where there is nothing to draw."""
    drawn = [each for each in plot.series if len(each.at) and np.isfinite(each.values).any()]
    if not drawn or width < 1 or height < 1:
        return None
    start, end = _span(plot, drawn, width)
    lines = [_binned(series, start, end, 2 * width) if series in drawn else None for series in plot.series]
    seen = np.concatenate([line[np.isfinite(line)] for line in lines if line is not None])
    if not len(seen):
        return None
    low, high = _range(plot, seen, height)
    bits = np.zeros((height, width), dtype=np.int64)
    owner = np.full((height, width), -1, dtype=np.int64)
    for number, line in enumerate(lines):
        if line is not None:
            own = _dots(line, low, high, height)
            bits |= own
            owner = np.where((own > 0) & (owner < 0), number, owner)
    return Curves(bits, owner, low, high, start, end)


def _span(plot: Plot, drawn: Sequence[Series], width: int) -> tuple[float, float]:
    """Return the time axis: a round span for the data, whose end is beyond the last sample and moves by whole cells.

    It moves in steps of at least SCROLL_S; until then the newest samples fill the cells at the end.
    """
    first, last = min(float(each.at[0]) for each in drawn), max(float(each.at[-1]) for each in drawn)
    wished = max((each.ref.span_s for each in plot.series if each.ref), default=0.0)
    have = max(last - first, 1.0)
    span = next((each for each in SPANS_S if each >= have * 0.98), have)
    if wished:
        span = min(span, wished)
    step = span / width
    step *= max(1, math.ceil(min(SCROLL_S, span / 4) / step))
    end = (math.floor(last / step) + 1) * step
    return end - span, end


def _binned(series: Series, start: float, end: float, columns: int) -> Floats:
    """Return one value a dot column: the mean of its samples, else between its neighbours, NaN in a gap."""
    at, values = np.asarray(series.at, dtype=np.float64), np.asarray(series.values, dtype=np.float64)
    step = (end - start) / columns
    known = np.isfinite(values)
    column = np.floor((at - start) / step).astype(np.int64)
    inside = known & (column >= 0) & (column < columns)
    counts = np.bincount(column[inside], minlength=columns)
    sums = np.bincount(column[inside], weights=values[inside], minlength=columns)
    middles: Floats = start + (np.arange(columns, dtype=np.float64) + 0.5) * np.float64(step)
    between = _between(at, values, middles, step)
    return np.where(counts > 0, sums / np.maximum(counts, 1), between)


def _between(at: Floats, values: Floats, middles: Floats, step: float) -> Floats:
    spacing = float(np.median(np.diff(at))) if len(at) > 1 else step
    right = np.searchsorted(at, middles, side="left")
    left = np.maximum(right - 1, 0)
    right = np.minimum(right, len(at) - 1)
    near = (
        (at[right] - at[left] <= max(GAP_FACTOR * spacing, 2 * step)) & (at[left] <= middles) & (middles <= at[right])
    )
    share = np.clip((middles - at[left]) / np.maximum(at[right] - at[left], 1e-9), 0, 1)
    return np.where(near, values[left] + (values[right] - values[left]) * share, np.nan)


def _range(plot: Plot, seen: Floats, height: int) -> tuple[float, float]:
    """Return the ends of the value axis: round numbers around the data, never so near that noise fills the plot."""
    low = float(seen.min()) if plot.low is None else plot.low
    high = float(seen.max()) if plot.high is None else plot.high
    known = FORMATS.get(plot.format)
    pad = max(known.least if known else 0.0, 0.02 * abs(high), 1e-6) - (high - low)
    if pad > 0:
        floor = 0.0 if low >= 0 else -math.inf
        low, high = max(floor, low - pad / 2), high + pad / 2
    step = nice_step((high - low) / max(1, min(4, height - 1)))
    low = math.floor(low / step + 1e-6) * step if plot.low is None else plot.low
    high = math.ceil(high / step - 1e-6) * step if plot.high is None else plot.high
    return low, (high if high > low else low + step)


def nice_step(rough: float) -> float:
    """Return 1, 2, 2.5 or 5 times a power of ten, at least `rough`."""
    power = 10.0 ** math.floor(math.log10(max(rough, 1e-12)))
    return next((each * power for each in (1, 2, 2.5, 5, 10) if each * power >= rough * 0.999), 10 * power)


def _dots(line: Floats, low: float, high: float, height: int) -> NDArray[np.int64]:
    """Return braille bits int64[height, width]: neighbours are joined by upright strokes."""
    rows = 4 * height
    known = np.isfinite(line)
    level = np.where(known, np.clip(np.round((line - low) / (high - low) * (rows - 1)), 0, rows - 1), -1)
    before = np.concatenate([[-1.0], level[:-1]])
    joined = known & (before >= 0)
    bottom = np.where(joined & (before < level), before + 1, level)
    top = np.where(joined & (before > level), before - 1, level)
    row = (rows - 1 - np.arange(rows))[:, None]
    on = (row >= bottom[None, :]) & (row <= top[None, :]) & known[None, :]
    cells = on.reshape(height, 4, len(line) // 2, 2)
    bits: NDArray[np.int64] = np.einsum("hrwc,rc->hw", cells.astype(np.int64), _DOTS)
    return bits
