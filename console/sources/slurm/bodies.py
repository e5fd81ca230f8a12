"""Answers of slurmrestd, read in slices: a list of 12,500 nodes never holds the interpreter for long.

What is not named here (`job_resources` above all, which lists every core of every node) is skipped, not decoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import msgspec

from console.model.errors import BadPayload
from console.sources.slurm.words import Loose, Words  # noqa: TC001 - msgspec reads annotations at run time
from console.sources.tolerant import decoded

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

SLICE_BYTES = 1024 * 1024
HEAD_BYTES = 64 * 1024
_FIRST_ROW = r'"%s"\s*:\s*\[\s*(\{\s*"[A-Za-z0-9_]+"\s*:)'
Text = str | None


class Who(NamedTuple):
    """Site and source, for messages."""

    site: str
    source: str

    def bad(self, message: str, advice: str = "is `url` a slurmrestd?") -> BadPayload:
        """Return the error for an answer of the wrong shape."""
        return BadPayload(self.site, self.source, message, advice)


class ErrorRow(msgspec.Struct, gc=False):
    """One of an answer's errors or warnings."""

    error: Text = None
    description: Text = None
    source: Text = None
    error_number: Loose = None
    errno: Loose = None

    @property
    def text(self) -> str:
        """What happened and where, in one line."""
        told = ": ".join(part for part in (self.error, self.description) if part)
        return told or (f"error in {self.source}" if self.source else "an error without words")


class Release(msgspec.Struct, gc=False):
    """Which Slurm answers."""

    release: Text = None
    cluster: Text = None


class Meta(msgspec.Struct, gc=False):
    """What an answer says of itself; `Slurm` up to 23.02, `slurm` later."""

    slurm: Release | None = None
    older: Release | None = msgspec.field(default=None, name="Slurm")

    @property
    def release(self) -> Release:
        """The release, wherever it stands."""
        return self.slurm or self.older or Release()


Said = list[ErrorRow | str] | None


class WireNode(msgspec.Struct, gc=False):
    """What is read of a node."""

    name: str
    state: Words
    state_flags: Words = None
    reason: Text = None
    reason_changed_at: Loose = None
    reason_set_by_user: Text = None
    gres: Text = None
    gres_used: Text = None
    tres: Text = None
    tres_used: Text = None
    version: Text = None
    operating_system: Text = None


class WireSignal(msgspec.Struct, gc=False):
    """The signal that ended a program; `signal_id` up to v0.0.39."""

    id: Loose = None
    signal_id: Loose = None


class WireExit(msgspec.Struct, gc=False):
    """How a program ended, in v0.0.39 and later."""

    return_code: Loose = None
    signal: WireSignal | None = None


class WireJob(msgspec.Struct, gc=False):
    """What is read of a job."""

    job_id: Loose
    job_state: Words
    name: Text = None
    user_name: Text = None
    user_id: Loose = None
    account: Text = None
    partition: Text = None
    cluster: Text = None
    nodes: Text = None
    node_count: Loose = None
    tasks: Loose = None
    gres_detail: list[str] | None = None
    tres_alloc_str: Text = None
    tres_req_str: Text = None
    tres_per_job: Text = None
    tres_per_node: Text = None
    tres_per_task: Text = None
    state_reason: Text = None
    state_description: Text = None
    submit_time: Loose = None
    start_time: Loose = None
    end_time: Loose = None
    time_limit: Loose = None
    array_job_id: Loose = None
    array_task_id: Loose = None
    array_task_string: Text = None
    het_job_id: Loose = None
    het_job_offset: Loose = None
    restart_cnt: Loose = None
    exit_code: int | WireExit | None = None
    requeue: bool | Loose = None
    standard_output: Text = None
    comment: Text = None
    features: Text = None
    resv_name: Text = None


class WireReservation(msgspec.Struct, gc=False):
    """What is read of a reservation."""

    name: Text = None
    node_list: Text = None
    start_time: Loose = None
    end_time: Loose = None
    flags: Words = None
    users: Words = None
    accounts: Words = None


class NodesBody(msgspec.Struct):
    """The answer of `nodes`."""

    rows: list[WireNode] = msgspec.field(name="nodes")
    last_update: Loose = None
    meta: Meta | None = None
    errors: Said = None
    warnings: Said = None


class JobsBody(msgspec.Struct):
    """The answer of `jobs`."""

    rows: list[WireJob] = msgspec.field(name="jobs")
    last_update: Loose = None
    meta: Meta | None = None
    errors: Said = None
    warnings: Said = None


class ReservationsBody(msgspec.Struct):
    """The answer of `reservations`."""

    rows: list[WireReservation] = msgspec.field(name="reservations")
    last_update: Loose = None
    meta: Meta | None = None
    errors: Said = None
    warnings: Said = None


Row = TypeVar("Row", WireNode, WireJob, WireReservation)
Body = TypeVar("Body", NodesBody, JobsBody, ReservationsBody)
Taken = TypeVar("Taken")
Take = Callable[[list[Taken]], None]


class ListReader(Generic[Row, Body]):
    """Reads one kind of list."""

    def __init__(self, key: str, row: type[Row], body: type[Body]) -> None:
        self._key = key
        self._rows = msgspec.json.Decoder(list.__class_getitem__(row))
        self._body: msgspec.json.Decoder[Body] = msgspec.json.Decoder(body)
        self._head = re.compile((_FIRST_ROW % key).encode())

    def read(self, content: bytes, who: Who, take: Take[Row] | None = None) -> Generator[None, None, Body]:
        """Return an answer with all its rows; yields after each slice. Raises BadPayload.

        What `take` is given, slice by slice, the answer has no more: a row that is looked at while it is in the
        processor's cache, and let go, costs half. Slurm writes every row alike, so that what stands between the first
        two parts them all; where that does not hold (a row inside a row looks like its parent) the whole is decoded at
        once.
        """
        parted = self._parted(content)
        if parted is None:
            return self._decoded(content, who)
        start, stop, between = parted
        rows: list[Row] = []
        given = 0
        try:
            body = self._decoded(content[:start] + content[stop:], who)
            for piece in _pieces(content, start, stop, between):
                some = decoded(self._rows, piece)
                given += len(some)
                (take or rows.extend)(some)
                del some
                yield
        except (BadPayload, msgspec.MsgspecError, UnicodeDecodeError):
            # A piece that was decoded began and ended between rows: those are the first ones of the whole.
            body = self._decoded(content, who)
            del body.rows[: given if take else 0]
            return body
        body.rows = rows + body.rows  # type: ignore[assignment]  # rows of this reader's kind
        return body

    def _parted(self, content: bytes) -> tuple[int, int, bytes] | None:
        """Return where the rows start, where the last one does, and what stands between two; None for a short list."""
        first = self._head.search(content, 0, HEAD_BYTES)
        second = re.compile(rb"\}\s*,\s*" + re.escape(first[1])).search(content, first.end()) if first else None
        if first is None or second is None:
            return None
        between = second[0]
        return first.start(1), content.rfind(between) + len(between) - len(first[1]), between

    def _decoded(self, content: bytes, who: Who) -> Body:
        try:
            return decoded(self._body, content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            why = _said_in(content) or short(error)
            raise who.bad(f"the answer is no list of {self._key}: {why}") from None


def _pieces(content: bytes, start: int, stop: int, between: bytes) -> Iterator[bytes]:
    """Yield the rows from `start` to `stop` as lists of about a slice each."""
    view, last = memoryview(content), content.rfind(b"}", start, stop) + 1
    at = start
    while at < last:
        cut = content.find(between, at + SLICE_BYTES, stop) if at + SLICE_BYTES < stop else -1
        end = last if cut < 0 else cut + 1
        yield b"".join((b"[", view[at:end], b"]"))
        at = end + 1


class _OnlySaid(msgspec.Struct):
    errors: Said = None


def _said_in(content: bytes) -> str:
    """Return the first error of an answer that has no list, empty where it has no errors either."""
    try:
        return next(iter(texts(msgspec.json.decode(content, type=_OnlySaid).errors)), "")[:200]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def texts(said: Said) -> list[str]:
    """Return errors or warnings as lines."""
    return [row if isinstance(row, str) else row.text for row in said or ()]


def short(error: Exception) -> str:
    """Return an error's text on one short line."""
    return " ".join(str(error).split())[:200]


NODES: ListReader[WireNode, NodesBody] = ListReader("nodes", WireNode, NodesBody)
JOBS: ListReader[WireJob, JobsBody] = ListReader("jobs", WireJob, JobsBody)
RESERVATIONS: ListReader[WireReservation, ReservationsBody] = ListReader(
    "reservations", WireReservation, ReservationsBody
)
