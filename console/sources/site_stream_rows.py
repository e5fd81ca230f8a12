"""Rows of the site API's stream as model values, under our own name of the site."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import asdict

from console.model.disagreements import Disagreement, Statement
from console.model.events import Alert, AlertState, CheckResult, Finding, SiteHits
from console.model.incidents import Acknowledgement, Incident, MemoryStatus, Note, SharedView, Sign
from console.model.levels import Level, Severity
from console.model.scheduling import Reservation
from console.model.snapshot import SourceState, SourceStatus
from console.model.values import dataclass

if TYPE_CHECKING:
    from console.sources.site_stream_judged_wire import (
        WireCheck,
        WireDisagreement,
        WireFinding,
        WireIncident,
        WireMemory,
        WireNote,
        WireSign,
        WireStatus,
        WireView,
    )
    from console.sources.site_stream_wire import WireAlert, WireReservation

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Names:
    """Our own name of a site, and the server's."""

    site: str
    there: str

    def name(self, site: str) -> str:
        """Return a site's name as we have it."""
        return self.site if site == self.there else site

    def path(self, path: str) -> str:
        """Return an address under our own name."""
        if self.site == self.there:
            return path
        first, slash, rest = path.partition("/")
        return f"{self.name(first)}{slash}{rest}"

    def paths(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Return addresses under our own name."""
        return paths if self.site == self.there else tuple(map(self.path, paths))

    def subject(self, subject: str) -> str:
        """Return an object (`node:muc1/n0653`) under our own name."""
        kind, colon, rest = subject.partition(":")
        return f"{kind}{colon}{self.path(rest)}" if colon else self.path(subject)


class Reader:
    """Makes model values of rows."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def reservation(self, wire: WireReservation) -> Reservation:
        """A reservation of a scheduler."""
        return Reservation(**asdict(wire))

    def alert(self, wire: WireAlert) -> Alert:
        """An alert of another system; where its labels lead is worked out anew."""
        told = asdict(wire)
        told["state"] = _word(AlertState, wire.state, AlertState.FIRING)
        told["severity"] = severity(wire.severity)
        told["path"] = self._names.path(wire.path)
        return Alert(site=self._names.site, **told)

    def sign(self, wire: WireSign) -> Sign:
        """What is wrong."""
        told = self._placed(wire)
        return Sign(**{**told, "paths": self._names.paths(wire.paths), "level": _level(wire.level)})

    def incident(self, wire: WireIncident) -> Incident:
        """An incident."""
        taken = wire.acknowledgement
        told = asdict(wire)
        told["state"] = _word(AlertState, wire.state, AlertState.FIRING)
        told["sign"] = self.sign(wire.sign)
        told["worst"] = severity(wire.worst)
        told["acknowledgement"] = (
            None if taken is None else Acknowledgement(taken.author, taken.at, severity(taken.severity), taken.note)
        )
        return Incident(**told)

    def finding(self, wire: WireFinding) -> Finding:
        """What a detector says."""
        return Finding(**{**self._placed(wire), "level": _level(wire.level)})

    def check(self, wire: WireCheck) -> CheckResult:
        """The state of a check."""
        told = asdict(wire)
        told["severity"] = severity(wire.severity)
        told["pending"] = None if wire.pending is None else severity(wire.pending)
        told["level"] = _level(wire.level)
        told["paths"] = self._names.paths(wire.paths)
        told["by_site"] = tuple((self._names.name(site), matches, unknown) for site, matches, unknown in wire.by_site)
        told["hits"] = tuple(
            SiteHits(self._names.name(each.site), each.since, self._names.paths(each.paths), each.jobs)
            for each in wire.hits
        )
        return CheckResult(**told)

    def disagreement(self, wire: WireDisagreement) -> Disagreement:
        """Voices that do not say the same."""
        voices = tuple(Statement(each.voice, each.says, each.at, each.stale) for each in wire.voices)
        return Disagreement(**{**self._placed(wire), "voices": voices})

    def status(self, wire: WireStatus) -> SourceStatus:
        """The state of one of the server's own sources."""
        told = asdict(wire)
        told["site"] = self._names.name(wire.site)
        told["state"] = _word(SourceState, wire.state, SourceState.STARTING)
        return SourceStatus(**told)

    def note(self, wire: WireNote) -> Note:
        """What somebody wrote on an object."""
        told = asdict(wire)
        return Note(**{**told, "site": self._names.name(wire.site), "subject": self._names.subject(wire.subject)})

    def view(self, wire: WireView) -> SharedView:
        """A view that somebody saved."""
        return SharedView(**asdict(wire))

    def memory(self, wire: WireMemory) -> MemoryStatus:
        """Who remembers."""
        return MemoryStatus(self._names.site, wire.kind, wire.where, wire.trouble, wire.leader)

    def _placed(self, wire: WireSign | WireFinding | WireDisagreement) -> dict[str, Any]:
        told = asdict(wire)
        told["site"] = self._names.name(wire.site)
        told["path"] = self._names.path(wire.path)
        told["severity"] = severity(wire.severity)
        return told


def severity(word: str) -> Severity:
    """Return a severity; one that a newer server knows is `unknown`."""
    return _word(Severity, word, Severity.UNKNOWN)


def _level(word: str) -> Level:
    return _word(Level, word, Level.GPU)


def _word(kind: type[Word], word: str, otherwise: Word) -> Word:
    try:
        return kind(word)
    except ValueError:
        return otherwise
