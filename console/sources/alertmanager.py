"""The source of kind `alertmanager`: reads alerts and silences through Alertmanager's API v2."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from console.core.spellings import GPU, NODE
from console.link.http import HttpLink
from console.model.errors import BadPayload, SourceError
from console.model.events import Alert, AlertState
from console.model.levels import Severity
from console.model.reading import AlertsPart, EventsPart, Part, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import httpx

    from console.config.values import SiteConfig, SourceConfig
    from console.link.answers import Body
    from console.model.metrics import MetricTable
    from console.model.ports import Subject

ALERTS, SILENCES = "/api/v2/alerts", "/api/v2/silences"
CADENCE_S = 15.0
# Silences change by hand: they are read when an alert names one that is not known, and now and then.
SILENCES_EVERY_S = 300.0
MOST_ALERTS = 2000
MOST_LABELS = 40
LONGEST_TEXT = 300
STEP = 500
MOST_TOLD = 50
JOBS = ("job_id", "jobid", "slurm_job_id", "slurmjobid", "hpc_job")
TEXTS = ("summary", "message", "description", "title")
# Words that sites use for how bad an alert is; what is not among them, and what says nothing, is a warning.
CRITICAL = frozenset(
    ("critical", "crit", "page", "paging", "fatal", "emergency", "disaster", "error", "major", "high", "p0", "p1")
)
HARMLESS = frozenset(("info", "information", "informational", "none", "notice", "low", "debug", "ok", "p4", "p5"))


class _Status(msgspec.Struct):
    state: str = "active"
    silencedBy: list[str] | None = None  # noqa: N815 - the API's own name
    inhibitedBy: list[str] | None = None  # noqa: N815 - the API's own name
    mutedBy: list[str] | None = None  # noqa: N815 - the API's own name


class _Alert(msgspec.Struct):
    """An alert, or (`alerts`) a group of them as /api/v2/alerts/groups answers: one alert is in several of those."""

    labels: dict[str, str]
    fingerprint: str = ""
    startsAt: datetime | None = None  # noqa: N815 - the API's own name
    annotations: dict[str, str] | None = None
    status: _Status | None = None
    alerts: list[_Alert] | None = None


class _Silence(msgspec.Struct):
    id: str
    createdBy: str = ""  # noqa: N815 - the API's own name
    comment: str = ""
    endsAt: datetime | None = None  # noqa: N815 - the API's own name


_pieces = msgspec.json.Decoder(list[msgspec.Raw])
_alerts = msgspec.json.Decoder(_Alert)
_silences = msgspec.json.Decoder(list[_Silence])


def open(site: SiteConfig, source: SourceConfig, metrics: MetricTable) -> AlertmanagerSource:
    """Return the source that a fleet file names; it has asked nothing yet."""
    return AlertmanagerSource(site.name, source)


class AlertmanagerSource:
    """Reads all alerts at every turn, silenced and inhibited ones too; the words of silences when they are needed."""

    def __init__(
        self,
        site: str,
        config: SourceConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._name = config.name or config.kind
        self._filters = tuple(config.options.get("filter", ()))
        self._severity = str(config.options.get("severity_label", "") or "severity")
        self._cadence_s = config.cadence_s or CADENCE_S
        self._monotonic = monotonic
        self._link = HttpLink(site, config, transport=transport)
        self._silences: Mapping[str, str] = {}
        self._silences_due = 0.0
        self._missed: set[str] = set()
        self._unknown = False
        self._pieces: list[msgspec.Raw] = []

    async def read(self) -> Reading:
        """Return the alerts that there are now; raises SourceError."""
        body = await self._link.get(ALERTS, [("filter", each) for each in self._filters])
        bodies, warnings = [body], []
        silences, problem = await self._read_silences()
        if silences is not None:
            bodies.append(silences)
        if problem:
            warnings.append(problem)
        notes: dict[str, str] = {}
        return Reading(
            received_at=body.received_at,
            decode=lambda: self._decode(body, silences, notes),
            body_bytes=sum(each.body_bytes_wire for each in bodies),
            requests=len(bodies),
            cadence_s=self._cadence_s,
            warnings=tuple(warnings),
            notes=notes,
        )

    async def record(self, subject: Subject) -> str:
        """Return the alerts of a node, a GPU or a job as they were last received, in JSON."""
        return alerts_of(self._pieces, subject)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._link.aclose()

    async def _read_silences(self) -> tuple[Body | None, str]:
        """Return the silences where they are due; that they cannot be read is a warning, for the alerts are good."""
        now = self._monotonic()
        if now < self._silences_due and not self._unknown:
            return None, ""
        self._silences_due, self._unknown = now + SILENCES_EVERY_S, False
        try:
            return await self._link.get(SILENCES), ""
        except SourceError as error:
            return None, f"silences: {error.message}"

    def _decode(self, body: Body, silences: Body | None, notes: dict[str, str]) -> Iterator[Part]:
        if silences is not None:
            self._silences = self._words(silences.content)
            yield EventsPart(())
        found: dict[str, Alert] = {}
        pieces = self._pieces = self._split(body.content)
        for start in range(0, len(pieces), STEP):
            for alert in self._read(pieces[start : start + STEP]):
                found.setdefault(alert.id, alert)
            yield EventsPart(())
        unknown = {name for each in found.values() for name in each.silenced_by} - self._silences.keys()
        self._missed = unknown if silences is not None else self._missed
        self._unknown = bool(unknown - self._missed)
        kept = _worst(found.values())
        more = f"; the {MOST_ALERTS:,} worst are kept" if len(found) > len(kept) else ""
        notes["alerts"] = f"{_counted(found.values())}{more}"
        at = body.received_at
        yield AlertsPart(tuple(replace(each, heard_at=at, silenced_by=self._named(each)) for each in kept))

    def _named(self, alert: Alert) -> tuple[str, ...]:
        return tuple(self._silences.get(each, each) for each in alert.silenced_by)

    def _split(self, content: bytes) -> list[msgspec.Raw]:
        try:
            return _pieces.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._bad(error) from None

    def _read(self, pieces: Sequence[msgspec.Raw]) -> Iterator[Alert]:
        for piece in pieces:
            try:
                told = _alerts.decode(piece)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise self._bad(error) from None
            for each in [told] if told.alerts is None else told.alerts:
                yield self._alert(each)

    def _alert(self, told: _Alert) -> Alert:
        labels = dict(sorted(told.labels.items())[:MOST_LABELS])
        notes = told.annotations or {}
        status = told.status or _Status()
        return Alert(
            id=told.fingerprint or "\0".join(f"{name}={value}" for name, value in labels.items()),
            state=_state(status),
            severity=severity_of(told.labels.get(self._severity, "")),
            title=told.labels.get("alertname", "alert")[:LONGEST_TEXT],
            site=self._site,
            path="",
            since=_epoch_s(told.startsAt),
            origin=self._name,
            labels=tuple((name[:LONGEST_TEXT], value[:LONGEST_TEXT]) for name, value in labels.items()),
            text=next((notes[name][:LONGEST_TEXT] for name in TEXTS if notes.get(name)), ""),
            silenced_by=tuple((status.silencedBy or ())[:MOST_LABELS]),
        )

    def _words(self, content: bytes) -> dict[str, str]:
        try:
            return {each.id: _said(each) for each in _silences.decode(content)}
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._bad(error, "silences") from None

    def _bad(self, error: Exception, what: str = "alerts") -> BadPayload:
        text = f"the {what} are not what the API v2 promises: {' '.join(str(error).split())[:160]}"
        return BadPayload(
            self._site, self._name, text, "is `url` an Alertmanager (0.16 or newer), with its path prefix?"
        )


def alerts_of(pieces: Sequence[msgspec.Raw], subject: Subject) -> str:
    """Return the alerts among `pieces` whose labels name a subject, indented as JSON; 50 of them at most."""
    found: list[bytes] = []
    for piece in pieces:
        try:
            told = _alerts.decode(piece)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # reading them said so already
        if any(_names(each.labels, subject) for each in told.alerts or [told]):
            found.append(msgspec.json.format(bytes(piece), indent=2))
    more = f"\n... and {len(found) - MOST_TOLD:,} more" if len(found) > MOST_TOLD else ""
    return b"\n".join(found[:MOST_TOLD]).decode("utf-8", "replace") + more


def _names(labels: Mapping[str, str], subject: Subject) -> bool:
    """Whether labels lead to a subject: its UUID, or its node by any name and (of a GPU) no other GPU."""
    if subject.job:
        return any(labels.get(name) == subject.job for name in JOBS)
    if subject.uuid and subject.uuid in labels.values():
        return True
    names = {subject.node, *subject.aliases}
    values = (labels[name] for name in NODE if name in labels)
    if not any(
        value in names or value.partition(":")[0] in names or value.partition(".")[0] in names for value in values
    ):
        return False
    gpu = next((labels[name] for name in GPU if name in labels), "")
    return subject.gpu < 0 or not gpu or gpu == str(subject.gpu)


def _spellings(name: str) -> tuple[str, str, str]:
    """Return a name as it is, without its port, and without its domain."""
    host = name.partition(":")[0]
    return name, host, host.partition(".")[0]


def severity_of(word: str) -> Severity:
    """Return what a severity label means; an unknown word and none are a warning: somebody cared to be told."""
    known = word.strip().lower()
    if known in CRITICAL:
        return Severity.CRITICAL
    return Severity.INFO if known in HARMLESS else Severity.WARNING


def _state(status: _Status) -> AlertState:
    if status.silencedBy:
        return AlertState.SILENCED
    if status.inhibitedBy or status.mutedBy or status.state == "suppressed":
        return AlertState.INHIBITED
    return AlertState.FIRING


def _epoch_s(at: datetime | None) -> float:
    """Return a time as epoch seconds; without a zone it is UTC, and the year 1 is 'never'."""
    if at is None or at.year < 1971:
        return 0.0
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _said(silence: _Silence) -> str:
    ends = f" until {silence.endsAt:%Y-%m-%d %H:%M}Z" if silence.endsAt else ""
    return f"{silence.createdBy or 'somebody'}{ends}: {silence.comment}"[:LONGEST_TEXT]


def _worst(alerts: Iterable[Alert]) -> list[Alert]:
    """Return at most 2,000 alerts: firing ones first, then the worst, then the newest."""
    order = sorted(alerts, key=lambda each: (each.state is not AlertState.FIRING, -each.severity.rank, -each.since))
    return order[:MOST_ALERTS]


def _counted(alerts: Iterable[Alert]) -> str:
    states = [each.state for each in alerts]
    counts = [(state, states.count(state)) for state in (AlertState.FIRING, AlertState.SILENCED, AlertState.INHIBITED)]
    return ", ".join(f"{count:,} {state.value}" for state, count in counts if count) or "none"
