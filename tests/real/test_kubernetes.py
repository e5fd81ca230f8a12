from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from console.model.jobs import JobState
from console.model.snapshot import SourceState
from console.wiring import open_fleet
from tests.servers.kube import Certificates, Kube, condition, kube_server, node, pod
from tests.support.servers import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.model.snapshot import SiteFrame, Snapshot
    from console.wiring import Fleet

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]
WAIT_S = 40.0
KUBECTL_S = 30.0
READER = {f"{verb} {what}" for verb in ("get", "list", "watch") for what in ("nodes", "pods", "events", "workloads")}


@dataclass(frozen=True)
class Cluster:
    """A cluster over TLS, and the kubeconfigs of its reader and its administrator."""

    kube: Kube
    folder: Path

    def kubectl(self, *arguments: str, user: str = "admin", fails: bool = False) -> str:
        """Run the real kubectl, an independent client that must find the stand-in to be an API server."""
        binary = require("kubectl", "kubernetes-client")
        environment = {**os.environ, "KUBECONFIG": str(self.folder / user), "HOME": str(self.folder)}
        done = subprocess.run(
            [binary, "--cache-dir", str(self.folder / "cache"), *arguments],
            capture_output=True,
            text=True,
            timeout=KUBECTL_S,
            env=environment,
        )
        assert (done.returncode != 0) is fails, done.stderr
        return done.stderr if fails else done.stdout


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    certificates = Certificates.made(tmp_path)
    kube = Kube(rights={"reader": READER, "admin": {"* *"}}, tokens={"unused": "nobody"})
    for number in range(8):
        kube.put("nodes", node(f"n{number}"))
    for number in range(4):
        kube.put("pods", pod(f"llama-{number}", on=f"n{number}", owner=("PyTorchJob", "llama")))
    with kube_server(kube, certificates):
        for user in ("reader", "admin"):
            _kubeconfig(tmp_path / user, kube, *certificates.client(user))
        yield Cluster(kube, tmp_path)


def _kubeconfig(path: Path, kube: Kube, cert: str, key: str) -> None:
    def b64(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "muc",
        "clusters": [{"name": "c", "cluster": {"server": kube.url, "certificate-authority-data": b64(kube.ca_pem)}}],
        "users": [{"name": "u", "user": {"client-certificate-data": b64(cert), "client-key-data": b64(key)}}],
        "contexts": [{"name": "muc", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(told))


@pytest.fixture
def fleet(cluster: Cluster) -> Iterator[Fleet]:
    listed = "node,rack,gpus\n" + "".join(f"n{number},r{number // 4},8\n" for number in range(8))
    (cluster.folder / "nodes.csv").write_text(listed)
    told = {"kind": "kubernetes", "kubeconfig": "reader", "cluster": "muc-k8s", "cadence": "300ms"}
    site = {"name": "muc1", "inventory": {"file": "nodes.csv"}, "sources": [told]}
    (cluster.folder / "fleet.yaml").write_text(yaml.safe_dump({"fleet": "t", "sites": [site]}))
    opened = open_fleet(str(cluster.folder / "fleet.yaml"), with_plugins=False)
    opened.session.start()
    yield opened
    opened.session.close()


def until(fleet: Fleet, wanted: Callable[[SiteFrame], bool]) -> SiteFrame:
    def there(snapshot: Snapshot) -> bool:
        site = snapshot.frame.site("muc1")
        return site is not None and bool(site.reports) and wanted(site)

    return fleet.session.wait(there, WAIT_S).frame.sites[0]


def words(site: SiteFrame, name: str) -> str:
    report = site.reports["kubernetes"].report(site.topology.nodes.index(name))
    return report.state.text if report else ""


def test_nodes_and_jobs_are_shown_on_the_inventory(cluster: Cluster, fleet: Fleet) -> None:
    site = until(fleet, lambda site: len(site.jobs.rows) == 1)
    job = site.jobs.rows[0]
    assert (job.state, job.gpus, job.cluster) == (JobState.RUNNING, 32, "muc-k8s")
    assert int(np.count_nonzero(site.jobs.gpu_job == 0)) == 32
    assert [words(site, f"n{number}") for number in range(8)] == ["Ready"] * 8
    assert {fact for _, fact in site.facts} >= {"driver", "kernel", "os"}
    assert fleet.session.latest().sources[0].state is SourceState.OK  # type: ignore[union-attr]  # there is one


def test_what_kubectl_does_is_seen(cluster: Cluster, fleet: Fleet) -> None:
    until(fleet, lambda site: len(site.jobs.rows) == 1)
    cluster.kubectl("cordon", "n1")
    site = until(fleet, lambda site: words(site, "n1") == "Ready+SchedulingDisabled")
    assert site.reports["kubernetes"].reasons[site.topology.nodes.index("n1")].text == "cordoned"
    cluster.kubectl("uncordon", "n1")
    until(fleet, lambda site: words(site, "n1") == "Ready")
    cluster.kubectl("drain", "n1", "--force", "--ignore-daemonsets", "--timeout=20s")
    site = until(fleet, lambda site: site.jobs.rows[0].nodes == 3)
    assert words(site, "n1") == "Ready+SchedulingDisabled"


def test_a_restart_a_compaction_and_a_fault_are_lived_through(cluster: Cluster, fleet: Fleet) -> None:
    kube = cluster.kube
    until(fleet, lambda site: len(site.jobs.rows) == 1)
    with kube.lock:
        kube.drop_watches()
        bad = [condition("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")]
        kube.put("nodes", node("n5", conditions=bad))
        kube.compact()
    site = until(fleet, lambda site: words(site, "n5") == "Unknown")
    reason = site.reports["kubernetes"].reasons[site.topology.nodes.index("n5")]
    assert reason.text == "NodeStatusUnknown: Kubelet stopped posting node status."
    assert reason.at > 0
    for number in range(4):
        kube.remove("pods", f"llama-{number}", "research")
    until(fleet, lambda site: not site.jobs.rows)


# The stand-in before an independent witness.


def test_kubectl_takes_the_stand_in_for_an_api_server(cluster: Cluster) -> None:
    told = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))
    assert [each["metadata"]["name"] for each in told["items"]] == [f"n{number}" for number in range(8)]
    assert "n3" in cluster.kubectl("get", "node", "n3")
    assert json.loads(cluster.kubectl("get", "pods", "-A", "--chunk-size=2", "-o", "json"))["items"][3]["kind"] == "Pod"
    assert cluster.kubectl("get", "pods", "-n", "research", "-o", "name").split() == [
        f"pod/llama-{number}" for number in range(4)
    ]
    assert 'nodes "n9" not found' in cluster.kubectl("get", "node", "n9", fails=True)
    refused = cluster.kubectl("label", "node", "n1", "a=b", user="reader", fails=True)
    assert 'User "reader" cannot patch resource "nodes"' in refused
    cluster.kube.log("research", "llama-0", "step 1")
    assert cluster.kubectl("logs", "-n", "research", "llama-0") == "step 1\n"


def test_kubectl_waits_for_a_disruption_budget(cluster: Cluster) -> None:
    cluster.kube.budgets["train"] = 0
    told = cluster.kubectl("drain", "n0", "--force", "--ignore-daemonsets", "--timeout=2s", fails=True)
    assert "disruption budget" in told
    cluster.kube.budgets["train"] = 1
    assert "drained" in cluster.kubectl("drain", "n0", "--force", "--ignore-daemonsets", "--timeout=20s")
    assert ("research", "llama-0") not in cluster.kube.objects["pods"]


def test_kubectl_is_told_of_a_conflict(cluster: Cluster) -> None:
    told: dict[str, Any] = json.loads(cluster.kubectl("get", "node", "n2", "-o", "json"))
    cluster.kube.put("nodes", node("n2", unschedulable=True))
    (cluster.folder / "old.json").write_text(json.dumps(told))
    assert "the object has been modified" in cluster.kubectl(
        "replace", "--validate=false", "-f", str(cluster.folder / "old.json"), fails=True
    )


def test_kubectl_watches(cluster: Cluster) -> None:
    binary = require("kubectl", "kubernetes-client")
    environment = {**os.environ, "KUBECONFIG": str(cluster.folder / "admin"), "HOME": str(cluster.folder)}
    command = [binary, "--cache-dir", str(cluster.folder / "cache"), "get", "nodes", "-w", "-o", "name"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as watching:
        try:
            assert watching.stdout is not None
            assert [watching.stdout.readline() for _ in range(8)] == [f"node/n{number}\n" for number in range(8)]
            deadline = time.monotonic() + WAIT_S
            while not cluster.kube.watching and time.monotonic() < deadline:
                time.sleep(0.01)
            cluster.kube.put("nodes", node("n6", unschedulable=True))
            assert watching.stdout.readline() == "node/n6\n"
        finally:
            watching.terminate()
