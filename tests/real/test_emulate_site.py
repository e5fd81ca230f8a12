"""The real command as a process of its own, read by the site source and by an independent parser."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from console.config.values import SiteConfig, SourceConfig
from console.emulator.fleet import FleetPlan
from console.emulator.wire.dcgm_fields import DCGM_FIELDS
from console.emulator.world import World
from console.model.builtin_metrics import BUILTIN
from console.model.reading import ColumnPart, EventsPart, JobsPart, Part, TopologyPart
from console.sources.registry import open_source
from tests.servers.emulator import Emulator, emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

GPUS, SITES, SEED = 1440, 2, 7
COMMAND = (sys.executable, "-m", "console", "emulate", "--gpus", "8", "--sites", "1")


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with emulator(gpus=GPUS, sites=SITES, seed=SEED) as running:
        yield running


def twin() -> World:
    return World(FleetPlan(gpus=GPUS, sites=SITES, seed=SEED), time.time())


async def read(server: Emulator, site: str) -> list[Part]:
    source = open_source(SiteConfig(site), SourceConfig("site", "api", server.url), BUILTIN)
    try:
        return list((await source.read()).decode())
    finally:
        await source.aclose()


@pytest.mark.parametrize("index", range(SITES))
async def test_the_topology_is_that_of_a_world_of_the_same_seed(server: Emulator, index: int) -> None:
    name = twin().site_names[index]
    got = (await read(server, name))[0]
    assert isinstance(got, TopologyPart)
    ours = twin().topology(name)
    for each in ("site", "halls", "racks", "nodes", "models", "serials", "bmcs", "geo", "version"):
        assert getattr(got.topology, each) == getattr(ours, each)
    assert dict(got.topology.aliases) == dict(ours.aliases)
    for each in ("hall_racks", "rack_nodes", "node_gpus", "gpu_slot", "uuid_high", "uuid_low"):
        np.testing.assert_array_equal(getattr(got.topology, each), getattr(ours, each))
    assert set(got.topology.domains) == set(ours.domains)
    for kind, domain in ours.domains.items():
        assert got.topology.domains[kind].names == domain.names
        np.testing.assert_array_equal(got.topology.domains[kind].members, domain.members)
        np.testing.assert_array_equal(got.topology.domains[kind].starts, domain.starts)


@pytest.mark.parametrize("index", range(SITES))
async def test_every_metric_of_the_world_arrives_with_plausible_numbers(server: Emulator, index: int) -> None:
    world = twin()
    name = world.site_names[index]
    parts = await read(server, name)
    columns = {part.metric: part for part in parts if isinstance(part, ColumnPart)}
    ours = world.state(name, time.time()).columns
    assert set(columns) == set(ours)
    for metric, part in columns.items():
        assert len(part.values) == len(ours[metric])
        reported = part.values[np.isfinite(part.values)]
        # Our source drops what is out of range: nothing of a healthy world may be.
        assert len(reported) >= 0.9 * np.isfinite(ours[metric]).sum(), metric
    jobs = next(part for part in parts if isinstance(part, JobsPart))
    assert jobs.gpu_job is not None
    running = {job.id for job in jobs.jobs if job.state == "RUNNING"}
    assert {jobs.jobs[row].id for row in set(jobs.gpu_job.tolist()) - {-1}} <= running
    events = [event for part in parts if isinstance(part, EventsPart) for event in part.events]
    assert all(event.site == name and event.path.partition("/")[0] == name for event in events)


def test_both_voices_of_the_server_tell_the_same(server: Emulator) -> None:
    """The exporter's text, read by Prometheus's own client, against the columns; from one sample of the server."""
    name = twin().site_names[0]
    topology = twin().topology(name)
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for _ in range(10):
            before = client.get(f"/site/v1/{name}/telemetry").json()
            text = client.get("/metrics", params={"site": name}).text
            if client.get(f"/site/v1/{name}/telemetry").json()["at"] == before["at"]:
                break
        else:
            pytest.fail("no two answers came from one sample")
    read = {
        (sample.name.removesuffix("_total"), sample.labels["UUID"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    columns = {each["metric"]: np.frombuffer(base64.b64decode(each["data"]), dtype="<f4") for each in before["columns"]}
    expected = {
        (field.name, topology.uuid(row)): float(columns[field.metric][row]) / field.per_unit
        for field in DCGM_FIELDS
        if field.metric in columns
        for row in np.flatnonzero(np.isfinite(columns[field.metric])).tolist()
    }
    assert read.keys() == expected.keys()
    for key, value in expected.items():
        assert read[key] == pytest.approx(value, abs=0.51)


def test_every_node_of_a_site_has_a_page(server: Emulator) -> None:
    name = twin().site_names[0]
    topology = twin().topology(name)
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for node in (topology.nodes[0], topology.nodes[-1]):
            text = client.get(f"/node/{node}/metrics", params={"hostname": "lower"}).text
            hosts = {
                sample.labels["hostname"]
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
            assert hosts == {node}


def test_the_facility_page_is_prometheus_text(server: Emulator) -> None:
    name = twin().site_names[0]
    text = httpx.get(f"{server.url}/facility", params={"site": name}).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    (sample,) = families["gigadeck_it_power_watts"].samples
    assert sample.labels == {"site": name}
    assert sample.value > 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_ends_cleanly_when_told_even_in_the_middle_of_an_answer(number: signal.Signals, code: int) -> None:
    with emulator(gpus=8000) as running, httpx.stream("GET", f"{running.url}/metrics", timeout=10) as response:
        assert next(response.iter_bytes(1000))
        running.process.send_signal(number)
        assert running.process.wait(10) == code


def test_a_port_in_use_is_one_clear_message(server: Emulator) -> None:
    port = server.url.rpartition(":")[2]
    done = subprocess.run((*COMMAND, "--listen", f"127.0.0.1:{port}"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr


def test_without_the_serve_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from console.cli import main; main()"
    done = subprocess.run(
        (sys.executable, "-c", code, "emulate", "--listen", "127.0.0.1:0", "--gpus", "8", "--sites", "1"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "pip install 'gigadeck[serve]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_but_emulate_imports_the_server_and_no_decoder_an_encoder() -> None:
    code = (
        "import sys, console.wiring, console.cli.entry, console.sources.site;"
        "sys.exit(sorted(m for m in sys.modules if m.startswith(('starlette', 'uvicorn', 'console.emulator'))) or 0)"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("listen", "code", "text"),
    [
        ("nohost.invalid:80", 1, "cannot listen on nohost.invalid:80"),
        ("9400", 2, "is not HOST:PORT"),
        ("127.0.0.1:99999", 2, "is not HOST:PORT"),
    ],
)
def test_an_address_that_cannot_be_is_one_clear_message(listen: str, code: int, text: str) -> None:
    done = subprocess.run((*COMMAND, "--listen", listen), capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr
