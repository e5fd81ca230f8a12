"""How much of a job's run counted: lost GPU-hours, and ETTR as far as the scheduler's words reach.

ETTR is productive run time over the wall clock of a job's runs, without its time in the queue; work is productive that
need not be done again (Kokolis et al., "Revisiting Reliability", 2024). Where a fault ended a run, everything since the
last checkpoint is lost. No scheduler tells of checkpoints: all of the run counts as lost then, so that what is told is
the most that may be lost and the least that ETTR may be. What cannot be told is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.core.job_numbers import told
from console.core.job_states import WAITING_RANK
from console.core.texts import remembered
from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.model.jobs import EndedRun, Jobs
    from console.model.snapshot import SiteFrame

Runs = dict[tuple[str, str], "list[EndedRun]"]


@dataclass(frozen=True, eq=False)
class Goodput:
    """float64[jobs], NaN where not known: seconds of all runs, of those lost to faults, of restarts between runs."""

    run_s: NDArray[np.float64]
    lost_s: NDArray[np.float64]
    idle_s: NDArray[np.float64]

    @property
    def ettr(self) -> NDArray[np.float64]:
        """float64[jobs], 0..1: productive run time over run time and the time between runs."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((self.run_s - self.lost_s) / (self.run_s + self.idle_s))


def goodput(frame: SiteFrame, now: float) -> Goodput:
    """Return what is known of the jobs of a site; made once for each frame."""
    found: Goodput = remembered(frame, "goodput", lambda: _of(frame.jobs, earlier_runs(frame.ended), now))
    return found


def earlier_runs(ended: Sequence[EndedRun]) -> Runs:
    """Return the runs of jobs that were started anew, by cluster and id, the oldest first."""
    runs: Runs = {}
    for run in ended:
        if run.again:
            runs.setdefault((run.job.cluster, run.job.id), []).append(run)
    return runs


def _of(jobs: Jobs, earlier: Runs, now: float) -> Goodput:
    start, end = told(jobs, "start_at"), told(jobs, "end_at")
    before = _before(jobs, earlier)
    # A job that was started anew more often than was seen here has lost what nobody told us.
    with np.errstate(invalid="ignore"):
        known = (told(jobs, "rank") != WAITING_RANK) & (told(jobs, "restarts") <= before[:, 0])
    known &= ~told(jobs, "untold").astype(bool)
    run_s = np.where(known, np.maximum(np.where(np.isnan(end), now, end) - start, 0.0), np.nan)
    lost_s = np.where(told(jobs, "broken") > 0, run_s, np.where(np.isnan(run_s), np.nan, 0.0))
    idle_s = np.where(before[:, 0] > 0, np.maximum(start - before[:, 1] - before[:, 2], 0.0), 0.0)
    return Goodput(run_s + before[:, 2], lost_s + before[:, 2], idle_s)


def _before(jobs: Jobs, earlier: Runs) -> NDArray[np.float64]:
    """Return float64[jobs, 3]: how many earlier runs were seen, when the first began, and their seconds together."""
    found = np.zeros((len(jobs.rows), 3))
    for place, job in enumerate(jobs.rows) if earlier else ():
        runs = earlier.get((job.cluster, job.id))
        if runs:
            seconds = sum(max(run.end_at - run.job.start_at, 0.0) for run in runs)
            found[place] = len(runs), runs[0].job.start_at, seconds
    return found
