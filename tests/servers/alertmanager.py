"""A real Alertmanager on a free loopback port in a folder of its own, without clustering."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.servers import END_S, end, free_port, require, wait_ready

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CONFIGURATION = """\
route: {receiver: none, group_by: [alertname], group_wait: 1s, group_interval: 5s, repeat_interval: 1h}
receivers: [{name: none}]
inhibit_rules:
- {source_matchers: ['alertname="RackDown"'], target_matchers: ['alertname="GpuXid"'], equal: [rack]}
"""


@dataclass
class Alertmanager:
    url: str
    folder: Path
    command: list[str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self.folder / "alertmanager.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        wait_ready(self.process, f"{self.url}/-/ready", log)

    def kill(self) -> None:
        """End at once, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(END_S)

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)

    def post(self, what: str, body: object) -> Any:
        """Post to the API v2; returns what it answers, None for an empty answer."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v2/{what}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            content = response.read()
        return json.loads(content) if content.strip() else None

    def fire(self, alerts: Sequence[dict[str, str]], **more: object) -> None:
        """Post alerts with these labels."""
        self.post("alerts", [{"labels": labels, **more} for labels in alerts])

    def states(self) -> list[str]:
        """What the server itself says of its alerts."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=10) as response:
            return [alert["status"]["state"] for alert in json.loads(response.read())]


@contextmanager
def alertmanager(folder: Path) -> Iterator[Alertmanager]:
    """Run Alertmanager until the block ends."""
    binary = require("prometheus-alertmanager")
    port = free_port()
    (folder / "alertmanager.yml").write_text(CONFIGURATION)
    command = [
        binary,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    server = Alertmanager(f"http://127.0.0.1:{port}", folder, command)
    server.start()
    try:
        yield server
    finally:
        server.stop()
