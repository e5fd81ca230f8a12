"""State writes a second as the engine makes them: on SQLite and on a real PostgreSQL on loopback, both writing through.

A write is a deed: an incident with its acknowledgement and the step of its life, and the deed itself, under a fence.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.model.incidents import Deed, Incident
    from console.state.store import Store

BATCH = 50
SQLITE_GOAL, POSTGRESQL_GOAL = 1_000, 500


def run(*, quick: bool) -> list[Figure]:
    """Return seconds for as many writes as are promised a second, in batches and each on its own."""
    from console.state.store import open_store
    from tests.servers.postgresql import postgresql

    runs = 3 if quick else 7
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "memory.db"
        fsync_s = _fsync_s(Path(folder) / "probe")
        with closing(open_store(f"sqlite:///{file}", realm="bench")) as store:
            figures += _figures(store, "SQLite", SQLITE_GOAL, runs, fsync_s)
    with postgresql() as server, closing(open_store(server.url, realm="bench")) as store:
        figures += _figures(store, "PostgreSQL on loopback", POSTGRESQL_GOAL, runs, fsync_s)
    return figures


def _figures(store: Store, name: str, writes: int, runs: int, fsync_s: float) -> list[Figure]:
    from console.state.leadership import Leadership

    leads = Leadership(store, "bench", "bench", "")
    fence = leads.try_lead()
    assert fence is not None
    grouped, alone = [], []
    for number in range(runs):
        grouped.append(_written_s(store, fence, _deeds(2 * number, writes), BATCH))
        alone.append(_written_s(store, fence, _deeds(2 * number + 1, writes), 1))
    with store.asking() as reader:
        assert len(reader.incidents(["muc1"])) == 2 * runs * writes
    leads.resign()
    together_s, single_s = statistics.median(grouped), statistics.median(alone)
    note = f"batches of {BATCH}: {writes / together_s:,.0f} a second; one fsync here takes {fsync_s * 1000:.1f} ms"
    one = f"{single_s / writes * 1000:.2f} ms each"
    return [
        Figure(f"{writes:,} state writes, {name}", together_s, "s", must=1.0, note=note),
        Figure(f"{writes:,} state writes, {name}, each committed alone", single_s, "s", note=one),
    ]


def _deeds(run_number: int, writes: int) -> list[tuple[Incident, Deed]]:
    from tests.support.remembered import acknowledged, deed

    return [(acknowledged(f"check:{run_number}-{n}", 100.0 + n), deed(f"{run_number}-{n}")) for n in range(writes)]


def _written_s(store: Store, fence: int, deeds: Sequence[tuple[Incident, Deed]], batch: int) -> float:
    started = time.perf_counter()
    for start in range(0, len(deeds), batch):
        with store.begin(fence) as writer:
            some = deeds[start : start + batch]
            writer.expect(deed for _, deed in some)
            new = [(incident, deed) for incident, deed in some if writer.done(deed) is None]
            writer.put_incidents(incident for incident, _ in new)
            for _, deed in new:
                writer.remember(deed, "acknowledged")
    return time.perf_counter() - started


def _fsync_s(path: Path) -> float:
    """Return the median time of writing a page through to the disk: what a commit cannot be quicker than."""
    import os

    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(25):
            started = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times)
