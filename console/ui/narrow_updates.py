"""Sends only the cells that changed: Textual 8 cuts an update of a part of a line at its right end alone.

`textual._compositor.ChopsUpdate.render_segments` says so itself (it is still to crop to the x extents): a change in the
last cell of a line sends the whole line, which over SSH is most of the traffic. Remove this when Textual crops both.
`GIGADECK_WIRE=textual-uncut` leaves Textual's output as it is, so that it can be measured.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.control import Control
from textual._compositor import ChopsUpdate

if TYPE_CHECKING:
    from rich.console import Console

SWITCH, UNCUT = "GIGADECK_WIRE", "textual-uncut"
AS_TEXTUAL_HAS_IT = ChopsUpdate.render_segments
_FIELDS = ("chops", "spans", "chop_ends")


def install() -> None:
    """Make Textual crop updates at both ends; does nothing where its updates do not look as in Textual 8."""
    if os.environ.get(SWITCH) != UNCUT and all(name in ChopsUpdate.__init__.__code__.co_varnames for name in _FIELDS):
        ChopsUpdate.render_segments = _render_segments  # type: ignore[method-assign, assignment]  # the purpose of this module


def _render_segments(update: ChopsUpdate, console: Console) -> str:
    """Return what is to be written for the spans of an update: for each piece a position and its cells."""
    sequences: list[str] = []
    for y, first, last in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            left, right = max(x, first), min(end, last)
            if strip is None or left >= right:
                continue
            shown = strip if (left, right) == (x, end) else strip.crop(left - x, right - x)
            sequences.append(Control.move_to(left, y).segment.text + shown.render(console))
    return "".join(sequences)
