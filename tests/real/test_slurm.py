from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from console.config.values import Auth, Secret, SiteConfig, SourceConfig
from console.core.capacity import capacity
from console.core.inventory import build_topology
from console.core.merge import SiteMerger
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.inventory import NodeSpec
from console.model.jobs import JobState
from console.model.levels import Level
from console.sources.registry import open_source
from tests.servers.slurm import Slurm, slurm
from tests.support.cli import gigadeck

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.jobs import Job
    from console.model.ports import Source
    from console.model.snapshot import SiteFrame

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]
SITE = "muc1"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Slurm]:
    # Not below pytest's own folder: its parents are closed to the users that Slurm's daemons become.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, slurm(Path(folder)) as running:
        yield running


@pytest.fixture(autouse=True)
def quiet(cluster: Slurm) -> Iterator[None]:
    """Leave no job and no drained node to the next test."""
    yield
    cluster.run("scancel", "--user=root")
    cluster.wait("an empty queue", lambda: not cluster.run("squeue", "-h", "-t", "R,CG,PD"))
    for node in cluster.nodes:
        if "drain" in cluster.run("sinfo", "-h", "-N", "-n", node, "-o", "%T"):
            cluster.run("scontrol", "update", f"NodeName={node}", "State=RESUME")


class Site:
    """One site that is read from a cluster alone, with its nodes declared."""

    def __init__(self, cluster: Slurm, token: Path | None, **options: str) -> None:
        url = "" if "socket" in options else cluster.url
        auth = Auth(jwt=Secret(file=str(token))) if token else Auth()
        config = SourceConfig("slurm", "slurm", url, auth=auth, cadence_s=1e-6, options=options)
        self.source: Source = open_source(SiteConfig(SITE), config, BUILTIN)
        nodes = [NodeSpec(name, gpus=cluster.gpus) for name in cluster.nodes]
        self.merger = SiteMerger(build_topology(SITE, nodes, declared=True), BUILTIN)
        self.notes: dict[str, str] = {}

    async def frame(self) -> SiteFrame:
        reading = await self.source.read()
        for part in reading.decode():
            self.merger.apply(part, source="slurm", stale_after_s=90.0, received_at=reading.received_at)
        self.notes = reading.notes
        assert reading.warnings == ()
        return self.merger.frame(reading.received_at)


@pytest.fixture
def token(cluster: Slurm, tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(cluster.token())
    return path


def replaced(token: Path, text: str) -> str:
    """Write another token and return the one that was there."""
    before = token.read_text()
    token.write_text(text)
    return before


def jobs_of(frame: SiteFrame) -> dict[str, Job]:
    return {job.id: job for job in frame.jobs.rows}


def holding(frame: SiteFrame, id: str) -> list[str]:
    index = list(jobs_of(frame)).index(id)
    return [frame.topology.path(Level.GPU, row) for row in np.flatnonzero(frame.jobs.gpu_job == index)]


async def test_jobs_nodes_and_reasons_are_seen_as_they_are(cluster: Slurm, token: Path) -> None:
    first, second, third = cluster.nodes
    shared = [cluster.submit("-J", "pair", "-w", first, "--gres=gpu:2", "-t", "10") for _ in range(2)]
    whole = cluster.submit("-J", "whole", "-w", second, "--gres=gpu:h100:4")
    cluster.run("scontrol", "update", f"NodeName={third}", "State=DRAIN", "Reason=XID 79 on gpu 3")
    waiting = cluster.submit("-J", "big", "-N3", "--gres=gpu:4")
    array = cluster.submit("-J", "sweep", "--array=1-5%1", "--gres=gpu:4", "-d", f"afterany:{whole}")
    cluster.wait("running jobs", lambda: all(cluster.state(job) == "RUNNING" for job in (*shared, whole)))
    cluster.wait("a reason", lambda: cluster.run("squeue", "-h", "-j", waiting, "-o", "%r") != "None")
    site = Site(cluster, token)
    frame = await site.frame()
    jobs = jobs_of(frame)
    assert {id: jobs[id].state for id in (*shared, whole, waiting)} == {
        **dict.fromkeys((*shared, whole), JobState.RUNNING),
        waiting: JobState.PENDING,
    }
    assert [jobs[id].gpus for id in (*shared, whole, waiting)] == [2, 2, 4, 12]
    assert jobs[shared[0]].time_limit_s == 600
    assert jobs[waiting].reason
    folded = jobs[f"{array}_[1-5%1]"]
    assert (folded.tasks, folded.gpus, folded.reason) == (5, 4, "Dependency")
    assert jobs[whole].user == "root"
    assert jobs[whole].cluster == "kit"
    held = [holding(frame, id) for id in shared]
    assert [len(paths) for paths in held] == [2, 2]
    assert not set(held[0]) & set(held[1])
    assert len(holding(frame, whole)) == 4
    reports = frame.reports["slurm"]
    states = [reports.states[code].text for code in reports.codes]
    assert states[:2] == ["MIXED", "MIXED"]
    assert states[2] == "IDLE+DRAIN"
    assert reports.reasons[2].text == "XID 79 on gpu 3"
    assert reports.reasons[2].by == "root"
    assert reports.gpus.tolist() == [4, 4, 4]
    assert reports.gpus_allocated.tolist() == [4, 4, 0]
    assert not frame.unjoined
    assert site.notes["api"] == "v0.0.38"
    assert site.notes["server"].startswith("Slurm 22.")
    assert "user root" in site.notes
    assert site.notes["token"].startswith("ends in 1.0 h")
    await site.source.aclose()


async def test_a_job_ends_and_another_begins_between_two_reads(cluster: Slurm, token: Path) -> None:
    failing = cluster.submit("-J", "bad", script="exit 3")
    site = Site(cluster, token)
    cluster.wait("a failed job", lambda: cluster.state(failing) == "FAILED")
    ended = jobs_of(await site.frame())[failing]
    assert (ended.state, ended.reason) == (JobState.FAILED, "NonZeroExitCode")
    assert ended.end_at >= ended.start_at > 0
    later = cluster.submit("-J", "later", "--gres=gpu:1")
    cluster.wait("a running job", lambda: cluster.state(later) == "RUNNING")
    frame = await site.frame()
    assert jobs_of(frame)[later].state is JobState.RUNNING
    assert len(holding(frame, later)) == 1
    await site.source.aclose()


async def test_a_node_that_is_drained_between_two_reads_is_seen(cluster: Slurm, token: Path) -> None:
    site, node = Site(cluster, token), cluster.nodes[1]
    assert not (await site.frame()).reports["slurm"].having("DRAIN").any()
    # Only changes of a later second are news to slurmctld, and no partition changes here.
    cluster.wait("a later second", lambda: time.time() % 1 < 0.2)
    for number in range(2):
        cluster.run("scontrol", "update", f"NodeName={node}", "State=DRAIN", f"Reason=fan {number}")
        frame = await site.frame()
        assert frame.reports["slurm"].having("DRAIN").tolist() == [False, True, False]
        assert frame.reports["slurm"].reasons[1].text == f"fan {number}"
    await site.source.aclose()


async def test_the_socket_serves_as_well(cluster: Slurm, token: Path) -> None:
    site = Site(cluster, token, socket=str(cluster.socket))
    assert (await site.frame()).reports["slurm"].gpus.tolist() == [4, 4, 4]
    await site.source.aclose()
    gone = Site(cluster, token, socket=f"{cluster.socket}.gone")
    with pytest.raises(errors.Unreachable, match=r"slurmrestd\.socket\.gone"):
        await gone.source.read()
    await gone.source.aclose()


async def test_slurmrestd_dies_and_comes_back(cluster: Slurm, token: Path) -> None:
    site = Site(cluster, token)
    await site.frame()
    cluster.kill("slurmrestd")
    with pytest.raises(errors.Unreachable):
        await site.source.read()
    cluster.start_rest()
    assert (await site.frame()).reports["slurm"].gpus.tolist() == [4, 4, 4]
    await site.source.aclose()


async def test_slurmctld_dies_and_comes_back(cluster: Slurm, token: Path) -> None:
    site = Site(cluster, token)
    await site.frame()
    cluster.kill("slurmctld")
    with pytest.raises(errors.ServerFailed) as caught:
        await site.frame()
    assert "scontrol ping" in str(caught.value)
    cluster.start("slurmctld", "slurmctld", "-D")
    idle = ("sinfo", "-h", "-N", "-t", "idle", "-o", "%N")
    cluster.wait("slurmctld", lambda: len(cluster.run(*idle).split()) == 3)
    assert (await site.frame()).reports["slurm"].gpus.tolist() == [4, 4, 4]
    await site.source.aclose()


async def test_a_token_that_ends_is_replaced_by_the_next(cluster: Slurm, token: Path) -> None:
    expired = cluster.token(lifespan_s=1)
    good = replaced(token, expired)
    site = Site(cluster, token)

    def refused() -> bool:
        done = cluster.run("curl", "-s", "-H", "X-SLURM-USER-NAME: root", "-H", f"X-SLURM-USER-TOKEN: {expired}",
                           f"{cluster.url}/slurm/v0.0.38/ping")  # fmt: skip
        return bool(json.loads(done)["errors"])

    cluster.wait("the token's end", refused)
    with pytest.raises(errors.Unauthorized, match=r"the token ended .*scontrol token") as caught:
        await site.frame()
    assert expired not in str(caught.value)
    replaced(token, good)
    assert (await site.frame()).reports["slurm"].gpus.tolist() == [4, 4, 4]
    await site.source.aclose()


async def test_without_a_token_nothing_is_told(cluster: Slurm) -> None:
    site = Site(cluster, None)
    with pytest.raises(errors.Unauthorized, match="scontrol token"):
        await site.source.read()
    await site.source.aclose()


def test_the_command_line_lists_the_queue(cluster: Slurm, token: Path, tmp_path: Path) -> None:
    job = cluster.submit("-J", "llm", "-N2", "--gres=gpu:4")
    cluster.wait("a running job", lambda: cluster.state(job) == "RUNNING")
    (tmp_path / "nodes.csv").write_text("node,gpus\n" + "".join(f"{node},4\n" for node in cluster.nodes))
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(
        f"fleet: lab\nsites:\n  - name: {SITE}\n    inventory: {{file: nodes.csv}}\n    sources:\n"
        f"      - {{kind: slurm, url: '{cluster.url}', auth: {{jwt: {{file: '{token}'}}}}}}\n"
    )
    said = gigadeck("jobs", "--fleet", str(fleet), "--json", "--where", 'name == "llm"')
    assert said.code == 0, said.err
    (row,) = said.json["rows"]
    assert (row["id"], row["state"], row["gpus"], row["nodes"]) == (f"job:{SITE}/{job}", "RUNNING", 8, 2)


def fleet_file(cluster: Slurm, token: Path, folder: Path) -> str:
    """Write a fleet of this cluster alone, its nodes in an inventory."""
    (folder / "nodes.csv").write_text("node,gpus\n" + "".join(f"{node},4\n" for node in cluster.nodes))
    fleet = folder / "fleet.yaml"
    fleet.write_text(
        f"fleet: lab\nsites:\n  - name: {SITE}\n    inventory: {{file: nodes.csv}}\n    sources:\n"
        f"      - {{kind: slurm, url: '{cluster.url}', auth: {{jwt: {{file: '{token}'}}}}}}\n"
    )
    return str(fleet)


def test_why_a_job_failed_is_told_from_the_scheduler_alone(cluster: Slurm, token: Path, tmp_path: Path) -> None:
    first = cluster.nodes[0]
    job = cluster.submit("-J", "bad", "-w", first, "--gres=gpu:4", "--comment=nightly", script="exit 3")
    cluster.wait("a failed job", lambda: cluster.state(job) == "FAILED")
    cluster.run("scontrol", "update", f"NodeName={first}", "State=DRAIN", "Reason=ibstat: port 1 down")
    said = gigadeck("why", "--fleet", fleet_file(cluster, token, tmp_path), f"job:{job}", "--json")
    assert said.code == 0, said.err
    (row,) = said.json["rows"]
    assert (row["id"], row["state"], row["at_is"]) == (f"job:{SITE}/{job}", "FAILED", "the job's end")
    assert row["nodes"] == [node_path(cluster, first)]
    kinds = [moment["kind"] for moment in row["moments"]]
    assert kinds[-1] == "drain"
    assert "job-end" in kinds
    assert any("port 1 down" in moment["text"] for moment in row["moments"])
    ended = next(moment["text"] for moment in row["moments"] if moment["kind"] == "job-end")
    assert "NonZeroExitCode, exit code 3" in ended
    # The drain came within the slack after the end: it is possible, and the only suspect.
    assert row["suspect"] is None or (row["suspect"]["kind"], row["suspect"]["likely"]) == ("drain", False)
    hearing = {voice["name"]: voice["hearing"] for voice in row["voices"]}
    assert (hearing["scheduler"], hearing["kernel log"]) == ("heard", "missing")


def node_path(cluster: Slurm, node: str) -> str:
    topology = build_topology(SITE, [NodeSpec(name, gpus=cluster.gpus) for name in cluster.nodes], declared=True)
    return topology.path(Level.NODE, cluster.nodes.index(node))


async def test_a_reservation_is_seen_and_its_node_is_not_free(cluster: Slurm, token: Path) -> None:
    _, second, third = cluster.nodes
    # A node that was resumed just now does not respond for a moment.
    cluster.wait("nodes that respond", lambda: "*" not in cluster.run("sinfo", "-h", "-N", "-o", "%T"))
    site = Site(cluster, token)
    assert (await site.frame()).reservations == {"slurm": ()}
    assert "reservations" not in site.notes
    await site.source.aclose()
    cluster.run("scontrol", "create", "reservation", "ReservationName=maint", "StartTime=now", "Duration=60",
                f"Nodes={second}", "Users=root", "Flags=MAINT,IGNORE_JOBS")  # fmt: skip
    cluster.run("scontrol", "update", f"NodeName={third}", "State=DRAIN", "Reason=fan")
    try:
        site = Site(cluster, token)
        frame = await site.frame()
        (kept,) = frame.reservations["slurm"]
        assert (kept.name, kept.nodes, kept.users) == ("maint", (second,), ("root",))
        assert kept.end_at - kept.start_at == 3600
        assert "MAINT" in kept.flags
        assert capacity(frame, time.time() + 1).free.tolist() == [True, False, False]
        await site.source.aclose()
    finally:
        cluster.run("scontrol", "delete", "ReservationName=maint")


async def test_a_job_that_is_started_anew_tells_its_restarts(cluster: Slurm, token: Path) -> None:
    job = cluster.submit("-J", "again", "--requeue", "--gres=gpu:1")
    cluster.wait("a running job", lambda: cluster.state(job) == "RUNNING")
    site = Site(cluster, token)
    first = jobs_of(await site.frame())[job]
    assert (first.restarts, first.requeue, first.output) == (0, True, "/dev/null")
    cluster.run("scontrol", "requeue", job)
    # It is to wait two minutes for the second run; only a job that waits can be told otherwise.
    cluster.wait("a requeued job", lambda: cluster.state(job) == "PENDING")
    cluster.run("scontrol", "update", f"JobId={job}", "StartTime=now")
    cluster.wait("a second run", lambda: cluster.state(job) == "RUNNING")
    frame = await site.frame()
    assert jobs_of(frame)[job].restarts == 1
    (run,) = [each for each in frame.ended if each.job.id == job]
    assert (run.again, run.job.start_at, len(run.nodes)) == (True, first.start_at, 1)
    await site.source.aclose()
