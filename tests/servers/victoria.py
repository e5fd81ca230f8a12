"""A real VictoriaMetrics on a free loopback port in a folder of its own."""

from __future__ import annotations

import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.servers import HttpServer, free_port, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Victoria(HttpServer):
    """The server; its own API beside start, kill and stop."""

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
    with Victoria(f"http://127.0.0.1:{port}", folder, command, ready="/health") as server:
        yield server
