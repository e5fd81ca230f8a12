"""The source that reads the built-in emulator: no I/O, the world moves on while its reading is decoded."""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING

from console.model.builtin_metrics import BUILTIN
from console.model.columns import same_time
from console.model.reading import (
    ColumnPart,
    EventsPart,
    FactsPart,
    InOrder,
    JobsPart,
    NamedKeys,
    Part,
    Reading,
    TopologyPart,
)
from console.sources.known_text import known_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from console.config.values import SiteConfig, SourceConfig
    from console.emulator.state import SiteState
    from console.emulator.world import World
    from console.model.events import Event
    from console.model.metrics import MetricTable
    from console.model.ports import Subject
    from console.model.topology import SiteTopology

CADENCE_S = 1.0
DEFAULT_GPUS = 1_000
# Lets the compute thread go on with something else between two slices of the world's step.
_BREATH = EventsPart(())


class EmulatorSource:
    """One site of an emulated world; satisfies Source. `clock` is wall time."""

    def __init__(self, world: World, site: str, clock: Callable[[], float] = time.time) -> None:
        self._world = world
        self._site = site
        self._clock = clock
        self._version = 0
        self._jobs: object = None
        self._event_count = 0
        self._state: SiteState | None = None
        self._keys: dict[str, InOrder] = {}

    async def read(self) -> Reading:
        """Return a reading of the site as it will be when decoded."""
        now = self._clock()
        return Reading(now, lambda: self._parts(now), requests=0, cadence_s=CADENCE_S)

    async def record(self, subject: Subject) -> str:
        """Return the emulated values of a node or GPU, or the fields of a job, as they were last told."""
        if self._state is None:
            return ""
        columns = {name: (BUILTIN[name].level, values) for name, values in self._state.columns.items()}
        return known_text(subject, self._world.topology(self._site), columns, self._state.jobs, self._state.events)

    async def aclose(self) -> None:
        """Let go of nothing: there is no connection."""

    def _parts(self, now: float) -> Iterator[Part]:
        if self._version:
            yield from self._reading(now)
            return
        for _ in self._world.begin_alone(self._site):
            yield _BREATH
        try:
            yield from self._reading(now)
        finally:
            self._world.begun(self._site)

    def _reading(self, now: float) -> Iterator[Part]:
        for _ in self._world.advance_steps(self._site, now):
            yield _BREATH
        topology = self._world.topology(self._site)
        if topology.version != self._version:
            yield TopologyPart(topology)
            self._version, self._keys, self._jobs = topology.version, {}, None
            yield from self._facts(topology, now)
        state = self._state = self._world.state(self._site, now)
        yield from self._columns(state)
        if state.gpu_job is not self._jobs:
            self._jobs = state.gpu_job
            yield JobsPart(state.jobs, gpu_job=state.gpu_job, version=state.version, at=state.at)
        events = self._new_events(state)
        if events:
            yield EventsPart(events)

    def _facts(self, topology: SiteTopology, now: float) -> Iterator[Part]:
        from console.emulator.firmware import facts_of

        keys = NamedKeys("node", topology.nodes)
        for fact, texts in facts_of(topology).items():
            yield FactsPart(fact, keys, texts, now)

    def _columns(self, state: SiteState) -> Iterator[Part]:
        for name, values in state.columns.items():
            level = BUILTIN[name].level
            keys = self._keys.get(level)
            if keys is None or keys.version != state.version:
                keys = self._keys[level] = InOrder(level, state.version, len(values))
            yield ColumnPart(name, keys, values, same_time(state.at, len(values)))

    def _new_events(self, state: SiteState) -> tuple[Event, ...]:
        new = state.event_count - self._event_count
        self._event_count = state.event_count
        return state.events[-new:] if new > 0 else ()


def open_emulator(world: World, site: str, clock: Callable[[], float] = time.time) -> EmulatorSource:
    """Return the source of one site of a world; raises KeyError for a site that the world does not have."""
    if site not in world.site_names:
        raise KeyError(site)
    return EmulatorSource(world, site, clock)


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> EmulatorSource:
    """Return the source of an emulated site that a fleet file names; raises ConfigErrors for options that cannot be.

    Without a `seed` it is the site's name, so that two such sites of a fleet differ.
    """
    from console.emulator.fleet import FleetPlan
    from console.emulator.world import World
    from console.model.errors import ConfigError, ConfigErrors

    options = source.options
    try:
        plan = FleetPlan(
            gpus=int(options.get("gpus") or site.expect.gpus or DEFAULT_GPUS),
            sites=1,
            seed=int(options.get("seed") or zlib.crc32(site.name.encode())),
            scenario=str(options.get("scenario") or "default"),
            name=site.name,
        )
    except ValueError as error:
        raise ConfigErrors([ConfigError(f"site {site.name}", source.line, source.name, str(error))]) from error
    return open_emulator(World(plan, time.time()), site.name)
