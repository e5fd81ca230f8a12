"""GPU-hours that acting on alerts would have saved, by one stated formula."""

from __future__ import annotations

from console.model.values import dataclass


@dataclass(frozen=True, slots=True)
class Stakes:
    """What a stop costs; hours, and GPUs that stand still.

    A job of `job_gpus` writes a checkpoint every `checkpoint_h`. A stop out of the blue costs it half of that again
    (the mean of what is lost since the last one) and `restart_h` to find the culprit and to start again; a stop at a
    checkpoint with a spare at hand costs `planned_h`. A node that was drained for nothing is away for `inspect_h`.

    Form: E[lost] = N (dt/2 + restart), Daly (2006) as in Meta's ETTR (arXiv 2410.21680). Defaults: hourly checkpoints,
    30 min, 10 min and 1 h are assumptions; a job no larger than the node is the least that is at stake.
    """

    job_gpus: int = 8
    checkpoint_h: float = 1.0
    restart_h: float = 0.5
    planned_h: float = 1 / 6
    inspect_h: float = 1.0
    node_gpus: int = 8


def gpu_hours_saved(early: int, false: int, stakes: Stakes) -> float:
    """Return the GPU-hours saved by acting on `early` true alerts (10 min of lead or more) and `false` ones.

    early x job_gpus x (checkpoint_h / 2 + restart_h - planned_h) - false x (job_gpus x planned_h + node_gpus x
    inspect_h); less than nothing where false alerts cost more than the true ones save.
    """
    gained = stakes.job_gpus * (stakes.checkpoint_h / 2 + stakes.restart_h - stakes.planned_h)
    lost = stakes.job_gpus * stakes.planned_h + stakes.node_gpus * stakes.inspect_h
    return early * gained - false * lost
