"""What schedulers and other systems say, in the stream: jobs, node reports, facts, reservations, alerts, events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.core.site_api.edits import Listed
from console.core.site_api.quantised import Ints
from console.core.site_api.rows import event_row, job_row, reason_row, row, state_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from console.core.site_api.quantised import Members
    from console.model.events import Alert, Event
    from console.model.jobs import Job, Jobs
    from console.model.scheduling import NodeFacts, NodeReports, Reservation
    from console.model.snapshot import SiteFrame
    from console.model.topology import SiteTopology

JOBS_EVERY_S = 10.0
WORDS_EVERY_S = 10.0
_EMPTY = np.zeros(0, dtype=np.int32)


class JobStream:
    """The jobs of a site: rows that changed, and which GPUs changed hands."""

    def __init__(self) -> None:
        self._rows: Listed[Job] = Listed(lambda job: (job.cluster, job.id), job_row)
        self._held, self._starts, self._nodes = Ints(), Ints(), Ints()
        self._seen: Jobs | None = None
        self._at = 0.0
        self._told_at = float("-inf")

    def due(self, site: SiteFrame, now: float, *, anew: bool = False) -> Iterator[tuple[str, Members]]:
        """Yield the record that is due; with `anew` all of it."""
        jobs = site.jobs
        soon = bool(self._rows.told) and now - self._told_at < JOBS_EVERY_S
        if not anew and (jobs is self._seen or soon):
            return
        later = jobs.at > self._at
        self._seen, self._told_at, self._at = jobs, now, jobs.at
        change = self._rows.take(jobs.rows)
        if change is not None and self._held.sent is not None:
            self._held.sent = moved(self._held.sent, change[1])
        arrays = self._arrays(jobs, site.topology)
        if anew:
            yield "jobs", self.whole()
        elif change is not None or arrays or later:
            yield "jobs", {"full": False, "at": self._at, **({"edits": change[0]} if change else {}), **arrays}

    def whole(self) -> Members:
        """Return all that was told."""
        arrays = {"gpu_job": self._held.whole(), "node_starts": self._starts.whole(), "node_rows": self._nodes.whole()}
        return {"full": True, "at": self._at, "jobs": self._rows.whole(), **arrays}

    def _arrays(self, jobs: Jobs, topology: SiteTopology) -> Members:
        held = jobs.gpu_job if len(jobs.gpu_job) == topology.gpus else np.full(topology.gpus, -1, dtype=np.int32)
        named = len(jobs.node_starts) == len(jobs.rows) + 1
        both = (jobs.node_starts, jobs.node_rows) if named else (_EMPTY, _EMPTY)
        told = {
            "gpu_job": self._held.take(held.astype(np.int32)),
            "node_starts": self._starts.take(both[0].astype(np.int32)),
            "node_rows": self._nodes.take(both[1].astype(np.int32)),
        }
        return {name: members for name, members in told.items() if members is not None}


def moved(held: NDArray[np.int32], places: list[int]) -> NDArray[np.int32]:
    """Return which job holds each GPU by its place in a new list; `places` are the old ones of its rows, -1: new."""
    old = np.array(places, dtype=np.int32)
    kept = np.flatnonzero(old >= 0)
    size = max(int(held.max(initial=-1)), int(old.max(initial=-1))) + 1
    # The last one stands for -1: free.
    table = np.full(size + 1, -1, dtype=np.int32)
    table[old[kept]] = kept
    return table[held]


class _Report:
    """What one scheduler said last of the nodes; what did not change is not told again."""

    def __init__(self, voice: str, version: int) -> None:
        self.told: NodeReports | None = None
        self._head = {"voice": voice, "version": version}
        self._arrays = {"codes": Ints(), "gpus": Ints(), "gpus_allocated": Ints()}

    def take(self, new: NodeReports) -> Members:
        before, self.told = self.told, new
        members: Members = {**self._head, "full": before is None, "at": new.at}
        if before is None or before.states != new.states:
            members["states"] = self._states()
        if before is None or before.reasons != new.reasons:
            members["reasons"] = self._reasons()
        for name, sent in self._arrays.items():
            change = sent.take(getattr(new, name).astype(np.int32))
            if change is not None:
                members[name] = change
        return members

    def whole(self) -> Members:
        arrays = {name: sent.whole() for name, sent in self._arrays.items()}
        at = self.told.at if self.told is not None else 0.0
        told = {"states": self._states(), "reasons": self._reasons()}
        return {**self._head, "full": True, "at": at, **told, **arrays}

    def _states(self) -> list[list[str]]:
        return [state_row(state) for state in self.told.states] if self.told is not None else []

    def _reasons(self) -> list[list[object]]:
        reasons = self.told.reasons if self.told is not None else {}
        return [reason_row(node, reasons[node]) for node in sorted(reasons)]


class WordStream:
    """Node reports and facts by voice, each when it changed; reservations and alerts of other systems."""

    def __init__(self) -> None:
        self._reports: dict[str, _Report] = {}
        self._facts: dict[tuple[str, str], NodeFacts] = {}
        self._reservations: Mapping[str, tuple[Reservation, ...]] = {}
        self._alerts: Listed[Alert] = Listed(lambda alert: alert.id, row)
        self._heard: dict[str, float] = {}
        self._seen: tuple[Alert, ...] | None = None
        self._told_at: dict[object, float] = {}
        self._version = 0

    def due(self, site: SiteFrame, now: float, *, anew: bool = False) -> Iterator[tuple[str, Members]]:
        """Yield what changed; with `anew` everything."""
        self._version = site.topology.version
        if anew:
            self._told_at.clear()
            self._reports, self._facts, self._reservations = {}, {}, {}
        for voice, told in site.reports.items():
            report = self._reports.get(voice)
            if report is None or (self._is_due(voice, now) and report.told is not told):
                self._told_at[voice] = now
                report = self._reports.setdefault(voice, _Report(voice, self._version))
                yield "reports", report.take(told)
        for key, facts in site.facts.items():
            if self._is_due(key, now) and _is_else(self._facts.get(key), facts):
                self._told_at[key] = now
                self._facts[key] = facts
                yield "facts", self._fact(*key, facts)
        if dict(site.reservations) != self._reservations:
            self._reservations = dict(site.reservations)
            yield "reservations", self._reserved()
        yield from self._alert_records(site, anew=anew)

    def opening(self) -> Iterator[tuple[str, Members]]:
        """Yield everything that was told."""
        for report in self._reports.values():
            yield "reports", report.whole()
        for key, facts in self._facts.items():
            yield "facts", self._fact(*key, facts)
        yield "reservations", self._reserved()
        yield "alerts", self._all_alerts()

    def _is_due(self, key: object, now: float) -> bool:
        return now - self._told_at.get(key, float("-inf")) >= WORDS_EVERY_S

    def _fact(self, voice: str, fact: str, told: NodeFacts) -> Members:
        texts, codes = list(told.texts), _whole(told.codes)
        return {"voice": voice, "fact": fact, "version": self._version, "at": told.at, "texts": texts, "codes": codes}

    def _reserved(self) -> Members:
        voices = self._reservations.items()
        return {
            "reservations": [{"voice": voice, "reservations": [row(each) for each in told]} for voice, told in voices]
        }

    def _alert_records(self, site: SiteFrame, *, anew: bool) -> Iterator[tuple[str, Members]]:
        """When each was heard is told by origin: every one of them is heard anew all the time."""
        if site.alerts is self._seen and not anew:
            return
        self._seen = site.alerts
        heard: dict[str, float] = {}
        for alert in site.alerts:
            heard[alert.origin] = max(heard.get(alert.origin, 0.0), alert.heard_at)
        change = self._alerts.take(tuple(replace(alert, heard_at=0.0) for alert in site.alerts))
        same, self._heard = heard == self._heard, heard
        if anew:
            yield "alerts", self._all_alerts()
        elif change is not None or not same:
            yield "alerts", {"full": False, "heard": heard, **({"edits": change[0]} if change else {})}

    def _all_alerts(self) -> Members:
        return {"full": True, "heard": self._heard, "alerts": self._alerts.whole()}


class EventStream:
    """The events of a site, numbered from 1; the last 1,000 are told to who comes anew."""

    def __init__(self, log: str) -> None:
        self.log = log
        self._kept: list[tuple[int, Event]] = []
        self._seen: tuple[Event, ...] = ()
        self._last = 0

    def due(self, site: SiteFrame) -> Iterator[tuple[str, Members]]:
        """Yield what happened since the last time."""
        if site.events is self._seen or (not site.events and not self._seen):
            return
        new = _new_events(self._seen, site.events)
        self._seen = site.events
        numbered = list(enumerate(new, start=self._last + 1))
        self._last += len(new)
        self._kept = [*self._kept, *numbered][-len(site.events) :] if site.events else []
        if numbered:
            yield "events", self._members(numbered)

    def whole(self) -> Members:
        """Return those that are still known."""
        return self._members(self._kept)

    def _members(self, entries: list[tuple[int, Event]]) -> Members:
        oldest = self._kept[0][0] if self._kept else 0
        events = [event_row(seq, event) for seq, event in entries]
        return {"log": self.log, "oldest": oldest, "last": self._last, "events": events}


def _new_events(before: tuple[Event, ...], now: tuple[Event, ...]) -> tuple[Event, ...]:
    """Return the events behind the last one that was there before; the list only grows, and loses its oldest."""
    if not before:
        return now
    last = before[-1]
    for place in range(len(now) - 1, -1, -1):
        if now[place] is last:
            return now[place + 1 :]
    return now


def _is_else(before: NodeFacts | None, now: NodeFacts) -> bool:
    if before is None or before is now:
        return before is None
    return before.texts != now.texts or not np.array_equal(before.codes, now.codes)


def _whole(array: NDArray[np.signedinteger]) -> Members:
    return Ints().take(array.astype(np.int32)) or {}
