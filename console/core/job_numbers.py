"""What schedulers tell of jobs in numbers, as columns; made once for each list of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.job_states import BROKEN, UNTOLD, rank
from console.core.texts import remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from console.model.jobs import Job, Jobs

    Floats = NDArray[np.float64]

NUMBERS: dict[str, Callable[[Job], float]] = {
    "gpus": lambda job: job.gpus,
    "nodes": lambda job: job.nodes,
    "tasks": lambda job: job.tasks,
    "submit_at": lambda job: job.submit_at or np.nan,
    "start_at": lambda job: job.start_at or np.nan,
    "end_at": lambda job: job.end_at or np.nan,
    "limit_s": lambda job: job.time_limit_s or np.nan,
    "rank": lambda job: rank(job.state),
    "restarts": lambda job: _or_nan(job.restarts),
    "exit_code": lambda job: _or_nan(job.exit_code),
    "broken": lambda job: job.state in BROKEN,
    "untold": lambda job: job.state in UNTOLD,
    "exit_signal": lambda job: _or_nan(job.exit_signal),
}


def told(jobs: Jobs, name: str) -> Floats:
    """Return float64[jobs] of one of NUMBERS; NaN where a job has none."""

    def make() -> Floats:
        return np.fromiter(map(NUMBERS[name], jobs.rows), dtype=np.float64, count=len(jobs.rows))

    found: Floats = remembered(jobs, f"number {name}", make)
    return found


def _or_nan(number: int) -> float:
    return float(number) if number >= 0 else np.nan
