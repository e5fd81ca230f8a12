"""Real OpenSSH servers on free loopback ports, with keys of their own: one, or a jump host and the nodes behind it."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.servers import READY_S, end, free_port, require

if TYPE_CHECKING:
    from collections.abc import Iterator

# HOME: a shell under sshd reads the real ~/.bashrc of whoever runs the tests otherwise.
CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UseDNS no
SetEnv PATH={path} HOME={folder}/home LANG=C.UTF-8
"""


@dataclass(frozen=True)
class Sshd:
    """A running server; `command` logs in and runs what follows it on a terminal."""

    command: tuple[str, ...]


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Run a server until the block ends."""
    os.environ["PATH"] = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
    binary, ssh, keygen = require("sshd", "openssh-server"), require("ssh", "openssh-client"), require("ssh-keygen")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (folder / "home").mkdir()
    for name in ("host", "user"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    port = free_port()
    (folder / "sshd_config").write_text(CONFIG.format(port=port, folder=folder, path=os.environ["PATH"]))
    key = (folder / "host.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key[0]} {key[1]}\n")
    log = folder / "sshd.log"
    with log.open("ab") as output:
        server = subprocess.Popen([binary, "-D", "-e", "-f", folder / "sshd_config"], stdout=output, stderr=output)
    try:
        _wait(server, port, log)
        yield Sshd((ssh, "-F", "none", "-tt", "-p", str(port), "-i", str(folder / "user"), "-o", "BatchMode=yes",
                    "-o", f"UserKnownHostsFile={folder}/known_hosts", f"{getpass.getuser()}@127.0.0.1"))  # fmt: skip
    finally:
        end(server)


@dataclass
class SshSite:
    """A jump host and nodes behind it; nodes run with `bin` first in their PATH.

    `config` is an ssh_config that names every host; `known_hosts` its keys, `authorities` the host authority alone
    (host certificates are signed by it). `log(name)` is what a server wrote.
    """

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    options: str = ""

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def authorities(self) -> Path:
        return self.folder / "authorities"

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def start(self, name: str) -> None:
        """Start (again) the server of a host, on its port, with its keys."""
        folder, port = self.folder, self.ports[name]
        (folder / f"{name}.conf").write_text(
            NODE.format(name=name, port=port, folder=folder, path=f"{self.bin}:{os.environ['PATH']}") + self.options
        )
        log = folder / f"{name}.log"
        with log.open("ab") as output:
            command = [require("sshd", "openssh-server"), "-D", "-e", "-f", folder / f"{name}.conf"]
            self.servers[name] = subprocess.Popen(command, stdout=output, stderr=output)
        _wait(self.servers[name], port, log)

    def kill(self, name: str) -> None:
        """End the server of a host and every session on it at once, as a power cut does."""
        server = self.servers.pop(name)
        sessions = psutil.Process(server.pid).children(recursive=True)
        for each in sessions:
            with suppress(psutil.NoSuchProcess):
                if each.name().startswith("sshd"):
                    each.kill()
        end(server)

    def new_host_key(self, name: str) -> None:
        """Give a host another key, as a new image does."""
        for each in self.folder.glob(f"{name}_host*"):
            each.unlink()
        _keygen(self.folder, "-t", "ed25519", "-N", "", "-f", f"{name}_host")
        self._certify(name)

    def _certify(self, name: str) -> None:
        where = f"[127.0.0.1]:{self.ports[name]},127.0.0.1,{name}"
        _keygen(self.folder, "-s", "ca", "-I", name, "-h", "-n", where, "-V", "-5m:+1h", f"{name}_host.pub")


NODE = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/{name}_host
HostCertificate {folder}/{name}_host-cert.pub
AuthorizedKeysFile {folder}/user.pub
TrustedUserCAKeys {folder}/ca.pub
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UseDNS no
LogLevel VERBOSE
SetEnv PATH={path} HOME={folder}/home LANG=C.UTF-8 NODE={name}
"""


def _keygen(folder: Path, *arguments: str) -> None:
    subprocess.run([require("ssh-keygen"), "-q", *arguments], cwd=folder, check=True)


@contextmanager
def ssh_site(folder: Path, nodes: list[str], options: str = "") -> Iterator[SshSite]:
    """Run a jump host (`jump`) and nodes until the block ends; `options` are added to each sshd's configuration."""
    os.environ["PATH"] = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
    require("sshd", "openssh-server"), require("ssh", "openssh-client")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    site = SshSite(folder, options=options)
    (folder / "home").mkdir()
    site.bin.mkdir()
    for name in ("ca", "user", "stranger"):
        _keygen(folder, "-t", "ed25519", "-N", "", "-f", name)
    names = ["jump", *nodes]
    try:
        for name in names:
            site.ports[name] = free_port()
            site.new_host_key(name)
            site.start(name)
        _write_client(site, names)
        yield site
    finally:
        for name in list(site.servers):
            site.kill(name)


def _write_client(site: SshSite, names: list[str]) -> None:
    known, config = "", ""
    for name in names:
        key = " ".join((site.folder / f"{name}_host.pub").read_text().split()[:2])
        known += f"[127.0.0.1]:{site.ports[name]} {key}\n"
        config += f"Host {name}\n  HostName 127.0.0.1\n  Port {site.ports[name]}\n"
    config += f"Host *\n  User {getpass.getuser()}\n  IdentityFile {site.folder}/user\n  IdentityAgent none\n"
    config += "  GlobalKnownHostsFile /dev/null\n"
    site.config.write_text(config)
    site.known_hosts.write_text(known)
    site.authorities.write_text(f"@cert-authority [127.0.0.1]:* {(site.folder / 'ca.pub').read_text()}")


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    pytest.fail(f"sshd is not ready:\n{log.read_text(errors='replace')[-2000:]}")
