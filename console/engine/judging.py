"""What is wrong: voices compared, checks, detectors, incidents; of sites that a `gigadeck serve` judges, its word."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from console.core.checks import CheckBook
from console.model.ports import Keeper
from console.model.snapshot import NO_DISAGREEMENTS, SourceState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from console.core.attached import Merging
    from console.core.disagreements.book import DisagreementBook
    from console.engine.detectors import DetectorHost
    from console.engine.guard import Guard
    from console.engine.memory import MemoryDesk
    from console.engine.record import SourceRecord
    from console.engine.setup import SessionConfig
    from console.model.disagreements import Disagreements
    from console.model.events import CheckResult, Finding
    from console.model.incidents import Sign
    from console.model.snapshot import Frame, Snapshot

COMPARE_EVERY_S = 5.0
# So long voices that have not spoken yet are waited for: with one voice alone there is nothing to compare.
LISTEN_S = 5.0
# What is wrong is put together anew when somebody tells something else; what time alone changes (ages) waits for that.
SIGNS_AGAIN_S = 5.0
# A serve says something every 5 s.
SILENT_S = 15.0


class Judge:
    """Judges frames in order of time, one short step after the other; owned by the compute thread."""

    def __init__(
        self,
        config: SessionConfig,
        records: Sequence[SourceRecord],
        detectors: DetectorHost,
        memory: MemoryDesk | None,
        guard: Guard,
    ) -> None:
        self._config = config
        self._records = records
        self._detectors = detectors
        self._memory = memory
        self._guard = guard
        self._checkbook = CheckBook(config.checks, config.metrics)
        self._own = NO_DISAGREEMENTS
        self._signs: tuple[Sign, ...] = ()
        self._told_by: object = None
        self._signs_at = 0.0
        self._began_at = 0.0
        self._compared: object = None
        self._attached = False
        self.checks: tuple[CheckResult, ...] = ()
        self.disagreements = NO_DISAGREEMENTS

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What our detectors last said."""
        return self._detectors.findings

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is wrong with our detectors now."""
        return self._detectors.complaints

    def look(self, frame: Frame) -> Iterator[None]:
        """Compare the voices and run the checks, in short steps."""
        yield from self._compare(self._ours(frame))
        own, self.disagreements = self._own, self._own
        if self._attached:
            self.disagreements = self._guard("serves", lambda: self._merging.disagreements(own, frame), own)
        told = self.disagreements
        self.checks = self._guard("checks", lambda: self._checkbook.update(frame, frame.at, told), self.checks)
        yield None

    def show(self, frame: Frame) -> None:
        """Show a frame to the detectors, which answer later."""
        ours = self._ours(frame)
        if self._memory is not None and (saved := self._memory.restored()):
            self._guard("baselines", lambda: self._detectors.restore(saved), None)
        self._guard("detectors", lambda: self._detectors.offer(ours), None)

    def remembered(self, draft: Snapshot, *, glance: bool) -> Iterator[Snapshot | None]:
        """Yield None after each short step, and at last the snapshot with what is remembered and what serves say.

        At the first glance nothing was judged yet: nothing begins or ends by it.
        """
        memory = self._memory
        if memory is not None and not glance:
            memory.start()
            if memory.is_ready:
                yield from self._remember(draft, memory)
            if memory.wants_columns():
                yield from self._save(memory)
        told = draft
        if memory is not None and not glance:
            told = self._guard("memory", lambda: self._with_kept(draft, memory), draft)
        if self._attached:
            told = self._guard("serves", lambda: self._merging.merge(told, self._silence()), told)
        yield told

    def _with_kept(self, draft: Snapshot, memory: MemoryDesk) -> Snapshot:
        kept = memory.told(frozenset(site.site for site in self._ours(draft.frame).sites))
        return replace(
            draft,
            incidents=kept.incidents,
            notes=kept.notes,
            views=kept.views,
            memories=kept.memories,
            notices=(*draft.notices, *kept.notices),
        )

    def _remember(self, draft: Snapshot, memory: MemoryDesk) -> Iterator[None]:
        """Take what is wrong now into the incidents; a tick that finds nothing new costs next to nothing."""
        from console.core.signs import heard_sites, signs_of

        # Serves tell of their own disagreements themselves.
        own = replace(draft, disagreements=self._own) if self._attached else draft
        tellers = _tellers(own)
        if tellers != self._told_by or not 0 <= draft.at - self._signs_at < SIGNS_AGAIN_S:
            self._signs = self._guard("signs", lambda: signs_of(own), self._signs)
            self._told_by, self._signs_at = tellers, draft.at
        yield None
        self._guard("incidents", lambda: memory.update(self._signs, heard_sites(own), draft.at), None)
        yield None

    def _save(self, memory: MemoryDesk) -> Iterator[None]:
        columns = []
        for column in self._detectors.columns(self._config.clock.time()):
            columns.append(column)
            yield None
        memory.offer(columns)

    def _ours(self, frame: Frame) -> Frame:
        """Return the frame of the sites that we judge: all of them, as it is, where no serve does."""
        self._attached = any(site.judged is not None for site in frame.sites)
        if not self._attached:
            return frame
        return replace(frame, sites=tuple(site for site in frame.sites if site.judged is None))

    def _silence(self) -> Mapping[str, float]:
        """Return how long each serve has not been heard, in seconds, of those that should have been."""
        now, silent_s = self._config.clock.time(), dict[str, float]()
        for record in self._records:
            if isinstance(record.setup.source, Keeper):
                status = record.status(now)
                fails = status.state in (SourceState.FAILING, SourceState.STARTING)
                age_s = max(now - status.last_ok_at, 1.0)
                this_s = age_s if fails or age_s > SILENT_S else 0.0
                silent_s[record.site] = min(silent_s.get(record.site, this_s), this_s)
        return {site: each_s for site, each_s in silent_s.items() if each_s}

    def _compare(self, frame: Frame) -> Iterator[None]:
        """Compare the voices now and then, and at once when another one has spoken; at first all are waited for."""
        self._began_at = self._began_at or frame.at
        if frame.at - self._began_at < LISTEN_S and not all(record.spoke for record in self._records):
            return
        voices = [(site.site, bool(site.data_at), *site.reports, *site.facts) for site in frame.sites]
        if voices == self._compared and frame.at - self._own.at < COMPARE_EVERY_S:
            return
        self._compared = voices
        from console.core.disagreements.hearing import hearing_of  # a dozen modules that the first picture needs not

        hearing = hearing_of(tuple(record.status(frame.at) for record in self._records))
        # Nobody looks on at a command: it has what each voice says spelled out only if it writes that.
        steps = self._book.update(frame, hearing, spell=self._config.first_word)
        last: Disagreements | None = self._own
        found: Disagreements | None = None
        while found is None:
            found = self._guard("disagreements", lambda: next(steps), last)  # after a fault the last ones stand
            yield None
        self._own = found

    @cached_property
    def _book(self) -> DisagreementBook:
        from console.core.disagreements.book import DisagreementBook

        return DisagreementBook()

    @cached_property
    def _merging(self) -> Merging:
        from console.core.attached import Merging

        return Merging()


def _tellers(draft: Snapshot) -> tuple[object, ...]:
    """Return everything that signs are made of, to be compared."""
    sites = [(site.site, site.stale, bool(site.data_at), site.judged is None) for site in draft.frame.sites]
    sources = [(each.site, each.name, each.state, each.last_error) for each in draft.sources]
    return draft.checks, draft.findings, draft.disagreements, draft.alerts, sites, sources
