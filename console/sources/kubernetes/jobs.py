"""Jobs out of pods: all pods of one owner are one job, its state in Slurm's words and in Kubernetes' own."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from console.model.jobs import Job, JobState
from console.sources.kubernetes.pods import ENDED, ENDING, FAILED, PENDING, RUNNING, STARTING, SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.sources.kubernetes.kueue import WorkRow
    from console.sources.kubernetes.pods import Group, PodRow

ALL_GPUS, NOT_KNOWN = -1, 0
# The order in which the state of some pods stands for their job: what runs first.
_ORDER = (RUNNING, STARTING, ENDING, PENDING, FAILED, SUCCEEDED)
_STATES = {
    RUNNING: JobState.RUNNING,
    STARTING: JobState.CONFIGURING,
    ENDING: JobState.COMPLETING,
    PENDING: JobState.PENDING,
    FAILED: JobState.FAILED,
    SUCCEEDED: JobState.COMPLETED,
}
_FAILURES = {
    "OOMKilled": JobState.OUT_OF_MEMORY,
    "DeadlineExceeded": JobState.DEADLINE,
    "Evicted": JobState.PREEMPTED,
    "Preempting": JobState.PREEMPTED,
    "Preempted": JobState.PREEMPTED,
    "NodeLost": JobState.NODE_FAIL,
    "NodeShutdown": JobState.NODE_FAIL,
    "Terminated": JobState.NODE_FAIL,
}


class Told(NamedTuple):
    """A job, its nodes, and the GPUs that it holds on each (masks; 0 where it cannot be told which)."""

    job: Job
    nodes: tuple[str, ...]
    masks: tuple[int, ...]


def told(
    group: Group, pods: Sequence[PodRow], works: Sequence[WorkRow], gpus_of: Callable[[str], int], cluster: str
) -> Told | None:
    """Return the job of a group; None where nothing of it is left but workloads that are over or that want no GPU.

    `gpus_of` says how many GPUs a node has (0: not known), `cluster` what the cluster is called.
    """
    if not pods:
        return _suspended(group, [work for work in works if not work.over and work.gpus], cluster)
    words = Counter(pod.state for pod in pods)
    first = next((each for each in _ORDER if words[each]), RUNNING)
    alive = [pod for pod in pods if pod.state not in ENDED]
    counted = alive or list(pods)
    held: dict[str, int] = {}
    for pod in counted:
        if pod.node:
            held[pod.node] = held.get(pod.node, 0) + (pod.gpus if pod.holds else 0)
    state, reason = _state(first, pods)
    waits = [work for work in works if work.reason]
    if state is JobState.PENDING and waits:
        reason = waits[0].reason
    job = _job(group, counted, cluster, state, _words(words, first, works), reason, len(held) or len(counted), works)
    masks = tuple(ALL_GPUS if 0 < gpus_of(node) <= gpus else NOT_KNOWN for node, gpus in held.items())
    return Told(job, tuple(held), masks)


def _state(first: str, pods: Sequence[PodRow]) -> tuple[JobState, str]:
    """Return a job's state, and the reason of the first pod in that state that has one."""
    state = _STATES[first]
    reason = next((pod.reason for pod in pods if pod.reason and pod.state == first), "")
    if first in (RUNNING, ENDING):  # one that crashes again and again says so while the others run
        reason = reason or next((pod.reason for pod in pods if pod.reason), "")
    if state is JobState.FAILED:
        state = _FAILURES.get(reason.partition(":")[0], state)
    return state, reason


def _words(words: Counter[str], first: str, works: Sequence[WorkRow]) -> str:
    """Return Kubernetes' own words: the phase, with numbers where pods differ (`Running 30, Pending 2`)."""
    if first == PENDING and (said := next((work.words for work in works if work.words), "")):
        return said
    if len(words) == 1:
        return next(iter(words))
    return ", ".join(
        f"{state} {number}" for state, number in sorted(words.items(), key=lambda each: (-each[1], each[0]))
    )


def _job(
    group: Group,
    pods: Sequence[PodRow],
    cluster: str,
    state: JobState,
    words: str,
    reason: str,
    nodes: int,
    works: Sequence[WorkRow],
) -> Job:
    ended = all(pod.state in ENDED for pod in pods)
    bad = next((pod for pod in pods if pod.exit_code > 0 or pod.exit_signal > 0), pods[0])
    queues = [*(work.queue for work in works), *(pod.queue for pod in pods)]
    started = [pod.started_at for pod in pods if pod.started_at and state is not JobState.PENDING]
    slices = sum((Counter(dict(pod.parts)) for pod in pods), Counter[str]())
    return Job(
        id=group.id,
        name=group.name,
        user=next((pod.user for pod in pods if pod.user), ""),
        state=state,
        gpus=sum(pod.gpus for pod in pods),
        nodes=nodes,
        account=group.namespace,
        partition=next(filter(None, queues), ""),
        cluster=cluster,
        purpose=group.kind,
        reason=reason,
        submit_at=min((pod.created_at for pod in pods if pod.created_at), default=0.0),
        start_at=min(started, default=0.0),
        end_at=max((pod.ended_at for pod in pods), default=0.0) if ended else 0.0,
        time_limit_s=max((pod.limit_s for pod in pods), default=0.0) or math.inf,
        words=words,
        restarts=sum(pod.restarts for pod in pods),
        exit_code=bad.exit_code if ended else -1,
        exit_signal=bad.exit_signal if ended else -1,
        features=", ".join(f"{name} x {number}" for name, number in sorted(slices.items())),
    )


def _suspended(group: Group, works: Sequence[WorkRow], cluster: str) -> Told | None:
    """Return a job that has no pods yet: Kueue holds it back, or its pods are about to be made."""
    if not works:
        return None
    first = works[0]
    job = Job(
        id=group.id,
        name=group.name,
        user="",
        state=JobState.PENDING,
        gpus=sum(work.gpus for work in works),
        nodes=sum(work.pods for work in works),
        account=group.namespace,
        partition=first.queue,
        cluster=cluster,
        purpose=group.kind,
        reason=first.reason,
        submit_at=min((work.created_at for work in works if work.created_at), default=0.0),
        time_limit_s=math.inf,
        words=first.words or ("Admitted" if first.admitted else ""),
    )
    return Told(job, (), ())
