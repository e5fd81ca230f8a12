"""`gigadeck watch`: what happens, as NDJSON events; a reader that is slow loses events, never stalls the engine."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Any

import click

from console.cli.options import Choice, Duration, fleet_options
from console.model.events import AlertState

if TYPE_CHECKING:
    from console.model.events import Alert
    from console.model.incidents import Incident
    from console.model.snapshot import Snapshot

KINDS = ("alerts", "jobs", "snapshots")
HEARTBEAT_S = 10.0
QUEUE_LIMIT = 1000
Event = dict[str, Any]


@click.command()
@click.option("--what", default="alerts,jobs,snapshots", show_default=True, help="comma-separated kinds")
@click.option("--for", "for_s", type=Duration(), default=None, help="stop after so long")
@click.option("--from", "from_seq", type=click.IntRange(min=0), default=0, metavar="SEQ", help="only events after SEQ")
@fleet_options()
def watch(what: str, for_s: float | None, from_seq: int, choice: Choice) -> None:
    r"""A stream of events, one JSON value a line, with `seq`, `at` and `type`.

    \b
    Example:
      gigadeck watch --fleet demo --what alerts --for 10m | jq -r 'select(.type == "incident") | .text'
    """
    kinds = frozenset(each.strip() for each in what.split(",") if each.strip())
    if not kinds or kinds - set(KINDS):
        raise click.UsageError(f"--what takes any of {', '.join(KINDS)}")
    from console.cli.opening import opened

    with opened(choice, memory=True) as fleet:
        stream = EventStream(kinds, from_seq)
        unsubscribe = fleet.session.subscribe(stream.offer)
        try:
            _print_events(stream, for_s)
        finally:
            unsubscribe()


def _print_events(stream: EventStream, for_s: float | None) -> None:
    from console.cli.output import write_json_line

    end = None if for_s is None else time.monotonic() + for_s
    beat = time.monotonic() + HEARTBEAT_S
    while end is None or time.monotonic() < end:
        until = beat if end is None else min(beat, end)
        for event in stream.take(max(0.0, until - time.monotonic())):
            write_json_line(event)
        if time.monotonic() >= beat:
            beat = time.monotonic() + HEARTBEAT_S
            write_json_line(stream.heartbeat(time.time()))


class EventStream:
    """Turns snapshots into numbered events and holds at most `QUEUE_LIMIT` snapshots for a slow reader."""

    def __init__(self, kinds: frozenset[str], from_seq: int = 0) -> None:
        self._kinds = kinds
        self._from = from_seq
        self._seq = 0
        self._waiting: queue.Queue[Snapshot] = queue.Queue(QUEUE_LIMIT)
        self._dropped = 0
        self._checks: dict[str, str] = {}
        self._told: dict[tuple[str, str], Alert] = {}
        self._incidents: dict[str, Incident] = {}
        self._jobs: dict[tuple[str, str], str] = {}

    def offer(self, snapshot: Snapshot) -> None:
        """Take a snapshot from the engine's thread; never blocks."""
        try:
            self._waiting.put_nowait(snapshot)
        except queue.Full:
            self._dropped += 1

    def take(self, timeout_s: float) -> list[Event]:
        """Return the events of the next snapshot, none if there is no snapshot in time."""
        try:
            snapshot = self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            return []
        found = [*self._loss(snapshot), *self._incident_changes(snapshot), *self._checked(snapshot)]
        found += [*self._alerts(snapshot), *self._job_changes(snapshot), *self._shot(snapshot)]
        return [event for event in map(self._number, found) if event["seq"] > self._from]

    def heartbeat(self, at: float) -> Event:
        """Return a sign of life."""
        return self._number({"at": round(at, 3), "type": "heartbeat"})

    def _number(self, event: Event) -> Event:
        self._seq += 1
        return {"seq": self._seq, **event}

    def _loss(self, snapshot: Snapshot) -> list[Event]:
        dropped, self._dropped = self._dropped, 0
        return [{"at": round(snapshot.at, 3), "type": "dropped", "dropped": dropped}] if dropped else []

    def _incident_changes(self, snapshot: Snapshot) -> list[Event]:
        """Return the incidents that are new, in another state, worse or better, or that somebody else has taken on."""
        if "alerts" not in self._kinds:
            return []
        before, self._incidents = self._incidents, {each.id: each for each in snapshot.incidents}
        events: list[Event] = []
        for id, incident in self._incidents.items():
            was = before.get(id)
            news = was is None and incident.state is not AlertState.RESOLVED
            if news or (was is not None and was is not incident and _turn(was) != _turn(incident)):
                events.append(_incident_event(snapshot.at, incident, was))
        return events

    def _alerts(self, snapshot: Snapshot) -> list[Event]:
        """Return the alerts of other systems that are new, in another state, or gone (`resolved`)."""
        if "alerts" not in self._kinds:
            return []
        now = {(alert.site, alert.id): alert for alert in snapshot.alerts}
        gone = [alert for key, alert in self._told.items() if key not in now]
        changed = [alert for key, alert in now.items() if key not in self._told or self._told[key].state != alert.state]
        was, self._told = self._told, now
        return [
            *(_alert_event(snapshot.at, alert, alert.state, was.get((alert.site, alert.id))) for alert in changed),
            *(_alert_event(snapshot.at, alert, AlertState.RESOLVED, alert) for alert in gone),
        ]

    def _checked(self, snapshot: Snapshot) -> list[Event]:
        if "alerts" not in self._kinds:
            return []
        events: list[Event] = []
        for check in snapshot.checks:
            if self._checks.get(check.name) == check.severity.value:
                continue
            events.append(
                {
                    "at": round(snapshot.at, 3),
                    "type": "check",
                    "name": check.name,
                    "state": check.severity.value,
                    "was": self._checks.get(check.name),
                    "matches": check.matches,
                    "unknown": check.unknown,
                    "text": check.text,
                    "paths": list(check.paths),
                }
            )
            self._checks[check.name] = check.severity.value
        return events

    def _job_changes(self, snapshot: Snapshot) -> list[Event]:
        if "jobs" not in self._kinds:
            return []
        now = {(site.site, job.id): job for site in snapshot.frame.sites for job in site.jobs.rows}
        events = [
            {
                "at": round(snapshot.at, 3),
                "type": "job",
                "site": key[0],
                "id": job.id,
                "name": job.name,
                "state": job.state.value,
                "was": self._jobs.get(key),
                "gpus": job.gpus,
            }
            for key, job in now.items()
            if self._jobs.get(key) != job.state.value
        ]
        first, self._jobs = not self._jobs, {key: job.state.value for key, job in now.items()}
        return [] if first else events

    def _shot(self, snapshot: Snapshot) -> list[Event]:
        if "snapshots" not in self._kinds:
            return []
        from console.core.query import select
        from console.model.levels import Level

        rows = select(snapshot, Level.SITE)
        return [
            {
                "at": round(snapshot.at, 3),
                "type": "snapshot",
                "snapshot": snapshot.seq,
                "partial": rows.partial,
                "sites": list(rows.to_dicts(0, len(rows.ids))),
            }
        ]


def _turn(incident: Incident) -> tuple[object, ...]:
    """Return what of an incident is worth an event when it changes."""
    return incident.state, incident.sign.severity, incident.acknowledgement


def _incident_event(at: float, incident: Incident, was: Incident | None) -> Event:
    from console.core.incident_query import incident_row

    row = incident_row(incident, at)
    wanted = ("id", "state", "severity", "site", "path", "title", "text", "since", "gpus", "jobs", "acknowledged_by")
    event: Event = {"at": round(at, 3), "type": "incident", **{name: row[name] for name in wanted}}
    event |= {name: row[name] for name in ("note", "key", "folds", "returns", "keeper")}
    return event | {
        "was": was.state.value if was else None,
        "severity_was": was.sign.severity.value if was else None,
    }


def _alert_event(at: float, alert: Alert, state: AlertState, was: Alert | None) -> Event:
    return {
        "at": round(at, 3),
        "type": "alert",
        "id": alert.id,
        "origin": alert.origin,
        "state": state.value,
        "was": was.state.value if was else None,
        "severity": alert.severity.value,
        "name": alert.title,
        "text": alert.text,
        "site": alert.site,
        "path": alert.path,
        "since": alert.since,
        "silenced_by": list(alert.silenced_by),
    }
