"""Whose memory this is, as a piece of the header: our own, that of a `gigadeck serve`, or none; and its trouble."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from console.model.views import Span
from console.present.safe import clean
from console.ui.bars import Segment

if TYPE_CHECKING:
    from console.model.incidents import MemoryStatus

RANK = 5
TROUBLE_RANK = 1
NAME_CELLS = 24


@lru_cache(maxsize=4)
def memory_segments(memories: tuple[MemoryStatus, ...]) -> tuple[Segment, ...]:
    """Return the segment that says who remembers, or that nothing can be remembered now; none before it is known."""
    if not memories:
        return ()
    names = list(
        dict.fromkeys(clean(each.where, NAME_CELLS) if each.kind == "serve" else each.kind for each in memories)
    )
    told = f"{names[0]} +{len(names) - 1}" if len(names) > 2 else ", ".join(names)
    whose = Segment(((Span("memory: ", "text.dim"), Span(told)),), RANK)
    broken = [each for each in memories if each.trouble]
    if not broken:
        return (whose,)
    long = f"MEMORY FAILS: {told}" if len(broken) == len(memories) else f"MEMORY FAILS at {clean(broken[0].site, 16)}"
    return (Segment(((Span(long, "state.warning"),), (Span("MEMORY FAILS", "state.warning"),)), TROUBLE_RANK),)
