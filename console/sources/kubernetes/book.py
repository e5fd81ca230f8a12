"""What a cluster is known to have: rows of nodes, pods and workloads after any lists and changes, and parts of them.

Owned by the compute thread; the loop thread only looks names up in it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from console.model.reading import EventsPart, FactsPart, JobsPart, NamedKeys, NodeReportsPart
from console.sources.kubernetes.jobs import Told, told
from console.sources.kubernetes.nodes import FACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from console.model.reading import Part
    from console.model.scheduling import NodeState
    from console.sources.kubernetes.kueue import WorkRow
    from console.sources.kubernetes.nodes import NodeRow
    from console.sources.kubernetes.pods import Group, PodRow

ROWS_A_STEP = 250
JOBS_A_STEP = 50
MOST_GPUS = 32_767
MOST_GRAVES = 20_000
# What has not changed is said again so often, lest it look old.
AGAIN_S = 15.0
BREATH = EventsPart(())
Row = Any
Key = tuple[str, str]


class Shelf:
    """Rows of one kind by namespace and name; changes that are older than what is known are no news.

    A row that goes leaves its version behind for a while, so that an older change of it that comes late does not
    bring it back. `swap` hears of each row that goes and of each that comes.
    """

    def __init__(self, swap: Callable[[Row | None, Row | None], None]) -> None:
        self.rows: dict[Key, Row] = {}
        self._graves: dict[Key, int] = {}
        self._swap = swap

    def put(self, key: Key, row: Row | None, version: int) -> None:
        """Take what an object is now (None: nothing that is kept), unless something newer is known."""
        before = self.rows.get(key)
        if 0 <= version < max(before.version if before is not None else -1, self._graves.get(key, -1)):
            return
        if row is None:
            if before is not None:
                self._bury(key, before, version)
            return
        self._graves.pop(key, None)
        self.rows[key] = row
        if row != before:
            self._swap(before, row)

    def gone(self, key: Key, version: int) -> None:
        """Take that an object is gone."""
        before = self.rows.get(key)
        if before is not None and 0 <= version < before.version:
            return
        self._bury(key, before, version)

    def replace(self, keyed: Iterable[tuple[Key, Row]], within: str = "") -> Iterator[None]:
        """Take a whole list (`within`: of one namespace) in place of what was known; yields between slices."""
        mine = [key for key in self.rows if not within or key[0] == within]
        new = dict(keyed)
        self._graves.clear()
        for number, key in enumerate(mine):
            if key not in new:
                self._swap(self.rows.pop(key), None)
            if number % ROWS_A_STEP == 0:
                yield
        for number, (key, row) in enumerate(new.items()):
            before = self.rows.get(key)
            self.rows[key] = row
            if row != before:
                self._swap(before, row)
            if number % ROWS_A_STEP == 0:
                yield

    def _bury(self, key: Key, before: Row | None, version: int) -> None:
        if version >= 0:
            self._graves[key] = max(version, self._graves.get(key, -1))
            if len(self._graves) > MOST_GRAVES:
                for old in list(islice(self._graves, MOST_GRAVES // 2)):
                    del self._graves[old]
        if before is not None:
            del self.rows[key]
            self._swap(before, None)


class Book:
    """Everything that is known of one cluster."""

    def __init__(self, cluster: Callable[[], str]) -> None:
        self._cluster = cluster
        self.nodes = Shelf(self._node)
        self.pods = Shelf(self._pod)
        self.works = Shelf(self._work)
        self.groups: dict[Group, dict[Key, PodRow]] = {}
        self.ids: dict[str, Group] = {}
        self._waiting: dict[Group, dict[Key, WorkRow]] = {}
        self._taken: dict[str, int] = {}
        self._told: dict[Group, Told] = {}
        self._changed: set[Group] = set()
        self._nodes_changed = self._facts_changed = False
        self._nodes_at = self._jobs_at = 0.0
        self._keys = NamedKeys("node", ())
        self._report: NodeReportsPart | None = None

    def parts(self, at: float, *, nodes: bool, jobs: bool) -> Iterator[Part]:
        """Yield what is new or has not been said for a while, and an empty part between slices.

        `nodes` and `jobs` say whether they are being listed at all: else nothing is known of them.
        """
        if nodes and (self._nodes_changed or at - self._nodes_at >= AGAIN_S):
            self._nodes_at = at
            yield from self._reports(at)
        if jobs and (self._changed or at - self._jobs_at >= AGAIN_S):
            self._jobs_at = at
            yield from self._jobs(at)

    def confirmed(self) -> None:
        """Say everything again: a fresh list has confirmed it."""
        self._nodes_at = self._jobs_at = 0.0

    def gpus_of(self, node: str) -> int:
        """Return how many GPUs a node has, 0 where that is not known."""
        row = self.nodes.rows.get(("", node))
        return max(0, row.gpus) if row is not None else 0

    def _node(self, before: NodeRow | None, now: NodeRow | None) -> None:
        self._nodes_changed = True
        if before is None or now is None or before.facts != now.facts:
            self._facts_changed = True
        if before is None or now is None or before.gpus != now.gpus:
            # Whether a job holds all GPUs of a node depends on how many there are.
            name = now.name if now is not None else before.name if before is not None else ""
            self._changed |= {group for group, each in self._told.items() if name in each.nodes}

    def _pod(self, before: PodRow | None, now: PodRow | None) -> None:
        for row, sign in ((before, -1), (now, 1)):
            if row is not None:
                self._changed.add(row.group)
                if row.holds and row.gpus:
                    self._taken[row.node] = self._taken.get(row.node, 0) + sign * row.gpus
                    self._nodes_changed = True
        _moved(self.groups, before, now)

    def _work(self, before: WorkRow | None, now: WorkRow | None) -> None:
        self._changed |= {row.group for row in (before, now) if row is not None}
        _moved(self._waiting, before, now)

    def _reports(self, at: float) -> Iterator[Part]:
        report = self._report
        if report is None or self._nodes_changed:
            self._nodes_changed = False
            rows = list(self.nodes.rows.values())
            names = tuple([row.name for row in rows])
            if names != self._keys.names:
                self._keys = NamedKeys("node", names)
                self._facts_changed = True
            yield BREATH
            report = yield from self._made(rows, at)
        self._report = report = replace(report, at=at)
        yield report
        if self._facts_changed:
            self._facts_changed = False
            yield from self._facts(at)

    def _made(self, rows: list[NodeRow], at: float) -> Generator[Part, None, NodeReportsPart]:
        states: dict[NodeState, int] = {}
        # Thousands of nodes share few states; to hash one costs more than to look at which object it is.
        known: dict[int, int] = {}
        for state in {id(row.state): row.state for row in rows}.values():
            known[id(state)] = states.setdefault(state, len(states))
        codes = np.fromiter([known[id(row.state)] for row in rows], np.int32, len(rows))
        yield BREATH
        gpus = np.fromiter([min(row.gpus, MOST_GPUS) for row in rows], np.int16, len(rows))
        taken = self._taken
        allocated = np.fromiter([min(taken.get(row.name, 0), MOST_GPUS) for row in rows], np.int16, len(rows))
        yield BREATH
        reasons = {place: row.reason for place, row in enumerate(rows) if row.reason is not None}
        return NodeReportsPart(self._keys, tuple(states), codes, gpus, allocated, reasons, at)

    def _facts(self, at: float) -> Iterator[Part]:
        rows = [row.facts for row in self.nodes.rows.values()]
        for place, fact in enumerate(FACTS):
            values = tuple([facts[place] for facts in rows])
            if any(values):
                yield FactsPart(fact, self._keys, values, at)

    def _jobs(self, at: float) -> Iterator[Part]:
        changed, self._changed = self._changed, set()
        for number, group in enumerate(changed):
            self._tell(group)
            if number % JOBS_A_STEP == JOBS_A_STEP - 1:
                yield BREATH
        known = self._told.values()
        jobs = tuple([each.job for each in known])
        lists, masks = tuple([each.nodes for each in known]), tuple([each.masks for each in known])
        yield JobsPart(jobs, None, lists, masks, at=at)

    def _tell(self, group: Group) -> None:
        # In the order of names, not in that of news: the same pods always make the same job.
        pods = [row for _, row in sorted(self.groups.get(group, {}).items())]
        works = [row for _, row in sorted(self._waiting.get(group, {}).items())]
        each = told(group, pods, works, self.gpus_of, self._cluster())
        if each is None:
            self._told.pop(group, None)
            self.ids.pop(group.id, None)
        else:
            self._told[group] = each
            self.ids[group.id] = group


def _moved(groups: dict[Any, dict[Key, Any]], before: Any, now: Any) -> None:
    """Move a row to the group that it belongs to now."""
    if before is not None:
        mine = groups.get(before.group, {})
        mine.pop((before.namespace, before.name), None)
        if not mine:
            groups.pop(before.group, None)
    if now is not None:
        groups.setdefault(now.group, {})[now.namespace, now.name] = now
