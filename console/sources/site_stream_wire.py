"""Wire structs of the site API's stream: what each record and each row of a list looks like."""

from __future__ import annotations

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
    """All metrics of the rows `start` to `stop` of a level; of nodes their aggregates too."""

    level: str
    version: Count
    start: Count
    stop: Count
    at: float
    columns: dict[str, WireRangeColumn]
    fields: dict[str, WireNumbers] = {}


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
