"""Reads bodies of the native site API: wire structs, and blocks of numbers that are checked before anyone sees them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import numpy as np

from console.model.errors import BadPayload

if TYPE_CHECKING:
    from numpy.typing import NDArray

API_VERSION = 1
MSGPACK = "application/msgpack"
LONGEST_NAME = 4096
ABSENT = msgspec.Raw()
LATEST_AT = 1e11  # the year 5138: a time beyond it is in the wrong unit

_DTYPES = {"uint8": "<u1", "int32-le": "<i4", "float32-le": "<f4"}


Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
OrNone = Annotated[int, msgspec.Meta(ge=-1, le=2**53)]
At = Annotated[float, msgspec.Meta(ge=0, le=LATEST_AT)]
Degrees = Annotated[float, msgspec.Meta(ge=-360, le=360)]


class WireBlock(msgspec.Struct, gc=False):
    """An array: what its bytes are, how many elements, and the bytes."""

    encoding: str
    length: int
    data: memoryview


class WireColumn(msgspec.Struct, gc=False):
    """One metric: a block with its name, level or domain kind, and sample time."""

    metric: str
    level: str
    at: float
    encoding: str
    length: int
    data: memoryview


class WireTelemetry(msgspec.Struct, gc=False):
    """The body of `telemetry`."""

    topology: str
    at: float
    columns: list[WireColumn]


class WireSite(msgspec.Struct):
    """A row of `sites`."""

    site: str


class WireSites(msgspec.Struct):
    """The body of `sites`."""

    sites: list[WireSite]


class WireInfo(msgspec.Struct):
    """The part of `info` that a client needs; `stream` is the version of the stream that is served, 0 for none."""

    api: int
    site: str
    topology: str
    cadence_s: float
    server: str = ""
    stream: int = 0


class WireJob(msgspec.Struct, gc=False):
    """A job."""

    id: str
    name: str
    user: str
    state: str
    gpus: Count
    nodes: Count
    account: str = ""
    partition: str = ""
    cluster: str = ""
    purpose: str = ""
    reason: str = ""
    submit_at: At = 0.0
    start_at: At = 0.0
    end_at: At = 0.0
    time_limit_s: At = 0.0
    unlimited: bool = False
    tasks: Count = 1
    words: str = ""
    array: str = ""
    restarts: OrNone = -1
    exit_code: OrNone = -1
    exit_signal: OrNone = -1
    requeue: bool | None = None
    output: str = ""
    comment: str = ""
    features: str = ""
    reservation: str = ""


class WireJobs(msgspec.Struct):
    """The body of `jobs`."""

    topology: str
    at: At
    jobs: list[WireJob]
    gpu_job: WireBlock
    node_starts: WireBlock | None = None
    node_rows: WireBlock | None = None


class WireEvent(msgspec.Struct, gc=False):
    """An event and its number."""

    seq: Count
    at: At
    path: str
    kind: str
    severity: str
    text: str
    source: str = ""


class WireEvents(msgspec.Struct):
    """The body of `events`."""

    log: str
    oldest: Count
    last: Count
    events: list[WireEvent]


class WireDomain(msgspec.Struct):
    """One kind of domain."""

    unit: str
    names: list[str]
    members: WireBlock
    starts: WireBlock


class WireAliases(msgspec.Struct):
    """Other spellings of nodes, and the row of the node of each."""

    names: list[str]
    rows: WireBlock


class WireGeo(msgspec.Struct, frozen=True):
    """Where the site stands."""

    country: str = ""
    latitude: Degrees = 0.0
    longitude: Degrees = 0.0
    timezone: str = "UTC"


class WireTopology(msgspec.Struct):
    """The body of `topology`; long members stay raw, so that no single step decodes all of it."""

    topology: str
    version: Count
    halls: list[str]
    racks: list[str]
    nodes: msgspec.Raw
    hall_racks: WireBlock
    rack_nodes: WireBlock
    node_gpus: WireBlock
    gpu_slot: WireBlock
    uuids: memoryview
    models: list[str]
    model_code: WireBlock | None = None
    domains: dict[str, msgspec.Raw] = {}
    aliases: msgspec.Raw = ABSENT
    serials: msgspec.Raw = ABSENT
    bmcs: msgspec.Raw = ABSENT
    geo: WireGeo = WireGeo()
    declared: bool = False


T = TypeVar("T")


@dataclass(frozen=True)
class Faults:
    """Makes the errors of one source: each names site and source."""

    site: str
    source: str

    def bad(self, what: str) -> BadPayload:
        """Return the error for a body that is not what the API promises."""
        return BadPayload(self.site, self.source, what, "is `url` a gigadeck site API of version 1?")

    def version(self, theirs: str, ours: int, number: int) -> BadPayload:
        """Return the error for a server of another version, with which side is to be updated."""
        advice = "update gigadeck here" if number > ours else "update gigadeck on the server"
        return BadPayload(self.site, self.source, f"the server speaks {theirs}, we speak {ours}", advice)

    def decode(self, data: bytes | memoryview | msgspec.Raw, shape: type[T], what: str) -> T:
        """Return a msgpack body in a shape; raises BadPayload."""
        try:
            return msgspec.msgpack.decode(data, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self.bad(f"{what} is not as the site API has it: {_brief(error)}") from None

    def block(self, block: WireBlock | WireColumn, encoding: str, what: str) -> NDArray[Any]:
        """Return a block's own copy as an array in native order; raises BadPayload for another encoding or length."""
        if block.encoding != encoding or encoding not in _DTYPES:
            raise self.bad(f"{what} has encoding {block.encoding[:40]!r} instead of {encoding}")
        dtype = np.dtype(_DTYPES[encoding])
        if block.length < 0 or block.data.nbytes != block.length * dtype.itemsize:
            raise self.bad(f"{what} says {block.length} values and carries {block.data.nbytes} bytes")
        return np.frombuffer(block.data, dtype=dtype).astype(dtype.newbyteorder("="))

    def names(self, names: list[str], what: str, *, unique: bool = True) -> tuple[str, ...]:
        """Return names as they are; raises BadPayload for one without end, or one that is there twice."""
        if names and max(map(len, names)) > LONGEST_NAME:
            raise self.bad(f"{what} holds a name of more than {LONGEST_NAME} characters")
        if unique and len(set(names)) != len(names):
            raise self.bad(f"{what} names the same one twice")
        return tuple(names)

    def time(self, at: float, what: str) -> float:
        """Return a time in UTC epoch seconds; raises BadPayload for one that cannot be."""
        if not (math.isfinite(at) and 0 <= at < LATEST_AT):
            raise self.bad(f"{what} says it was sampled at {at!r}, which is no time in epoch seconds")
        return at


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
