"""Jobs as schedulers know them; state names are Slurm's (squeue(1), JOB STATE CODES)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    """One job; times are UTC epoch seconds, 0 where not known or not yet."""

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


@dataclass(frozen=True, eq=False)
class Jobs:
    """All jobs of one site; `gpu_job` int32[gpus] points into `rows`, -1 where a GPU is free."""

    rows: tuple[Job, ...] = ()
    gpu_job: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    at: float = 0.0
    source: str = ""

    def running(self) -> int:
        """Return the number of running jobs."""
        return sum(job.state is JobState.RUNNING for job in self.rows)
