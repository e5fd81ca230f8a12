"""Kubernetes objects as far as they are read: what is not named here is skipped, not decoded."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from console.model.errors import BadPayload

Text = str | None
Quantities = dict[str, str | int | float] | None


class Who(NamedTuple):
    """Site and source, for messages."""

    site: str
    source: str

    def bad(self, message: str, advice: str = "is `url` a Kubernetes API server?") -> BadPayload:
        """Return the error for an answer of the wrong shape."""
        return BadPayload(self.site, self.source, message, advice)


class Wire(msgspec.Struct, gc=False, rename="camel"):
    """A part of an object, in Kubernetes' spelling."""


class Owner(Wire):
    """Who made an object."""

    kind: str = ""
    name: str = ""
    controller: bool | None = None


class NodeLabels(Wire):
    """What GPU feature discovery and the kubelet say of a node."""

    driver: Text = msgspec.field(default=None, name="nvidia.com/cuda.driver-version.full")
    driver_major: Text = msgspec.field(default=None, name="nvidia.com/cuda.driver.major")
    driver_minor: Text = msgspec.field(default=None, name="nvidia.com/cuda.driver.minor")
    driver_rev: Text = msgspec.field(default=None, name="nvidia.com/cuda.driver.rev")
    product: Text = msgspec.field(default=None, name="nvidia.com/gpu.product")
    gpus: Text = msgspec.field(default=None, name="nvidia.com/gpu.count")
    replicas: Text = msgspec.field(default=None, name="nvidia.com/gpu.replicas")
    mig: Text = msgspec.field(default=None, name="nvidia.com/mig.config")


class NodeMeta(Wire):
    """A node's metadata."""

    name: str
    uid: str = ""
    resource_version: str = ""
    labels: NodeLabels | None = None


class Taint(Wire):
    """What keeps pods away from a node."""

    key: str = ""
    value: Text = None
    effect: Text = None
    time_added: Text = None


class NodeSpec(Wire):
    """What is wanted of a node."""

    unschedulable: bool | None = None
    taints: tuple[Taint, ...] | None = None


class Condition(Wire):
    """One condition of an object."""

    type: str = ""
    status: str = ""
    reason: Text = None
    message: Text = None
    last_transition_time: Text = None


class NodeInfo(Wire):
    """What a node runs."""

    kernel_version: Text = None
    os_image: Text = None
    kubelet_version: Text = None
    container_runtime_version: Text = None


class NodeStatus(Wire):
    """What a node's kubelet says."""

    capacity: Quantities = None
    allocatable: Quantities = None
    conditions: tuple[Condition, ...] | None = None
    node_info: NodeInfo | None = None


class WireNode(Wire):
    """A node."""

    metadata: NodeMeta
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class Meta(Wire):
    """An object's metadata."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: Text = None
    deletion_timestamp: Text = None
    labels: dict[str, str] | None = None
    owner_references: tuple[Owner, ...] | None = None


class Resources(Wire):
    """What a container asks for."""

    limits: Quantities = None
    requests: Quantities = None


class Container(Wire):
    """One container of a pod."""

    name: str = ""
    resources: Resources | None = None


class PodSpec(Wire):
    """What is wanted of a pod."""

    node_name: Text = None
    containers: tuple[Container, ...] | None = None
    init_containers: tuple[Container, ...] | None = None
    active_deadline_seconds: int | None = None
    resource_claims: tuple[msgspec.Raw, ...] | None = None


class Waiting(Wire):
    """Why a container does not run yet."""

    reason: Text = None
    message: Text = None


class Ended(Wire):
    """How a container ended."""

    exit_code: int = 0
    signal: int = 0
    reason: Text = None
    finished_at: Text = None


class ContainerState(Wire):
    """What a container does."""

    waiting: Waiting | None = None
    terminated: Ended | None = None


class ContainerStatus(Wire):
    """What the kubelet says of a container."""

    restart_count: int = 0
    state: ContainerState | None = None


class PodStatus(Wire):
    """What the kubelet says of a pod."""

    phase: str = ""
    reason: Text = None
    message: Text = None
    start_time: Text = None
    conditions: tuple[Condition, ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None


class WirePod(Wire):
    """A pod."""

    metadata: Meta
    spec: PodSpec | None = None
    status: PodStatus | None = None


class Template(Wire):
    """What the pods of a set are made from."""

    spec: PodSpec | None = None


class PodSet(Wire):
    """Equal pods of a workload."""

    name: str = ""
    count: int | None = None
    template: Template | None = None


class WorkloadSpec(Wire):
    """What a Kueue workload asks for."""

    queue_name: Text = None
    active: bool | None = None
    pod_sets: tuple[PodSet, ...] | None = None


class Admission(Wire):
    """Which queue let a workload in."""

    cluster_queue: Text = None


class WorkloadStatus(Wire):
    """What Kueue says of a workload."""

    conditions: tuple[Condition, ...] | None = None
    admission: Admission | None = None


class WireWorkload(Wire):
    """A workload of Kueue."""

    metadata: Meta
    spec: WorkloadSpec | None = None
    status: WorkloadStatus | None = None


class ListMeta(Wire):
    """What a list says of itself."""

    resource_version: str = ""
    go_on: Text = msgspec.field(default=None, name="continue")


class ListBody(Wire):
    """A list whose items are left as they are."""

    metadata: ListMeta
    items: list[msgspec.Raw] | None


class Change(Wire):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class StatusBody(Wire):
    """What the server says when it cannot do as it was asked."""

    code: int = 0
    message: Text = None
    reason: Text = None


class VersionOnly(Wire):
    """The version that a bookmark marks."""

    metadata: ListMeta


def when(text: Text) -> float:
    """Return a time of Kubernetes (RFC 3339) as UTC epoch seconds, 0 for none and for what is no time."""
    if not text:
        return 0.0
    try:
        return max(0.0, datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        return 0.0


def version_of(text: str) -> int:
    """Return a resource version as a number to compare, -1 for what is none."""
    return int(text) if text.isascii() and text.isdigit() else -1


def short(error: Exception) -> str:
    """Return an error's text on one short line."""
    return " ".join(str(error).split())[:200]
