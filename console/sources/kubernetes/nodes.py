"""Nodes as Kubernetes sees them: ready or not, cordons, taints, conditions of every monitor, GPUs there and taken."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from console.model.scheduling import NodeReason, NodeState
from console.sources.kubernetes.quantities import Resource, amount
from console.sources.kubernetes.wire import version_of, when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.sources.kubernetes.wire import Condition, NodeLabels, Taint, WireNode

READY, NOT_READY, UNKNOWN = "Ready", "NotReady", "Unknown"
CORDONED = "SchedulingDisabled"
FEWER_GPUS = "GPUsUnhealthy"
FACTS = ("driver", "os", "kernel", "gpu_product", "kubelet", "container_runtime", "mig_config")
# Conditions that are good when they are true; every other one (pressures, problems, watches) is bad then.
_GOOD_ENDINGS = ("Ready", "Healthy", "Available", "OK")
_GOOD = frozenset({"EtcdIsVoter"})
# Taints that only repeat a condition or the cordon.
_REPEATING = "node.kubernetes.io/"
_CORDON_TAINT = "node.kubernetes.io/unschedulable"
MOST_TEXT = 300


class NodeRow(NamedTuple):
    """What is kept of a node; `gpus` is -1 where it names none, `facts` are in the order of FACTS."""

    name: str
    version: int
    state: NodeState
    reason: NodeReason | None
    gpus: int
    facts: tuple[str, ...]


def node_row(node: WireNode, resource: Resource) -> NodeRow:
    """Return what is kept of a node."""
    spec, status = node.spec, node.status
    conditions = (status.conditions if status else None) or ()
    taints = (spec.taints if spec else None) or ()
    gpus, usable = _gpus(node, resource)
    ready = next((each for each in conditions if each.type == READY), None)
    bad = [each for each in conditions if each.type != READY and is_bad(each.type, each.status)]
    cordoned = bool(spec and spec.unschedulable)
    flags = ((CORDONED,) if cordoned else ()) + tuple(each.type[:80] for each in bad)
    flags += ((FEWER_GPUS,) if 0 <= usable < gpus else ()) + tuple(_taints(taints, resource))
    told = [*_reasons(ready, bad, cordoned, taints)]
    if 0 <= usable < gpus:
        told.append((f"{usable} of {gpus} {resource.whole} allocatable", 0.0))
    return NodeRow(
        node.metadata.name,
        version_of(node.metadata.resource_version),
        _state(_readiness(ready), flags),
        _reason(told),
        gpus,
        _facts(node),
    )


def is_bad(kind: str, status: str) -> bool:
    """Whether a condition speaks of a problem: true is bad, but for conditions named after what is good.

    NVSentinel's watches and node-problem-detector's conditions are true when there is a fault; older documents of
    NVSentinel show `GPUHealthy` false for one. A status that is not known is no fault of these.
    """
    good = kind in _GOOD or kind.endswith(_GOOD_ENDINGS)
    return status == ("False" if good else "True")


def _readiness(ready: Condition | None) -> str:
    if ready is None or ready.status == "Unknown":
        return UNKNOWN
    return READY if ready.status == "True" else NOT_READY


@lru_cache(maxsize=4096)
def _state(state: str, flags: tuple[str, ...]) -> NodeState:
    return NodeState(state, tuple(dict.fromkeys(flags)))


def _taints(taints: tuple[Taint, ...], resource: Resource) -> Iterator[str]:
    """Yield taints as kubectl writes them; that of every GPU node, and those that repeat a condition, say nothing."""
    for taint in taints:
        if taint.key != resource.whole and not taint.key.startswith(_REPEATING):
            value = f"={taint.value}" if taint.value else ""
            yield f"{taint.key}{value}:{taint.effect or ''}"[:120]


def _reasons(
    ready: Condition | None, bad: list[Condition], cordoned: bool, taints: tuple[Taint, ...]
) -> Iterator[tuple[str, float]]:
    if ready is not None and ready.status != "True":
        yield _said(ready, ""), when(ready.last_transition_time)
    for each in bad:
        yield _said(each, each.type), when(each.last_transition_time)
    if cordoned:
        at = next((when(taint.time_added) for taint in taints if taint.key == _CORDON_TAINT), 0.0)
        yield "cordoned", at


def _said(condition: Condition, kind: str) -> str:
    words = (kind, condition.reason or "", " ".join((condition.message or "").split())[:MOST_TEXT])
    return ": ".join(dict.fromkeys(word for word in words if word))


def _reason(told: list[tuple[str, float]]) -> NodeReason | None:
    """Return everything that is wrong in one text, with the time of the first of it that has one."""
    if not told:
        return None
    return NodeReason("; ".join(text for text, _ in told), next((at for _, at in told if at), 0.0))


def _gpus(node: WireNode, resource: Resource) -> tuple[int, int]:
    """Return a node's GPUs, and how many of them the kubelet gives to pods; -1 where it does not tell.

    Where GPUs are shared or sliced their resources count shares; the label of GPU feature discovery counts GPUs.
    """
    status, labels = node.status, node.metadata.labels
    capacity, allocatable = (status.capacity, status.allocatable) if status else (None, None)
    whole, counted = resource.of(capacity), _label_count(labels)
    shared = bool(labels and labels.replicas and amount(labels.replicas) > 1)
    if shared or (whole <= 0 and resource.parts(capacity)):
        return counted if counted > 0 else -1, -1
    return whole, resource.of(allocatable)


def _label_count(labels: NodeLabels | None) -> int:
    return amount(labels.gpus) if labels and labels.gpus else -1


def _facts(node: WireNode) -> tuple[str, ...]:
    labels, info = node.metadata.labels, node.status.node_info if node.status else None
    driver = product = mig = ""
    if labels:
        driver = labels.driver or ".".join(
            part for part in (labels.driver_major, labels.driver_minor, labels.driver_rev) if part
        )
        product, mig = labels.product or "", labels.mig or ""
    if info is None:
        return _interned((driver, "", "", product, "", "", mig))
    kernel, image = info.kernel_version or "", info.os_image or ""
    return _interned(
        (driver, image, kernel, product, info.kubelet_version or "", info.container_runtime_version or "", mig)
    )


@lru_cache(maxsize=4096)
def _interned(facts: tuple[str, ...]) -> tuple[str, ...]:
    return facts
