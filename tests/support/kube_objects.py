"""Decodes Kubernetes objects as the source does, for tests that hold no server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from console.sources.kubernetes.nodes import node_row
from console.sources.kubernetes.pods import pod_row
from console.sources.kubernetes.quantities import Resource
from console.sources.kubernetes.wire import WireNode, WirePod

if TYPE_CHECKING:
    from console.sources.kubernetes.nodes import NodeRow
    from console.sources.kubernetes.pods import PodRow

RESOURCE = Resource()


def read_node(thing: dict[str, Any], resource: Resource = RESOURCE) -> NodeRow:
    return node_row(msgspec.json.decode(json.dumps(thing), type=WireNode), resource)


def read_pod(thing: dict[str, Any], user_label: str = "") -> PodRow | None:
    return pod_row(msgspec.json.decode(json.dumps(thing), type=WirePod), RESOURCE, user_label)
