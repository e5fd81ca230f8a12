"""The engine's tick by hand: one fleet of emulated sites, fed and merged without threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.engine.detectors import DetectorHost
from console.engine.fleet_state import FleetState
from console.engine.journal import Journal
from console.engine.record import SourceRecord
from console.engine.setup import SessionConfig, SiteSetup, SourceSetup
from console.engine.worker import PluginWorker
from console.model.columns import same_time
from console.model.reading import ColumnPart, InOrder, Reading, TopologyPart

if TYPE_CHECKING:
    from console.model.snapshot import Snapshot

SITE_GPUS = 100_000


class Ticks:
    """A fleet of `gpus` in sites of at most 100,000; every GPU column is a new array at each tick."""

    def __init__(self, gpus: int) -> None:
        from console.emulator.fleet import FleetPlan
        from console.emulator.world import World

        self.now = 1_800_000_000.0
        self._world = World(FleetPlan(gpus=gpus, sites=max(1, gpus // SITE_GPUS)), self.now)
        sites = tuple(self._setup(name) for name in self._world.site_names)
        self._config = SessionConfig("bench", sites=sites, clock=self)
        clock = self._config.clock
        self._records = {
            site.name: SourceRecord(site.name, site.sources[0], clock, lambda event: None)
            for site in self._config.sites
        }
        worker = PluginWorker("none", 3.0, clock, lambda owner, reason: None)
        detectors = DetectorHost({}, worker, lambda job: None)
        self._state = FleetState(self._config, list(self._records.values()), detectors, Journal(None, clock))
        self._reading = Reading(self.now, lambda: iter(()))
        self._parts: list[tuple[SourceRecord, ColumnPart]] = []
        self.columns = 0
        for name in self._world.site_names:
            self._state.apply(self._records[name], self._reading, TopologyPart(self._world.topology(name)))

    def _setup(self, name: str) -> SiteSetup:
        # The source is never read here: parts go straight to the merge.
        return SiteSetup(name, sources=(SourceSetup("emulator", "emulator", "", None, cadence_s=1.0),))  # type: ignore[arg-type]

    def time(self) -> float:
        """Return virtual UTC epoch seconds (this object is the session's clock)."""
        return self.now

    def monotonic(self) -> float:
        """Return virtual seconds."""
        return self.now

    def feed(self) -> None:
        """Make the next second's columns; this is the source's work, not the tick's."""
        self.now += 1.0
        self._parts = []
        for name in self._world.site_names:
            state = self._world.state(name, self.now)
            for metric, values in state.columns.items():
                level = self._config.metrics[metric].level
                fresh = values.copy() if level == "gpu" else values
                keys, at = InOrder(level, state.version, len(fresh)), same_time(self.now, len(fresh))
                self._parts.append((self._records[name], ColumnPart(metric, keys, fresh, at)))
        gpu_parts = [part for _, part in self._parts if self._config.metrics[part.metric].level == "gpu"]
        self.columns = len(gpu_parts) // len(self._records)

    def merge_and_publish(self) -> Snapshot:
        """Merge what was fed and make the snapshot."""
        for record, part in self._parts:
            self._state.apply(record, self._reading, part)
        *_, snapshot = self._state.tick(tuple)
        assert snapshot is not None
        return snapshot

    def tick(self) -> None:
        """Feed and merge."""
        self.feed()
        self.merge_and_publish()
