"""A real OpenSSH server on a free loopback port, with keys of its own, in a folder of its own."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    pytest.fail(f"sshd is not ready:\n{log.read_text(errors='replace')[-2000:]}")
