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


def test_a_hundred_exporters_are_a_site(tmp_path: Path) -> None:
    port = free_port()
    with emulating(port), opened(tmp_path, pages(port, "n[0001-0100]")) as fleet:
        frame, source = until(fleet, lambda frame, _: frame.topology.gpus == NODES * GPUS)
        assert len(frame.topology.nodes) == NODES
        assert reporting(frame) > 0.98 * NODES * GPUS
        assert source.url == pages(port, "n[0001-0100]")
        assert {"temp_c", "power_w", "util_pct", "mem_used_bytes", "xid"} <= frame.columns.keys()
        asked = source.requests
        _, later = until(fleet, lambda _, source: source.requests >= asked + 3 * NODES)
        assert later.notes["exporters"] == "100 of 100 answer"
        assert later.state is SourceState.OK


def test_half_of_them_die_and_come_back_while_the_others_stay_fresh(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    targets = (pages(first, "n[0001-0050]"), pages(second, "n[0051-0100]"))
    with emulating(first), opened(tmp_path, *targets, stale_after="3s") as fleet:
        dying = emulating(second)
        until(fleet, lambda frame, _: reporting(frame) > 0.98 * NODES * GPUS)
        dying.close()
        frame, source = until(fleet, lambda frame, _: reporting(frame) < 0.55 * NODES * GPUS)
        assert frame.topology.gpus == NODES * GPUS
        assert reporting(frame) > 0.49 * NODES * GPUS
        assert source.state in (SourceState.OK, SourceState.SLOW)
        assert source.notes["exporters"] == "50 of 100 answer"
        assert any(text.startswith("50 of 100 exporters, ") and "cannot connect" in text for text in source.warnings)
        at = frame.columns["temp_c"].at
        assert at.max() - np.median(at[: NODES * GPUS // 2]) < 2.0
        with emulating(second):
            frame, source = until(fleet, lambda frame, _: reporting(frame) > 0.98 * NODES * GPUS)
            until(fleet, lambda _, source: source.notes["exporters"] == "100 of 100 answer")


def test_hanging_exporters_hold_up_nobody(tmp_path: Path) -> None:
    port = free_port()
    with emulating(port), hanging() as stuck:
        stuck_pages = pages(stuck, "x[001-040]")
        with opened(tmp_path, pages(port, "n[0001-0100]"), stuck_pages, concurrency=8) as fleet:
            until(fleet, lambda frame, _: reporting(frame) > 0.98 * NODES * GPUS)
            began = time.time()
            until(fleet, lambda _, source: any("40 of 140 exporters" in text for text in source.warnings))
            frame, source = until(fleet, lambda frame, _: frame.data_at > began + 8.0)
            at = frame.columns["temp_c"].at
            assert frame.data_at - at.min() < 3.0
            assert source.state in (SourceState.OK, SourceState.SLOW)


def test_all_of_them_die_and_come_back(tmp_path: Path) -> None:
    port = free_port()
    running = emulating(port)
    with opened(tmp_path, pages(port, "n[0001-0100]"), stale_after="3s") as fleet:
        until(fleet, lambda frame, _: frame.topology.gpus == NODES * GPUS)
        running.close()
        _, source = until(fleet, lambda frame, source: source.state is SourceState.STALE and frame.stale)
        assert source.last_error.startswith("lab/exporters: none of 100 exporters answers; ")
        assert "connection refused" in source.last_error
        with emulating(port):
            until(fleet, lambda frame, source: source.state is SourceState.OK and not frame.stale)
