"""A cluster as an API server lists it: nodes of 12 kB and pods of 5 kB, most of it what nobody here reads.

`python -m bench.kube_cluster NODES` serves one until its standard input ends, with 50 changes a second.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from tests.servers.kube import Kube, kube_server, node, pod

IMAGES, LABELS, FIELDS = 40, 45, 12
CHANGES_A_S = 50
PODS_A_JOB = 8


def nodes_body(nodes: int) -> bytes:
    """Return a list of nodes."""
    return _body("NodeList", [_like_node("NODE-NAME").replace("NODE-NAME", f"n{i:05d}") for i in range(nodes)])


def pods_body(pods: int) -> bytes:
    """Return a list of pods: each has a node, eight of them are a job."""
    text = json.dumps(_pod("POD-NAME", "NODE-NAME", "OWNER-NAME"), separators=(",", ":"))
    rows = [
        text.replace("POD-NAME", f"job{i // PODS_A_JOB}-{i % PODS_A_JOB}")
        .replace("NODE-NAME", f"n{i:05d}")
        .replace("OWNER-NAME", f"job{i // PODS_A_JOB}")
        for i in range(pods)
    ]
    return _body("PodList", rows)


def _body(kind: str, rows: list[str]) -> bytes:
    head = f'{{"kind":"{kind}","apiVersion":"v1","metadata":{{"resourceVersion":"1000"}},"items":['
    return (head + ",".join(rows) + "]}").encode()


def _like_node(name: str) -> str:
    return json.dumps(_node(name), separators=(",", ":"))


def _node(name: str, **more: Any) -> dict[str, Any]:
    thing = node(name, **more)
    meta = thing["metadata"]
    meta |= {"uid": "5d2f", "resourceVersion": "900", "creationTimestamp": "2026-01-01T00:00:00Z"}
    meta["labels"] |= {f"feature.node.kubernetes.io/cpu-cpuid.X{i}": "true" for i in range(LABELS)}
    owned: dict[str, Any] = {
        f"f:field{i}": {".": {}, "f:lastTransitionTime": {}, "f:status": {}} for i in range(FIELDS)
    }
    meta["managedFields"] = [{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": owned}}]
    digest = "sha256:" + "0123456789abcdef" * 4
    thing["status"]["images"] = [
        {"names": [f"registry.example/team/image{i}@{digest}"], "sizeBytes": 10**9} for i in range(IMAGES)
    ]
    return thing


def _pod(name: str, on: str, owner: str) -> dict[str, Any]:
    thing = pod(name, on=on, owner=("PyTorchJob", owner))
    meta, spec = thing["metadata"], thing["spec"]
    meta |= {"uid": "6e3a", "resourceVersion": "901"}
    owned: dict[str, Any] = {f"f:env{i}": {".": {}, "f:name": {}, "f:value": {}} for i in range(FIELDS)}
    meta["managedFields"] = [{"manager": "kcm", "operation": "Update", "fieldsV1": {"f:spec": owned}}]
    spec["containers"][0]["env"] = [{"name": f"NCCL_OPTION_{i}", "value": "a value of some length"} for i in range(30)]
    spec["volumes"] = [{"name": f"volume-{i}", "hostPath": {"path": f"/data/{i}"}} for i in range(12)]
    return thing


def _change(kube: Kube, nodes: int) -> None:
    number = 0
    while not kube.stopping:
        number += 1
        thing = _node(f"n{number * 7 % nodes:05d}", unschedulable=bool(number % 2))
        thing["metadata"].pop("resourceVersion")
        kube.put("nodes", thing)
        if len(kube.changes) > 1000:
            with kube.lock:
                del kube.changes[:500]
        time.sleep(1 / CHANGES_A_S)


def main(nodes: int) -> None:
    """Serve until nobody listens any more."""
    kube = Kube(kueue=False, bookmark_s=5.0)
    kube.canned = {"nodes": nodes_body(nodes), "pods": pods_body(nodes)}
    with kube_server(kube):
        threading.Thread(target=_change, args=(kube, nodes), daemon=True).start()
        sys.stdout.write(f"{kube.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
