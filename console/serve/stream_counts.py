"""What the streams have cost since the server began: counted where it happens, read from any thread."""

from __future__ import annotations


class StreamCounts:
    """Plain counters, each written by one thread alone: `encoded` and `broken` by the encode thread, else the loop."""

    def __init__(self) -> None:
        self.opened = 0
        self.resumed = 0
        self.dropped = 0
        self.stalled = 0
        self.bytes_sent = 0
        self.broken = 0
        self._encodes = 0
        self._encode_s = 0.0
        self._encode_max_s = 0.0

    @property
    def encodes(self) -> int:
        """How often a site was encoded."""
        return self._encodes

    def encoded(self, seconds: float) -> None:
        """Count one encoding of one site."""
        self._encodes += 1
        self._encode_s += seconds
        self._encode_max_s = max(self._encode_max_s, seconds)

    def told(self) -> dict[str, float]:
        """Return every counter by name."""
        return {
            "streams_opened": float(self.opened),
            "streams_resumed": float(self.resumed),
            "streams_dropped": float(self.dropped),
            "streams_stalled": float(self.stalled),
            "streams_broken": float(self.broken),
            "bytes_sent": float(self.bytes_sent),
            "encodes": float(self._encodes),
            "encode_s": self._encode_s,
            "encode_s_max": self._encode_max_s,
        }
