from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from console.config.values import InventoryConfig, SiteConfig, SourceConfig, SshConfig, Timeouts
from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.levels import Severity
from console.model.ports import Subject
from console.model.reading import EventsPart
from console.sources.registry import open_source
from tests.servers.smi import fake_smi, pids_of
from tests.servers.sshd import ssh_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from console.model.events import Event
    from console.model.reading import Reading
    from console.sources.ssh.source import SshSource
    from tests.servers.sshd import SshSite

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("sshd")]

NODES = [f"n{number}" for number in range(1, 9)]
LIMIT_S = 30.0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshSite]:
    monkeypatch.setenv("GIGADECK_STATE_DIR", str(tmp_path / "state"))
    folder = tmp_path / "sshd"
    folder.mkdir()
    with ssh_site(folder, NODES) as running:
        fake_smi(running)
        yield running


class Console:
    """A source, and the site as it is known through it."""

    def __init__(self, source: SshSource) -> None:
        self.source = source
        self.merger = SiteMerger(empty_topology("lab"), BUILTIN)
        self.events: list[Event] = []
        self.reading: Reading | None = None

    async def until(self, true: Callable[[Console], bool]) -> Reading:
        """Read until something is true; a failed read is a read."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                try:
                    await self.read()
                except errors.SourceError:
                    await asyncio.sleep(0.05)
                    continue
                assert self.reading is not None
                if true(self):
                    return self.reading

    async def read(self) -> Reading:
        self.reading = await self.source.read()
        for part in self.reading.decode():
            if isinstance(part, EventsPart):
                self.events += part.events
            self.merger.apply(part, source="ssh", stale_after_s=3.5, received_at=self.reading.received_at)
        return self.reading

    def fresh(self) -> dict[str, int]:
        """Return how many GPUs of each node have power now."""
        assert self.reading is not None
        frame = self.merger.frame(self.reading.received_at)
        values = frame.values("power_w", self.reading.received_at)
        names = frame.topology.nodes
        counts = dict.fromkeys(names, 0)
        for row, value in enumerate([] if values is None else values.tolist()):
            node = names[int(frame.topology.node_gpus.searchsorted(row, "right")) - 1]
            counts[node] += not math.isnan(value)
        return counts

    def streaming(self, count: int) -> bool:
        return sum(1 for gpus in self.fresh().values() if gpus == 8) == count

    @property
    def said(self) -> str:
        return "\n".join(self.reading.warnings) if self.reading else ""


@asynccontextmanager
async def console(site: SshSite, nodes: str = "n[1-8]", **ssh: object) -> AsyncIterator[Console]:
    settings: dict[str, object] = {
        "jump": ("jump",), "config": str(site.config), "known_hosts": str(site.known_hosts), **ssh
    }  # fmt: skip
    limits = Timeouts(total_s=8.0)
    config = SourceConfig("ssh", "ssh", cadence_s=1.0, timeouts=limits, options={"nodes": nodes})
    lab = SiteConfig("lab", ssh=SshConfig(**settings))  # type: ignore[arg-type]
    source: SshSource = open_source(lab, config, BUILTIN)  # type: ignore[assignment]
    try:
        yield Console(source)
    finally:
        await source.aclose()


async def gone(pids: list[int]) -> bool:
    """Return whether processes end within the limit."""
    return await asyncio.to_thread(_ended, pids)


def _ended(pids: list[int]) -> bool:
    deadline = time.monotonic() + LIMIT_S
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_eight_nodes_behind_one_jump_host(site: SshSite) -> None:
    async with console(site) as lab:
        reading = await lab.until(lambda each: each.streaming(8))
        frame = lab.merger.frame(reading.received_at)
        assert frame.topology.gpus == 64
        assert frame.values("power_w", reading.received_at) is not None
        assert lab.fresh() == dict.fromkeys(NODES, 8)
        assert reading.notes["nodes"] == "8 of 8 stream"
        assert reading.notes["jump jump"] == "8 channels"
        assert site.log("jump").count("Accepted publickey") == 1
        assert [len(pids_of(site, node)) for node in NODES] == [2] * 8  # the help, and the one stream
        assert reading.warnings == ()


async def test_a_node_that_is_cut_off_leaves_the_others_fresh_and_comes_back(site: SshSite) -> None:
    async with console(site) as lab:
        await lab.until(lambda each: each.streaming(8))
        site.kill("n3")
        await lab.until(lambda each: each.streaming(7) and "cannot reach n3" in each.said)
        assert lab.fresh()["n3"] == 0
        site.start("n3")
        await lab.until(lambda each: each.streaming(8) and "n3" not in each.said)


async def test_what_ran_on_the_nodes_is_gone_when_the_link_is(site: SshSite) -> None:
    async with console(site) as lab:
        await lab.until(lambda each: each.streaming(8))
        cut = [pid for pid in pids_of(site, "n1") if _runs(pid)]
        assert cut
        site.kill("n1")  # the power cut: nobody says good-bye
        assert await gone(cut)
        left = [pid for node in NODES for pid in pids_of(site, node) if _runs(pid)]
        assert len(left) >= 7
    assert await gone(left)


async def test_faults_of_single_nodes_are_told_apart(site: SshSite) -> None:
    fake_smi(site, {"n2": "absent", "n3": "flood", "n4": "old", "n5": "lost", "n6": "fault", "n7": "once"})
    async with console(site) as lab:
        await lab.until(lambda each: "silent" in each.said and "no row of it" in each.said and each.streaming(3))
        assert "n2: no driver answers; is the NVIDIA driver loaded?" in lab.said
        assert "GPU is lost" in lab.said
        assert "n7: nvidia-smi runs and is silent" in lab.said
        assert lab.fresh()["n6"] == 6
        kinds = {(event.kind, event.path): event.severity for event in lab.events}
        assert kinds["gpu-lost", "lab/n5"] is Severity.CRITICAL
        assert kinds["gpu-fault", "lab/n6/g2"] is Severity.CRITICAL
        assert ("silent", "lab/n7") in kinds
        assert lab.fresh()["n1"] == lab.fresh()["n8"] == 8


async def test_a_host_key_that_changed_is_refused_with_what_to_do(site: SshSite) -> None:
    async with console(site, nodes="n1,n2") as lab:
        await lab.until(lambda each: each.streaming(2))
        site.kill("n2")
        site.new_host_key("n2")
        site.start("n2")
        await lab.until(lambda each: "CHANGED" in each.said)
        assert "it offers ssh-ed25519 SHA256:" in lab.said
        assert "known is SHA256:" in lab.said
        assert "ssh-keygen -R" in lab.said
        assert str(site.known_hosts) in lab.said
        assert lab.fresh()["n1"] == 8


async def test_a_host_authority_trusts_what_is_imaged_anew(site: SshSite) -> None:
    site.kill("n2")
    site.new_host_key("n2")
    site.start("n2")
    async with console(site, nodes="n1,n2", known_hosts=str(site.authorities)) as lab:
        await lab.until(lambda each: each.streaming(2))


async def test_a_command_of_the_site_knows_what_is_imaged_anew(site: SshSite) -> None:
    site.kill("n2")
    site.new_host_key("n2")
    site.start("n2")
    words = (
        f"#!/bin/sh\ncase $1 in *:{site.ports['n2']}) echo \"$1 $(cut -d' ' -f1-2 {site.folder}/n2_host.pub)\";; esac\n"
    )
    site.program("host-keys", words)
    kept = [line for line in site.known_hosts.read_text().splitlines() if f":{site.ports['n2']} " not in line]
    site.known_hosts.write_text("\n".join(kept) + "\n")
    command = (str(site.bin / "host-keys"), "%H")
    async with console(site, nodes="n1,n2", known_hosts_command=command) as lab:
        await lab.until(lambda each: each.streaming(2))


async def test_a_certificate_that_has_ended_is_renewed_before_the_login(site: SshSite) -> None:
    keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(site.folder / "fresh")]
    await asyncio.to_thread(subprocess.run, keygen, check=True)
    sign = f"ssh-keygen -q -s {site.folder}/ca -I sre -n $(id -un) -V @ {site.folder}/fresh.pub"
    await asyncio.to_thread(subprocess.run, ["sh", "-c", sign.replace("@", "-2h:-1h")], check=True)
    config = site.config.read_text().replace(f"IdentityFile {site.folder}/user", f"IdentityFile {site.folder}/fresh")
    site.config.write_text(config)
    async with console(site, nodes="n1") as lab:
        with pytest.raises(errors.Unauthorized, match="refuses user"):
            await lab.read()
    renew = ("sh", "-c", sign.replace("@", "-1m:+1h"))
    async with console(site, nodes="n1,n2", renew=renew) as lab:
        await lab.until(lambda each: each.streaming(2))
        assert "ssh.renew" not in lab.said


async def test_no_host_is_trusted_on_first_use(site: SshSite) -> None:
    before = site.known_hosts.read_text()
    site.known_hosts.write_text("\n".join(line for line in before.splitlines() if f":{site.ports['jump']} " in line))
    async with console(site, nodes="n1,n2") as lab:
        with pytest.raises(errors.InsecureLink, match=r"lab/ssh: none of 2 nodes answers: n. .* cannot be trusted"):
            await lab.read()
    assert len(site.known_hosts.read_text().splitlines()) == 1


async def test_a_jump_host_that_is_down_is_one_message_and_is_asked_seldom(site: SshSite) -> None:
    site.kill("jump")
    async with console(site) as lab:
        with pytest.raises(errors.Unreachable, match=r"cannot connect to jump .*: connection refused"):
            await lab.read()
        site.start("jump")
        await lab.until(lambda each: each.streaming(8))
    assert site.log("jump").count("Accepted publickey") == 1


async def test_a_key_that_is_refused_is_said_and_no_prompt_is_answered(site: SshSite) -> None:
    site.options = f"Match LocalPort {site.ports['n2']}\n  AuthorizedKeysFile {site.folder}/stranger.pub\n"
    site.kill("n2")
    site.start("n2")
    async with console(site, nodes="n1,n2") as lab:
        await lab.until(lambda each: "refuses user" in each.said and each.streaming(1))
        assert lab.fresh() == {"n1": 8}


@pytest.mark.parametrize("host", ["jump", "n1"])
async def test_a_prompt_for_a_password_is_reported_and_never_answered(site: SshSite, host: str) -> None:
    methods = "PasswordAuthentication yes\n  AuthenticationMethods publickey,password"
    site.options = f"Match LocalPort {site.ports[host]}\n  {methods}\n"
    site.kill(host)
    site.start(host)
    async with console(site, nodes="n1") as lab:
        with pytest.raises(errors.Unauthorized, match=f"{host} .*asks for a password, which is never answered here"):
            await lab.read()
    assert "Failed password" not in site.log(host)


async def test_banners_and_slow_noisy_shells_are_survived(site: SshSite) -> None:
    (site.folder / "home" / ".bashrc").write_text("echo 'Welcome to n1, 12 updates'; echo 1, 2, 3; sleep 0.3\n")
    async with console(site, nodes="n1,n2") as lab:
        await lab.until(lambda each: each.streaming(2))
        assert lab.fresh() == {"n1": 8, "n2": 8}


async def test_a_user_without_a_shell_is_told(site: SshSite) -> None:
    site.program("nologin", "#!/bin/sh\necho 'This account is currently not available.'\nexit 1\n")
    site.options = f"ForceCommand {site.bin}/nologin\n"
    site.kill("n1")
    site.start("n1")
    async with console(site, nodes="n1") as lab:
        with pytest.raises(errors.NotOffered, match="n1 runs no shell for us: This account is currently not available"):
            await lab.read()


async def test_kernel_logs_become_events(site: SshSite) -> None:
    said = "$(date +%s).123456 n1 kernel: NVRM: Xid (PCI:0000:02:00): 79, pid=7, name=train, off"
    follow = f'*-f*) sleep 1; echo "{said}"; exec sleep 1000;;'
    site.program("journalctl", f'#!/bin/sh\ncase "$*" in {follow} esac\necho x\n')
    async with console(site, nodes="n1") as lab:
        await lab.until(lambda each: bool(each.events))
        event = lab.events[0]
        assert (event.kind, event.severity) == ("xid", Severity.CRITICAL)
        assert event.path == "lab/n1/g2"
        assert "XID 79 GPU has fallen off the bus by train" in event.text


async def test_a_node_is_asked_for_all_that_nvidia_smi_knows(site: SshSite) -> None:
    async with console(site, nodes="n1") as lab:
        await lab.read()
        whole = await lab.source.record(Subject("lab", "lab/h/r/n1", "n1"))
        one = await lab.source.record(Subject("lab", "lab/h/r/n1/g3", "other", ("n1",), gpu=3))
        assert whole.count("Product Name") == 8
        assert one.splitlines()[1] == "GPU 00000000:03:00.0"
        assert one.count("Product Name") == 1
        assert await lab.source.record(Subject("lab", "lab/h/r/n9", "n9")) == ""


async def test_a_kernel_log_is_followed_and_ends_with_its_reader(site: SshSite) -> None:
    pids = site.folder / "journal-pids"
    follow = f'*--since*) echo $$ >> {pids}; echo "first $*"; sleep 0.2; echo second; exec sleep 1000;;'
    site.program("journalctl", f'#!/bin/sh\ncase "$*" in {follow} *-f*) exec sleep 1000;; esac\necho x\n')
    async with console(site, nodes="n1") as lab:
        await lab.read()
        async with asyncio.timeout(LIMIT_S):
            async with aclosing(lab.source.follow(Subject("lab", "lab/h/r/n1", "n1"), 1_784_000_000.0)) as lines:
                first = await anext(lines)
                assert first == "first -q -k -f --since @1784000000 -n 300 -o short-iso"
                assert await anext(lines) == "second"
            assert await gone([int(pid) for pid in pids.read_text().split()])


async def test_a_job_s_output_is_followed_where_it_is_a_file_that_can_be_read(site: SshSite) -> None:
    output = site.folder / "slurm-7.out"
    output.write_text("step 1\n")
    async with console(site, nodes="n1") as lab:
        await lab.read()
        job = Subject("lab", "job:lab/7", job="7", nodes=("n1", "n2"), output=str(site.folder / "slurm-%j.out"))
        async with asyncio.timeout(LIMIT_S):
            async with aclosing(lab.source.follow(job, 0.0)) as lines:
                assert await anext(lines) == "step 1"
                with output.open("a") as more:
                    more.write("step 2\n")
                assert await anext(lines) == "step 2"
            gone = replace(job, output="/no/such/file")
            with pytest.raises(errors.NotOffered, match="may this user read the job's output file there"):
                await anext(lab.source.follow(gone, 0.0))
            elsewhere = replace(job, nodes=("n9",))
            assert [line async for line in lab.source.follow(elsewhere, 0.0)] == []


async def test_a_bad_line_of_ssh_config_is_named_with_file_and_line(site: SshSite) -> None:
    site.config.write_text(f"Host *\n  Foo bar\n{site.config.read_text()}")
    async with console(site, nodes="n1") as lab:
        with pytest.raises(errors.SourceError, match=f"{site.config}: line 2: Bad configuration option: foo"):
            await lab.read()


async def test_what_openssh_accepts_and_other_readers_do_not(site: SshSite) -> None:
    text = site.config.read_text()
    site.config.write_text(
        f"{text}  ServerAliveInterval 1m # a comment\n  ConnectTimeout none\nMatch exec false\n  Port 1\n"
    )
    async with console(site, nodes="n1") as lab:
        await lab.until(lambda each: each.streaming(1))


async def test_the_nodes_of_the_inventory(site: SshSite, tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text("node,gpus\nn1,8\nn4,8\n")
    ssh = SshConfig(jump=("jump",), config=str(site.config), known_hosts=str(site.known_hosts))
    lab = SiteConfig("lab", ssh=ssh, inventory=InventoryConfig(file=str(tmp_path / "nodes.csv")))
    source: SshSource = open_source(lab, SourceConfig("ssh", "ssh", cadence_s=1.0), BUILTIN)  # type: ignore[assignment]
    seen = Console(source)
    await seen.until(lambda each: each.streaming(2))
    assert set(seen.fresh()) == {"n1", "n4"}
    await source.aclose()


@pytest.mark.parametrize("nodes", ["", "n[1-", "n[0001-9999]"])
async def test_nodes_that_cannot_be_told_are_one_clear_message(site: SshSite, nodes: str) -> None:
    async with console(site, nodes=nodes) as lab:
        with pytest.raises(errors.SourceError, match="nodes"):
            await lab.read()


def test_a_site_without_ssh_never_imports_it(tmp_path: Path) -> None:
    program = "import sys; sys.modules['asyncssh'] = None; from console.cli import main; main()"
    command = [sys.executable, "-c", program, "--fleet", "demo:64", "status"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
