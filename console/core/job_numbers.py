"""What schedulers tell of jobs in numbers, as columns; made once for each list of jobs."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from console.core.job_states import BROKEN, UNTOLD, rank
from console.core.texts import remembered
from console.model.jobs import JobState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.model.jobs import Jobs

    Floats = NDArray[np.float64]

NAMES = ("gpus", "nodes", "tasks", "submit_at", "start_at", "end_at", "limit_s", "restarts", "exit_code", "exit_signal")
# 0 and -1 are how a Job says that there is none.
_NONE_AT_0 = frozenset({"submit_at", "start_at", "end_at", "limit_s"})
_NONE_BELOW_0 = frozenset({"restarts", "exit_code", "exit_signal"})
_OF_STATE: dict[str, dict[JobState, float]] = {
    "rank": {state: rank(state) for state in JobState},
    "broken": {state: state in BROKEN for state in JobState},
    "untold": {state: state in UNTOLD for state in JobState},
}
NUMBERS = frozenset({*NAMES, *_OF_STATE})


def told(jobs: Jobs, name: str) -> Floats:
    """Return float64[jobs] of one of NUMBERS; NaN where a job has none."""
    found: Floats = remembered(jobs, f"number {name}", lambda: _column(jobs, name))
    return found


def _column(jobs: Jobs, name: str) -> Floats:
    # Both ways the loop over ten thousand jobs is the interpreter's own, without a call of ours.
    table = _OF_STATE.get(name)
    attribute = "state" if table is not None else "time_limit_s" if name == "limit_s" else name
    found = map(attrgetter(attribute), jobs.rows)
    if table is not None:
        found = map(table.__getitem__, found)
    values = np.fromiter(found, dtype=np.float64, count=len(jobs.rows))
    if name in _NONE_AT_0:
        values[values == 0] = np.nan
    elif name in _NONE_BELOW_0:
        values[values < 0] = np.nan
    return values
