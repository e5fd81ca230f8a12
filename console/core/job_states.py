"""What Slurm's job states mean to whoever counts: who holds nodes, who waits, who has ended, and how."""

from __future__ import annotations

from console.model.jobs import JobState

WAITING = frozenset(
    {
        JobState.PENDING,
        JobState.REQUEUED,
        JobState.REQUEUE_FED,
        JobState.REQUEUE_HOLD,
        JobState.RESV_DEL_HOLD,
        JobState.SPECIAL_EXIT,
    }
)
HOLDING = frozenset(
    {
        JobState.RUNNING,
        JobState.COMPLETING,
        JobState.CONFIGURING,
        JobState.RESIZING,
        JobState.SIGNALING,
        JobState.STAGE_OUT,
        JobState.STOPPED,
        JobState.SUSPENDED,
    }
)
# A fault, or the scheduler, took the run's work away; after TIMEOUT and CANCELLED a job may have saved it.
BROKEN = frozenset(
    {
        JobState.BOOT_FAIL,
        JobState.FAILED,
        JobState.NODE_FAIL,
        JobState.OUT_OF_MEMORY,
        JobState.PREEMPTED,
    }
)
# After these a job may have saved its work or not: nobody tells.
UNTOLD = frozenset({JobState.CANCELLED, JobState.TIMEOUT, JobState.DEADLINE, JobState.REVOKED})
# Running first, then what still has its nodes, then what waits, then what has ended.
RUNNING_RANK, HOLDING_RANK, WAITING_RANK, ENDED_RANK = range(4)


def rank(state: JobState) -> int:
    """Return where a state stands in the usual order."""
    if state is JobState.RUNNING:
        return RUNNING_RANK
    return HOLDING_RANK if state in HOLDING else WAITING_RANK if state in WAITING else ENDED_RANK
