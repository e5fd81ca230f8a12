"""A dcgm-exporter-like page for many nodes, which a test can freeze, break or move in time."""

from __future__ import annotations

import hashlib
import math
import threading
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METRICS = {
    "DCGM_FI_DEV_GPU_TEMP": (55, 20, "%d"),
    "DCGM_FI_DEV_POWER_USAGE": (450, 200, "%.3f"),
    "DCGM_FI_DEV_GPU_UTIL": (60, 39, "%d"),
    "DCGM_FI_DEV_FB_USED": (50000, 29000, "%d"),
    "DCGM_FI_DEV_XID_ERRORS": (0, 0, "%d"),
}


def gpu_uuid(node: int, gpu: int) -> str:
    return f"GPU-{uuid.UUID(bytes=hashlib.md5(f'{node}/{gpu}'.encode()).digest())}"


def node_name(node: int) -> str:
    return f"n{node:05d}"


@dataclass
class Exporter:
    """What the pages say: `frozen` nodes repeat themselves, `late_s` shifts the times of a node's samples."""

    nodes: int = 20
    gpus: int = 8
    metrics: tuple[str, ...] = tuple(METRICS)
    host_label: str = "Hostname"
    frozen: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    late_s: dict[int, float] = field(default_factory=dict)
    clock: Callable[[], float] = lambda: 0.0
    tick: int = 0
    port: int = 0

    def page(self, nodes: range, *, at: float | None = None) -> str:
        """Return the text of some nodes; with `at` every sample carries that time (shifted by `late_s`)."""
        self.tick += 1
        lines: list[str] = []
        for name in self.metrics:
            lines.append(f"# HELP {name} x.\n# TYPE {name} gauge")
            lines += [
                self._line(name, node, gpu, at) for node in nodes if node not in self.gone for gpu in range(self.gpus)
            ]
        return "\n".join(lines) + "\n"

    def _line(self, name: str, node: int, gpu: int, at: float | None) -> str:
        base, swing, form = METRICS[name]
        tick = 0 if node in self.frozen else self.tick
        value = form % (base + swing * math.sin(tick * 0.7 + node * 8 + gpu))
        stamp = "" if at is None and node not in self.late_s else f" {self._stamp(node, at)}"
        return (
            f'{name}{{gpu="{gpu}",UUID="{gpu_uuid(node, gpu)}",pci_bus_id="00000000:{gpu:02X}:00.0",'
            f'device="nvidia{gpu}",modelName="NVIDIA H100 80GB HBM3",{self.host_label}="{node_name(node)}",'
            f'DCGM_FI_DRIVER_VERSION="550.90.07"}} {value}{stamp}'
        )

    def _stamp(self, node: int, at: float | None) -> int:
        return int(((self.clock() if at is None else at) + self.late_s.get(node, 0.0)) * 1000)

    def respond(self, target: str) -> str:
        """Return the page of `/metrics?shard=0&of=4`: a part of the nodes."""
        query = parse_qs(urlsplit(target).query)
        shard, of = int(query.get("shard", ["0"])[0]), int(query.get("of", ["1"])[0])
        return self.page(range(self.nodes * shard // of, self.nodes * (shard + 1) // of))


@contextmanager
def serving(exporter: Exporter) -> Iterator[Exporter]:
    """Serve the exporter's pages on a free loopback port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = exporter.respond(self.path).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    exporter.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, name="exporter", daemon=True)
    thread.start()
    try:
        yield exporter
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
