"""Events, findings, alerts and check results."""

from __future__ import annotations

from enum import StrEnum

from console.model.levels import Level, Severity
from console.model.values import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a site at one time."""

    at: float
    site: str
    path: str
    kind: str
    severity: Severity
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector says of one object now; `key` is the object's identity, `path` its address.

    `source` names the source whose telemetry it is about, where it is about one.
    """

    detector: str
    fault: str
    site: str
    level: Level
    key: str
    path: str
    severity: Severity
    text: str
    evidence: tuple[str, ...] = ()
    since: float = 0.0
    source: str = ""


class AlertState(StrEnum):
    """The life of an alert."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """A finding (or several of one cause) with a life, or what another system calls an alert.

    `origin` is the source that told of it (empty: it is our own), `labels` are that system's own, in order of name;
    `text` says more than the title, `silenced_by` who silenced it and why; `heard_at` is when it was last told.
    """

    id: str
    state: AlertState
    severity: Severity
    title: str
    site: str
    path: str
    since: float
    findings: tuple[Finding, ...] = ()
    jobs: tuple[str, ...] = ()
    gpus: int = 0
    origin: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    text: str = ""
    silenced_by: tuple[str, ...] = ()
    heard_at: float = 0.0


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A check of the fleet: rows of `level` that satisfy `where`; `warning` or `critical` of them or more is bad.

    `for_s` is how long the condition must hold before the state changes; `file` and `line` say where it was written.
    """

    name: str
    where: str
    level: Level = Level.GPU
    warning: int | None = None
    critical: int | None = None
    for_s: float = 0.0
    title: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class SiteHits:
    """What a check found at one site: since when anything matches there, the first addresses, the jobs on them."""

    site: str
    since: float
    paths: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The state of one check: how many rows match, how many could not be judged, and the first few by address.

    `since` is when the state last changed; `pending` is the worse state that has not lasted `for_s` yet.
    `by_site` holds (site, matches, unknown) for each site. `rows` says whether the matches are rows of `level`, with
    GPUs at risk; those of the disagreements are not. `title` is what the check is called, or its condition; `hits` has
    the sites with matches.
    """

    name: str
    severity: Severity
    matches: int
    unknown: int
    expected: int
    since: float
    paths: tuple[str, ...]
    text: str
    level: Level = Level.GPU
    warning: int | None = None
    critical: int | None = None
    pending: Severity | None = None
    jobs: tuple[str, ...] = ()
    by_site: tuple[tuple[str, int, int], ...] = ()
    rows: bool = True
    title: str = ""
    hits: tuple[SiteHits, ...] = ()
