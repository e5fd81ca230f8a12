from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from console.config.values import Auth, Secret, SourceConfig, Timeouts
from console.model.errors import BadPayload, RateLimited, TimedOut, Unauthorized, Unreachable
from console.model.jobs import JobState
from console.model.ports import Diagnosable, LogKeeper, Subject, Witness
from console.model.reading import EventsPart, FactsPart, JobsPart, NodeReportsPart
from console.sources.kubernetes.source import KubernetesSource
from tests.servers.kube import Kube, condition, kube_server, node, pod
from tests.support.bad_http import answer, bad_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from console.model.reading import Part, Reading
    from tests.support.bad_http import Request, Writer

LIMITS = Timeouts(connect_s=2.0, read_s=5.0, total_s=10.0)
WAIT_S = 10.0


def list_of(things: list[Any]) -> str:
    return json.dumps({"kind": "NodeList", "metadata": {"resourceVersion": "5"}, "items": things})


@pytest.fixture
def kube() -> Iterator[Kube]:
    cluster = Kube(bookmark_s=0.05)
    for number in range(4):
        cluster.put("nodes", node(f"n{number}"))
    for number in range(2):
        cluster.put("pods", pod(f"w{number}", on=f"n{number}", owner=("PyTorchJob", "llama")))
    cluster.put("pods", pod("web", on="n3", gpus=0))
    with kube_server(cluster):
        yield cluster


class Seen:
    """A source, and what it said last."""

    def __init__(self, url: str, **options: Any) -> None:
        more = {key: options.pop(key) for key in ("auth", "timeouts") if key in options}
        config = SourceConfig("kubernetes", "k8s", url, options=options, cadence_s=0.5, **{"timeouts": LIMITS, **more})
        self.source = KubernetesSource("muc1", config, jitter_s=0.0)
        self.parts: list[Part] = []
        self.reading: Reading | None = None

    async def read(self) -> Reading:
        self.reading = await self.source.read()
        self.parts += [part for part in self.reading.decode() if not isinstance(part, EventsPart)]
        return self.reading

    async def until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while True:
                await self.read()
                if wanted():
                    return

    def last(self, kind: type[Any]) -> Any:
        return [part for part in self.parts if isinstance(part, kind)][-1]

    @property
    def nodes(self) -> dict[str, str]:
        report = self.last(NodeReportsPart)
        return {name: report.states[report.codes[i]].text for i, name in enumerate(report.keys.names)}

    @property
    def jobs(self) -> dict[str, Any]:
        return {job.id: job for job in self.last(JobsPart).jobs}


@pytest.fixture
async def seen(kube: Kube) -> AsyncIterator[Seen]:
    watcher = Seen(kube.url)
    yield watcher
    await watcher.source.aclose()


async def test_the_first_read_has_nodes_facts_and_jobs(kube: Kube, seen: Seen) -> None:
    reading = await seen.read()
    assert seen.nodes == dict.fromkeys(("n0", "n1", "n2", "n3"), "Ready")
    report = seen.last(NodeReportsPart)
    assert report.gpus.tolist() == [8, 8, 8, 8]
    assert report.gpus_allocated.tolist() == [8, 8, 0, 0]
    assert {part.fact for part in seen.parts if isinstance(part, FactsPart)} >= {"driver", "os", "kernel"}
    assert list(seen.jobs) == ["research.pytorchjob.llama"]
    assert not reading.warnings
    assert reading.stale_after_s >= 3 * reading.cadence_s
    assert reading.requests >= 4


async def test_lists_come_from_the_watch_cache_once_and_changes_by_watch(kube: Kube, seen: Seen) -> None:
    await seen.read()
    kube.put("nodes", node("n2", unschedulable=True))
    kube.remove("nodes", "n3")
    kube.put("pods", pod("w2", on="n2", owner=("Job", "eval")))
    await seen.until(lambda: len(seen.nodes) == 3 and len(seen.jobs) == 2)
    assert seen.nodes["n2"] == "Ready+SchedulingDisabled"
    assert seen.jobs["research.job.eval"].state is JobState.RUNNING
    lists = [each for each in kube.asked("/api/v1/nodes") + kube.asked("/api/v1/pods") if "watch=" not in each]
    assert len(lists) == 2
    assert all("resourceVersion=0" in each for each in lists)
    assert all("allowWatchBookmarks=true" in each for each in kube.asked("/api/v1/nodes") if "watch=" in each)


async def test_pages_are_followed_where_a_server_has_no_cache(kube: Kube) -> None:
    kube.cache = False
    for number in range(1200):
        kube.put("nodes", node(f"m{number}"))
    seen = Seen(kube.url)
    await seen.read()
    assert len(seen.nodes) == 1204
    assert len([each for each in kube.asked("/api/v1/nodes") if "continue=" in each]) == 2
    await seen.source.aclose()


async def test_a_quiet_cluster_still_answers_and_is_not_listed_again(kube: Kube, seen: Seen) -> None:
    await seen.read()
    before = len(seen.parts)
    for _ in range(3):
        reading = await seen.read()
        assert list(reading.decode()) == []
    assert len(seen.parts) == before
    assert len([each for each in kube.asked("/api/v1/nodes") if "watch=" not in each]) == 1


async def test_410_lists_anew_and_misses_nothing(kube: Kube, seen: Seen) -> None:
    await seen.read()
    with kube.lock:  # what happens in between is never told by a watch
        kube.drop_watches()
        kube.remove("nodes", "n3")
        kube.put("nodes", node("n2", unschedulable=True))
        kube.compact()
    await seen.until(lambda: len(seen.nodes) == 3)
    assert seen.nodes["n2"] == "Ready+SchedulingDisabled"
    lists = [each for each in kube.asked("/api/v1/nodes") if "watch=" not in each]
    assert len(lists) == 2
    assert "resourceVersionMatch=NotOlderThan" in lists[1]


async def test_a_cluster_that_was_restored_from_an_older_copy_is_listed_as_it_is(kube: Kube, seen: Seen) -> None:
    await seen.read()
    with kube.lock:
        kube.drop_watches()
        kube.remove("nodes", "n3")
        kube.compact()
        kube.version = 500
    kube.oldest = 10**9
    await seen.until(lambda: len(kube.asked("/api/v1/nodes")) > 3)
    kube.oldest = 0
    await seen.until(lambda: len(seen.nodes) == 3)


async def test_a_watch_that_breaks_goes_on_where_it_was(kube: Kube, seen: Seen) -> None:
    await seen.read()
    kube.drop_watches()
    kube.put("nodes", node("n1", unschedulable=True))
    await seen.until(lambda: seen.nodes["n1"] == "Ready+SchedulingDisabled")
    assert len([each for each in kube.asked("/api/v1/nodes") if "watch=" not in each]) == 1


async def test_a_server_that_went_away_is_an_error_and_is_found_again(kube: Kube) -> None:
    async def behave(request: Request, writer: Writer) -> None:
        if gone:
            writer.close()
            return
        if "watch=" in request.target:
            await answer(b"")(request, writer)
            return
        body = {
            "kind": "L",
            "metadata": {"resourceVersion": "5"},
            "items": things if request.path.endswith("nodes") else [],
        }
        await answer(json.dumps(body))(request, writer)

    gone, things = False, [node("n0")]
    async with bad_server(behave) as server:
        seen = Seen(server.url, kueue="off")
        await seen.read()
        gone = True
        with pytest.raises(Unreachable):
            await seen.until(lambda: False)
        gone = False
        await seen.read()
        await seen.source.aclose()


async def test_rights_that_are_missing_are_named_and_the_rest_is_read(kube: Kube) -> None:
    kube.tokens, kube.rights = {"t0ken": "ada"}, {"ada": {"list pods", "watch pods"}}
    seen = Seen(kube.url, auth=Auth(bearer=Secret(value="t0ken")))
    reading = await seen.read()
    assert list(seen.jobs) == ["research.pytorchjob.llama"]
    assert any('"ada" cannot list resource "nodes"' in text for text in reading.warnings)
    assert any("ClusterRole" in text for text in reading.warnings)
    told = await seen.source.diagnose()
    assert told["list pods"] == "granted"
    assert told["list nodes"].startswith("refused")
    assert "no right to list nodes, watch nodes, list events" in told["advice"]
    asked = len(kube.asked("/api/v1/nodes"))
    await seen.read()
    assert len(kube.asked("/api/v1/nodes")) == asked  # what was refused is not asked again at every turn
    await seen.source.aclose()


async def test_no_right_at_all_is_an_error(kube: Kube) -> None:
    kube.tokens = {"t0ken": "ada"}
    seen = Seen(kube.url, auth=Auth(bearer=Secret(value="wrong")))
    with pytest.raises(Unauthorized, match="401") as caught:
        await seen.read()
    assert "wrong" not in str(caught.value)
    kube.tokens["wrong"] = "ada"
    await seen.read()
    await seen.source.aclose()


async def test_without_the_right_to_watch_lists_are_all_there_is(kube: Kube) -> None:
    kube.tokens, kube.rights = {"t0ken": "ada"}, {"ada": {"list pods", "list nodes"}}
    seen = Seen(kube.url, kueue="off", auth=Auth(bearer=Secret(value="t0ken")))
    await seen.until(lambda: bool(seen.reading and len(seen.reading.warnings) == 2))
    assert seen.reading is not None
    assert seen.reading.warnings[0].startswith("nodes are not watched but listed every 60 s")
    assert len(seen.nodes) == 4
    await seen.source.aclose()


async def test_lists_alone_where_the_fleet_file_says_so(kube: Kube) -> None:
    seen = Seen(kube.url, watch="off", kueue="off")
    await seen.read()
    kube.put("nodes", node("n9"))
    await seen.read()
    assert "n9" in seen.nodes
    assert not any("watch=" in target for _, target in kube.requests)
    await seen.source.aclose()


async def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(kube: Kube) -> None:
    kube.busy = "17"
    seen = Seen(kube.url)
    with pytest.raises(RateLimited) as caught:
        await seen.read()
    assert caught.value.retry_after_s == 17
    kube.busy = ""
    await seen.read()
    await seen.source.aclose()


async def test_namespaces_are_asked_one_by_one(kube: Kube) -> None:
    kube.put("pods", pod("other", on="n2", namespace="secret"))
    seen = Seen(kube.url, namespaces=("research", "team-b"))
    await seen.read()
    assert list(seen.jobs) == ["research.pytorchjob.llama"]
    assert not kube.asked("/api/v1/pods")
    kube.put("pods", pod("b0", on="n3", namespace="team-b"))
    await seen.until(lambda: "team-b.pod.b0" in seen.jobs)
    await seen.source.aclose()


async def test_kueue_may_be_missing_and_tells_why_a_job_waits(kube: Kube) -> None:
    kube.kueue = False
    seen = Seen(kube.url)
    reading = await seen.read()
    assert (reading.notes["kueue"], reading.warnings) == ("not installed", ())
    await seen.source.aclose()
    kube.kueue = True
    owner = {"kind": "JobSet", "name": "big", "uid": "u", "controller": True}
    asked = {"containers": [{"name": "c", "resources": {"requests": {"nvidia.com/gpu": "8"}}}]}
    sets = [{"name": "w", "count": 2, "template": {"spec": asked}}]
    status = {"conditions": [condition("QuotaReserved", "False", "Pending", "insufficient quota")]}
    meta = {"name": "jobset-big", "namespace": "research", "ownerReferences": [owner]}
    kube.put("workloads", {"metadata": meta, "spec": {"queueName": "team-a", "podSets": sets}, "status": status})
    seen = Seen(kube.url)
    await seen.read()
    job = seen.jobs["research.jobset.big"]
    assert (job.state, job.gpus, job.partition, job.reason) == (
        JobState.PENDING, 16, "team-a", "Pending: insufficient quota",
    )  # fmt: skip
    kube.remove("workloads", "jobset-big", "research")
    await seen.until(lambda: "research.jobset.big" not in seen.jobs)
    await seen.source.aclose()


async def test_a_change_that_makes_no_sense_has_its_kind_listed_anew(kube: Kube) -> None:
    lines = [b'{"type":"ADDED","object":{"metadata":{"name":5}}}\n']

    async def behave(request: Request, writer: Writer) -> None:
        if "watch=" in request.target:
            await answer(lines.pop() if lines and request.path.endswith("nodes") else b"")(request, writer)
            return
        body = {
            "kind": "L",
            "metadata": {"resourceVersion": "5"},
            "items": things if request.path.endswith("nodes") else [],
        }
        await answer(json.dumps(body))(request, writer)

    things = [node("n0")]
    async with bad_server(behave) as server:
        seen = Seen(server.url, kueue="off")
        with pytest.raises(BadPayload, match="a change of nodes cannot be read"):
            await seen.until(lambda: False)
        things.append(node("n1"))
        await seen.until(lambda: len(seen.nodes) == 2)
        await seen.source.aclose()


async def test_the_records_of_a_node_and_a_job_are_the_servers_own(kube: Kube, seen: Seen) -> None:
    assert isinstance(seen.source, Witness)
    assert isinstance(seen.source, Diagnosable)
    about = {"kind": "Node", "name": "n0"}
    kube.put(
        "events", {"metadata": {"name": "e1", "namespace": "default"}, "involvedObject": about, "reason": "Rebooted"}
    )
    await seen.read()
    told = await seen.source.record(Subject("muc1", "muc1/n0", node="gpu-000", aliases=("n0",)))
    assert told.startswith("apiVersion: v1\n")
    assert "\n---\n" in told
    assert "reason: Rebooted" in told
    job = await seen.source.record(Subject("muc1", "", job="research.pytorchjob.llama"))
    assert job.count("kind: Pod\n") == 2
    assert await seen.source.record(Subject("muc1", "", node="nobody")) == ""
    assert await seen.source.record(Subject("muc1", "", job="nothing")) == ""


async def test_the_logs_of_all_pods_of_a_job_are_followed(kube: Kube, seen: Seen) -> None:
    assert isinstance(seen.source, LogKeeper)
    kube.log("research", "w0", "step 1")
    await seen.read()
    subject = Subject("muc1", "", job="research.pytorchjob.llama")
    async with asyncio.timeout(WAIT_S), aclosing(seen.source.follow(subject, 0.0)) as lines:  # type: ignore[type-var]  # a generator
        assert await anext(lines) == "w0: step 1"
        kube.log("research", "w1", "step 2")
        assert await anext(lines) == "w1: step 2"
    assert [each async for each in seen.source.follow(Subject("muc1", "", job="none"), 0.0)] == []


async def test_a_reading_that_is_never_decoded_loses_nothing(kube: Kube, seen: Seen) -> None:
    await seen.read()
    kube.put("nodes", node("n0", unschedulable=True))
    while "changes 1" not in (await seen.source.read()).notes["nodes"]:
        pass
    await seen.until(lambda: seen.nodes["n0"] == "Ready+SchedulingDisabled")


async def test_nothing_is_left_after_the_end(kube: Kube) -> None:
    before = len(asyncio.all_tasks())
    seen = Seen(kube.url)
    await seen.read()
    await seen.source.aclose()
    assert len(asyncio.all_tasks()) == before


async def test_a_watch_that_cannot_be_opened_in_time_is_an_error() -> None:
    stuck = asyncio.Event()

    async def behave(request: Request, writer: Writer) -> None:
        if "watch=" in request.target:
            await stuck.wait()
            return
        await answer(list_of([node("n0")] if request.path.endswith("nodes") else []))(request, writer)

    async with bad_server(behave) as server:
        seen = Seen(server.url, kueue="off", timeouts=Timeouts(connect_s=1, read_s=1, total_s=1.2))
        with pytest.raises(TimedOut):
            await seen.until(lambda: False)
        stuck.set()
        await seen.source.aclose()
