"""The ports: small protocols that adapters satisfy. None has more than two methods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from console.model.events import Finding
    from console.model.incidents import Deed
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


@dataclass(frozen=True, slots=True)
class Subject:
    """One object that a voice is asked about: a node, a GPU of it, or a job.

    `node` is the inventory's name and `aliases` every other name that is known of it (a BMC's address, a short name);
    `gpu` is the index in the node (-1: the node itself), `uuid` that GPU's; `job` is a job's id, empty for hardware.
    `nodes` are the nodes of a job by the inventory's names, its first one first, and `output` is the file it writes to.
    """

    site: str
    path: str
    node: str = ""
    aliases: tuple[str, ...] = ()
    gpu: int = -1
    uuid: str = ""
    job: str = ""
    nodes: tuple[str, ...] = ()
    output: str = ""


@runtime_checkable
class Witness(Protocol):
    """A source that can show its own untouched record of one object (the `d` key)."""

    async def record(self, subject: Subject) -> str:
        """Return the record as that system gives it, empty where it knows nothing of it; raises SourceError."""
        ...


@runtime_checkable
class LogKeeper(Protocol):
    """A source that can follow the logs of one object (the `l` key): job output, pod, kernel, BMC."""

    def follow(self, subject: Subject, since_at: float) -> AsyncIterator[str]:
        """Yield lines, older ones first, then new ones until the iterator is closed; raises SourceError."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What a server asks at a login: which host asks, its words, and whether the answer may be seen on a screen."""

    host: str
    text: str
    seen: bool = False


@runtime_checkable
class SignsIn(Protocol):
    """A source whose way may ask something of a person (a one-time code); nothing answers by itself."""

    async def sign_in(self, ask: Callable[[Question], Awaitable[str | None]]) -> str:
        """Log in where a login is waited for, keep that, and return what it came to in words; raises SourceError."""
        ...

    async def way(self, host: str) -> str:
        """Return the path of a UNIX socket that leads to a host through what a person logged in to, empty for none."""
        ...


@runtime_checkable
class Keeper(Protocol):
    """Whoever remembers for a site what people do: our own memory, or a source that leads to a `gigadeck serve`."""

    async def keep(self, deed: Deed) -> str:
        """Remember a deed for good; return what it came to in words. Raises RefusedError, StateError, SourceError."""
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
