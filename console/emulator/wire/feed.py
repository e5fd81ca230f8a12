"""What the server asks of an emulated world, sampled once a cadence however many clients ask."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from console.core.site_api.topology import topology_tag
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from console.model.columns import Values
    from console.model.events import Event
    from console.model.jobs import Job
    from console.model.topology import SiteTopology

EVENTS_KEPT = 10_000


class State(Protocol):
    """One site at one time: columns by metric name, in topology order of the metric's level or domain kind."""

    @property
    def at(self) -> float:
        """When it was sampled, UTC epoch seconds."""
        ...

    @property
    def version(self) -> int:
        """The topology's version."""
        ...

    @property
    def columns(self) -> Mapping[str, Values]:
        """float32 by metric name; NaN is not reported."""
        ...

    @property
    def jobs(self) -> Sequence[Job]:
        """Every job of the site."""
        ...

    @property
    def gpu_job(self) -> NDArray[np.int32]:
        """int32[gpus] into `jobs`, -1 where a GPU is free."""
        ...

    @property
    def events(self) -> Iterable[Event]:
        """What happened lately; an event that is told twice is kept once."""
        ...


class EmulatedWorld(Protocol):
    """The sites that are emulated."""

    @property
    def site_names(self) -> Sequence[str]:
        """The names of the sites."""
        ...

    def topology(self, site: str) -> SiteTopology:
        """Return a site's topology."""
        ...

    def state(self, site: str, now: float) -> State:
        """Return a site's state at a time."""
        ...


@dataclass
class EventLog:
    """The newest events of a site, numbered from 1; `log` tells one life of the server from the next."""

    log: str
    last: int = 0
    kept: deque[tuple[int, Event]] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    _known: set[Event] = field(default_factory=set)

    def add(self, events: Iterable[Event]) -> None:
        """Number the events that are new."""
        for event in events:
            if event not in self._known:
                self._append(event)

    def _append(self, event: Event) -> None:
        if len(self.kept) == self.kept.maxlen:
            self._known.discard(self.kept[0][1])
        self.last += 1
        self._known.add(event)
        self.kept.append((self.last, event))

    def after(self, seq: int, limit: int) -> list[tuple[int, Event]]:
        """Return up to `limit` events after a number, oldest first."""
        return [entry for entry in self.kept if entry[0] > seq][:limit]

    @property
    def oldest(self) -> int:
        """The lowest number that is still kept, 0 when there is none."""
        return self.kept[0][0] if self.kept else 0


@dataclass(frozen=True, eq=False)
class Sample:
    """A site's topology and state that belong together; `tag` identifies the topology by its content."""

    topology: SiteTopology
    tag: str
    state: State


class Feed:
    """Samples a world at most once a cadence and site, under a lock a site; safe to call from many threads.

    `clock` returns UTC epoch seconds.
    """

    def __init__(self, world: EmulatedWorld, clock: Callable[[], float], cadence_s: float) -> None:
        self.cadence_s = cadence_s
        self.site_names = tuple(world.site_names)
        self._world = world
        self._clock = clock
        self._locks = {site: threading.Lock() for site in self.site_names}
        self._samples: dict[str, Sample] = {}
        self._tags: dict[str, tuple[SiteTopology, str]] = {}
        born = f"{clock():.3f}"
        self._logs = {site: EventLog(f"{site}-{born}") for site in self.site_names}

    def fresh(self, site: str) -> Sample | None:
        """Return the held state of a site if it is at most a cadence old, without waiting."""
        held = self._samples.get(site)
        return held if held is not None and 0 <= self._clock() - held.state.at < self.cadence_s else None

    def sample(self, site: str) -> Sample:
        """Return the state of a site, at most a cadence old; raises KeyError for an unknown site."""
        with self._locks[site]:
            held = self.fresh(site)
            if held is None:
                held = self._samples[site] = self._take(site, self._clock())
            return held

    def _take(self, site: str, now: float) -> Sample:
        state = self._world.state(site, now)
        topology = self._world.topology(site)
        self._logs[site].add(state.events)
        known = self._tags.get(site)
        if known is None or known[0] is not topology:
            known = self._tags[site] = (topology, topology_tag(topology))
        return Sample(topology, known[1], state)

    def events(self, site: str, after: int, limit: int) -> tuple[EventLog, list[tuple[int, Event]]]:
        """Return a site's log and its events after a number; samples first, so that nothing is old."""
        self.sample(site)
        with self._locks[site]:
            log = self._logs[site]
            return log, log.after(after, limit)
