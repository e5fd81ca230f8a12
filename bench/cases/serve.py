"""A hundred consoles on one `gigadeck serve` of 100,000 GPUs at 1 Hz: what they cost it, the wire and themselves."""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.measure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

GPUS, CLIENTS = 100_000, 100
STEADY_S, QUICK_S = 90.0, 20.0
START_S = 60.0
MIB = 1024 * 1024
FLEET = """
fleet: bench
serve: {{roles: {{operator: ["user:{user}"]}}, limits: {{requests_per_s: 1000}}}}
sites:
  - name: muc1
    sources:
      - {{kind: emulator, gpus: {gpus}}}
"""


def run(*, quick: bool) -> list[Figure]:
    """Return processor and memory of the server, bytes of each console, the first snapshot, decoding."""
    seconds = QUICK_S if quick else STEADY_S
    with tempfile.TemporaryDirectory() as folder, _serving(Path(folder)) as (url, server):
        idle = _share(server, seconds / 3)
        line = [sys.executable, "-m", "bench.serve_clients", url, "muc1", str(CLIENTS), str(seconds)]
        clients = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        time.sleep(seconds / 3)  # until all are there
        busy = _share(server, seconds / 2)
        rss = server.memory_info().rss
        told = json.loads(clients.communicate(timeout=seconds * 4)[0])
    what = f"{CLIENTS} consoles on one serve of {GPUS:,} GPUs at 1 Hz"
    return [
        Figure(f"{what}: share of one core", busy, "cores", must=0.6, note=f"without any {idle:.2f}; emulator in it"),
        Figure(f"{what}: resident memory", rss / MIB, "MiB", must=600e6 / MIB),
        Figure(
            f"{what}: each",
            told["bytes_a_second"],
            "B/s",
            must=15_000,
            note=f"after the first snapshot, a rack in focus; the most {told['most_bytes_a_second']:,.0f}",
        ),
        Figure("first snapshot of an attached console", told["opening_bytes"] / 1e6, "MB", must=3.0),
        Figure(
            "first snapshot, from the request to its end, p50",
            told["opening_s"],
            "s",
            must=1.0,
            note="20 a second come",
        ),
        Figure("decoding in an attached console", 1e3 * told["decode_s_a_second"], "ms a second", must=5.0),
    ]


def _share(process: psutil.Process, seconds: float) -> float:
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(seconds)
    return float((sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began))


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    (folder / "fleet.yaml").write_text(FLEET.format(user=getpass.getuser(), gpus=GPUS))
    line = [sys.executable, "-m", "console", "serve", "--fleet", str(folder / "fleet.yaml"), "--listen", "127.0.0.1:0"]
    said = folder / "said.txt"
    with said.open("w") as log:
        process = subprocess.Popen(line, stderr=log, env={**os.environ, "GIGADECK_STATE_DIR": str(folder / "state")})
    try:
        yield _address(said, process), psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _address(said: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+", said.read_text())
        if found:
            time.sleep(5)  # the site is built
            return found[0]
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start: {said.read_text()}")
