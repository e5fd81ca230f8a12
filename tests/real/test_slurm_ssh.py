from __future__ import annotations

import asyncio
import math
import shlex
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from console.config.values import Auth, Secret, SiteConfig, SourceConfig, SshConfig, Timeouts
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.ports import Subject
from console.model.reading import FactsPart, JobsPart, NodeReportsPart, ReservationsPart
from console.sources.registry import open_source
from tests.servers.slurm import slurm
from tests.servers.sshd import ssh_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from console.model.reading import Reading
    from tests.servers.slurm import Slurm
    from tests.servers.sshd import SshSite

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("slurm")]
LIMIT_S = 30.0
ODD_NAME = "a=b UserId=x(1) GroupId=y c\nJobId=5 z\td\\e|é\x1b[31m"
REASON = "bad disk State=IDLE [x] y"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Slurm]:
    # Not below pytest's own folder: its parents are closed to the users that Slurm's daemons become.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, slurm(Path(folder)) as running:
        running.submit("--gres=gpu:2", "-J", ODD_NAME, "--comment", "hello Foo=bar JobState=FAILED")
        running.submit("-N3", "--gres=gpu:4", "-J", "two words", "-t", "10")
        running.submit("--array=1-8%2", "--gres=gpu:1", "-t", "1-00:00:00")
        running.submit("-J", "quick", "--time=5", script="exit 3")
        running.submit("-J", "het", "-t", "7", ":", "-n1")
        running.run("scontrol", "update", "nodename=gpu0002", "state=drain", f"reason={REASON}")
        running.run("scontrol", "create", "reservation", "reservationname=maint", "starttime=now+3600", "duration=60",
                    "users=root", "nodes=gpu0001", "flags=maint,ignore_jobs")  # fmt: skip
        running.wait(
            "the jobs", lambda: running.state("1") == "RUNNING" and bool(running.run("squeue", "-h", "-t", "F"))
        )
        yield running


@pytest.fixture
def login(cluster: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshSite]:
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "sshd").mkdir()
    with ssh_site(tmp_path / "sshd", ["login1"]) as running:
        (running.folder / "home" / ".bashrc").write_text(
            f"echo 'Welcome: JobId=1 JobName=x'; echo 'NodeName=no Arch=x86'; "
            f"export SLURM_CONF={shlex.quote(str(cluster.folder / 'slurm.conf'))} SLURM_TIME_FORMAT=relative\n"
        )
        yield running


@asynccontextmanager
async def source(login: SshSite, *, total_s: float = 20.0, **options: object) -> AsyncIterator[Any]:
    ssh = SshConfig(jump=("jump",), config=str(login.config), known_hosts=str(login.known_hosts))
    config = SourceConfig(
        "slurm", "slurm", options={"ssh": "login1", **options}, cadence_s=1e-6, timeouts=Timeouts(total_s=total_s)
    )
    opened = open_source(SiteConfig("lab", ssh=ssh), config, BUILTIN)
    try:
        yield opened
    finally:
        await opened.aclose()


async def everything(opened: Any) -> tuple[Reading, dict[type, list[Any]]]:
    reading = await opened.read()
    parts: dict[type, list[Any]] = {}
    for part in reading.decode():
        parts.setdefault(type(part), []).append(part)
    return reading, parts


async def by_rest(cluster: Slurm, monkeypatch: pytest.MonkeyPatch) -> dict[type, list[Any]]:
    monkeypatch.setenv("A_TOKEN", cluster.token())
    auth = Auth(jwt=Secret(env="A_TOKEN"))
    config = SourceConfig("slurm", "slurm", cluster.url, auth=auth, options={"user": "root"}, cadence_s=1e-6)
    opened = open_source(SiteConfig("lab"), config, BUILTIN)
    try:
        return (await everything(opened))[1]
    finally:
        await opened.aclose()


def jobs_of(parts: dict[type, list[Any]]) -> dict[str, tuple[Any, ...]]:
    part = parts[JobsPart][0]
    rows = zip(part.jobs, part.node_lists or (), part.gpu_masks or (), strict=True)
    # v0.0.38 tells no difference between no limit and none that is set.
    # Of a reason with words scontrol shows the words alone.
    return {
        job.id: (
            replace(job, time_limit_s=_finite(job.time_limit_s), reason=job.reason.rpartition(": ")[2]),
            *more,
        )
        for job, *more in rows
    }


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


async def test_the_same_rows_by_rest_and_by_ssh(
    cluster: Slurm, login: SshSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):  # the scheduler may change its mind between the two
        async with source(login) as opened:
            reading, printed = await everything(opened)
        sent = await by_rest(cluster, monkeypatch)
        if jobs_of(printed) == jobs_of(sent):
            break
    one, other = jobs_of(printed), jobs_of(sent)
    for job_id in one:  # field by field: a difference is told at once
        assert asdict(one[job_id][0]) == asdict(other[job_id][0])
    assert one == other
    assert any(job.name == ODD_NAME for job, *_ in jobs_of(printed).values())
    for one, other in zip(printed[NodeReportsPart], sent[NodeReportsPart], strict=True):
        assert one.keys.names == other.keys.names
        told, same = ([each.states[code] for code in each.codes.tolist()] for each in (one, other))
        assert [(each.state, set(each.flags) - {"PLANNED"}) for each in told] == [
            (each.state, set(each.flags) - {"PLANNED"}) for each in same
        ]
        assert one.gpus.tolist() == other.gpus.tolist() == [4, 4, 4]
        assert one.gpus_allocated.tolist() == other.gpus_allocated.tolist()
        assert one.reasons == other.reasons
        assert one.reasons[2].text == REASON
    facts = [{(each.fact, each.values) for each in parts[FactsPart]} for parts in (printed, sent)]
    assert facts[1] <= facts[0]
    kept, other_kept = printed[ReservationsPart][0], sent[ReservationsPart][0]
    assert [replace(each, cluster="") for each in kept.reservations] == [
        replace(each, cluster="") for each in other_kept.reservations
    ]
    assert reading.notes["api"] == "commands on login1"
    assert reading.notes["server"] == "Slurm 22.05.8" or reading.notes["server"].startswith("Slurm ")
    assert reading.notes["cluster"] == "kit"
    assert "threads" in reading.notes["slurmctld"]


async def test_one_login_and_one_shell_for_all_turns_and_nothing_is_left(cluster: Slurm, login: SshSite) -> None:
    async with source(login) as opened:
        for _ in range(3):
            await everything(opened)
        shells = [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["/bin/sh", "-s"]]
        ours = [each for each in shells if str(login.folder) in _home(each)]
        assert len(ours) == 1
    _, left = await asyncio.to_thread(psutil.wait_procs, ours, 10)
    assert not left
    assert login.log("login1").count("Accepted publickey") == 1
    assert login.log("jump").count("Accepted publickey") == 1


def _home(process: psutil.Process) -> str:
    try:
        return process.environ().get("HOME", "")
    except psutil.Error:
        return ""


async def test_a_host_without_slurm_is_told_with_what_to_do(login: SshSite) -> None:
    async with source(login, bin=str(login.bin)) as opened:
        login.program("scontrol", "#!/bin/sh\nexit 127\n")  # what a shell says where there is no such command
        with pytest.raises(errors.NotOffered, match=r"lab/slurm: login1 has no `scontrol` in its PATH.*`bin`"):
            await opened.read()


async def test_slurmctld_that_does_not_answer_is_told(login: SshSite) -> None:
    login.program("scontrol", "#!/bin/sh\necho 'Unable to contact slurm controller (connect failure)' >&2\nexit 1\n")
    async with source(login, bin=str(login.bin)) as opened:
        with pytest.raises(errors.ServerFailed, match=r"Unable to contact slurm controller.*scontrol ping"):
            await opened.read()


async def test_a_slow_login_shell_and_a_command_that_hangs_have_a_limit(login: SshSite) -> None:
    async with source(login, bin=str(login.bin), total_s=3.0) as opened:
        (login.folder / "home" / ".bashrc").write_text("sleep 30\n")
        with pytest.raises(errors.TimedOut, match=r"login1 did not answer a shell within 3 s.*slow login shell"):
            await opened.read()
        (login.folder / "home" / ".bashrc").write_text("")
        login.program("scontrol", "#!/bin/sh\nsleep 30\n")
        with pytest.raises(errors.TimedOut, match=r"login1 did not answer `scontrol --version` within 3 s"):
            await opened.read()


async def test_a_user_without_a_shell_is_told(login: SshSite) -> None:
    (login.folder / "home" / ".bashrc").write_text("echo 'This account is closed.'; exit 1\n")
    async with source(login) as opened:
        with pytest.raises(errors.NotOffered, match=r"login1 runs no shell for us: This account is closed"):
            await opened.read()


async def test_a_login_host_that_comes_back_is_read_again(cluster: Slurm, login: SshSite) -> None:
    async with source(login) as opened:
        await everything(opened)
        login.kill("login1")
        with pytest.raises(errors.SourceError) as caught:
            await opened.read()
        assert "login1" in str(caught.value)
        login.start("login1")
        async with asyncio.timeout(LIMIT_S):
            while True:
                try:
                    _, parts = await everything(opened)
                except errors.SourceError:
                    await asyncio.sleep(0.1)
                    continue
                assert parts[JobsPart]
                return


async def test_a_list_of_nothing_is_no_fault_and_other_words_are(login: SshSite) -> None:
    login.program("sdiag", "#!/bin/sh\necho 'sdiag: error: not allowed' >&2; exit 1\n")
    words = (
        "case $2 in jobs) echo 'No jobs in the system';; nodes) echo \"$NODES\";; *) echo 'No reservations';; esac\n"
    )
    login.program("scontrol", f"#!/bin/sh\nNODES='No nodes in the system'\n{words}")
    async with source(login, bin=str(login.bin)) as opened:
        reading, parts = await everything(opened)
        assert parts[JobsPart][0].jobs == ()
        assert "not allowed" in reading.notes["diag"]
        login.program("scontrol", f"#!/bin/sh\nNODES='Usage: scontrol'\n{words}")
        with pytest.raises(errors.BadPayload, match="no list of nodes"):
            await everything(opened)


@pytest.mark.parametrize("way", ["commands", "slurmrestd"])
async def test_a_node_and_a_job_have_slurm_s_own_record(
    cluster: Slurm, login: SshSite, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    node = Subject("lab", "lab/h/r/gpu0002", "gpu0002.lab.example", ("gpu0002",))
    nobody, job, no_job = Subject("lab", "x", "gpu9999"), Subject("lab", "x", job="2"), Subject("lab", "x", job="99999")
    async with AsyncExitStack() as stack:
        if way == "commands":
            opened = await stack.enter_async_context(source(login))
        else:
            monkeypatch.setenv("A_TOKEN", cluster.token())
            auth = Auth(jwt=Secret(env="A_TOKEN"))
            config = SourceConfig("slurm", "slurm", cluster.url, auth=auth, options={"user": "root"})
            opened = open_source(SiteConfig("lab"), config, BUILTIN)
            stack.push_async_callback(opened.aclose)
        told = await opened.record(node)
        assert REASON in told
        assert "gpu0002" in told
        assert "two words" in await opened.record(job)
        assert await opened.record(nobody) == ""
        assert await opened.record(no_job) == ""
        list((await opened.read()).decode())
