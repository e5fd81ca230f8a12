"""Pods that have or want GPUs, and whose they are: one row a pod, with the job that it belongs to."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from console.sources.kubernetes.wire import version_of, when

if TYPE_CHECKING:
    from console.sources.kubernetes.quantities import Resource
    from console.sources.kubernetes.wire import Container, Ended, Meta, PodStatus, WirePod

PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"
STARTING, ENDING = "Starting", "Terminating"
ENDED = frozenset({SUCCEEDED, FAILED})
# Labels that name the whole that a pod is a part of, where its owner is only a part of that itself.
_WHOLES = (
    ("jobset.sigs.k8s.io/jobset-name", "JobSet"),
    ("leaderworkerset.sigs.k8s.io/name", "LeaderWorkerSet"),
    ("ray.io/cluster", "RayCluster"),
    ("kueue.x-k8s.io/pod-group-name", "PodGroup"),
)
_QUEUES = ("kueue.x-k8s.io/queue-name", "volcano.sh/queue-name")
_HASH = "pod-template-hash"
MOST_TEXT = 300


class Group(NamedTuple):
    """The job that pods belong to, as Kubernetes names it."""

    namespace: str
    kind: str
    name: str

    @property
    def id(self) -> str:
        """The job's id, without a slash (`research.pytorchjob.llama`): neither of the first two holds a dot."""
        return f"{self.namespace}.{self.kind.lower()}.{self.name}"


class PodRow(NamedTuple):
    """What is kept of a pod that has or wants GPUs; times are UTC epoch seconds, 0 for not yet.

    `state` is its phase, or `Starting` where it has its node but does not run yet, or `Terminating`. `holds` is
    whether it has its GPUs now. `exit_code` is -1 while it runs.
    """

    namespace: str
    name: str
    version: int
    group: Group
    node: str
    state: str
    gpus: int
    parts: tuple[tuple[str, int], ...]
    container: str
    reason: str
    created_at: float
    started_at: float
    ended_at: float
    limit_s: float
    restarts: int
    exit_code: int
    exit_signal: int
    queue: str
    user: str
    account: str

    @property
    def holds(self) -> bool:
        """Whether it has its node's GPUs now."""
        return bool(self.node) and self.state not in ENDED


def pod_row(pod: WirePod, resource: Resource, user_label: str = "") -> PodRow | None:
    """Return what is kept of a pod, None for one without GPUs."""
    spec, status, meta = pod.spec, pod.status, pod.metadata
    if spec is None:
        return None
    gpus, parts, container = _asked(spec.containers or (), spec.init_containers or (), resource)
    if not gpus and not parts:
        return None
    labels = meta.labels or {}
    ended = _ended(status)
    state = _state(meta, status, spec.node_name or "")
    over = state in ENDED
    return PodRow(
        namespace=_kept(meta.namespace),
        name=meta.name,
        version=version_of(meta.resource_version),
        group=group_of(meta),
        node=spec.node_name or "",
        state=state,
        gpus=gpus,
        parts=parts,
        container=_kept(container),
        reason=_reason(status, ended),
        created_at=when(meta.creation_timestamp),
        started_at=when(status.start_time) if status else 0.0,
        ended_at=when(ended.finished_at) if over and ended else 0.0,
        limit_s=float(spec.active_deadline_seconds or 0),
        restarts=sum(each.restart_count for each in (status.container_statuses if status else None) or ()),
        exit_code=ended.exit_code if over and ended else -1,
        exit_signal=ended.signal if over and ended else -1,
        queue=_kept(next((labels[key] for key in _QUEUES if labels.get(key)), "")),
        user=_kept(labels.get(user_label, "")) if user_label else "",
        account=_kept(meta.namespace),
    )


def group_of(meta: Meta) -> Group:
    """Return the job that an object belongs to: what its labels name, else its controller, else itself."""
    labels = meta.labels or {}
    for label, kind in _WHOLES:
        if labels.get(label):
            return _group(meta.namespace, kind, labels[label])
    owners = meta.owner_references or ()
    owner = next((each for each in owners if each.controller), owners[0] if owners else None)
    if owner is None:
        return Group(meta.namespace, "Pod", meta.name)
    if owner.kind == "ReplicaSet" and labels.get(_HASH) and owner.name.endswith(f"-{labels[_HASH]}"):
        return _group(meta.namespace, "Deployment", owner.name[: -len(labels[_HASH]) - 1])
    return _group(meta.namespace, owner.kind, owner.name)


@lru_cache(maxsize=65536)
def _group(namespace: str, kind: str, name: str) -> Group:
    return Group(namespace, kind, name)


@lru_cache(maxsize=65536)
def _kept(text: str) -> str:
    """Return the one object that stands for a text: thousands of pods share their namespace and queue."""
    return text


def _asked(
    containers: tuple[Container, ...], first: tuple[Container, ...], resource: Resource
) -> tuple[int, tuple[tuple[str, int], ...], str]:
    """Return the GPUs of a pod, its shares and slices, and the container that has most of them.

    Containers run side by side, those of the start one after the other: the larger of both is what the pod gets.
    """
    total, at_start, most, name = 0, 0, 0, ""
    parts: list[tuple[str, int]] = []
    for each in containers:
        if each.resources is None:
            continue
        amounts = each.resources.limits or each.resources.requests
        found = max(0, resource.of(amounts))
        slices = resource.parts(amounts)
        total += found
        parts += slices
        if found > most or (slices and not name):
            most, name = found, each.name
    for each in first:
        if each.resources is not None:
            at_start = max(at_start, resource.of(each.resources.limits or each.resources.requests))
    return max(total, at_start), tuple(parts), name or (containers[0].name if containers else "")


def _state(meta: Meta, status: PodStatus | None, node: str) -> str:
    phase = status.phase if status and status.phase else PENDING
    if phase in ENDED:
        return phase
    if meta.deletion_timestamp:
        return ENDING
    return STARTING if phase == PENDING and node else phase


def _ended(status: PodStatus | None) -> Ended | None:
    """Return how a pod's containers ended: the first that failed, else the last one."""
    found = [
        each.state.terminated
        for each in (status.container_statuses if status else None) or ()
        if each.state and each.state.terminated
    ]
    return next((each for each in found if each.exit_code or each.signal), found[-1] if found else None)


def _reason(status: PodStatus | None, ended: Ended | None) -> str:
    """Return why a pod waits or failed, in Kubernetes' words; empty where all is well."""
    if status is None:
        return ""
    if status.reason:
        return _line(status.reason, status.message)
    for each in status.container_statuses or ():
        waiting = each.state.waiting if each.state else None
        if waiting and waiting.reason and waiting.reason not in ("ContainerCreating", "PodInitializing"):
            return _line(waiting.reason, waiting.message)
    if ended and ended.reason and ended.reason != "Completed":
        return _line(ended.reason, None)
    for condition in status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return _line(condition.reason or "", condition.message)
    return ""


_SPACE = re.compile(r"\s+")


def _line(reason: str, message: str | None) -> str:
    return _kept(": ".join(part for part in (reason, _SPACE.sub(" ", message or "").strip()[:MOST_TEXT]) if part))
