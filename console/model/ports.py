"""The ports: small protocols that adapters satisfy. None has more than two methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from console.model.levels import Level

if TYPE_CHECKING:
    from console.model.events import Finding
    from console.model.place import Place, Size
    from console.model.reading import Reading
    from console.model.snapshot import Frame, Snapshot
    from console.model.views import View


@runtime_checkable
class Source(Protocol):
    """An endpoint of a site."""

    async def read(self) -> Reading:
        """Return the next reading; raises SourceError."""
        ...

    async def aclose(self) -> None:
        """Let go of every connection."""
        ...


@runtime_checkable
class Diagnosable(Protocol):
    """A source that can tell `gigadeck doctor` more than a read does."""

    async def diagnose(self) -> Mapping[str, str]:
        """Return what was found, by name, with `advice` where something should be done; raises SourceError."""
        ...


@runtime_checkable
class Panel(Protocol):
    """A screenful: a pure function from state to view values."""

    def view(self, snapshot: Snapshot, place: Place, size: Size) -> View:
        """Return what to show at a place in so many cells."""
        ...


@dataclass(frozen=True, slots=True)
class StateColumn:
    """A column of memory that a detector declares and the engine allocates, re-maps and (later) saves."""

    name: str
    dtype: str = "float32"
    fill: float = 0.0
    level: Level = Level.GPU


DetectorState = Mapping[str, NDArray[np.generic]]


@runtime_checkable
class Detector(Protocol):
    """Looks at frames for faults; gets the state columns it declared, by site, and may write them."""

    @property
    def state_columns(self) -> tuple[StateColumn, ...]:
        """The columns of memory that it wants; a class attribute will do."""
        ...

    def update(self, frame: Frame, state: Mapping[str, DetectorState]) -> tuple[Finding, ...]:
        """Return what is wrong now."""
        ...


class Clock(Protocol):
    """Wall time and monotonic time; tests bring their own."""

    def time(self) -> float:
        """Return UTC epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...
