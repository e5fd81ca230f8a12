"""12,500 nodes and 12,500 pods of Kubernetes: listed and watched in a process of their own, and read beside msgspec."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bench.measure import Figure, in_turns

if TYPE_CHECKING:
    from collections.abc import Callable

NODES = 12_500
CHUNK_BYTES = 65_536


def run(*, quick: bool) -> list[Figure]:
    """Return peak memory, time of the first picture, longest step and cost of the watch, and reading beside msgspec."""
    found = _watched(10 if quick else 30)
    note = f"{NODES:,} nodes of 12 kB, as many pods of 5 kB; 50 changes a second"
    return [
        Figure("Kubernetes: listed and watched, peak memory", found["peak_mb"], "MB", must=250.0, note=note),
        Figure("Kubernetes: until all is listed and merged", found["listed_s"], "s"),
        Figure("Kubernetes: longest step on the compute thread", found["longest_s"], "s", must=0.01),
        Figure("Kubernetes: 50 changes a second, one core", found["share"], "%"),
        *_beside_msgspec(2 if quick else 5),
    ]


def _watched(span_s: float) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.kube_cluster", str(NODES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            url = server.stdout.readline().strip()
            client = [sys.executable, "-m", "bench.kube_client", url, str(NODES), str(span_s)]
            done = subprocess.run(client, check=True, capture_output=True, text=True, timeout=300)
            found: dict[str, float] = json.loads(done.stdout)
            return found
        finally:
            server.stdin.close()


def _beside_msgspec(runs: int) -> list[Figure]:
    import msgspec

    from bench.kube_cluster import nodes_body, pods_body
    from console.sources.kubernetes.nodes import node_row
    from console.sources.kubernetes.pods import pod_row
    from console.sources.kubernetes.quantities import Resource
    from console.sources.kubernetes.wire import ListMeta, WireNode, WirePod

    resource = Resource()
    nodes, pods = nodes_body(NODES), pods_body(NODES)
    node_list = msgspec.defstruct("NodeList", [("metadata", ListMeta), ("items", list[WireNode])])
    pod_list = msgspec.defstruct("PodList", [("metadata", ListMeta), ("items", list[WirePod])])
    decoders = msgspec.json.Decoder(node_list), msgspec.json.Decoder(pod_list)

    def ours() -> object:
        return _read(nodes, WireNode, lambda each: node_row(each, resource)), _read(
            pods, WirePod, lambda each: pod_row(each, resource)
        )

    mine, reference = in_turns(ours, lambda: (decoders[0].decode(nodes), decoders[1].decode(pods)), runs)
    size = f"{(len(nodes) + len(pods)) / 1e6:.0f} MB of JSON, in pieces of 64 KiB, into rows"
    name = "Kubernetes: the lists read and kept"
    return [Figure(name, mine, "s", reference, "msgspec into the same structs, whole", note=size)]


def _read(content: bytes, wire: type[Any], keep: Callable[[Any], Any]) -> int:
    from console.sources.kubernetes.pieces import ListParts
    from console.sources.kubernetes.wire import Who

    parts: ListParts[Any, Any] = ListParts(wire, keep, Who("muc1", "k8s"), 1 << 30)
    for start in range(0, len(content), CHUNK_BYTES):
        parts.feed(content[start : start + CHUNK_BYTES])
    parts.end()
    assert len(parts.rows) == NODES
    return len(parts.rows)
