from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from console.config.values import SiteConfig, SourceConfig, Timeouts
from console.core.inventory import build_topology
from console.model.builtin_metrics import BUILTIN
from console.model.events import Event
from console.model.inventory import NodeSpec
from console.model.jobs import Job, JobState
from console.model.levels import Severity
from console.model.ports import Subject
from console.sources.alertmanager import alerts_of
from console.sources.dcgm.source import lines_of
from console.sources.exposition.labels import Spelling
from console.sources.known_text import known_text
from console.sources.prometheus.record import matchers_of
from console.sources.registry import open_source
from console.sources.ssh.asking import file_script, kernel_script, output_file, record_script
from tests.support.bad_http import answer, bad_server
from tests.support.fake_store import POWER, TEMP, FakeStore, gpu_row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.bad_http import Request, Writer

UUIDS = tuple(f"GPU-509665ad-b600-ac93-3616-d754b23d636{i}" for i in range(2))
NODE = Subject("lab", "lab/h1/r1/n1", "n1", ("n1.lab.example",))
GPU = Subject("lab", "lab/h1/r1/n1/g1", "n1", gpu=1, uuid=UUIDS[1])
JOB = Subject("lab", "job:lab/7", job="7")


# What columns, jobs and events say: emulator and site API


def test_every_value_of_a_node_and_its_gpus_is_written() -> None:
    topology = build_topology("lab", [NodeSpec("n1", hall="h1", rack="r1", gpus=2, gpu_uuids=UUIDS)])
    columns = {
        "temp_c": ("gpu", np.array([40.5, np.nan], dtype=np.float32)),
        "host_power_w": ("node", np.array([900], dtype=np.float32)),
        "it_power_w": ("site", np.array([1], dtype=np.float32)),
        "power_w": ("gpu", np.zeros(1, dtype=np.float32)),
    }
    events = [
        Event(1.0, "lab", "lab/h1/r1/n1/g1", "xid", Severity.WARNING, "XID 13"),
        Event(2.0, "lab", "lab/h1/r1/n11", "xid", Severity.WARNING, "of another"),
    ]
    text = known_text(NODE, topology, columns, (), events)
    assert text.splitlines() == [
        "node=n1",
        "  host_power_w=900",
        f"g0 uuid={UUIDS[0]} model=",
        "  temp_c=40.5",
        f"g1 uuid={UUIDS[1]} model=",
        "event at=1.000 xid lab/h1/r1/n1/g1: XID 13",
    ]
    assert "g0" not in known_text(GPU, topology, columns, (), events)
    assert known_text(Subject("lab", "x", "n9"), topology, columns) == ""


def test_a_job_is_written_field_by_field() -> None:
    topology = build_topology("lab", [NodeSpec("n1", gpus=1)])
    job = Job("7", "llm", "ada", JobState.RUNNING, 8, 1)
    assert "name=llm" in known_text(JOB, topology, {}, [job]).splitlines()
    assert known_text(Subject("lab", "x", job="8"), topology, {}, [job]) == ""


# Alertmanager


def alert(**labels: str) -> msgspec.Raw:
    return msgspec.Raw(json.dumps({"fingerprint": "f", "labels": labels, "unknownKey": [1]}).encode())


@pytest.mark.parametrize(
    ("labels", "of_node", "of_gpu"),
    [
        ({"Hostname": "n1"}, True, True),
        ({"instance": "n1.lab.example:9400"}, True, True),
        ({"instance": "n1:9400", "gpu": "1"}, True, True),
        ({"instance": "n1:9400", "gpu": "0"}, True, False),
        ({"Hostname": "n11"}, False, False),
        ({"anything": UUIDS[1]}, False, True),
        ({"alertname": "n1"}, False, False),
    ],
)
def test_alerts_of_a_place_are_found_by_their_labels(labels: dict[str, str], of_node: bool, of_gpu: bool) -> None:
    assert bool(alerts_of([alert(**labels)], NODE)) is of_node
    assert bool(alerts_of([alert(**labels)], GPU)) is of_gpu


def test_an_alert_is_shown_as_it_was_received() -> None:
    text = alerts_of([alert(job_id="7", Hostname="n1"), msgspec.Raw(b'{"labels": 5}')], JOB)
    assert '"unknownKey": [' in text
    assert json.loads(text)["labels"]["job_id"] == "7"
    many = alerts_of([alert(job_id="7")] * 60, JOB)
    assert many.endswith("... and 10 more")


# dcgm


def test_a_gpu_s_lines_are_those_with_its_uuid_or_index() -> None:
    first, second = (f'x{{gpu="{i}",UUID="{uuid}"}} {i + 1}' for i, uuid in enumerate(UUIDS))
    page = f'# HELP x\n{first}\n{second}\ny{{gpu="1"}} 3\ny{{gpu="11"}} 4\n'
    assert lines_of(page, NODE) == page
    assert lines_of(page, GPU) == f'x{{gpu="1",UUID="{UUIDS[1]}"}} 2'
    assert lines_of(page.replace(UUIDS[1], "?"), GPU) == 'x{gpu="1",UUID="?"} 2\ny{gpu="1"} 3'


async def test_a_node_s_exporter_is_found_by_the_host_of_its_target() -> None:
    page = answer('DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1",Hostname="n1"} 40\n', content_type="text/plain")
    async with bad_server(page) as server:
        options = {"targets": (f"http://127.0.0.1:{server.port}/metrics",)}
        config = SourceConfig("dcgm", "src", options=options, timeouts=Timeouts(1, 1, 3))
        source = open_source(SiteConfig("lab"), config, BUILTIN)
        assert "GPU_TEMP" in await source.record(Subject("lab", "x", "n1", ("127.0.0.1",)))  # type: ignore[attr-defined]
        assert await source.record(Subject("lab", "x", "n2", ("10.0.0.1",))) == ""  # type: ignore[attr-defined]
        await source.aclose()


# Prometheus


def test_a_subject_is_asked_for_by_uuid_or_by_every_name_of_its_node() -> None:
    spelling = Spelling(node=("Hostname", "hostname"))
    assert matchers_of(GPU, spelling) == [(f'UUID="{UUIDS[1]}"',)]
    names = r'"(n1|n1\\.lab\\.example)([.:].*)?"'
    assert matchers_of(NODE, spelling) == [(f"Hostname=~{names}",), (f"hostname=~{names}",)]
    blind = Subject("lab", "x", "n1", gpu=3)
    assert matchers_of(blind, Spelling()) == [('Hostname=~"(n1)([.:].*)?"', 'gpu="3"')]
    assert matchers_of(JOB, spelling) == []


@asynccontextmanager
async def store() -> AsyncIterator[tuple[FakeStore, str]]:
    rows = [gpu_row(name, f"n{i // 8}", i % 8, "61") for name in (POWER, TEMP) for i in range(16)]
    of = FakeStore(rows, time.time(), federate=True)

    async def act(request: Request, writer: Writer) -> None:
        status, kind, text = of.respond(request.target, request.body.decode())
        await answer(text, status, kind)(request, writer)

    async with bad_server(act) as server:
        yield of, server.url


async def test_the_series_of_one_node_are_told_with_all_their_labels() -> None:
    async with store() as (_, url):
        config = SourceConfig("prometheus", "src", url, timeouts=Timeouts(1, 1, 3))
        source = open_source(SiteConfig("lab"), config, BUILTIN)
        with pytest.raises(Exception, match="has not been read yet"):
            await source.record(NODE)  # type: ignore[attr-defined]
        list((await source.read()).decode())
        lines = (await source.record(NODE)).splitlines()  # type: ignore[attr-defined]
        assert len(lines) == 16
        assert all('Hostname="n1"' in line for line in lines)
        assert lines[0].startswith(f"{min(POWER, TEMP)}{{")
        await source.aclose()


# ssh


def test_a_job_s_output_is_a_plain_absolute_path_or_nothing() -> None:
    assert output_file("/home/ada/slurm-%j.out", "4711") == "/home/ada/slurm-4711.out"
    assert output_file("/home/ada/%A_%a.out", "4711_3") == "/home/ada/4711_3.out"
    for pattern in ("", "slurm.out", "/home/%u/x", "/a\nb"):
        assert output_file(pattern, "1") == ""


def test_nothing_of_a_name_is_run() -> None:
    assert "f='/tmp/$(rm -rf x)'\\'';y'" in file_script("/tmp/$(rm -rf x)';y").replace("'\"'\"'", "'\\''")
    assert "@1784000000" in kernel_script(1_784_000_000.4)
    assert "nvidia-smi -q -i 3 2>&1" in record_script(("nvidia-smi",), 3)
    assert "docker exec driver nvidia-smi -q" in record_script(("docker", "exec", "driver", "nvidia-smi"), -1)
