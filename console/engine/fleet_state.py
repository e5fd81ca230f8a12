"""The merged state of the fleet: mergers, history, what was judged of it; owned by the compute thread alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.core.alert_places import alerts_by_site
from console.core.history import HistoryRings
from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.engine.guard import Guard
from console.engine.judging import Judge
from console.model.reading import AlertsPart, ColumnPart
from console.model.snapshot import Frame, SiteFrame, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from console.engine.detectors import DetectorHost
    from console.engine.journal import Journal
    from console.engine.memory import MemoryDesk
    from console.engine.record import SourceRecord
    from console.engine.setup import SessionConfig, SiteSetup
    from console.model.columns import Values
    from console.model.reading import Part, Reading
    from console.model.snapshot import SourceStatus
    from console.model.views import HistoryRef

MOST_ODD = 4


class FleetState:
    """Merges parts and makes snapshots, one short step after the other."""

    def __init__(
        self,
        config: SessionConfig,
        records: Sequence[SourceRecord],
        detectors: DetectorHost,
        journal: Journal,
        memory: MemoryDesk | None = None,
    ) -> None:
        self._config = config
        self._records = records
        self._journal = journal
        self._mergers = {site.name: _merger(site, config) for site in config.sites}
        self._frames: dict[str, SiteFrame] = {}
        self._versions: dict[str, int] = {}
        self._guard = Guard()
        self._judge = Judge(config, records, detectors, memory, self._guard)
        self._seen = False
        self._seq = 0
        self.history = HistoryRings(config.metrics)

    def prepare(self, record: SourceRecord, part: Part) -> Iterator[None]:
        """Do in short steps what applying a part would take long for."""
        return self._mergers[record.site].prepare(part)

    def apply(self, record: SourceRecord, reading: Reading, part: Part) -> None:
        """Merge one part of a reading."""
        own_s = part.stale_after_s if isinstance(part, ColumnPart) else 0.0
        stale_after_s = max(record.stale_after_s, reading.stale_after_s, own_s)
        source, at = record.setup.name, reading.received_at
        if isinstance(part, AlertsPart):
            # One Alertmanager serves several sites: an alert that names another of ours is shown there.
            for site, alerts in alerts_by_site(part.alerts, record.site, tuple(self._mergers)).items():
                teller = source if site == record.site else f"{record.site}/{source}"
                told = AlertsPart(alerts)
                self._mergers[site].apply(told, source=teller, stale_after_s=stale_after_s, received_at=at)
            return
        self._mergers[record.site].apply(part, source=source, stale_after_s=stale_after_s, received_at=at)

    def tick(self, extra_notices: Callable[[], tuple[str, ...]]) -> Iterator[Snapshot | None]:
        """Yield None after each step, and at last the new snapshot."""
        now = self._config.clock.time()
        for name in self._mergers:
            self._merge_site(name, now)
            yield None
        sites = tuple(self._frames[name] for name in self._mergers if name in self._frames)
        frame = Frame(now, self._config.fleet, self._config.metrics, sites)
        self._guard("history", lambda: self.history.append(frame), None)
        yield None
        first = self._is_first_glance(frame)
        if not first:
            yield from self._judge.look(frame)
        self._judge.show(frame)
        draft = self._snapshot(frame, extra_notices)
        yield from self._judge.remembered(draft, glance=first)

    def _is_first_glance(self, frame: Frame) -> bool:
        """Whether somebody looks who has seen no value yet: the first are shown before anything is judged."""
        if self._seen or not self._config.first_word:
            return False
        self._seen = any(site.data_at for site in frame.sites)
        return True

    def series(self, ref: HistoryRef) -> tuple[NDArray[np.float64], Values]:
        """Return the times and values of one field of one object."""
        return self.history.get(ref.path, ref.field, ref.span_s)

    def _merge_site(self, name: str, now: float) -> None:
        stale = frozenset(r.setup.name for r in self._records if r.site == name and r.is_stale(now))
        merger, last = self._mergers[name], self._frames.get(name)
        merged = self._guard(f"site {name}", lambda: merger.frame(now, stale), last)
        if merged is None:
            return
        self._frames[name] = merged
        version = merged.topology.version
        if self._versions.setdefault(name, version) != version:
            self._versions[name] = version
            self._journal.write({"event": "topology_changed", "site": name, "version": version})

    def _snapshot(self, frame: Frame, extra_notices: Callable[[], tuple[str, ...]]) -> Snapshot:
        """Return the snapshot of a frame, without what is remembered and what serves say."""
        self._seq += 1
        judge = self._judge
        has_data = any(site.data_at for site in frame.sites)
        return Snapshot(
            seq=self._seq,
            frame=frame,
            environment=self._config.environment,
            findings=judge.findings,
            alerts=tuple(alert for site in frame.sites for alert in site.alerts),
            checks=judge.checks,
            sources=tuple(self._status(record, frame.at) for record in self._records),
            notices=(*self._unexpected(frame), *self._guard.faults, *judge.complaints, *extra_notices()),
            loading=not has_data and not all(record.spoke for record in self._records),
            disagreements=judge.disagreements,
        )

    def _status(self, record: SourceRecord, now: float) -> SourceStatus:
        """Return a source's state, with what its last readings had that are no numbers."""
        status = record.status(now)
        odd = self._mergers[record.site].sentinels_of(record.setup.name)
        if not odd:
            return status
        told = ", ".join(f"{count:,} of {metric}" for metric, count in sorted(odd.items())[:MOST_ODD])
        more = f" and of {len(odd) - MOST_ODD} more metrics" if len(odd) > MOST_ODD else ""
        text = f"sentinel values in the last reading, dropped: {told}{more}"
        return replace(status, warnings=(*status.warnings, text))

    def _unexpected(self, frame: Frame) -> Iterator[str]:
        """Yield what is to be said of sites that know of fewer GPUs than they should have."""
        for setup in self._config.sites:
            site = frame.site(setup.name)
            if site is not None and site.data_at and site.topology.gpus < setup.expected_gpus:
                yield _missing_gpus(setup.name, site.topology.gpus, setup.expected_gpus)


def _missing_gpus(name: str, known: int, expected: int) -> str:
    return f"{name}: {known:,} GPUs are known, {expected:,} are expected; add the others to its inventory"


def _merger(site: SiteSetup, config: SessionConfig) -> SiteMerger:
    topology = site.topology or empty_topology(site.name)
    return SiteMerger(topology, config.metrics, layout=site.layout, environment=site.environment)


def empty_snapshot(config: SessionConfig) -> Snapshot:
    """Return what stands for the fleet before its first snapshot."""
    return Snapshot(0, Frame(config.clock.time(), config.fleet, config.metrics, ()), config.environment, loading=True)
