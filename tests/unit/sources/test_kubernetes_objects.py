from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from console.model.jobs import JobState
from console.sources.kubernetes.jobs import told
from console.sources.kubernetes.kueue import work_row
from console.sources.kubernetes.pods import Group
from console.sources.kubernetes.quantities import Resource, amount
from console.sources.kubernetes.wire import WireWorkload, when
from tests.servers.kube import condition, node, pod
from tests.support.kube_objects import RESOURCE, read_node, read_pod

PAYLOADS = Path(__file__).resolve().parents[4] / "shared" / "payloads" / "kubernetes"
needs_payloads = pytest.mark.skipif(not PAYLOADS.is_dir(), reason="no folder of payloads beside the checkout")


def job_of(*things: dict[str, Any], gpus: int = 8) -> Any:
    rows = [row for row in map(read_pod, things) if row is not None]
    found = told(rows[0].group, rows, (), lambda _: gpus, "muc")
    assert found is not None
    return found


def waiting(reason: str, message: str = "") -> list[dict[str, Any]]:
    return [{"name": "main", "restartCount": 3, "state": {"waiting": {"reason": reason, "message": message}}}]


def ended(code: int, reason: str) -> list[dict[str, Any]]:
    over = {"exitCode": code, "reason": reason, "finishedAt": "2026-11-01T10:00:00Z"}
    return [{"name": "main", "restartCount": 0, "state": {"terminated": over}}]


@pytest.mark.parametrize(
    ("ready", "state"),
    [([condition("Ready", "True")], "Ready"), ([condition("Ready", "False")], "NotReady"),
     ([condition("Ready", "Unknown")], "Unknown"), ([], "Unknown")],
)  # fmt: skip
def test_a_nodes_state_is_its_ready_condition(ready: list[dict[str, Any]], state: str) -> None:
    assert read_node(node("n1", conditions=ready)).state.state == state


@pytest.mark.parametrize(
    ("kind", "status", "bad"),
    [("GpuMemWatch", "True", True), ("GpuMemWatch", "False", False), ("GpuMemWatch", "Unknown", False),
     ("GPUHealthy", "False", True), ("GPUHealthy", "True", False), ("KernelDeadlock", "True", True),
     ("ReadonlyFilesystem", "False", False), ("NetworkUnavailable", "True", True), ("EtcdIsVoter", "True", False),
     ("SomethingNobodyKnows", "True", True)],
)  # fmt: skip
def test_which_way_round_a_condition_is_bad(kind: str, status: str, bad: bool) -> None:
    row = read_node(
        node("n1", conditions=[condition("Ready", "True"), condition(kind, status, "Why", "what happened")])
    )
    assert row.state.has(kind) is bad
    assert (row.reason is not None and row.reason.text == f"{kind}: Why: what happened") is bad


def test_cordon_taints_and_reasons_with_their_time() -> None:
    taints = [
        {"key": "nvidia.com/gpu", "effect": "NoSchedule", "value": "present"},
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": "2026-11-02T10:00:00Z"},
        {"key": "never/seen", "effect": "WhatEver"},
        {"key": "dedicated", "value": "train", "effect": "NoExecute"},
        {},
    ]
    row = read_node(node("n1", unschedulable=True, taints=taints))
    assert row.state.text == "Ready+SchedulingDisabled+never/seen:WhatEver+dedicated=train:NoExecute+:"
    assert row.reason is not None
    assert (row.reason.text, row.reason.at) == ("cordoned", when("2026-11-02T10:00:00Z"))


def test_a_node_that_lost_a_gpu_says_so_and_keeps_its_count() -> None:
    row = read_node(node("n1", gpus=8, allocatable=7))
    assert row.gpus == 8
    assert row.state.flags == ("GPUsUnhealthy",)
    assert row.reason is not None
    assert row.reason.text == "7 of 8 nvidia.com/gpu allocatable"


def test_gpus_that_are_shared_or_sliced_are_counted_as_the_node_labels_them() -> None:
    shared = node("n1", gpus=32, labels={"nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.count": "8"})
    assert read_node(shared).gpus == 8
    sliced = node("n2", gpus=0, labels={"nvidia.com/gpu.count": "8"})
    sliced["status"]["capacity"]["nvidia.com/mig-1g.10gb"] = "56"
    assert read_node(sliced).gpus == 8
    assert read_node(node("n3", gpus=None)).gpus == -1


def test_facts_of_labels_old_and_new() -> None:
    assert read_node(node("n1")).facts[:4] == (
        "570.86.15", "Ubuntu 24.04.2 LTS", "6.8.0-60-generic", "NVIDIA-H100-80GB-HBM3",
    )  # fmt: skip
    old = node("n2")
    old["metadata"]["labels"] = {"nvidia.com/cuda.driver.major": "535", "nvidia.com/cuda.driver.minor": "104"}
    assert read_node(old).facts[0] == "535.104"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("8", 8),
        (8, 8),
        ("8000m", 8),
        ("1k", 1000),
        ("1e1", 10),
        ("", 0),
        ("-3", 0),
        ("eight", 0),
        ("9" * 400, 1_000_000),
    ],
)
def test_quantities(text: str | int, count: int) -> None:
    assert amount(text) == count


def test_another_resource_may_stand_for_gpus() -> None:
    thing = node("n1", gpus=None)
    thing["status"]["capacity"]["amd.com/gpu"] = "8"
    assert read_node(thing, Resource("amd.com/gpu")).gpus == 8


@pytest.mark.parametrize(
    ("labels", "owner", "group"),
    [
        ({}, None, "research.pod.w0"),
        ({}, ("Job", "llama"), "research.job.llama"),
        ({}, ("PyTorchJob", "llama"), "research.pytorchjob.llama"),
        ({}, ("StatefulSet", "db"), "research.statefulset.db"),
        ({"jobset.sigs.k8s.io/jobset-name": "js"}, ("Job", "js-worker-0"), "research.jobset.js"),
        ({"leaderworkerset.sigs.k8s.io/name": "lws"}, ("StatefulSet", "lws-0"), "research.leaderworkerset.lws"),
        ({"pod-template-hash": "abc12"}, ("ReplicaSet", "serve-abc12"), "research.deployment.serve"),
        ({"kueue.x-k8s.io/pod-group-name": "g"}, None, "research.podgroup.g"),
    ],
)
def test_whose_a_pod_is(labels: dict[str, str], owner: tuple[str, str] | None, group: str) -> None:
    row = read_pod(pod("w0", owner=owner, labels=labels))
    assert row is not None
    assert row.group.id == group


def test_pods_without_gpus_or_limits_are_nothing_to_us() -> None:
    bare = pod("w0", gpus=0)
    bare["spec"]["containers"] = [{"name": "a"}, {"name": "b", "resources": {}}, {"name": "c", "resources": None}]
    assert read_pod(bare) is None
    assert read_pod({"metadata": {"name": "w0"}}) is None
    asking = pod("w1", gpus=0)
    asking["spec"]["containers"][0]["resources"] = {"requests": {"nvidia.com/gpu": 2}}
    row = read_pod(asking)
    assert row is not None
    assert row.gpus == 2


def test_a_pod_has_the_larger_of_its_start_and_its_run() -> None:
    thing = pod("w0", gpus=4)
    thing["spec"]["initContainers"] = [{"name": "warm", "resources": {"limits": {"nvidia.com/gpu": "8"}}}]
    row = read_pod(thing)
    assert row is not None
    assert row.gpus == 8


def test_slices_of_gpus_make_a_job_that_holds_no_whole_one() -> None:
    thing = pod("w0", on="n1", gpus=0)
    thing["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/mig-1g.10gb": "2"}}
    found = job_of(thing)
    assert (found.job.gpus, found.job.features, found.masks) == (0, "nvidia.com/mig-1g.10gb x 2", (0,))


def test_all_pods_of_an_owner_are_one_job() -> None:
    things = [pod(f"w{i}", on=f"n{i}", owner=("PyTorchJob", "llama")) for i in range(3)]
    things.append(pod("w3", owner=("PyTorchJob", "llama"), metadata={"creationTimestamp": "2026-10-31T09:00:00Z"}))
    found = job_of(*things)
    job = found.job
    assert (job.id, job.name, job.account, job.purpose) == (
        "research.pytorchjob.llama",
        "llama",
        "research",
        "PyTorchJob",
    )
    assert (job.state, job.words, job.gpus, job.nodes) == (JobState.RUNNING, "Running 3, Pending 1", 32, 3)
    assert job.submit_at == when("2026-10-31T09:00:00Z")
    assert job.start_at == when("2026-11-01T09:05:00Z")
    assert (found.nodes, found.masks) == (("n0", "n1", "n2"), (-1, -1, -1))


def test_which_gpus_a_pod_holds_is_told_only_where_it_holds_all() -> None:
    two = [pod("a", on="n1", gpus=4, owner=("Job", "j")), pod("b", on="n1", gpus=4, owner=("Job", "j"))]
    assert job_of(*two).masks == (-1,)
    assert job_of(two[0]).masks == (0,)
    assert job_of(*two, gpus=0).masks == (0,)


@pytest.mark.parametrize(
    ("more", "state", "words", "reason"),
    [
        ({}, JobState.PENDING, "Pending", ""),
        ({"conditions": [condition("PodScheduled", "False", "Unschedulable", "0/4 nodes are\n available")]},
         JobState.PENDING, "Pending", "Unschedulable: 0/4 nodes are available"),
        ({"on": "n1", "phase": "Pending", "containerStatuses": waiting("ContainerCreating")},
         JobState.CONFIGURING, "Starting", ""),
        ({"on": "n1", "phase": "Pending", "containerStatuses": waiting("ImagePullBackOff", "no such image")},
         JobState.CONFIGURING, "Starting", "ImagePullBackOff: no such image"),
        ({"on": "n1", "containerStatuses": waiting("CrashLoopBackOff")},
         JobState.RUNNING, "Running", "CrashLoopBackOff"),
        ({"on": "n1", "phase": "Succeeded", "containerStatuses": ended(0, "Completed")},
         JobState.COMPLETED, "Succeeded", ""),
        ({"on": "n1", "phase": "Failed", "containerStatuses": ended(1, "Error")}, JobState.FAILED, "Failed", "Error"),
        ({"on": "n1", "phase": "Failed", "containerStatuses": ended(137, "OOMKilled")},
         JobState.OUT_OF_MEMORY, "Failed", "OOMKilled"),
        ({"on": "n1", "phase": "Failed", "reason": "Evicted", "message": "low on memory"},
         JobState.PREEMPTED, "Failed", "Evicted: low on memory"),
        ({"on": "n1", "phase": "Failed", "reason": "DeadlineExceeded"},
         JobState.DEADLINE, "Failed", "DeadlineExceeded"),
        ({"on": "n1", "phase": "Unknown"}, JobState.RUNNING, "Unknown", ""),
        ({"on": "n1", "metadata": {"deletionTimestamp": "2026-11-01T10:00:00Z"}},
         JobState.COMPLETING, "Terminating", ""),
    ],
)  # fmt: skip
def test_states_and_reasons(more: dict[str, Any], state: JobState, words: str, reason: str) -> None:
    job = job_of(pod("w0", **more)).job
    assert (job.state, job.words, job.reason) == (state, words, reason)


def test_how_a_job_ended() -> None:
    job = job_of(pod("w0", on="n1", phase="Failed", containerStatuses=ended(137, "OOMKilled"))).job
    assert (job.exit_code, job.end_at) == (137, when("2026-11-01T10:00:00Z"))
    assert job_of(pod("w1", on="n1")).job.exit_code == -1


def test_the_user_is_a_label_where_one_is_named() -> None:
    row = read_pod(pod("w0", labels={"who": "ada"}), "who")
    assert row is not None
    assert row.user == "ada"


def workload(conditions: list[dict[str, Any]], **more: Any) -> Any:
    owners = [{"kind": "PyTorchJob", "name": "llama", "uid": "u", "controller": True}]
    sets = [{"name": "w", "count": 4, "template": {"spec": {"containers": [
        {"name": "c", "resources": {"requests": {"nvidia.com/gpu": "8"}}}]}}}]  # fmt: skip
    thing = {"metadata": {"name": "wl", "namespace": "research", "ownerReferences": owners}}
    thing |= {"spec": {"queueName": "team-a", "podSets": sets, **more}, "status": {"conditions": conditions}}
    return work_row(msgspec.json.decode(json.dumps(thing), type=WireWorkload), RESOURCE)


@pytest.mark.parametrize(
    ("conditions", "more", "words", "reason"),
    [
        ([condition("QuotaReserved", "False", "Pending", "insufficient quota")], {}, "Suspended",
         "Pending: insufficient quota"),
        ([condition("Evicted", "True", "Preempted", "for a higher priority")], {}, "Evicted",
         "Evicted: Preempted: for a higher priority"),
        ([condition("QuotaReserved", "True")], {}, "QuotaReserved",
         "QuotaReserved: waits for its admission checks"),
        ([], {}, "Suspended", ""),
        ([], {"active": False}, "Inactive", "Inactive: the workload is deactivated"),
    ],
)  # fmt: skip
def test_a_workload_that_waits_is_a_job_without_pods(
    conditions: list[dict[str, Any]], more: dict[str, Any], words: str, reason: str
) -> None:
    work = workload(conditions, **more)
    assert work.group == Group("research", "PyTorchJob", "llama")
    found = told(work.group, (), [work], lambda _: 8, "muc")
    assert found is not None
    job = found.job
    assert (job.state, job.gpus, job.nodes, job.partition) == (JobState.PENDING, 32, 4, "team-a")
    assert (job.words, job.reason) == (words, reason)


def test_a_workload_that_is_over_or_runs_says_nothing_of_its_own() -> None:
    assert told(Group("r", "Job", "j"), (), [workload([condition("Finished", "True")])], lambda _: 8, "") is None
    running = workload([condition("QuotaReserved", "True"), condition("Admitted", "True")])
    row = read_pod(pod("w0", on="n1", owner=("PyTorchJob", "llama")))
    assert row is not None
    found = told(row.group, [row], [running], lambda _: 8, "")
    assert found is not None
    assert (found.job.partition, found.job.reason, found.job.words) == ("team-a", "", "Running")


# The payloads, as their index says.


@needs_payloads
def test_payload_k9s_node_and_pod() -> None:
    row = read_node(json.loads((PAYLOADS / "k9s-no.json").read_text()))
    assert (row.state.state, row.gpus) == ("Ready", -1)
    assert row.facts[1]
    assert read_pod(json.loads((PAYLOADS / "k9s-po.json").read_text())) is None


@needs_payloads
def test_payload_kwok_template() -> None:
    row = read_node(yaml.safe_load((PAYLOADS / "nvsentinel-kwok-node-template.yaml").read_text()))
    assert (row.gpus, row.state.text) == (8, "Unknown")


def documents() -> list[dict[str, Any]]:
    """Return the objects in the texts that kubectl was given: what stands between heredoc marks, or the whole text."""
    found: list[dict[str, Any]] = []
    for path in sorted(PAYLOADS.glob("cncf-*.txt")) if PAYLOADS.is_dir() else ():
        text = path.read_text()
        pieces = [part.split("\nEOF")[0] for part in text.split("<<EOF\n")[1:]] or [text]
        for piece in pieces:
            try:
                found += [each for each in yaml.safe_load_all(piece) if isinstance(each, dict) and "kind" in each]
            except yaml.YAMLError:
                continue
    return found


@needs_payloads
def test_payload_pods_of_conformance_reports() -> None:
    pods = [each for each in documents() if each["kind"] == "Pod"]
    assert len(pods) >= 10
    for each in pods:
        row = read_pod(each)
        asks = any((one.get("resources") or {}).get("limits") for one in each["spec"]["containers"])
        assert (row is not None and row.gpus == 1) if asks else row is None, each["metadata"]["name"]


@needs_payloads
@pytest.mark.parametrize(
    "name", ["kueue-83-workload-preemption-2.yaml", "kueue-3258-delayed-admission-check-retries-3.yaml"]
)
def test_payload_workloads(name: str) -> None:
    text = (PAYLOADS / name).read_text().replace(" // in 14h, which is approx midnight", "")
    row = work_row(
        msgspec.convert(yaml.safe_load(text.partition("# In this")[0].partition("\n...")[0]), WireWorkload), RESOURCE
    )
    assert (row.gpus, row.over, row.words) == (0, False, "Suspended")


@needs_payloads
def test_payload_pending_reason() -> None:
    text = (PAYLOADS / "kueue-troubleshooting_jobs-12.yaml").read_text()
    status = yaml.safe_load(text.partition("status:\n")[2].partition("  resourceRequests")[0])
    work = workload(status["conditions"])
    assert work.reason.startswith("Pending: couldn't assign flavors to pod set main: insufficient quota for cpu")


@needs_payloads
def test_payload_conditions_of_nvsentinel() -> None:
    text = (PAYLOADS / "nvsentinel-INTEGRATIONS.md").read_text()
    for kind in ("GpuMemWatch", "GpuThermalWatch", "SysLogsXIDError", "CSPMaintenance"):
        assert kind in text
        row = read_node(node("n1", conditions=[condition("Ready", "True"), condition(kind, "True")]))
        assert row.state.has(kind)
