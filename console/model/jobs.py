"""Jobs as schedulers know them; state names are Slurm's (squeue(1), JOB STATE CODES)."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from console.model.columns import distinct
from console.model.levels import Level
from console.model.values import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.topology import SiteTopology


class JobState(StrEnum):
    """Slurm's job states."""

    BOOT_FAIL = "BOOT_FAIL"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"
    CONFIGURING = "CONFIGURING"
    COMPLETING = "COMPLETING"
    DEADLINE = "DEADLINE"
    FAILED = "FAILED"
    NODE_FAIL = "NODE_FAIL"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    PENDING = "PENDING"
    PREEMPTED = "PREEMPTED"
    RUNNING = "RUNNING"
    RESV_DEL_HOLD = "RESV_DEL_HOLD"
    REQUEUE_FED = "REQUEUE_FED"
    REQUEUE_HOLD = "REQUEUE_HOLD"
    REQUEUED = "REQUEUED"
    RESIZING = "RESIZING"
    REVOKED = "REVOKED"
    SIGNALING = "SIGNALING"
    SPECIAL_EXIT = "SPECIAL_EXIT"
    STAGE_OUT = "STAGE_OUT"
    STOPPED = "STOPPED"
    SUSPENDED = "SUSPENDED"
    TIMEOUT = "TIMEOUT"


@dataclass(frozen=True, slots=True)
class Job:
    """One job; times are UTC epoch seconds, 0 where not known or not yet.

    `time_limit_s` is infinite where the scheduler sets no limit. `tasks` are the waiting tasks that one row of a job
    array stands for, `gpus` and `nodes` those of one of them. `words` is the state with its flags as the scheduler
    spells them (`RUNNING+SIGNALING`), empty where the state says it all. `array` is the id of a task's job array.
    `restarts` is how often the scheduler started it anew, `exit_code` and `exit_signal` how its program ended, -1
    where not told; `requeue` is whether it may be started anew. `output` is the file that it writes to.
    """

    id: str
    name: str
    user: str
    state: JobState
    gpus: int
    nodes: int
    account: str = ""
    partition: str = ""
    cluster: str = ""
    purpose: str = ""
    reason: str = ""
    submit_at: float = 0.0
    start_at: float = 0.0
    end_at: float = 0.0
    time_limit_s: float = 0.0
    tasks: int = 1
    words: str = ""
    array: str = ""
    restarts: int = -1
    exit_code: int = -1
    exit_signal: int = -1
    requeue: bool | None = None
    output: str = ""
    comment: str = ""
    features: str = ""
    reservation: str = ""


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run of a job that is over and that its scheduler tells no more: the job as it was last told.

    `nodes` are the names of the inventory; `seen_at` is when it was last told, UTC epoch seconds; `again` says that
    the job was started anew, so that this is an earlier run of a job that may still be listed.
    """

    job: Job
    nodes: tuple[str, ...]
    seen_at: float
    again: bool = False

    @property
    def end_at(self) -> float:
        """When it ended, as the scheduler told, else when it was last seen."""
        return self.job.end_at or self.seen_at


@dataclass(frozen=True, eq=False)
class Jobs:
    """All jobs of one site; `gpu_job` int32[gpus] points into `rows`, -1 where a GPU is free.

    Where a scheduler names the nodes of its jobs, `node_rows` int32 holds the node rows of all of them, those of job
    `i` from `node_starts[i]` to `node_starts[i + 1]`.
    """

    rows: tuple[Job, ...] = ()
    gpu_job: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    at: float = 0.0
    source: str = ""
    node_starts: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    node_rows: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, dtype=np.int32))

    def nodes_of(self, index: int, topology: SiteTopology) -> NDArray[np.int32]:
        """Return the node rows of one job: those its scheduler names, else those of the GPUs that it holds."""
        if len(self.node_starts) == len(self.rows) + 1:
            named = self.node_rows[self.node_starts[index] : self.node_starts[index + 1]]
            if len(named):
                return named
        if len(self.gpu_job) != topology.gpus:
            return np.zeros(0, dtype=np.int32)
        held = np.flatnonzero(self.gpu_job == index)
        return distinct(topology.parents(Level.GPU, Level.NODE)[held]).astype(np.int32)

    def running(self) -> int:
        """Return the number of running jobs."""
        return sum(job.state is JobState.RUNNING for job in self.rows)
