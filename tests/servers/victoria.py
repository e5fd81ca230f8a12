"""A real VictoriaMetrics on a free loopback port in a folder of its own."""

from __future__ import annotations

import subprocess
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.servers import END_S, end, free_port, require, wait_ready

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass
class Victoria:
    url: str
    folder: Path
    command: list[str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self.folder / "victoria.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        wait_ready(self.process, f"{self.url}/health", log)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(END_S)

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)

    def load(self, page: str) -> None:
        """Take an exposition page and make its samples visible at once."""
        request = urllib.request.Request(f"{self.url}/api/v1/import/prometheus", data=page.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read()
        with urllib.request.urlopen(f"{self.url}/internal/force_flush", timeout=60) as response:
            response.read()


@contextmanager
def victoria(folder: Path, *, extra: Sequence[str] = ()) -> Iterator[Victoria]:
    """Run a single-node VictoriaMetrics that shows its newest samples at once."""
    binary = require("victoria-metrics")
    port = free_port()
    command = [
        binary,
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder / 'data'}",
        "-retentionPeriod=1d",
        "-search.latencyOffset=0s",
        "-search.disableCache",
        "-search.maxUniqueTimeseries=1000000",
        "-loggerLevel=WARN",
        *extra,
    ]
    server = Victoria(f"http://127.0.0.1:{port}", folder, command)
    server.start()
    try:
        yield server
    finally:
        server.stop()
