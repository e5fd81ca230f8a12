"""The serve and those who attach to it: what it serves is what they read, by polling as by its stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from console.config.values import SiteConfig, SourceConfig
from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.model.builtin_metrics import BUILTIN
from console.model.errors import RefusedError, SourceError
from console.model.incidents import Deed, DeedKind
from console.model.ports import Subject
from console.model.reading import JudgedPart
from console.sources.site import SiteSource
from console.sources.site import open as open_site
from console.sources.site_bodies import Faults
from console.sources.site_polling import Polling
from console.sources.site_servers import Server, links_of
from tests.support.scripted_session import SITE, ScriptedSession
from tests.support.serving import Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.model.reading import Reading
    from console.model.snapshot import SiteFrame

WAIT_S = 15.0
STEPS = {"host_power_w": 5.0, "power_w": 5.0, "sm_clock_mhz": 15.0, "mem_used_bytes": 1e9, "mem_free_bytes": 1e9}


@pytest.fixture
def session() -> ScriptedSession:
    return ScriptedSession()


@pytest.fixture
def served(session: ScriptedSession) -> Iterator[Served]:
    with serving(session, everybody="ada") as running:
        yield running


class Reader:
    """Merges readings as the engine does."""

    def __init__(self) -> None:
        self.merger = SiteMerger(empty_topology(SITE), BUILTIN)
        self.judged: list[Any] = []

    def take(self, reading: Reading) -> SiteFrame:
        for part in reading.decode():
            if isinstance(part, JudgedPart):
                self.judged.append(part.judged)
            self.merger.apply(part, source="api", stale_after_s=1e9, received_at=reading.received_at)
        return self.merger.frame(reading.received_at)


def configs(url: str) -> tuple[SiteConfig, SourceConfig]:
    return SiteConfig(SITE), SourceConfig(kind="site", name="api", url=url)


async def test_a_console_that_knows_no_stream_reads_a_serve_as_it_reads_an_emulator(
    served: Served, session: ScriptedSession
) -> None:
    (link,) = links_of(*configs(served.url))
    faults = Faults(SITE, "api")
    server, polling, reader = Server(link, faults, SITE, lambda: 0.0), Polling(faults, SITE, SITE, BUILTIN), Reader()
    try:
        reading = await polling.read(server, await server.know([]), [], {})
        frame = reader.take(reading)
        latest = session.latest()
        assert latest is not None
        ours = latest.frame.sites[0]
        assert frame.topology.nodes == ours.topology.nodes
        assert frame.columns.keys() == ours.columns.keys()
        for name, column in ours.columns.items():
            np.testing.assert_array_equal(frame.columns[name].values, column.values, err_msg=name)
        assert [job.id for job in frame.jobs.rows] == [job.id for job in ours.jobs.rows]
        assert [event.text for event in frame.events] == [event.text for event in ours.events]
        session.world.rename(SITE, version=2)
        session.begin_anew()
        session.publish()
        again = await polling.read(server, await server.know([]), [], {})
        assert reader.take(again).topology.nodes[0].endswith("x")
    finally:
        await link.aclose()


async def test_an_attached_console_has_what_the_serve_has_and_is_heard_by_it(
    served: Served, session: ScriptedSession
) -> None:
    source = open_site(*configs(served.url), BUILTIN)
    assert isinstance(source, SiteSource)
    reader = Reader()
    try:
        async with asyncio.timeout(WAIT_S):
            frame = reader.take(await source.read())
            while not reader.judged or "power_w" not in frame.columns:
                frame = reader.take(await source.read())
        latest = session.latest()
        assert latest is not None
        ours = latest.frame.sites[0]
        assert frame.topology.nodes == ours.topology.nodes
        for name in ("power_w", "temp_c", "it_power_w"):
            step = BUILTIN[name].quantum
            theirs = frame.columns[name].values
            np.testing.assert_allclose(theirs, ours.columns[name].values, atol=step, rtol=0.02, err_msg=name)
        assert reader.judged[-1].keeper == "keeper-1"
        session.happen("the door opens")
        async with asyncio.timeout(WAIT_S):
            while not any(event.text == "the door opens" for event in frame.events):
                frame = reader.take(await source.read())
        deed = Deed("d-1", DeedKind.NOTE, SITE, f"node:{SITE}/x", "bad cable", author="a lie")
        assert await source.keep(deed) == "note done by ada"
        assert [(each.author, each.text) for each in session.deeds] == [("ada", "bad cable")]
        session.outcome = _refused
        with pytest.raises(RefusedError, match="nothing of the kind"):
            await source.keep(Deed("d-2", DeedKind.DROP_NOTE, SITE, "n-9"))
        source.focus(f"{SITE}/h1/r000/muc1-n0000")
        async with asyncio.timeout(WAIT_S):
            while not session.focused:
                session.publish()
                reader.take(await source.read())
        session.voices = session.saying(slurm="NodeName=muc1-n0000")
        record = await source.record(Subject(SITE, f"{SITE}/h1/r000/muc1-n0000", node="muc1-n0000"))
        assert "NodeName=muc1-n0000" in record
    finally:
        await source.aclose()


async def test_what_is_read_over_broken_streams_is_what_the_serve_has(served: Served, session: ScriptedSession) -> None:
    source = open_site(*configs(served.url), BUILTIN)
    reader = Reader()
    session.wild = True
    hub = served.hub
    try:
        async with asyncio.timeout(WAIT_S):
            while not reader.merger.topology.gpus:
                reader.take(await source.read())
            for number in range(12):
                await asyncio.to_thread(session.happen, f"event {number}")
                if number % 3 == 1:
                    hub._on_loop(hub._bid_farewell, [client for _, client in hub._clients.values()], "for a test")
                await until_told(source, reader, f"event {number}")
            session.wild = False
            for _ in range(7):
                await asyncio.to_thread(session.publish)
            session.happen("the end")
            frame = await until_told(source, reader, "the end")
    finally:
        await source.aclose()
    assert hub.counts.resumed >= 3
    assert [event.text for event in frame.events[1:]] == [*(f"event {number}" for number in range(12)), "the end"]
    latest = session.latest()
    assert latest is not None
    for name, column in latest.frame.sites[0].columns.items():
        metric, theirs = BUILTIN[name], frame.columns[name].values
        missing = np.isnan(column.values)
        np.testing.assert_array_equal(np.isnan(theirs), missing, err_msg=name)
        off = np.abs(theirs[~missing] - column.values[~missing])
        assert (off <= 0.76 * STEPS.get(name, metric.quantum)).all(), f"{name}: {off.max()}"


async def until_told(source: Any, reader: Reader, text: str) -> SiteFrame:
    """Read on until an event has been told."""
    while True:
        try:
            frame = reader.take(await source.read())
        except SourceError:
            continue
        if any(event.text == text for event in frame.events):
            return frame


def _refused(deed: Deed) -> str:
    raise RefusedError(f"{deed.site}: there is nothing of the kind")
