"""The levels of a fleet, from the widest to one GPU."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """fleet > site > hall > rack > node > gpu."""

    FLEET = "fleet"
    SITE = "site"
    HALL = "hall"
    RACK = "rack"
    NODE = "node"
    GPU = "gpu"

    @property
    def depth(self) -> int:
        """0 for the fleet, 5 for a GPU."""
        return LEVELS.index(self)

    @property
    def child(self) -> Level:
        """The next finer level; a GPU's is itself."""
        return LEVELS[min(self.depth + 1, len(LEVELS) - 1)]

    @property
    def parent(self) -> Level:
        """The next wider level; the fleet's is itself."""
        return LEVELS[max(self.depth - 1, 0)]


LEVELS: tuple[Level, ...] = tuple(Level)
SITE_LEVELS: tuple[Level, ...] = (Level.SITE, Level.HALL, Level.RACK, Level.NODE, Level.GPU)


class Severity(StrEnum):
    """How bad, in ascending order; `unknown` beats `ok` and loses to `warning`."""

    OK = "ok"
    INFO = "info"
    UNKNOWN = "unknown"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position in ascending order of badness."""
        return list(Severity).index(self)
