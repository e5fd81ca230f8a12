"""What an emulated site publishes: one immutable state a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from console.model.events import Event
    from console.model.jobs import Job


@dataclass(frozen=True, eq=False)
class SiteState:
    """A site at one time. Nothing in it is ever written again.

    `columns` are float32 arrays by metric name, in the topology's order of the metric's level (a site's have length 1);
    NaN is not reported. `gpu_job` int32[gpus] points into `jobs`, -1 where a GPU is free. `events` are the latest ones,
    newest last; `event_count` is how many there have been. Columns, jobs and events that did not change are the same
    objects as in the state before.
    """

    at: float
    version: int
    columns: Mapping[str, NDArray[np.float32]]
    jobs: tuple[Job, ...]
    gpu_job: NDArray[np.int32]
    events: tuple[Event, ...]
    event_count: int = 0
