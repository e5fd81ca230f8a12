from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from console.model.snapshot import SourceState
from console.wiring import open_fleet
from tests.servers.emulator import serving
from tests.support.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.model.snapshot import SiteFrame, Snapshot, SourceStatus
    from console.wiring import Fleet

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("emulator")]
NODES, GPUS, WAIT_S = 100, 8, 60.0
ALIVE = (SourceState.OK, SourceState.SLOW)


def emulating(port: int) -> ExitStack:
    """Start the emulator of 100 nodes at a port; closing the stack ends it."""
    stack = ExitStack()
    command = ("emulate", "--listen", f"127.0.0.1:{port}", "--gpus", str(NODES * GPUS), "--sites", "1", "--seed", "1")
    stack.enter_context(serving((sys.executable, "-m", "console", *command)))
    return stack


@contextmanager
def hanging() -> Iterator[int]:
    """Take connections and never answer; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    held.append(server.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for each in held:
            each.close()


@contextmanager
def opened(folder: Path, *targets: str, **more: object) -> Iterator[Fleet]:
    source = {"kind": "dcgm", "name": "exporters", "targets": list(targets), "cadence": "500ms", **more}
    fleet = {"fleet": "t", "sites": [{"name": "lab", "sources": [source]}]}
    (folder / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    running = open_fleet(str(folder / "fleet.yaml"), with_plugins=False)
    running.session.start()
    try:
        yield running
    finally:
        running.session.close()


def pages(port: int, nodes: str) -> str:
    return f"http://127.0.0.1:{port}/node/{nodes}/metrics"


def until(fleet: Fleet, wanted: Callable[[SiteFrame, SourceStatus], bool]) -> tuple[SiteFrame, SourceStatus]:
    def fits(snapshot: Snapshot) -> bool:
        return bool(snapshot.frame.sites) and wanted(snapshot.frame.sites[0], snapshot.sources[0])

    snapshot = fleet.session.wait(fits, WAIT_S)
    return snapshot.frame.sites[0], snapshot.sources[0]


def reporting(frame: SiteFrame) -> int:
    return int(np.count_nonzero(frame.reporting))


def fresh(frame: SiteFrame, share: float = 1.0) -> bool:
    """Whether about this share of the GPUs report (a few are always lost)."""
    return (share - 0.02) * NODES * GPUS < reporting(frame) <= share * NODES * GPUS


def test_a_hundred_exporters_are_a_site(tmp_path: Path) -> None:
    port = free_port()
    with emulating(port), opened(tmp_path, pages(port, "n[0001-0100]")) as fleet:
        frame, source = until(fleet, lambda frame, _: frame.topology.gpus == NODES * GPUS and fresh(frame))
        assert len(frame.topology.nodes) == NODES
        assert source.url == pages(port, "n[0001-0100]")
        assert {"temp_c", "power_w", "util_pct", "mem_used_bytes", "xid"} <= frame.columns.keys()
        asked = source.requests
        until(
            fleet,
            lambda _, source: source.requests >= asked + 3 * NODES and source.notes["exporters"] == "100 of 100 answer",
        )


def test_half_of_them_die_and_come_back_while_the_others_stay_fresh(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    targets = (pages(first, "n[0001-0050]"), pages(second, "n[0051-0100]"))
    with emulating(first), opened(tmp_path, *targets, stale_after="4s") as fleet:
        dying = emulating(second)
        until(fleet, lambda frame, _: fresh(frame))
        dying.close()

        def halved(frame: SiteFrame, source: SourceStatus) -> bool:
            return fresh(frame, 0.5) and source.notes["exporters"] == "50 of 100 answer"

        frame, source = until(fleet, halved)
        assert frame.topology.gpus == NODES * GPUS
        assert source.state in ALIVE
        assert any(text.startswith("50 of 100 exporters, ") and "cannot connect" in text for text in source.warnings)
        with emulating(second):
            until(fleet, lambda frame, source: fresh(frame) and source.notes["exporters"] == "100 of 100 answer")


def test_hanging_exporters_hold_up_nobody(tmp_path: Path) -> None:
    port = free_port()
    with emulating(port), hanging() as stuck:
        stuck_pages = pages(stuck, "x[001-040]")
        with opened(tmp_path, pages(port, "n[0001-0100]"), stuck_pages, concurrency=8) as fleet:
            until(fleet, lambda frame, _: fresh(frame))
            began = time.time()
            until(fleet, lambda _, source: any("40 of 140 exporters" in text for text in source.warnings))

            def followed(frame: SiteFrame, source: SourceStatus) -> bool:
                return float(np.quantile(frame.columns["temp_c"].at, 0.03)) > began + 8.0 and source.state in ALIVE

            until(fleet, followed)


def test_all_of_them_die_and_come_back(tmp_path: Path) -> None:
    port = free_port()
    running = emulating(port)
    with opened(tmp_path, pages(port, "n[0001-0100]"), stale_after="4s") as fleet:
        until(fleet, lambda frame, _: frame.topology.gpus == NODES * GPUS)
        running.close()
        _, source = until(
            fleet,
            lambda frame, source: frame.stale and source.state is SourceState.STALE and "none of" in source.last_error,
        )
        assert source.last_error.startswith("lab/exporters: none of 100 exporters answers; ")
        assert "connection refused" in source.last_error
        with emulating(port):
            until(fleet, lambda frame, source: source.state in ALIVE and not frame.stale)
