"""The kinds of jobs that users submit: how many GPUs, for how long, how they load them, how they end."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from console.model.jobs import JobState
from console.model.values import dataclass

if TYPE_CHECKING:
    from random import Random

HOUR_S = 3600.0


@dataclass(frozen=True)
class Kind:
    """One kind of job.

    `share` is its part of the allocated GPUs; sizes are powers of two from `least` to `most` GPUs, weighted by
    size**`tail`; run time is log-normal with `median_s` and `sigma`. Load: `high` and `low` activity of a step of
    `step_s`, `duty` the high part; checkpoints (or other pauses) of `pause_s` every `pause_every_s`; `daily` is how
    much the load follows the day. `nodes` says that it takes whole nodes.
    """

    purpose: str
    names: tuple[str, ...]
    account: str
    partition: str
    share: float
    least: int
    most: int
    tail: float
    median_s: float
    sigma: float
    step_s: tuple[float, float]
    duty: float
    high: float
    low: float
    util_pct: float
    tensor_ratio: float
    memory_ratio: float
    pause_every_s: float = 0.0
    pause_s: float = 0.0
    daily: float = 0.0
    nodes: bool = True


KINDS: tuple[Kind, ...] = (
    Kind(
        "pretraining", ("llm-pretrain", "moe-pretrain", "vlm-pretrain"), "foundation", "train",
        share=0.56, least=256, most=8192, tail=-0.6, median_s=90 * HOUR_S, sigma=1.0,
        step_s=(4.0, 24.0), duty=0.80, high=0.97, low=0.42, util_pct=99, tensor_ratio=0.62, memory_ratio=0.86,
        pause_every_s=1500.0, pause_s=22.0,
    ),
    Kind(
        "finetuning", ("sft", "dpo", "lora", "rlhf"), "assistants", "train",
        share=0.14, least=16, most=512, tail=-0.9, median_s=2.5 * HOUR_S, sigma=1.1,
        step_s=(2.0, 8.0), duty=0.75, high=0.86, low=0.35, util_pct=97, tensor_ratio=0.52, memory_ratio=0.80,
        pause_every_s=900.0, pause_s=12.0,
    ),
    Kind(
        "inference", ("chat-serve", "embed-serve", "code-serve"), "serving", "serve",
        share=0.15, least=32, most=256, tail=-0.8, median_s=60 * HOUR_S, sigma=0.9,
        step_s=(5.0, 30.0), duty=0.60, high=0.55, low=0.34, util_pct=82, tensor_ratio=0.33, memory_ratio=0.90,
        daily=0.30,
    ),
    Kind(
        "medicine", ("protein-fold", "dock-screen", "mri-recon"), "biomed", "science",
        share=0.05, least=16, most=512, tail=-1.0, median_s=3 * HOUR_S, sigma=1.0,
        step_s=(6.0, 40.0), duty=0.70, high=0.74, low=0.22, util_pct=93, tensor_ratio=0.30, memory_ratio=0.55,
    ),
    Kind(
        "climate", ("weather-ens", "ocean-emul", "downscale"), "earth", "science",
        share=0.05, least=16, most=512, tail=-0.9, median_s=6 * HOUR_S, sigma=0.8,
        step_s=(8.0, 60.0), duty=0.65, high=0.70, low=0.30, util_pct=95, tensor_ratio=0.24, memory_ratio=0.62,
        pause_every_s=600.0, pause_s=20.0,
    ),
    Kind(
        "robotics", ("sim-rl", "policy-train", "world-model"), "robotics", "science",
        share=0.04, least=16, most=256, tail=-0.9, median_s=1.5 * HOUR_S, sigma=1.0,
        step_s=(3.0, 15.0), duty=0.55, high=0.68, low=0.25, util_pct=88, tensor_ratio=0.28, memory_ratio=0.48,
    ),
    Kind(
        "development", ("notebook", "debug", "eval"), "research", "dev",
        share=0.01, least=1, most=4, tail=-1.0, median_s=0.4 * HOUR_S, sigma=1.4,
        step_s=(20.0, 240.0), duty=0.35, high=0.60, low=0.05, util_pct=61, tensor_ratio=0.20, memory_ratio=0.35,
        nodes=False,
    ),
)  # fmt: skip

# How jobs end; AcmeTrace's cluster summary (jobs of Seren and Kalos), the rare ones by hand.
ENDINGS: tuple[tuple[JobState, float], ...] = (
    (JobState.COMPLETED, 0.520),
    (JobState.FAILED, 0.370),
    (JobState.CANCELLED, 0.070),
    (JobState.OUT_OF_MEMORY, 0.015),
    (JobState.TIMEOUT, 0.015),
    (JobState.PREEMPTED, 0.010),
)
# Most jobs that fail do so in their first ten minutes (Aegis, NSDI 2025: 73 %).
FAIL_EARLY = 0.73
USERS = (
    "abauer", "aconti", "cmartin", "dnovak", "ehansen", "fkaya", "gmoreau", "hvirtanen", "ikowalska", "jlarsen",
    "kschmidt", "lgarcia", "mrossi", "nlindqvist", "okoenig", "pdubois", "rjansen", "smeier", "tpopescu", "ualmeida",
)  # fmt: skip


@dataclass(frozen=True)
class Draw:
    """One job as drawn: what it will take, when nothing breaks."""

    kind: Kind
    name: str
    user: str
    gpus: int
    run_s: float
    limit_s: float
    ending: JobState


def draw_job(rng: Random, kind: Kind, number: int, scale: int, most: int) -> Draw:
    """Return a job of a kind as users submit it: sizes times `scale` (a power of two), at most `most` GPUs."""
    run_s = max(15.0, kind.median_s * math.exp(kind.sigma * rng.gauss(0.0, 1.0)))
    ending = _ending(rng)
    limit_s = _whole_hours(max(kind.median_s, run_s) * rng.uniform(1.1, 3.0))
    if ending is JobState.FAILED and rng.random() < FAIL_EARLY:
        run_s = rng.uniform(20.0, 600.0)
    return _draw(rng, kind, number, _size(rng, kind, scale, most), run_s, limit_s, ending)


def draw_running(rng: Random, kind: Kind, number: int, scale: int, most: int) -> Draw:
    """Return a job as one finds it running: a long one more likely than a short one."""
    run_s = kind.median_s * math.exp(kind.sigma * rng.gauss(0.0, 1.0) + kind.sigma**2)
    limit_s = _whole_hours(run_s * rng.uniform(1.1, 2.0))
    return _draw(rng, kind, number, _size(rng, kind, scale, most), run_s, limit_s, _ending(rng))


def _draw(rng: Random, kind: Kind, number: int, gpus: int, run_s: float, limit_s: float, ending: JobState) -> Draw:
    if ending is JobState.TIMEOUT:
        run_s = limit_s
    name = f"{rng.choice(kind.names)}-{number % 97 + 1}"
    return Draw(kind, name, rng.choice(USERS), gpus, run_s, limit_s, ending)


def _size(rng: Random, kind: Kind, scale: int, most: int) -> int:
    steps = (kind.most // kind.least).bit_length() - 1
    weights, total = _weights(kind.tail, steps)
    at = rng.random() * total
    step = 0
    while step < steps and at >= weights[step]:
        at -= weights[step]
        step += 1
    wanted = (kind.least << step) * (scale if kind.nodes else 1)
    return max(1, min(wanted, most))


@cache
def _weights(tail: float, steps: int) -> tuple[tuple[float, ...], float]:
    """Return how likely each doubling of the least size is, and their sum."""
    weights = tuple(math.pow(2.0, tail * step) for step in range(steps + 1))
    return weights, sum(weights)


def _ending(rng: Random) -> JobState:
    at = rng.random()
    for state, part in ENDINGS:
        if at < part:
            return state
        at -= part
    return JobState.COMPLETED


def _whole_hours(seconds: float) -> float:
    """Users ask for whole hours."""
    return HOUR_S * math.ceil(seconds / HOUR_S)
