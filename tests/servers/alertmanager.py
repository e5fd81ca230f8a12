"""A real Alertmanager on a free loopback port in a folder of its own, without clustering."""

from __future__ import annotations

import json
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support.servers import HttpServer, free_port, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CONFIGURATION = """\
route: {receiver: none, group_by: [alertname], group_wait: 1s, group_interval: 5s, repeat_interval: 1h}
receivers: [{name: none}]
inhibit_rules:
- {source_matchers: ['alertname="RackDown"'], target_matchers: ['alertname="GpuXid"'], equal: [rack]}
"""


class Alertmanager(HttpServer):
    """The server; its own API beside start, kill and stop."""

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
    with Alertmanager(f"http://127.0.0.1:{port}", folder, command, ready="/-/ready") as server:
        yield server
