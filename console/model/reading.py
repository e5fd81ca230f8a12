"""What a source yields: parts that carry their own keys, so that no source needs to know the topology.

A source does I/O on the loop thread and returns a Reading at once; `decode()` runs on the compute thread and yields
parts, returning to its caller often (no step longer than 10 ms) so that the interpreter lock is never held for long.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from console.model.columns import Times, Values
    from console.model.events import Alert, Event
    from console.model.jobs import Job
    from console.model.scheduling import NodeReason, NodeState, Reservation
    from console.model.snapshot import Judged
    from console.model.topology import SiteTopology


@dataclass(frozen=True, eq=False)
class GpuKeys:
    """The series of a body, in their order: node name as that voice spells it, GPU index (-1 unknown), UUID.

    A source keeps the same object while the order of the series stays the same: the join is cached by identity.
    """

    nodes: tuple[str, ...]
    slots: NDArray[np.int16]
    uuid_high: NDArray[np.uint64]
    uuid_low: NDArray[np.uint64]
    models: tuple[str, ...] = ()
    labels: tuple[dict[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.slots)


@dataclass(frozen=True, eq=False)
class NamedKeys:
    """Rows named by text at one level (`node`, `rack`, `hall`, `site`) or domain kind (`cdu`)."""

    level: str
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class InOrder:
    """Rows in the order of the site's topology of this version: no join needed."""

    level: str
    version: int
    length: int

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True, eq=False)
class SomeRows:
    """Some rows, by number, in the order of the site's topology of this version; the others are not spoken of."""

    level: str
    version: int
    rows: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.rows)


Keys = GpuKeys | NamedKeys | InOrder | SomeRows


@dataclass(frozen=True, eq=False)
class TopologyPart:
    """The site's topology, from a voice that knows all of it (emulator, site API, inventory)."""

    topology: SiteTopology


@dataclass(frozen=True, eq=False)
class ColumnPart:
    """Values of one metric for some keys; NaN is missing. `full` says that keys not named are missing now.

    A read-only float32 array that owns its memory is kept as it is where it fits, so nobody may write it again.
    `stale_after_s` is how long these values stay good where that is longer than the reading's (columns that come in
    turn); 0 leaves it at that.
    """

    metric: str
    keys: Keys
    values: Values
    at: Times
    full: bool = True
    stale_after_s: float = 0.0


@dataclass(frozen=True, eq=False)
class AggregatePart:
    """Aggregates that the site's store computed (recording rules, `avg by`), for levels above the GPU.

    `field` is an aggregate's field name (`temp_c_max`); `count` is how many series reported, NaN where not told.
    """

    field: str
    keys: NamedKeys
    values: Values
    at: Times
    count: Values | None = None


@dataclass(frozen=True, eq=False)
class JobsPart:
    """All jobs of a scheduler.

    Which GPUs a job holds is told by `gpu_job` (an index into `jobs` for each GPU in the order of topology `version`),
    or by `node_lists`, the nodes of each job. `gpu_masks` says which GPUs of each of those nodes: bit N is the GPU in
    slot N, -1 is all of them; left out, a job holds its nodes whole.
    """

    jobs: tuple[Job, ...]
    gpu_job: NDArray[np.int32] | None = None
    node_lists: tuple[tuple[str, ...], ...] = ()
    gpu_masks: tuple[tuple[int, ...], ...] = ()
    version: int = 0
    at: float = 0.0


@dataclass(frozen=True, eq=False)
class NodeReportsPart:
    """What a scheduler says of all its nodes, in the order of `keys` (as in `NodeReports`, whose rows are ours).

    `voice`, here and in other parts, names who says so where that is not the source itself, but one that it reads from.
    """

    keys: NamedKeys
    states: tuple[NodeState, ...]
    codes: NDArray[np.int32]
    gpus: NDArray[np.int16]
    gpus_allocated: NDArray[np.int16]
    reasons: Mapping[int, NodeReason] = field(default_factory=dict)
    at: float = 0.0
    voice: str = ""


@dataclass(frozen=True, eq=False)
class EventsPart:
    """New events since the last reading."""

    events: tuple[Event, ...]


@dataclass(frozen=True, eq=False)
class AlertsPart:
    """All alerts that another system has now, in place of those it had before; labels lead to places."""

    alerts: tuple[Alert, ...]
    voice: str = ""


@dataclass(frozen=True, eq=False)
class RawPart:
    """The untouched record of a voice about one object, for the `d` key."""

    path: str
    text: str


@dataclass(frozen=True, eq=False)
class FactsPart:
    """What a voice says its nodes have of one thing (`driver`, `vbios`, `bmc_firmware`): a text a key, "" not told."""

    fact: str
    keys: NamedKeys
    values: tuple[str, ...]
    at: float = 0.0
    voice: str = ""


@dataclass(frozen=True, eq=False)
class ReservationsPart:
    """All reservations of a scheduler, in place of those it had before."""

    reservations: tuple[Reservation, ...]
    at: float = 0.0
    voice: str = ""


@dataclass(frozen=True, eq=False)
class JudgedPart:
    """What the `gigadeck serve` of a site has judged and remembers of it, in place of what it said before."""

    judged: Judged


Part = (
    TopologyPart
    | ColumnPart
    | AggregatePart
    | JobsPart
    | NodeReportsPart
    | EventsPart
    | AlertsPart
    | RawPart
    | FactsPart
    | ReservationsPart
    | JudgedPart
)


@dataclass(frozen=True, eq=False)
class Reading:
    """One read of one source.

    `received_at` is our clock; `cadence_s` is what the data itself says of its own cadence (0: not known yet);
    `warnings` are partial-response notes of the server, shown as they are (made safe); `clock_skew_s` is server minus
    us where it can be told. `stale_after_s` is how long its data stays good where the source knows better than its
    cadence says (a full sweep that is read over a minute); 0 leaves that to the engine. `latency_s` is how long the
    server took where that is not how long the read did (one that waits for news); None leaves that to the engine.
    """

    received_at: float
    decode: Callable[[], Iterator[Part]]
    body_bytes: int = 0
    requests: int = 1
    cadence_s: float = 0.0
    clock_skew_s: float | None = None
    warnings: tuple[str, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)
    stale_after_s: float = 0.0
    latency_s: float | None = None
