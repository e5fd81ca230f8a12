"""A real Slurm, Prometheus, Alertmanager and sshd pair, and the emulator, as one fleet."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from console.model.jobs import JobState
from console.model.snapshot import SourceState
from console.wiring import open_fleet
from tests.servers.alertmanager import Alertmanager, alertmanager
from tests.servers.httpd import Exporter, serving
from tests.servers.prometheus import Prometheus, prometheus
from tests.servers.slurm import Slurm, slurm
from tests.servers.smi import fake_smi
from tests.servers.sshd import SshSite, ssh_site
from tests.support.cli import gigadeck

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.snapshot import SiteFrame, Snapshot

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.xdist_group("sshd")]

WAIT_S = 90.0
BARE, DRAINED = "n1", "gpu0002"
SLURM_GPUS, TELEMETRY_GPUS = 4, 8
KINDS = {"prometheus", "slurm", "alertmanager", "ssh", "emulator"}


@dataclass
class World:
    """The servers, and the fleet file that names them all."""

    fleet: Path
    cluster: Slurm
    job: str


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Start everything; not below pytest's folder: its parents are closed to the users that Slurm's daemons become."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="all-")))
        folder.chmod(0o755)
        place = {name: folder / name for name in ("slurm", "prom", "pager", "ssh")}
        for each in place.values():
            each.mkdir()
        cluster = stack.enter_context(slurm(place["slurm"], nodes=4, gpus=SLURM_GPUS))
        exporter = stack.enter_context(serving(Exporter(nodes=4, gpus=TELEMETRY_GPUS)))
        store = stack.enter_context(prometheus(place["prom"], [f"127.0.0.1:{exporter.port}/metrics"]))
        pager = stack.enter_context(alertmanager(place["pager"]))
        nodes = stack.enter_context(ssh_site(place["ssh"], [BARE]))
        fake_smi(nodes)
        pager.fire([{"alertname": "FanFailed", "severity": "warning", "Hostname": "n00001"}])
        cluster.run("scontrol", "update", f"NodeName={DRAINED}", "State=DRAIN", "Reason=memory errors")
        job = cluster.submit("-w", "gpu0000", "--gres=gpu:4", "--job-name=llm-7")
        cluster.wait("a running job", lambda: cluster.state(job) == "RUNNING")
        yield World(_fleet(folder, cluster, store, pager, nodes), cluster, job)


def _fleet(folder: Path, cluster: Slurm, store: Prometheus, pager: Alertmanager, nodes: SshSite) -> Path:
    """Write a fleet whose exporter, scheduler and pager call a node by different names."""
    (folder / "token").write_text(cluster.token())
    rows = [f"gpu{n:04d},n{n:05d},r1,{TELEMETRY_GPUS}" for n in range(4)]
    (folder / "muc1.csv").write_text("\n".join(["node,aliases,rack,gpus", *rows, f"{BARE},,r2,8"]) + "\n")
    sources: list[dict[str, Any]] = [
        {"kind": "prometheus", "name": "prom", "url": store.url},
        {"kind": "slurm", "name": "slurm", "url": cluster.url, "auth": {"jwt": {"file": str(folder / "token")}}},
        {"kind": "alertmanager", "name": "pager", "url": pager.url},
        {"kind": "ssh", "name": "agentless", "nodes": BARE, "cadence": "1s"},
    ]
    ssh = {"jump": ["jump"], "config": str(nodes.config), "known_hosts": str(nodes.known_hosts)}
    muc1 = {"name": "muc1", "inventory": {"file": "muc1.csv"}, "sources": sources, "ssh": ssh}
    lab = {"name": "lab", "sources": [{"kind": "emulator", "gpus": 160, "seed": 5}]}
    path = folder / "fleet.yaml"
    path.write_text(yaml.safe_dump({"fleet": "all", "sites": [muc1, lab]}))
    return path


def site(snapshot: Snapshot, name: str = "muc1") -> SiteFrame:
    found = snapshot.frame.site(name)
    assert found is not None
    return found


def everything_is_there(snapshot: Snapshot) -> bool:
    return (
        {each.kind for each in snapshot.sources if each.state is SourceState.OK} == KINDS
        and int(site(snapshot).reporting.sum()) == 5 * TELEMETRY_GPUS
        and bool(site(snapshot, "lab").reporting.all())
        and len(snapshot.alerts) > 0
        and any(each.kind == "gpu-count" for each in snapshot.disagreements.rows)
    )


@pytest.fixture(scope="module")
def snapshot(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GIGADECK_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        fleet = open_fleet(str(world.fleet), with_plugins=False)
        fleet.session.start()
        try:
            yield fleet.session.wait(everything_is_there, WAIT_S)
        finally:
            fleet.session.close()


def test_every_node_is_one_node_whatever_each_voice_calls_it(snapshot: Snapshot) -> None:
    muc1 = site(snapshot)
    assert list(muc1.topology.nodes) == ["gpu0000", "gpu0001", "gpu0002", "gpu0003", BARE]
    assert muc1.unjoined == ()


def test_the_scheduler_says_what_runs_and_what_is_drained_and_why(snapshot: Snapshot, world: World) -> None:
    muc1 = site(snapshot)
    job = next(each for each in muc1.jobs.rows if each.id == world.job)
    assert (job.name, job.state, job.gpus) == ("llm-7", JobState.RUNNING, 4)
    assert muc1.jobs.nodes_of(muc1.jobs.rows.index(job), muc1.topology).tolist() == [0]
    report = muc1.reports["slurm"].report(2)
    assert report is not None
    assert report.state.has("DRAIN")
    assert report.reason is not None
    assert report.reason.text == "memory errors"


def test_an_alert_of_the_pager_stands_at_its_node(snapshot: Snapshot) -> None:
    alert = next(each for each in snapshot.alerts if each.origin == "pager")
    assert (alert.title, alert.path.rpartition("/")[2]) == ("FanFailed", "gpu0001")


def test_where_slurm_and_the_inventory_disagree_both_are_quoted(snapshot: Snapshot) -> None:
    rows = [each for each in snapshot.disagreements.rows if each.kind == "gpu-count"]
    assert {each.path.rpartition("/")[2] for each in rows} == {"gpu0000", "gpu0001", "gpu0002", "gpu0003"}
    said = {each.voice: each.says for each in rows[0].voices}
    assert "4" in said["slurm"]
    assert "8" in said["inventory"]


def test_the_commands_say_the_same(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path))
    fleet = ("--fleet", str(world.fleet), "--timeout", "60s")
    jobs = gigadeck("jobs", *fleet, "--site", "muc1", "--json")
    assert [row["name"] for row in jobs.json["rows"] if row["state"] == "RUNNING"] == ["llm-7"]
    checked = gigadeck("check", *fleet, "--only", "disagreements", "--format", "json")
    assert checked.code == 1, checked.err
    assert "gpu0000" in checked.out
