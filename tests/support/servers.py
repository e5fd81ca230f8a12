"""Real servers for tests: found, started on free loopback ports, waited for, ended by their process id."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from pathlib import Path

READY_S = 30.0
END_S = 10.0


def require(binary: str, package: str = "") -> str:
    """Return where a server's binary is; without it the test is skipped, and fails where CI=true."""
    found = shutil.which(binary)
    if found is None:
        reason = f"{binary} is not installed (Debian package {package or binary})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


# Not seeded: several test processes of one machine look for ports at the same time.
PORTS = random.SystemRandom()


def free_port() -> int:
    """Return a port that nobody has, from below those that the system hands out to connections: they come and go."""
    for _ in range(200):
        port = PORTS.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free from 10,000 to 32,000")


@dataclass
class HttpServer:
    """A server that is started with a command and ready when `ready` answers; it may be killed and started again."""

    url: str
    folder: Path
    command: list[str]
    ready: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self.folder / "server.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        wait_ready(self.process, f"{self.url}{self.ready}", log)

    def kill(self) -> None:
        """End at once, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(END_S)

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def wait_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=1) as response:
                response.read()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.02)
    pytest.fail(f"{process.args} is not ready at {url}:\n{log.read_text(errors='replace')[-2000:]}")


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(END_S)
