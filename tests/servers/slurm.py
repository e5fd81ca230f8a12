"""A real Slurm cluster on loopback: munged, slurmctld, one slurmd a node, slurmrestd on a port and on a socket."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.servers import END_S, READY_S, end, free_port, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGES = {"munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "slurmrestd": "slurmrestd",
            "scontrol": "slurm-client", "setpriv": "util-linux"}  # fmt: skip
NOBODY = 65534
# Debian's slurmd may run many times on one host: each with a name and a port of its own.
CONF = """\
ClusterName=kit
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={folder}/jwt.key
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
MinJobAge=300
GresTypes=gpu
{nodes}
PartitionName=gpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass
class Slurm:
    """A running cluster; `nodes` are its nodes' names."""

    folder: Path
    nodes: list[str]
    gpus: int
    port: int
    rest_port: int
    url: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        return self.folder / "rest" / "slurmrestd.socket"

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it prints."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def token(self, lifespan_s: int = 3600) -> str:
        return self.run("scontrol", "token", "username=root", f"lifespan={lifespan_s}").partition("=")[2]

    def submit(self, *options: str, script: str = "sleep 300") -> str:
        """Submit a job and return its id."""
        return self.run("sbatch", "--parsable", "-o", "/dev/null", *options, "--wrap", script)

    def state(self, job: str) -> str:
        return self.run("squeue", "-h", "-t", "all", "-o", "%T", "-j", job)

    def start(self, name: str, *command: str, **more: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env={**self.env, **more}, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def start_rest(self) -> None:
        """Start slurmrestd, which refuses root and the user of slurmctld; no namespaces: it may run in a sandbox."""
        self.socket.unlink(missing_ok=True)
        self._launch_rest()
        self.wait("slurmrestd", self._rest_listens)
        self.url = f"http://127.0.0.1:{self.rest_port}"

    def _launch_rest(self) -> None:
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        rest = ["slurmrestd", "-a", "rest_auth/jwt", "-s", "openapi/v0.0.38"]
        where = [f"127.0.0.1:{self.rest_port}", f"unix:{self.socket}"]
        security = "disable_unshare_sysv,disable_unshare_files"
        self.start("slurmrestd", *drop, *rest, *where, SLURM_JWT="daemon", SLURMRESTD_SECURITY=security)

    def kill(self, name: str) -> None:
        """End a process at once, as a crash does."""
        self.processes[name].kill()
        self.processes[name].wait(END_S)

    def wait(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait until something holds; fail with the logs when it does not."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            with suppress(AssertionError, OSError):
                if ready():
                    return
            time.sleep(0.05)
        logs = [
            f"--- {log.name}\n{log.read_text(errors='replace')[-800:]}" for log in sorted(self.folder.glob("*.out"))
        ]
        pytest.fail(f"{what} is not ready:\n" + "\n".join(logs))

    def _rest_listens(self) -> bool:
        if self.processes["slurmrestd"].poll() is not None:  # its port may not be free again at once
            self.socket.unlink(missing_ok=True)
            self._launch_rest()
        with socket.create_connection(("127.0.0.1", self.rest_port), timeout=1):
            return self.socket.exists()


@contextmanager
def slurm(folder: Path, nodes: int = 3, gpus: int = 4) -> Iterator[Slurm]:
    """Run a cluster until the block ends; needs root (slurmd changes users, devices are made)."""
    for binary, package in PACKAGES.items():
        require(binary, package)
    if os.getuid() != 0:
        pytest.skip("a Slurm cluster needs root: slurmd changes users")
    cluster = Slurm(folder, [f"gpu{i:04d}" for i in range(nodes)], gpus, free_port(), free_port())
    try:
        _write(cluster)
        _start(cluster)
        yield cluster
    finally:
        _stop(cluster)


def _write(cluster: Slurm) -> None:
    folder = cluster.folder
    folder.chmod(0o755)  # munge's clients of any user must reach its socket
    for name in ("state", "spool", "dev", "rest", *(f"spool/{node}" for node in cluster.nodes)):
        (folder / name).mkdir()
    os.chown(folder / "rest", NOBODY, NOBODY)
    for i in range(cluster.gpus):  # stand-ins for /dev/nvidiaN: copies of /dev/null
        os.mknod(folder / "dev" / f"nvidia{i}", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    for name, size in (("munge.key", 1024), ("jwt.key", 32)):
        (folder / name).write_bytes(secrets.token_bytes(size))
        (folder / name).chmod(0o600)
    host = socket.gethostname()
    rows = [
        f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs=96 RealMemory=1000000 "
        f"Gres=gpu:h100:{cluster.gpus}"
        for node in cluster.nodes
    ]
    conf = CONF.format(folder=folder, host=host, port=cluster.port, nodes="\n".join(rows))
    (folder / "slurm.conf").write_text(conf)
    devices = f"File={folder}/dev/nvidia[0-{cluster.gpus - 1}]"
    (folder / "gres.conf").write_text(f"NodeName={','.join(cluster.nodes)} Name=gpu Type=h100 {devices}\n")
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")


def _start(cluster: Slurm) -> None:
    folder = cluster.folder
    files = [f"--{name}={folder}/munge.{end}" for name, end in (("key-file", "key"), ("socket", "sock"))]
    files += [f"--{name}={folder}/munged.{end}" for name, end in (("pid-file", "pid"), ("log-file", "log"))]
    cluster.start("munged", "munged", "--foreground", "--force", f"--seed-file={folder}/munged.seed", *files)
    cluster.wait("munged", (folder / "munge.sock").exists)
    cluster.start("slurmctld", "slurmctld", "-D", "-c")
    for node in cluster.nodes:
        cluster.start(node, "slurmd", "-D", "-N", node)
    idle = ("sinfo", "-h", "-N", "-t", "idle", "-o", "%N")
    cluster.wait("slurmctld", lambda: len(cluster.run(*idle).split()) == len(cluster.nodes))
    cluster.start_rest()


def _stop(cluster: Slurm) -> None:
    """Cancel every job first, for they outlive slurmd, then end what was started, and what still has our SLURM_CONF."""
    with suppress(AssertionError, subprocess.TimeoutExpired):
        cluster.run("scancel", "--user=root")
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline and cluster.run("squeue", "-h", "-t", "R,CG"):
            time.sleep(0.1)
    for process in reversed(cluster.processes.values()):
        end(process)
    ours = f"SLURM_CONF={cluster.folder / 'slurm.conf'}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(entry.name) != os.getpid() and ours in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
    for name in ("dev", "state", "spool"):
        shutil.rmtree(cluster.folder / name, ignore_errors=True)
