"""The bounds of streams: how many, how much is kept for those who come back, how slow a client may be."""

from __future__ import annotations

from console.model.values import dataclass


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bytes and seconds; `ring_bytes` is for all sites together.

    `ring_s` is also how long a slow line may take for the opening: 2.5 MB at the pace of the stream itself. A client is
    let go of when it is `lag_bytes` behind, or when it takes nothing for `stall_s`. `slice_bytes` is how much is handed
    to a connection at once, and so what a connection holds for one that does not read.
    """

    streams: int = 512
    ring_bytes: int = 32 * 1024 * 1024
    ring_s: float = 300.0
    lag_bytes: int = 8 * 1024 * 1024
    stall_s: float = 20.0
    beat_s: float = 5.0
    slice_bytes: int = 64 * 1024
    open_s: float = 15.0
