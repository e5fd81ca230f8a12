"""Two servers in a process of their own: a store whose every sweep is one large answer, and one that never answers."""

from __future__ import annotations

import contextlib
import json
import re
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from bench.exposition import GPUS_PER_NODE
from bench.prometheus_body import SERIES, labels

if TYPE_CHECKING:
    from typing import Any

NAME = SERIES["power_w"]
# Written into every line, and replaced by the time of the answer: thirteen digits of milliseconds.
STAMP = b"1800000000000"
INTERVAL_S = 5
NODES = 11_600


def export_lines(nodes: int, phase: int) -> bytes:
    """Return power_w of `nodes` x 8 GPUs as VictoriaMetrics exports it; 26 MB for 11,600 nodes."""
    lines: list[str] = []
    for node in range(nodes):
        for gpu in range(GPUS_PER_NODE):
            value = 600 + (node * 56 + gpu * 7 + phase * 13) % 997 / 10
            row = {"metric": _few(labels(node, gpu, NAME)), "values": [value], "timestamps": [int(STAMP)]}
            lines.append(json.dumps(row, separators=(",", ":")))
    return "\n".join(lines).encode() + b"\n"


def _few(of: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in of.items() if name != "pci_bus_id"}


class Store:
    """What the store answers: enough of VictoriaMetrics' API for one metric of one site."""

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self._exports = [export_lines(nodes, phase) for phase in range(2)]
        self._turn = 0

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        """Return status and body."""
        if path == "/api/v1/export":
            return 200, self._export(query["match[]"][0])
        if path == "/api/v1/query":
            return 200, self._good(self._query(query["query"][0]))
        if path == "/api/v1/label/__name__/values":
            return 200, self._good([NAME])
        if path == "/api/v1/labels":
            return 200, self._good(list(labels(0, 0, NAME)))
        return 404, b"404 page not found"

    def _export(self, selector: str) -> bytes:
        if NAME not in selector:
            return b""
        self._turn += 1
        return self._exports[self._turn % 2].replace(STAMP, b"%d" % (time.time() * 1000))

    def _query(self, promql: str) -> dict[str, Any]:
        now = time.time()
        if promql == "1":
            return {"resultType": "scalar", "result": [now, "1"]}
        if promql.startswith("count("):
            rows = [{"metric": {}, "value": [now, str(self._nodes * GPUS_PER_NODE)]}]
            return {"resultType": "vector", "result": rows}
        known = [labels(0, gpu, NAME) for gpu in range(5)]
        if re.search(r"\[\w+\]$", promql):
            values = [[now - age_s, "612.5"] for age_s in (2 * INTERVAL_S, INTERVAL_S, 0)]
            return {"resultType": "matrix", "result": [{"metric": known[0], "values": values}]}
        return {"resultType": "vector", "result": [{"metric": each, "value": [now, "612.5"]} for each in known]}

    def _good(self, data: Any) -> bytes:
        return json.dumps({"status": "success", "data": data}).encode()


def serve(nodes: int) -> None:
    """Serve both until killed; prints their ports, one a line."""
    store = Store(nodes)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._send(*store.answer(parts.path, parse_qs(parts.query)))

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            self._send(*store.answer(urlsplit(self.path).path, parse_qs(form)))

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _send(self, status: int, body: bytes) -> None:
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                while self.request.recv(65536):
                    pass

    class SilentServer(socketserver.ThreadingTCPServer):
        daemon_threads = True

    talking = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    silent = SilentServer(("127.0.0.1", 0), Silent)
    threading.Thread(target=silent.serve_forever, daemon=True).start()
    print(talking.server_address[1], silent.server_address[1], flush=True)
    talking.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
