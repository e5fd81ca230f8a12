"""Jobs as rows: the columns that an expression, `gigadeck jobs` and the jobs panel may name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from console.core.answer import LazyTexts
from console.core.goodput import goodput
from console.core.job_numbers import NUMBERS, told
from console.core.job_states import WAITING_RANK
from console.core.stragglers import SIGNALS, stragglers
from console.core.texts import PathNames, TextValues, remembered
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from console.core.registry import Field
    from console.core.rows import Children
    from console.model.jobs import Job, Jobs
    from console.model.snapshot import SiteFrame

    Floats = NDArray[np.float64]

HOUR_S = 3600.0
_TEXTS: dict[str, Callable[[Job], str]] = {
    "job_id": lambda job: job.id,
    "name": lambda job: job.name,
    "job": lambda job: job.name,
    "user": lambda job: job.user,
    "account": lambda job: job.account,
    "partition": lambda job: job.partition,
    "cluster": lambda job: job.cluster,
    "state": lambda job: job.state.value,
    "words": lambda job: job.words or job.state.value,
    "reason": lambda job: job.reason,
    "array": lambda job: job.array,
    "output": lambda job: job.output,
    "comment": lambda job: job.comment,
    "features": lambda job: job.features,
    "reservation": lambda job: job.reservation,
}
# What telemetry says of the jobs now, and what the runs that are over say.
_JUDGED: dict[str, Callable[[SiteFrame, float], Floats]] = {
    "slowdown_pct": lambda frame, now: stragglers(frame, now).deficit * 100,
    "slowest_z": lambda frame, now: stragglers(frame, now).z,
    "straggler": lambda frame, now: np.where(
        np.isnan(stragglers(frame, now).z), np.nan, stragglers(frame, now).slow.astype(np.float64)
    ),
    "lost_gpu_hours": lambda frame, now: goodput(frame, now).lost_s * told(frame.jobs, "gpus") / HOUR_S,
    "ettr_ratio": lambda frame, now: goodput(frame, now).ettr,
}


@dataclass(frozen=True, eq=False)
class JobColumns:
    """The jobs of one site at one time; satisfies RowColumns, so that an expression may be asked about them."""

    frame: SiteFrame
    now: float

    @property
    def count(self) -> int:
        """How many jobs there are."""
        return len(self.frame.jobs.rows)

    @property
    def ids(self) -> Sequence[str]:
        """Each job's row id, `job:SITE/ID`, with the cluster behind it where the site has several."""
        jobs = self.frame.jobs
        found: tuple[str, ...] = remembered(jobs, "row ids", lambda: _ids(self.frame.site, jobs))
        return found

    def named(self, name: str) -> Floats:
        """Return a column of numbers by its field's name; NaN where a job has none."""
        if name in NUMBERS:
            return told(self.frame.jobs, name)
        if name in _JUDGED:
            return _JUDGED[name](self.frame, self.now)
        start, end, submit = (told(self.frame.jobs, each) for each in ("start_at", "end_at", "submit_at"))
        begun = np.where(told(self.frame.jobs, "rank") == WAITING_RANK, np.nan, start)
        if name == "wait_s":
            return np.maximum(np.where(np.isnan(begun), self._until(end), begun) - submit, 0.0)
        time_s = np.maximum(self._until(end) - begun, 0.0)
        return time_s if name == "time_s" else time_s * told(self.frame.jobs, "gpus") / HOUR_S

    def texts(self, name: str) -> Sequence[str]:
        """Return a column of texts by its field's name."""
        if name == "id":
            return self.ids
        if name == "site":
            return (self.frame.site,) * self.count
        if name in ("slowest_node", "slowest_by"):
            return self._slowest(name)
        jobs, tell = self.frame.jobs, _TEXTS[name]
        found: tuple[str, ...] = remembered(jobs, f"text {name}", lambda: tuple(map(tell, jobs.rows)))
        return found

    def text_of(self, name: str) -> Callable[[int], str]:
        """Return what tells a text of one job by its row: for a page it is not worth while to make the column."""
        tell, rows = _TEXTS.get(name), self.frame.jobs.rows
        return self.texts(name).__getitem__ if tell is None else lambda row: tell(rows[row])

    def _slowest(self, name: str) -> Sequence[str]:
        """Return the address of each job's slowest node, or the word for what says so; "" where it has no peers."""
        found, topology = stragglers(self.frame, self.now), self.frame.topology
        if name == "slowest_by":
            return [SIGNALS[place].word if place >= 0 else "" for place in found.signal.tolist()]
        racks = remembered(topology, "rack paths", lambda: list(PathNames(topology, Level.RACK)))
        rack = topology.parents(Level.NODE, Level.RACK)
        return LazyTexts(found.node, lambda row: f"{racks[rack[row]]}/{topology.nodes[row]}" if row >= 0 else "")

    def number(self, field: Field) -> NDArray[np.floating[Any]]:
        """Return a float column."""
        return self.named(field.name)

    def text(self, field: Field) -> TextValues:
        """Return a text column; an empty text is one."""
        texts = self.texts(field.name)
        return TextValues(texts, np.arange(len(texts), dtype=np.int32), len(texts))

    def age(self, field: Field) -> Floats:
        """Return NaN: jobs have no samples."""
        return np.full(self.count, np.nan)

    def children(self, level: Level) -> Children:
        """Raise: no expression over jobs speaks of finer rows (`core.registry` lets none compile)."""
        raise NotImplementedError(level)

    def _until(self, end: Floats) -> Floats:
        return np.where(np.isnan(end), self.now, end)

    def at(self, path: str) -> NDArray[np.bool_]:
        """Return bool[jobs]: which have a node or GPU at an address of this site; all of them at the site itself."""
        topology = self.frame.topology
        if path in ("", topology.site):
            return np.ones(self.count, dtype=bool)
        found = topology.resolve(path)
        here = np.zeros(self.count, dtype=bool)
        if found is None:
            return here
        jobs, (level, row) = self.frame.jobs, found
        gpus = topology.span(level, row, Level.GPU) if level != Level.GPU else range(row, row + 1)
        if len(jobs.gpu_job) == topology.gpus:
            held = jobs.gpu_job[gpus.start : gpus.stop]
            here[held[held >= 0]] = True
        if len(jobs.node_starts) == self.count + 1 and level != Level.GPU:
            nodes = topology.span(level, row, Level.NODE) if level != Level.NODE else range(row, row + 1)
            owner = np.repeat(np.arange(self.count), np.diff(jobs.node_starts))
            here[owner[(jobs.node_rows >= nodes.start) & (jobs.node_rows < nodes.stop)]] = True
            here &= told(jobs, "rank") < WAITING_RANK
        return here


def _ids(site: str, jobs: Jobs) -> tuple[str, ...]:
    several = len({job.cluster for job in jobs.rows}) > 1
    seen: dict[str, int] = {}
    found = []
    for job in jobs.rows:
        id = f"job:{site}/{job.id}@{job.cluster}" if several else f"job:{site}/{job.id}"
        times = seen[id] = seen.get(id, 0) + 1
        found.append(id if times == 1 else f"{id}~{times}")
    return tuple(found)
