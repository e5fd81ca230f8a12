"""Decodes the lists of a cluster on the compute thread, and keeps what the last full ones said."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from console.model.reading import EventsPart, JobsPart, NodeReportsPart, ReservationsPart
from console.sources.slurm.api import CHANGES
from console.sources.slurm.bodies import JOBS, NODES, RESERVATIONS, Release, texts
from console.sources.slurm.jobs import JobBook
from console.sources.slurm.nodes import NodeBook, gpus_of
from console.sources.slurm.reservations import reservation
from console.sources.slurm.words import when

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from console.link.answers import Body
    from console.model.errors import SourceError
    from console.model.reading import Part
    from console.sources.slurm.bodies import JobsBody, NodesBody, ReservationsBody, Take, Who
    from console.sources.slurm.jobs import Known
    from console.sources.slurm.shown import Readers

# A list that never changes is read in full now and then all the same.
FULL_EVERY_S = 600.0
ROWS_A_STEP = 500
BREATH = EventsPart(())
NOT_MODIFIED = 304
T = TypeVar("T")
Row = TypeVar("Row")
Told = tuple["NodeReportsPart | JobsPart | ReservationsPart", float]


@dataclass(frozen=True, eq=False)
class _Kept:
    """The part of a list's last full answer, and the server's time of it (0 where it does not say)."""

    part: NodeReportsPart | JobsPart | ReservationsPart
    since: float
    full_at: float


class Lists:
    """The decoder of one cluster's lists; `explain` turns a server's words into the error that they stand for.

    `printed` reads what commands print, in place of slurmrestd's answers.
    """

    def __init__(
        self, who: Who, cluster: str, explain: Callable[[str], SourceError], printed: Readers | None = None
    ) -> None:
        self._who = who
        self._cluster = cluster
        self._explain = explain
        self._node_reader = printed.nodes if printed else NODES
        self._job_reader = printed.jobs if printed else JOBS
        self._reservation_reader = printed.reservations if printed else RESERVATIONS
        self._kept: dict[str, _Kept] = {}
        self._node_gpus: dict[str, int] = {}
        self._known: Known = {}
        self.release = Release()

    @property
    def cluster(self) -> str:
        """What the cluster is called: as the fleet file says, else as Slurm does; empty while it is not known."""
        return self._cluster or self.release.cluster or ""

    def changes_only(self, what: str, now: float) -> dict[str, str]:
        """Return the parameters that ask for a list only if it has changed; none where a full one is due."""
        kept = self._kept.get(what)
        if kept is None or not kept.since or not 0 <= now - kept.full_at <= FULL_EVERY_S:
            return {}
        return {CHANGES: str(math.floor(kept.since))}

    def decode(self, what: str, body: Body, server_at: float, notes: dict[str, str]) -> Iterator[Part]:
        """Yield what an answer says, and an empty part between slices; raises SourceError.

        `server_at` is the server's clock before it was asked: later changes are news at the next turn.
        """
        kept = self._kept.get(what)
        if body.status == NOT_MODIFIED:
            if kept is not None:
                yield replace(kept.part, at=body.received_at)
            return
        told = yield from self._read(what, body, notes)
        self._kept[what] = _Kept(told[0], told[1] or server_at, body.received_at)
        yield told[0]

    def _read(self, what: str, body: Body, notes: dict[str, str]) -> Generator[Part, None, Told]:
        if what == "nodes":
            return (yield from self._nodes(body, notes))
        if what == "jobs":
            return (yield from self._jobs(body, notes))
        return (yield from self._reservations(body, notes))

    def _nodes(self, body: Body, notes: dict[str, str]) -> Generator[Part, None, tuple[NodeReportsPart, float]]:
        kept = self._kept.get("nodes")
        book = NodeBook(kept.part.keys if kept is not None and isinstance(kept.part, NodeReportsPart) else None)
        answer = yield from _breathing(self._node_reader.read(body.content, self._who, book.add))
        self._heed(answer, notes)
        yield from _added(answer.rows, book.add)
        part = book.part(body.received_at)
        there = gpus_of(part)
        if there != self._node_gpus:
            self._node_gpus, self._known = there, {}
        yield from book.facts(part.keys, body.received_at)
        return part, when(answer.last_update)

    def _jobs(self, body: Body, notes: dict[str, str]) -> Generator[Part, None, tuple[JobsPart, float]]:
        book = JobBook(self._cluster, self._node_gpus, self._known)
        answer = yield from _breathing(self._job_reader.read(body.content, self._who, book.add))
        self._heed(answer, notes)
        yield from _added(answer.rows, book.add)
        if book.strange:
            told = ", ".join(f"{number} in {words}" for words, number in sorted(book.strange.items())[:5])
            notes["left out"] = f"jobs in states that Slurm does not have: {told}"
        self._known = book.known
        return book.part(body.received_at), when(answer.last_update)

    def _reservations(self, body: Body, notes: dict[str, str]) -> Generator[Part, None, tuple[ReservationsPart, float]]:
        answer = yield from _breathing(self._reservation_reader.read(body.content, self._who))
        self._heed(answer, notes)
        told = tuple(reservation(row, self.cluster) for row in answer.rows if row.name)
        return ReservationsPart(told, body.received_at), when(answer.last_update)

    def _heed(self, answer: NodesBody | JobsBody | ReservationsBody, notes: dict[str, str]) -> None:
        """Take what an answer says of itself; raise its error where that is all it has."""
        if answer.meta is not None:
            self.release = answer.meta.release
        errors = texts(answer.errors)
        if errors and not answer.rows:
            raise self._explain(errors[0])
        said = [*errors, *texts(answer.warnings)]
        if said:
            notes["answer says"] = "; ".join(said[:3])


def _added(rows: list[Row], add: Take[Row]) -> Iterator[Part]:
    """Have rows added a few at a time, with an empty part for each step; they are let go on the way."""
    while rows:
        add(rows[:ROWS_A_STEP])
        del rows[:ROWS_A_STEP]
        yield BREATH


def _breathing(steps: Generator[None, None, T]) -> Generator[Part, None, T]:
    """Run a generator, with an empty part for each of its steps, and return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            value: T = stop.value
            return value
        yield BREATH
