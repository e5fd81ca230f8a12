"""The merged state of the fleet: mergers, history, checks and detectors; owned by the compute thread alone."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from console.core.alert_places import alerts_by_site
from console.core.checks import CheckBook
from console.core.history import HistoryRings
from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.model.reading import AlertsPart, ColumnPart
from console.model.snapshot import NO_DISAGREEMENTS, Frame, SiteFrame, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from console.core.disagreements.book import DisagreementBook
    from console.engine.detectors import DetectorHost
    from console.engine.journal import Journal
    from console.engine.record import SourceRecord
    from console.engine.setup import SessionConfig, SiteSetup
    from console.model.columns import Values
    from console.model.disagreements import Disagreements
    from console.model.events import CheckResult
    from console.model.reading import Part, Reading
    from console.model.snapshot import SourceStatus
    from console.model.views import HistoryRef

COMPARE_EVERY_S = 5.0
MOST_ODD = 4
# So long voices that have not spoken yet are waited for: with one voice alone there is nothing to compare.
LISTEN_S = 5.0

log = logging.getLogger("console.engine")
Result = TypeVar("Result")


class FleetState:
    """Merges parts and makes snapshots, one short step after the other."""

    def __init__(
        self, config: SessionConfig, records: Sequence[SourceRecord], detectors: DetectorHost, journal: Journal
    ) -> None:
        self._config = config
        self._records = records
        self._detectors = detectors
        self._journal = journal
        self._mergers = {site.name: _merger(site, config) for site in config.sites}
        self._frames: dict[str, SiteFrame] = {}
        self._versions: dict[str, int] = {}
        self._checkbook = CheckBook(config.checks, config.metrics)
        self._checks: tuple[CheckResult, ...] = ()
        self._disagreements = NO_DISAGREEMENTS
        self._began_at = 0.0
        self._seen = False
        self._compared: object = None
        self._faults: dict[str, str] = {}
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
        if not self._is_first_glance(frame):
            yield from self._compare(frame)
            told = self._disagreements
            self._checks = self._guard("checks", lambda: self._checkbook.update(frame, now, told), self._checks)
            yield None
        self._guard("detectors", lambda: self._detectors.offer(frame), None)
        yield self._snapshot(frame, extra_notices())

    def _is_first_glance(self, frame: Frame) -> bool:
        """Whether somebody looks who has seen no value yet: the first are shown before anything is judged."""
        if self._seen or not self._config.first_word:
            return False
        self._seen = any(site.data_at for site in frame.sites)
        return True

    def _compare(self, frame: Frame) -> Iterator[None]:
        """Compare the voices now and then, and at once when another one has spoken; at first all are waited for."""
        self._began_at = self._began_at or frame.at
        if frame.at - self._began_at < LISTEN_S and not all(record.spoke for record in self._records):
            return
        voices = [(site.site, bool(site.data_at), *site.reports, *site.facts) for site in frame.sites]
        if voices == self._compared and frame.at - self._disagreements.at < COMPARE_EVERY_S:
            return
        self._compared = voices
        from console.core.disagreements.hearing import hearing_of  # a dozen modules that the first picture needs not

        hearing = hearing_of(tuple(record.status(frame.at) for record in self._records))
        # Nobody looks on at a command: it has what each voice says spelled out only if it writes that.
        steps = self._book.update(frame, hearing, spell=self._config.first_word)
        last: Disagreements | None = self._disagreements
        found: Disagreements | None = None
        while found is None:
            found = self._guard("disagreements", lambda: next(steps), last)  # after a fault the last ones stand
            yield None
        self._disagreements = found

    @cached_property
    def _book(self) -> DisagreementBook:
        from console.core.disagreements.book import DisagreementBook

        return DisagreementBook()

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

    def _guard(self, what: str, function: Callable[[], Result], fallback: Result) -> Result:
        """Return the function's result; a fault in one stage is said once and leaves the others running."""
        try:
            result = function()
        except Exception as error:
            if what not in self._faults:
                log.exception("%s: internal fault", what)
            self._faults[what] = f"{what}: internal fault: {type(error).__name__}"
            return fallback
        self._faults.pop(what, None)
        return result

    def _snapshot(self, frame: Frame, extra_notices: tuple[str, ...]) -> Snapshot:
        self._seq += 1
        has_data = any(site.data_at for site in frame.sites)
        return Snapshot(
            seq=self._seq,
            frame=frame,
            environment=self._config.environment,
            findings=self._detectors.findings,
            alerts=tuple(alert for site in frame.sites for alert in site.alerts),
            checks=self._checks,
            sources=tuple(self._status(record, frame.at) for record in self._records),
            notices=(*self._unexpected(frame), *self._faults.values(), *self._detectors.complaints, *extra_notices),
            loading=not has_data and not all(record.spoke for record in self._records),
            disagreements=self._disagreements,
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
