"""Wire structs of the site API's stream: what each record and each row of a list looks like."""

from __future__ import annotations

from typing import Any

import msgspec

from console.sources.site_bodies import At, Count, WireEvent, WireJob  # noqa: TC001 - msgspec reads the annotations
from console.sources.site_stream_numbers import WireNumbers


class WireRecord(msgspec.Struct, gc=False):
    """What every record has."""

    seq: Count
    type: str


class WireHello(msgspec.Struct, gc=False):
    """The part of a hello that decoding needs."""

    log: str = ""
    keeper: str = ""
    resumed: bool = False


class WireTopologyRecord(msgspec.Struct, gc=False):
    """A topology: its body is that of `/topology`."""

    tag: str
    version: Count
    body: bytes


class WireColumnRecord(WireNumbers, kw_only=True, gc=False):
    """One column."""

    metric: str
    level: str
    version: Count
    at: float


class WireAggregates(msgspec.Struct, gc=False):
    """The aggregates of one level; those that are not named are as they were."""

    level: str
    version: Count
    at: float
    fields: dict[str, WireNumbers] = {}
    counts: dict[str, WireNumbers] = {}


class WireRangeColumn(WireNumbers, kw_only=True, gc=False):
    """One metric of a range; `at` where it is another than that of the record."""

    at: float | None = None


class WireRange(msgspec.Struct, gc=False):
    """All metrics of the GPUs `start` to `stop`."""

    level: str
    version: Count
    start: Count
    stop: Count
    at: float
    columns: dict[str, WireRangeColumn]


class WireJobsRecord(msgspec.Struct, gc=False):
    """Jobs: all of them, or what changed."""

    at: At
    full: bool = True
    jobs: list[WireJob] | None = None
    edits: list[tuple[int, int | WireJob]] | None = None
    gpu_job: WireNumbers | None = None
    node_starts: WireNumbers | None = None
    node_rows: WireNumbers | None = None


class WireSilent(msgspec.Struct, gc=False):
    """GPUs of which no metric is known any more."""

    version: Count
    at: float
    count: Count
    rows: WireNumbers


class WireReport(msgspec.Struct, gc=False):
    """What one scheduler says of all nodes; members that are not there are as they were."""

    voice: str
    version: Count
    at: float
    full: bool = True
    states: list[list[str]] | None = None
    codes: WireNumbers | None = None
    gpus: WireNumbers | None = None
    gpus_allocated: WireNumbers | None = None
    reasons: list[tuple[int, str, float, str]] | None = None


class WireFact(msgspec.Struct, gc=False):
    """What one voice says that nodes have."""

    voice: str
    fact: str
    version: Count
    at: float
    texts: list[str]
    codes: WireNumbers


class WireReservation(msgspec.Struct, gc=False):
    """A reservation of a scheduler."""

    name: str
    nodes: tuple[str, ...] = ()
    start_at: float = 0.0
    end_at: float = 0.0
    flags: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    cluster: str = ""


class WireVoiceReservations(msgspec.Struct, gc=False):
    """The reservations of one voice."""

    voice: str
    reservations: list[WireReservation]


class WireReservations(msgspec.Struct, gc=False):
    """All reservations."""

    reservations: list[WireVoiceReservations]


class WireAlert(msgspec.Struct, gc=False):
    """An alert of another system."""

    id: str
    state: str
    severity: str
    title: str
    path: str = ""
    since: float = 0.0
    jobs: tuple[str, ...] = ()
    origin: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    text: str = ""
    silenced_by: tuple[str, ...] = ()


class WireAlerts(msgspec.Struct, gc=False):
    """Alerts of other systems, and when each of these was heard last."""

    full: bool = True
    alerts: list[WireAlert] = []
    edits: list[tuple[int, int | WireAlert]] | None = None
    heard: dict[str, float] = {}


class WireEventsRecord(msgspec.Struct, gc=False):
    """Events."""

    events: list[WireEvent]


class WireSign(msgspec.Struct, gc=False):
    """What is wrong."""

    key: str
    site: str
    severity: str
    title: str
    text: str = ""
    path: str = ""
    since: float = 0.0
    paths: tuple[str, ...] = ()
    gpus: int = 0
    exact: bool = True
    matches: int = 0
    level: str = "gpu"
    jobs: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()


class WireAcknowledgement(msgspec.Struct, gc=False):
    """Who took an incident on."""

    author: str
    at: float
    severity: str
    note: str = ""


class WireIncident(msgspec.Struct, gc=False):
    """An incident."""

    id: str
    state: str
    sign: WireSign
    opened_at: float
    changed_at: float = 0.0
    seen_at: float = 0.0
    worst: str = "unknown"
    resolved_at: float = 0.0
    returns: int = 0
    acknowledgement: WireAcknowledgement | None = None
    keeper: str = ""


class WireFinding(msgspec.Struct, gc=False):
    """What a detector says."""

    detector: str
    fault: str
    site: str
    level: str
    key: str
    path: str
    severity: str
    text: str
    evidence: tuple[str, ...] = ()
    since: float = 0.0
    source: str = ""


class WireHits(msgspec.Struct, gc=False):
    """What a check found at one site."""

    site: str
    since: float = 0.0
    paths: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()


class WireCheck(msgspec.Struct, gc=False):
    """The state of a check."""

    name: str
    severity: str
    matches: int = 0
    unknown: int = 0
    expected: int = 0
    since: float = 0.0
    paths: tuple[str, ...] = ()
    text: str = ""
    level: str = "gpu"
    warning: int | None = None
    critical: int | None = None
    pending: str | None = None
    jobs: tuple[str, ...] = ()
    by_site: tuple[tuple[str, int, int], ...] = ()
    rows: bool = True
    title: str = ""
    hits: list[WireHits] = []


class WireStatement(msgspec.Struct, gc=False):
    """What one voice says of a node."""

    voice: str
    says: str
    at: float = 0.0
    stale: bool = False


class WireDisagreement(msgspec.Struct, gc=False):
    """Voices that do not say the same."""

    kind: str
    site: str
    path: str
    severity: str
    text: str
    since: float = 0.0
    voices: list[WireStatement] = []


class WireStatus(msgspec.Struct, gc=False):
    """The state of one of the server's own sources."""

    site: str
    name: str
    kind: str
    url: str = ""
    state: str = "starting"
    since: float = 0.0
    cadence_s: float = 0.0
    stale_after_s: float = 0.0
    last_ok_at: float = 0.0
    data_at: float = 0.0
    last_error: str = ""
    failures: int = 0
    next_try_at: float = 0.0
    retry_after_s: float | None = None
    latency_p50_s: float = 0.0
    latency_p99_s: float = 0.0
    body_bytes: int = 0
    requests: int = 0
    budget_rps: float = 0.0
    budget_bps: float = 0.0
    dropped: int = 0
    clock_skew_s: float | None = None
    warnings: tuple[str, ...] = ()
    notes: dict[str, str] = {}


class WireNote(msgspec.Struct, gc=False):
    """What somebody wrote on an object."""

    id: str
    site: str
    subject: str
    author: str
    at: float
    text: str


class WireView(msgspec.Struct, gc=False):
    """A view that somebody saved for everybody."""

    name: str
    author: str
    at: float
    spec: str


class WireMemory(msgspec.Struct, gc=False):
    """Who remembers."""

    kind: str
    where: str = ""
    trouble: str = ""
    leader: str = ""


class WireList(msgspec.Struct, gc=False):
    """A list of `judged`: all rows, or what changed; each row is read by what it is a list of."""

    full: bool
    rows: list[Any] = []
    edits: list[Any] = []


class WireJudged(msgspec.Struct, gc=False):
    """What a serve judged; members that are not there are as they were."""

    at: float
    keeper: str | None = None
    memory: WireMemory | None = None
    disagreement_counts: list[tuple[str, int]] | None = None
    nodes: tuple[int, int, int] | None = None
    notices: list[str] | None = None
    incidents: WireList | None = None
    notes: WireList | None = None
    views: WireList | None = None
    checks: WireList | None = None
    findings: WireList | None = None
    disagreements: WireList | None = None
    sources: WireList | None = None
