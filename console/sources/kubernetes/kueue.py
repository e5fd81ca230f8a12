"""Workloads of Kueue: which queue a job waits in and why, and jobs that have no pods yet because they are suspended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from console.sources.kubernetes.pods import Group, group_of
from console.sources.kubernetes.wire import version_of, when

if TYPE_CHECKING:
    from console.sources.kubernetes.quantities import Resource
    from console.sources.kubernetes.wire import Condition, Meta, WireWorkload, WorkloadSpec

GROUP = "kueue.x-k8s.io"
MOST_TEXT = 300
PREEMPTED = "Preempted"


class WorkRow(NamedTuple):
    """What is kept of a workload; `reason` is why it waits, `words` the condition that says most of it."""

    namespace: str
    name: str
    version: int
    group: Group
    queue: str
    admitted: bool
    over: bool
    reason: str
    words: str
    gpus: int
    pods: int
    created_at: float


def work_row(work: WireWorkload, resource: Resource) -> WorkRow:
    """Return what is kept of a workload."""
    meta, spec, status = work.metadata, work.spec, work.status
    conditions = {each.type: each for each in (status.conditions if status else None) or ()}
    true = {kind for kind, each in conditions.items() if each.status == "True"}
    over = "Finished" in true
    admitted = "Admitted" in true and "Evicted" not in true
    active = not spec or spec.active is not False
    words, reason = ("", "") if over or admitted else _waiting(conditions, true, active=active)
    gpus, pods = _asked(spec, resource)
    return WorkRow(
        meta.namespace,
        meta.name,
        version_of(meta.resource_version),
        _group(meta),
        (spec.queue_name if spec else None) or "",
        admitted,
        over,
        reason,
        words,
        gpus,
        pods,
        when(meta.creation_timestamp),
    )


def _group(meta: Meta) -> Group:
    """Return the job that a workload stands for; one of several plain pods has the name of their group."""
    owners = meta.owner_references or ()
    if len(owners) > 1 and all(owner.kind == "Pod" for owner in owners):
        return Group(meta.namespace, "PodGroup", meta.name)
    return group_of(meta)


def _asked(spec: WorkloadSpec | None, resource: Resource) -> tuple[int, int]:
    """Return the GPUs and the pods of all sets of a workload."""
    gpus = pods = 0
    for each in (spec.pod_sets if spec else None) or ():
        number = 1 if each.count is None else max(0, each.count)
        asked = (each.template.spec.containers if each.template and each.template.spec else None) or ()
        amounts = (one.resources.limits or one.resources.requests for one in asked if one.resources)
        gpus += number * sum(max(0, resource.of(each)) for each in amounts)
        pods += number
    return gpus, pods


def _waiting(conditions: dict[str, Condition], true: set[str], *, active: bool) -> tuple[str, str]:
    """Return the condition that says most of a waiting workload, and its message."""
    if not active:
        return "Inactive", "Inactive: the workload is deactivated"
    # Why it lost its place says less than why it gets no other one, which is known a little later.
    quota = conditions.get("QuotaReserved")
    told = quota if quota and quota.status == "False" and quota.message else None
    for kind in (PREEMPTED, "Evicted"):
        if kind in true:
            each = told or conditions[kind]
            return kind, _said(kind, each)
    if "QuotaReserved" in true:
        return "QuotaReserved", "QuotaReserved: waits for its admission checks"
    return ("Suspended", _said("", told)) if told else ("Suspended", "")


def _said(kind: str, condition: Condition) -> str:
    words = (kind, condition.reason or "", " ".join((condition.message or "").split())[:MOST_TEXT])
    return ": ".join(dict.fromkeys(word for word in words if word))
