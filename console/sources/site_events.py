"""Follows the event log of the native site API: where we are in it, and what we missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.events import Event
from console.model.levels import Severity
from console.sources.site_bodies import WireEvent, WireEvents

if TYPE_CHECKING:
    from console.sources.site_bodies import Faults

EVENTS_A_PAGE = 500
PAGES_A_READ = 4


class EventCursor:
    """The place in a server's event log; a server that starts anew starts a new log, which is read from its start."""

    def __init__(self, faults: Faults, site: str, there: str) -> None:
        self._faults = faults
        self._site = site
        self._there = there
        self._log = ""
        self.after = 0
        self.more = False

    def params(self) -> dict[str, str]:
        """Return the query for the next page."""
        return {"after": str(self.after), "limit": str(EVENTS_A_PAGE)}

    def take(self, data: bytes) -> tuple[list[Event], str]:
        """Return a page's events, and a warning or an empty text; raises BadPayload.

        `more` then says whether there is another page to ask for at once.
        """
        wire = self._faults.decode(data, WireEvents, "the answer of events")
        if self._log and wire.log != self._log:
            self._log, self.after, self.more = wire.log, 0, True
            return [], ""
        seqs = [event.seq for event in wire.events]
        if len(seqs) > EVENTS_A_PAGE or any(low >= high for low, high in zip([self.after, *seqs], seqs, strict=False)):
            raise self._faults.bad("events are not in the order of their numbers")
        lost = max(0, wire.oldest - self.after - 1) if self._log else 0
        self._log = wire.log
        self.after = seqs[-1] if seqs else max(self.after, 0)
        self.more = bool(seqs) and self.after < wire.last
        return [self._event(event) for event in wire.events], f"{lost} events were lost" if lost else ""

    def _event(self, wire: WireEvent) -> Event:
        severities: set[str] = set(Severity)
        severity = Severity(wire.severity) if wire.severity in severities else Severity.UNKNOWN
        return Event(wire.at, self._site, self._path(wire.path), wire.kind, severity, wire.text, wire.source)

    def _path(self, path: str) -> str:
        """Return a path under our own name of the site."""
        first, slash, rest = path.partition("/")
        return f"{self._site}{slash}{rest}" if first == self._there else path
