"""Wire structs of what a `gigadeck serve` judged and remembers, as the site API's stream has it."""

from __future__ import annotations

from typing import Any

import msgspec


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
