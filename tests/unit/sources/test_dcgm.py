from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest

from console.config.values import Budget, LabelNames, SiteConfig, SourceConfig
from console.core.inventory import empty_topology
from console.core.merge import SiteMerger
from console.model import errors
from console.model.builtin_metrics import BUILTIN
from console.model.identity import format_uuid
from console.model.levels import Level
from console.model.reading import ColumnPart
from console.sources.dcgm.scrape import Scraper
from console.sources.dcgm.source import DcgmSource
from console.sources.dcgm.targets import targets_of
from console.sources.registry import open_source
from tests.support.bad_http import answer as answered
from tests.support.bad_http import bad_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from console.model.reading import Reading
    from console.model.snapshot import SiteFrame

    Answer = bytes | str | Exception | httpx.Response

TEMP, POWER, UTIL = "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_UTIL"


def uuid(node: int, gpu: int) -> str:
    return f"GPU-{node:08x}-0000-4000-8000-{gpu:012x}"


def line(name: str, node: int, gpu: int, value: object, **more: str) -> str:
    labels = {"gpu": str(gpu), "UUID": uuid(node, gpu), "modelName": "H100", "Hostname": f"n{node}", **more}
    written = ",".join(f'{key}="{text}"' for key, text in labels.items() if text)
    return f"{name}{{{written}}} {value}\n"


def page(node: int, gpus: int = 4, temp_c: float = 50.0) -> str:
    return "".join(
        f"# HELP {name} x\n# TYPE {name} gauge\n" + "".join(line(name, node, gpu, base + gpu) for gpu in range(gpus))
        for name, base in ((TEMP, temp_c), (POWER, 400))
    )


class Rig:
    """Exporters by host, whose pages a test changes, and the site that one source of them makes."""

    def __init__(self, pages: dict[str, Answer | None], **more: object) -> None:
        self.pages = pages
        self.now = 1_800_000_000.0
        self.asked: list[str] = []
        options = {"targets": (",".join(pages),), **more.pop("options", {})}  # type: ignore[dict-item]
        config = SourceConfig("dcgm", "exporters", options=options, **more)  # type: ignore[arg-type]
        self.source = DcgmSource(
            "lab", config, BUILTIN, transport=httpx.MockTransport(self.answer), monotonic=self.time, clock=self.time
        )
        self.merger = SiteMerger(empty_topology("lab"), BUILTIN)

    def time(self) -> float:
        return self.now

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.host)
        said = self.pages[request.url.host]
        if said is None:
            await asyncio.Event().wait()
        if isinstance(said, Exception):
            raise said
        if isinstance(said, httpx.Response):
            return httpx.Response(said.status_code, headers=said.headers, content=said.content)
        assert said is not None
        return httpx.Response(200, content=said, headers={"content-type": "text/plain; version=0.0.4"})

    async def read(self, after_s: float = 5.0) -> tuple[Reading, dict[str, ColumnPart]]:
        self.now += after_s
        reading = await self.source.read()
        parts = list(reading.decode())
        for part in parts:
            self.merger.apply(part, source="exporters", stale_after_s=30.0, received_at=reading.received_at)
        return reading, {part.metric: part for part in parts if isinstance(part, ColumnPart)}

    async def frame(self, after_s: float = 5.0) -> SiteFrame:
        await self.read(after_s)
        return self.merger.frame(self.now)

    def temps(self) -> dict[str, float]:
        frame = self.merger.frame(self.now)
        values = frame.columns["temp_c"].current(self.now)
        return {frame.topology.path(Level.GPU, row): float(value) for row, value in enumerate(values)}


def by_name(part: ColumnPart) -> dict[str, float]:
    return {f"{n}/{s}": v for n, s, v in zip(part.keys.nodes, part.keys.slots, part.values.tolist(), strict=True)}  # type: ignore[union-attr]


async def test_pages_of_all_exporters_are_one_column_a_metric() -> None:
    rig = Rig({"n1": page(1), "n2": page(2, 2)})
    reading, found = await rig.read()
    assert by_name(found["temp_c"]) == {"n1/0": 50, "n1/1": 51, "n1/2": 52, "n1/3": 53, "n2/0": 50, "n2/1": 51}
    assert found["temp_c"].keys is found["power_w"].keys
    assert set(found["temp_c"].at.tolist()) == {rig.now}
    assert (reading.requests, reading.cadence_s, reading.warnings) == (2, 5.0, ())
    assert reading.notes == {"exporters": "2 of 2 answer", "gpus": "6"}
    again = (await rig.read())[1]
    assert again["temp_c"].keys is found["temp_c"].keys  # so that the join is made once


async def test_a_dead_exporter_leaves_the_others_fresh_and_its_own_gpus_their_time() -> None:
    rig = Rig({"n1": page(1, 1), "n2": page(2, 1, 70)})
    await rig.read()
    first = rig.now
    rig.pages = {"n1": page(1, 1, 55), "n2": httpx.ConnectError("refused")}
    reading, found = await rig.read()
    assert by_name(found["temp_c"]) == {"n1/0": 55, "n2/0": 70}
    assert found["temp_c"].at.tolist() == [rig.now, first]
    assert reading.warnings == ("1 of 2 exporters, n2: cannot connect to n2:9400: connection refused or no route",)
    for _ in range(6):
        await rig.read()
    assert np.isnan(rig.temps()["lab/-/-/n2/g0"])
    assert rig.temps()["lab/-/-/n1/g0"] == 55
    rig.pages["n2"] = page(2, 1, 60)
    await rig.read(60.0)
    assert rig.temps() == {"lab/-/-/n1/g0": 55, "lab/-/-/n2/g0": 60}


async def test_a_failing_exporter_is_asked_less_often() -> None:
    rig = Rig({"n1": page(1), "n2": httpx.Response(500)})
    for _ in range(24):
        await rig.read()
    assert rig.asked.count("n1") == 24
    assert rig.asked.count("n2") <= 6


async def test_one_that_hangs_is_not_waited_for_twice_and_comes_late_with_its_own_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("console.sources.dcgm.source.PATIENCE", 0.01)
    gate = asyncio.Event()
    rig = Rig({"n1": page(1, 1), "n2": None})
    answer = rig.answer

    async def slow(request: httpx.Request) -> httpx.Response:
        if request.url.host == "n2":
            rig.asked.append("n2")
            await gate.wait()
            return httpx.Response(200, content=page(2, 1, 71), headers={"content-type": "text/plain"})
        return await answer(request)

    rig.source = DcgmSource(
        "lab",
        SourceConfig("dcgm", "exporters", options={"targets": ("n1,n2",)}),
        BUILTIN,
        transport=httpx.MockTransport(slow),
        monotonic=rig.time,
        clock=rig.time,
    )
    reading, found = await rig.read()
    assert by_name(found["temp_c"]) == {"n1/0": 50}
    assert reading.warnings == ("1 of 2 exporters, n2: no answer yet",)
    gate.set()
    await asyncio.sleep(0)
    found = (await rig.read())[1]
    assert by_name(found["temp_c"]) == {"n1/0": 50, "n2/0": 71}
    assert rig.asked.count("n2") == 1
    await rig.source.aclose()


async def test_nobody_answering_is_the_sources_failure() -> None:
    rig = Rig({"n1": httpx.Response(503, headers={"retry-after": "17"}), "n2": httpx.ConnectError("no")})
    with pytest.raises(errors.ServerFailed, match="lab/exporters: none of 2 exporters answers; n1: HTTP 503") as caught:
        await rig.read()
    assert caught.value.retry_after_s == 17
    rig.pages = {"n1": page(1), "n2": page(2)}
    assert (await rig.frame()).topology.gpus == 8  # at once: when nobody answers, the engine does the waiting


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "the page has no samples"),
        ("# HELP x y\n", "the page has no samples"),
        ("node_load1 0.5\n", "the page has no GPU metrics that are known here"),
        ('node_cpu_seconds{cpu="0"} 1\n', "the page has no GPU metrics that are known here"),
        (TEMP + '{gpu="0"', "a line is not a sample"),
        (TEMP + '{gpu="0",UUID="GPU-1"} hot\n', f"a sample of {TEMP} is not a number"),
        (TEMP + "{gpu=0} 1\n", "labels cannot be read"),
    ],
)
async def test_a_page_that_cannot_be_read_is_named_and_the_others_are_taken(said: str, why: str) -> None:
    rig = Rig({"n1": page(1, 1), "n2": said})
    reading, found = await rig.read()
    assert by_name(found["temp_c"]) == {"n1/0": 50}
    assert reading.notes["unreadable"] == "1 of 2 exporters, n2"
    reading, _ = await rig.read()
    assert why in reading.warnings[0]
    alone = Rig({"n2": said})
    with pytest.raises(errors.BadPayload, match="lab/exporters: n2: "):
        await alone.read()


async def test_a_gpu_that_its_exporter_no_longer_names_is_missing() -> None:
    rig = Rig({"n1": page(1, 3)})
    await rig.read()
    rig.pages["n1"] = page(1, 2)
    frame = await rig.frame()
    assert frame.topology.gpus == 3
    assert frame.reporting.tolist() == [True, True, False]


async def test_a_gpu_that_was_replaced_takes_its_slot() -> None:
    rig = Rig({"n1": page(1, 2)})
    await rig.read()
    rig.pages["n1"] = line(TEMP, 1, 0, 40) + line(TEMP, 1, 1, 41, UUID=uuid(9, 9))
    frame = await rig.frame()
    assert frame.topology.uuid(1) == uuid(9, 9)
    assert rig.temps() == {"lab/-/-/n1/g0": 40, "lab/-/-/n1/g1": 41}


async def test_what_is_no_value_reads_as_missing() -> None:
    blanks = ["61", "NaN", "+Inf", "9223372036854775794", "2147483633", "140737488355328"]
    rig = Rig({"n1": "".join(line(POWER, 1, gpu, value) for gpu, value in enumerate(blanks))})
    values = by_name((await rig.read())[1]["power_w"])
    assert values["n1/0"] == 61
    assert sum(np.isnan(value) for value in values.values()) == 5


async def test_mig_rows_are_not_summed_and_busy_instances_stand_for_utilisation() -> None:
    slices = [{"GPU_I_ID": str(i), "GPU_I_PROFILE": "1g.10gb"} for i in range(4)]
    busy = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
    text = "".join(line(POWER, 1, 0, 400, **each) + line(busy, 1, 0, 0.1 * i, **each) for i, each in enumerate(slices))
    reading, found = await Rig({"n1": text + line(UTIL, 1, 1, 80) + line(busy, 1, 1, 0.5)}).read()
    assert by_name(found["power_w"])["n1/0"] == 400
    assert by_name(found["util_pct"]) == {"n1/0": pytest.approx(15.0), "n1/1": 80}
    assert reading.notes["repeated"] == "3 rows repeat a GPU (MIG): counted once"


async def test_openmetrics_times_are_seconds_counters_have_suffixes_and_exemplars_do_not_matter() -> None:
    labels = f'{{gpu="0",UUID="{uuid(1, 0)}",hostname="n1"}}'
    text = (
        f"# TYPE {TEMP} gauge\n{TEMP}{labels} 61 1799999990.5\n"
        f'DCGM_FI_DEV_ECC_SBE_VOL_TOTAL_total{labels} 7 1799999990.5 # {{trace="a}}b"}} 1 1799999990\n# EOF\n'
    )
    kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    rig = Rig({"n1": httpx.Response(200, content=text, headers={"content-type": kind})})
    found = (await rig.read(0.0))[1]
    assert (found["temp_c"].values.tolist(), found["temp_c"].at.tolist()) == ([61], [1799999990.5])
    assert found["ecc_sbe"].values.tolist() == [7]
    rig = Rig({"n1": f"{TEMP}{labels} 61 1799999990500\n"})
    assert (await rig.read(0.0))[1]["temp_c"].at.tolist() == [1799999990.5]


@pytest.mark.parametrize("way", ["label", "target"])
async def test_the_node_is_what_the_page_or_the_target_says(way: str) -> None:
    text = line(TEMP, 1, 0, 50, Hostname="dcgm-exporter-x7k2p")
    rig = Rig(
        {"gpu-01.example": text, "gpu-02.example": line(TEMP, 2, 0, 51, Hostname="")}, options={"hostname_from": way}
    )
    nodes = (await rig.read())[1]["temp_c"].keys.nodes  # type: ignore[union-attr]
    assert set(nodes) == {"gpu-02.example", "dcgm-exporter-x7k2p" if way == "label" else "gpu-01.example"}


async def test_a_sites_own_labels_come_first() -> None:
    text = line(TEMP, 1, 0, 50, Hostname="pod-1", worker="gpu-07")
    rig = Rig({"n1": text}, labels=LabelNames(node=("worker",)))
    assert (await rig.read())[1]["temp_c"].keys.nodes == ("gpu-07",)  # type: ignore[union-attr]


async def test_the_names_of_dcgm_exporter_1_are_the_same_metrics() -> None:
    labels = f'{{gpu="2",uuid="{uuid(1, 2)}",instance="x"}}'
    text = "".join(
        f"dcgm_{name}{labels} {value}\n"
        for name, value in (("gpu_temp", 61), ("power_usage", "412.5"), ("fb_used", 1024), ("xid_errors", 79))
    )
    found = (await Rig({"n1": text}).read())[1]
    values = {name: float(part.values[0]) for name, part in found.items()}
    assert values == {"temp_c": 61, "power_w": 412.5, "mem_used_bytes": 2**30, "xid": 79}
    assert found["temp_c"].keys.slots.tolist() == [2]  # type: ignore[union-attr]


async def test_nvidia_gpu_exporter_says_the_same_facts_in_other_units() -> None:
    bare = "b2c80a11-1f0e-4d9c-9d54-0f6b7f6f0a01"
    text = "".join(
        f'nvidia_smi_{name}{{uuid="{bare}"}} {value}\n'
        for name, value in (
            ("clocks_current_sm_clock_hz", "1.98e+09"),
            ("memory_used_bytes", "2.0780679168e+10"),
            ("power_draw_watts", "631.95"),
            ("temperature_gpu", "59"),
            ("utilization_gpu_ratio", "0.97"),
        )
    )
    text += f'nvidia_smi_gpu_info{{index="3",name="NVIDIA H100 80GB HBM3",uuid="{bare}"}} 1\n'
    found = (await Rig({"gpu-01": text}).read())[1]
    keys = found["temp_c"].keys
    assert (keys.nodes, keys.slots.tolist(), keys.models) == (("gpu-01",), [3], ("NVIDIA H100 80GB HBM3",))  # type: ignore[union-attr]
    assert format_uuid(int(keys.uuid_high[0]), int(keys.uuid_low[0])) == f"GPU-{bare}"  # type: ignore[union-attr]
    values = {name: float(part.values[0]) for name, part in found.items()}
    assert values == {
        "sm_clock_mhz": 1980,
        "mem_used_bytes": pytest.approx(2.0780679168e10),
        "power_w": pytest.approx(631.95),
        "temp_c": 59,
        "util_pct": 97,
    }


async def test_one_exporter_whose_clock_runs_ahead_does_not_look_fresh() -> None:
    rig = Rig({"n1": line(TEMP, 1, 0, "50 1800009999000"), "n2": page(2, 1)})
    await rig.read()
    reading, _ = await rig.read()
    assert any("ahead of our clock" in text for text in reading.warnings)
    assert rig.temps()["lab/-/-/n2/g0"] == 50
    assert not rig.merger.frame(rig.now).reporting.all()


def targets(*texts: str, **options: object) -> list[str]:
    config = SourceConfig("dcgm", "exporters", options={"targets": texts, **options})
    return [target.url for target in targets_of("lab", config)]


def test_targets_are_host_lists_and_urls() -> None:
    assert targets("n[08-10]:9400", "n09:9400") == [f"http://n{i}:9400/metrics" for i in ("08", "09", "10")]
    assert targets("[::1]:9401", "http://[fd00::1:2]/m") == ["http://[::1]:9401/metrics", "http://[fd00::1:2]/m"]
    assert targets("a.example") == ["http://a.example:9400/metrics"]
    assert targets("https://a[1-2].example/x") == ["https://a1.example/x", "https://a2.example/x"]
    assert targets("https://a.example", path="/gpu") == ["https://a.example/gpu"]


def test_targets_come_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# our nodes\nn[1-2]:9400  # row A\n\nn7\n")
    (tmp_path / "sd.json").write_text('[{"targets": ["n1:9400"], "labels": {}}, {"targets": ["n2:9401"]}]')

    def named(name: str) -> list[str]:
        config = SourceConfig("dcgm", "x", options={"targets_file": name}, base_dir=str(tmp_path))
        return [target.name for target in targets_of("lab", config)]

    assert named("list") == ["n1:9400", "n2:9400", "n7"]
    assert named("sd.json") == ["n1:9400", "n2:9401"]


@pytest.mark.parametrize("bad", ["n[1-", "http://x/?a=b", "@group", "", "n[1-6000]", "http://[::1"])
def test_bad_targets_are_named_at_once(bad: str) -> None:
    with pytest.raises(errors.ConfigErrors, match=r"sites\.lab\.sources\.exporters\.targets: "):
        open_source(SiteConfig("lab"), SourceConfig("dcgm", "exporters", options={"targets": (bad,)}), BUILTIN)


async def test_more_than_500_are_read_with_the_advice_to_use_a_prometheus() -> None:
    rig = Rig({"n": page(1)}, options={"targets": ("n[0001-0501]",)})
    rig.pages = {f"n{i:04d}": page(i, 1) for i in range(1, 502)}
    reading, found = await rig.read()
    assert len(found["temp_c"].keys) == 501
    assert reading.cadence_s == 6.0
    assert "above 500 let a Prometheus scrape them" in reading.warnings[0]


async def test_failures_of_many_are_a_few_words() -> None:
    rig = Rig({"n": page(1)}, options={"targets": ("n[001-100]",)})
    broken: list[Answer] = [httpx.ConnectError("x"), httpx.Response(500), httpx.Response(404), httpx.ReadTimeout("x")]
    rig.pages = {f"n{i:03d}": broken[i % 5] if i % 5 < 4 else page(i, 1) for i in range(1, 101)}
    reading, found = await rig.read()
    assert len(found["temp_c"].keys) == 20
    assert reading.notes["exporters"] == "20 of 100 answer"
    assert len(reading.warnings) == 4
    assert all(text.startswith("20 of 100 exporters, n0") for text in reading.warnings)
    assert all(" and 19 more: " in text for text in reading.warnings)
    assert max(map(len, reading.warnings)) < 250


async def scraped(concurrency: int, hosts: int, act: Callable[[], object]) -> None:
    config = SourceConfig("dcgm", "x", options={"targets": (f"n[1-{hosts}]",)})

    async def answer(request: httpx.Request) -> httpx.Response:
        await act()  # type: ignore[misc]
        return httpx.Response(200, content=page(1, 1), headers={"content-type": "text/plain"})

    scraper = Scraper(
        "lab",
        config,
        targets_of("lab", config),
        concurrency=concurrency,
        cadence_s=5.0,
        transport=httpx.MockTransport(answer),
    )
    await scraper.turn(5.0)
    await scraper.aclose()


async def test_no_more_are_asked_at_once_than_allowed() -> None:
    now, most = 0, 0

    async def act() -> None:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        now -= 1

    await scraped(3, 20, act)
    assert most == 3


async def test_hanging_exporters_do_not_use_up_the_concurrency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.sources.dcgm.scrape.HOLD_S", 0.0)
    started = 0
    everybody = asyncio.Event()

    async def act() -> None:
        nonlocal started
        started += 1
        if started == 10:
            everybody.set()
        await everybody.wait()

    async with asyncio.timeout(5):
        await scraped(2, 10, act)
    assert started == 10


def test_the_cadence_leaves_room_for_the_budget() -> None:
    config = SourceConfig("dcgm", "x", options={"targets": ("n[1-100]",)}, budget=Budget(rps=10.0))
    source = DcgmSource("lab", config, BUILTIN)
    assert source.cadence_s == 10.0


async def test_the_budget_holds_over_all_exporters_together() -> None:
    now, slept, asked = 1000.0, 0.0, 0
    config = SourceConfig("dcgm", "x", options={"targets": ("n[1-150]",)}, budget=Budget(rps=20.0))

    async def sleep(delay_s: float) -> None:
        nonlocal now, slept
        now, slept = now + delay_s, slept + delay_s
        await asyncio.sleep(0)

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(200, content=page(1, 1), headers={"content-type": "text/plain"})

    scraper = Scraper(
        "lab",
        config,
        targets_of("lab", config),
        concurrency=8,
        cadence_s=7.5,
        clock=lambda: now,
        sleep=sleep,
        transport=httpx.MockTransport(answer),
    )
    haul = await scraper.turn(5.0)
    assert (len(haul.pages), haul.failures, asked) == (150, {}, 150)
    assert slept == pytest.approx((150 - 5 * 20) / 20, abs=0.1)  # five seconds' worth may come at once
    await scraper.aclose()


async def test_every_exporter_keeps_its_connection() -> None:
    async with bad_server(answered(page(1, 1), content_type="text/plain")) as server:
        config = SourceConfig("dcgm", "x", options={"targets": tuple(f"{server.url}/{i}" for i in range(3))})
        source = open_source(SiteConfig("lab"), config, BUILTIN)
        most = 0
        for _ in range(4):
            await source.read()
            most = max(most, server.connections)
        assert (len(server.requests), most) == (12, 3)
        await source.aclose()
        async with asyncio.timeout(5):
            await server.idle.wait()


async def test_closing_gives_up_what_hangs() -> None:
    rig = Rig({"n1": None, "n2": page(2)})
    rig.source._patience_s = 0.01
    await rig.read()
    await rig.source.aclose()
    assert len(asyncio.all_tasks()) == 1


async def test_a_label_of_the_exporters_tells_their_nodes_drivers() -> None:
    pages = {
        f"e{node}": page(node) + line(UTIL, node, 0, 1, DCGM_FI_DRIVER_VERSION=driver)
        for node, driver in enumerate(["580.65.06", "580.65.06", "570.86.15"])
    }
    rig = Rig(dict(pages))
    site = await rig.frame()
    (facts,) = site.facts.values()
    told = {node: facts.texts[code] for node, code in zip(site.topology.nodes, facts.codes.tolist(), strict=True)}
    assert told == {"n0": "580.65.06", "n1": "580.65.06", "n2": "570.86.15"}
    # A silent exporter's node keeps what was said of it.
    rig.pages["e2"] = httpx.ConnectError("gone")
    assert (await rig.frame()).facts["exporters", "driver"].codes.tolist() == facts.codes.tolist()
