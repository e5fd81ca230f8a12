"""Lets the system's ssh use a connection that a person logged in for: a UNIX socket for each node, of this user alone.

A TCP port would let anybody on this machine past the bastion. ssh is given the connected socket by file descriptor
(`ProxyUseFdpass`), so that nothing copies its bytes.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncssh

MOST_DOORS = 64
_CONNECT = (
    "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
    "socket.send_fds(socket.socket(fileno=1), [b'x'], [s.fileno()])"
)


class Doors:
    """The sockets of one site; each leads to one host and port through one connection."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._open: dict[tuple[str, int], tuple[Any, Any, str]] = {}
        self._made = 0

    async def to(self, connection: asyncssh.SSHClientConnection, host: str, port: int) -> str:
        """Return the path of a socket that leads there; raises OSError and what asyncssh raises."""
        held = self._open.pop((host, port), None)
        if held is not None and held[0] is not connection:
            _shut(held)
            held = None
        if held is None:
            path = str(self._place() / f"{self._made}.sock")
            self._made += 1
            held = (connection, await connection.forward_local_path_to_port(path, host, port), path)
        self._open[host, port] = held
        while len(self._open) > MOST_DOORS:
            _shut(self._open.pop(next(iter(self._open))))
        return held[2]

    def close(self) -> None:
        """Take every socket away; shells that run go on for as long as the connection does."""
        for held in self._open.values():
            _shut(held)
        self._open.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _place(self) -> Path:
        """Return a folder that no other user can enter; its path is short, for a socket's may have 100 letters."""
        if self._folder is None:
            runtime = os.environ.get("XDG_RUNTIME_DIR", "")
            self._folder = Path(tempfile.mkdtemp(prefix="gigadeck-", dir=runtime if Path(runtime).is_dir() else None))
        return self._folder


def through(line: list[str], path: str) -> list[str]:
    """Return ssh's command line with a socket in place of its jump hosts."""
    command = shlex.join([sys.executable, "-I", "-S", "-c", _CONNECT, path]).replace("%", "%%")
    at = line.index("--")
    return [*line[:at], "-o", f"ProxyCommand={command}", "-o", "ProxyUseFdpass=yes", *line[at:]]


def _shut(held: tuple[Any, Any, str]) -> None:
    held[1].close()
    with suppress(OSError):
        Path(held[2]).unlink()
