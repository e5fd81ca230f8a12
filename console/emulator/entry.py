"""One job inside the scheduler: what was drawn, where it runs, and the value that the outside sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.jobs import Job, JobState
from console.model.values import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from console.emulator.catalogue import Draw
    from console.emulator.free_runs import Spans


@dataclass(eq=False, slots=True)
class Entry:
    """A job that moves through Slurm's states; `change` keeps the public value and the fields together."""

    number: int
    draw: Draw
    cluster: str
    submit_at: float
    gpus: int
    state: JobState = JobState.PENDING
    reason: str = "Priority"
    nodes: int = 0
    start_at: float = 0.0
    end_at: float = 0.0
    slot: int = 0
    spans: Spans | None = None
    rows: NDArray[np.intp] | None = None
    _job: Job | None = None

    @property
    def purpose(self) -> str:
        """What the job is for."""
        return self.draw.kind.purpose

    def change(self, state: JobState, reason: str = "") -> None:
        """Go to a state; set the other fields first."""
        self.state = state
        self.reason = reason
        self._job = None

    def job(self) -> Job:
        """Return the job as a scheduler would tell it; the same object until it changes."""
        if self._job is None:
            kind = self.draw.kind
            self._job = Job(
                id=str(self.number),
                name=self.draw.name,
                user=self.draw.user,
                state=self.state,
                gpus=self.gpus,
                nodes=self.nodes,
                account=kind.account,
                partition=kind.partition,
                cluster=self.cluster,
                purpose=kind.purpose,
                reason=self.reason,
                submit_at=self.submit_at,
                start_at=self.start_at,
                end_at=self.end_at,
                time_limit_s=self.draw.limit_s,
                restarts=0,
            )
        return self._job
