from __future__ import annotations

import re

import numpy as np
import pytest

from console.config.values import SourceConfig
from console.model.builtin_metrics import BUILTIN
from console.model.errors import BadPayload, SourceError
from console.model.metrics import Metric, RollUp
from console.model.reading import AggregatePart, ColumnPart, FactsPart, NamedKeys
from console.sources.prometheus.plan import slices_needed, uuid_cuts
from console.sources.prometheus.source import PrometheusSource
from tests.support.fake_store import POWER, TEMP, FakeStore, Row, gpu_row

NOW = 1_800_000_000.0
UTIL, MIG = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE"


def store(gpus: int = 16, **more: object) -> FakeStore:
    rows = [gpu_row(name, f"n{i // 8:02d}", i % 8, f"{60 + i % 20}") for name in (POWER, TEMP) for i in range(gpus)]
    return FakeStore(rows, NOW, **more)  # type: ignore[arg-type]


class Ticking:
    def __init__(self, of: FakeStore, metrics: object = BUILTIN, **options: object) -> None:
        self.now = 0.0
        config = SourceConfig("prometheus", "p", "http://x.example", options=options)
        self.source = PrometheusSource(
            "muc1", config, metrics, transport=of.transport(), monotonic=lambda: self.now, wall=lambda: of.now  # type: ignore[arg-type]
        )  # fmt: skip

    async def parts(self) -> list[object]:
        self.reading = await self.source.read()
        return list(self.reading.decode())


def columns(parts: list[object]) -> dict[str, ColumnPart]:
    return {part.metric: part for part in parts if isinstance(part, ColumnPart)}


@pytest.mark.parametrize("prefix", ["", "/prometheus", "/select/0/prometheus"])
async def test_the_api_is_found_under_its_prefix(prefix: str) -> None:
    ticking = Ticking(store(prefix=prefix, export=True))
    assert set(columns(await ticking.parts())) == {"power_w", "temp_c"}
    await ticking.source.aclose()


async def test_a_store_without_gpus_says_what_to_look_at() -> None:
    ticking = Ticking(FakeStore([], NOW))
    with pytest.raises(BadPayload, match=r"no DCGM series.*tenant"):
        await ticking.parts()
    await ticking.source.aclose()


async def test_a_store_whose_series_have_no_sample_now_is_looked_at_again() -> None:
    of = store()
    full, of.rows, of.silent = of.rows, [Row({"__name__": POWER}, "0")], True
    ticking = Ticking(of)
    with pytest.raises(BadPayload, match=r"no series of DCGM_FI_DEV_POWER_USAGE has a sample now"):
        await ticking.parts()
    of.rows, of.silent = full, False
    assert np.count_nonzero(columns(await ticking.parts())["power_w"].values > 0) == 16
    await ticking.source.aclose()


async def test_a_store_that_showed_few_of_its_gpus_is_looked_at_again() -> None:
    of = store(16)
    ticking = Ticking(of)
    await ticking.parts()
    of.rows = store(4000).rows
    await ticking.parts()
    await ticking.parts()
    assert ticking.reading.notes["series"].startswith("8,000 (4,000 rows")
    await ticking.source.aclose()


async def test_a_selector_and_site_label_narrow_every_read() -> None:
    of = store()
    of.rows += [gpu_row(POWER, "elsewhere", 0, "1", dc="other")]
    of.rows = [Row({"dc": "muc1", "env": "prod", **row.labels}, row.value) for row in of.rows]
    ticking = Ticking(of, site_label="dc", selector='{env="prod"}', job="")
    assert "elsewhere" not in columns(await ticking.parts())["power_w"].keys.nodes  # type: ignore[union-attr]
    await ticking.source.aclose()


async def test_partial_answers_are_said() -> None:
    ticking = Ticking(store(warnings=["sidecar a is down"], partial=True))
    await ticking.parts()
    assert "sidecar a is down" in ticking.reading.warnings
    assert "the store answered in part (isPartial)" in ticking.reading.warnings
    await ticking.source.aclose()


async def test_a_slow_sweep_is_spread_and_aggregates_come_at_every_turn() -> None:
    of = store()
    of.wide = [
        Row({"gigadeck": "power_w:sum"}, "1600"),
        Row({"gigadeck": "power_w:count"}, "16"),
        Row({"gigadeck": "power_w:oldest"}, str(NOW - 7)),
    ]
    ticking = Ticking(of, sweep_cadence=60.0)
    first = await ticking.parts()
    assert {part.metric for part in first if isinstance(part, ColumnPart) and part.full} == {"power_w", "temp_c"}
    assert ticking.reading.stale_after_s > 60
    ticking.now = 15.0
    second = await ticking.parts()
    assert not any(part.full for part in second if isinstance(part, ColumnPart))
    told = {part.field: part for part in second if isinstance(part, AggregatePart)}
    assert told["gpu_power_w_sum"].values.tolist() == [1600]
    assert told["power_w_avg"].values.tolist() == [100]
    assert told["gpu_power_w_sum"].at.tolist() == [NOW - 7]
    ticking.now = 61.0
    assert [part.metric for part in await ticking.parts() if isinstance(part, ColumnPart) and part.full] == ["power_w"]
    ticking.now = 76.0
    assert [part.metric for part in await ticking.parts() if isinstance(part, ColumnPart) and part.full] == ["temp_c"]
    await ticking.source.aclose()


async def test_rules_fold_halls_into_the_site() -> None:
    of = store()
    for hall, total, peak in (("h1", "100", "70"), ("h2", "300", "90")):
        labels = {"hall": hall, "site": "muc1"}
        of.wide += [
            Row({"__name__": "gigadeck:temp_c:sum", **labels}, total),
            Row({"__name__": "gigadeck:temp_c:max", **labels}, peak),
            Row({"__name__": "gigadeck:temp_c:count", **labels}, "2"),
            Row({"__name__": "gigadeck:temp_c:oldest", **labels}, str(NOW - 5)),
        ]
    of.wide.append(Row({"__name__": "gigadeck:temp_c:max", "site": "other"}, "999"))
    ticking = Ticking(of, sweep="off")
    told = {(part.field, part.keys.level): part for part in await ticking.parts() if isinstance(part, AggregatePart)}
    assert ticking.reading.notes["rules"] == "used"
    assert told["temp_c_max", "site"].values.tolist() == [90]
    assert told["temp_c_avg", "site"].values.tolist() == [100]
    assert told["temp_c_avg", "hall"].keys.names == ("h1", "h2")
    assert told["temp_c_avg", "hall"].values.tolist() == [50, 150]
    await ticking.source.aclose()


async def test_one_refused_query_does_not_cost_the_sweep() -> None:
    of = store(refuse="topk(20")
    ticking = Ticking(of, sweep_cadence=60.0)
    assert {"power_w", "temp_c"} <= set(columns(await ticking.parts()))
    assert any("too many samples" in text for text in ticking.reading.warnings)
    await ticking.source.aclose()


async def test_a_refused_sweep_without_anything_else_is_an_error() -> None:
    ticking = Ticking(store(refuse="s]"))
    with pytest.raises(SourceError, match="too many samples"):
        await ticking.parts()
    await ticking.source.aclose()


async def test_gpus_in_mig_mode_take_their_load_from_their_instances() -> None:
    of = store(8)
    of.rows += [gpu_row(UTIL, "n00", i, "50") for i in range(7)]
    of.rows += [gpu_row(MIG, "n00", i, "0.5") for i in range(7)]
    of.rows += [gpu_row(MIG, "n00", 7, share, GPU_I_ID=str(i)) for i, share in enumerate(("0.2", "0.4"))]
    ticking = Ticking(of)
    found = [part for part in await ticking.parts() if isinstance(part, ColumnPart) and part.metric == "util_pct"]
    assert [part.full for part in found] == [True, False]
    assert np.nansum(found[0].values) == 350
    assert found[1].values.tolist() == [pytest.approx(30.0)]
    await ticking.source.aclose()


async def test_own_metrics_are_named_by_their_level() -> None:
    of = store()
    of.rows += [Row({"__name__": "ib_errors", "node": f"n0{i}"}, str(i)) for i in range(2)]
    of.rows += [Row({"__name__": "grid_watts"}, "5000")]
    metrics = BUILTIN.with_own(
        [Metric("ib", "count", "IB", {"ib": RollUp.SUM}, level="node", promql='ib_errors{__name__="ib_errors"}')]
    )
    ticking = Ticking(of, metrics, queries={"it_power_w": 'sum({__name__="grid_watts"})'})
    found = columns(await ticking.parts())
    assert found["ib"].values.tolist() == [0, 1]
    assert isinstance(found["ib"].keys, NamedKeys)
    assert found["ib"].keys.names == ("n00", "n01")
    assert (found["it_power_w"].keys.names, found["it_power_w"].values.tolist()) == (("muc1",), [5000])  # type: ignore[union-attr]
    keys = found["ib"].keys
    assert columns(await ticking.parts())["ib"].keys is keys
    await ticking.source.aclose()


async def test_a_close_look_follows_the_eye() -> None:
    of = store()
    ticking = Ticking(of, sweep_cadence=60.0)
    await ticking.parts()
    ticking.source.focus("muc1/h1/r1/n01/g3")
    of.asked.clear()
    await ticking.parts()
    assert any('Hostname=~"n01([.:].*)?"' in promql for promql in of.asked)
    ticking.source.focus("muc1")
    of.asked.clear()
    await ticking.parts()
    assert not any("n01" in promql for promql in of.asked)
    await ticking.source.aclose()


@pytest.mark.parametrize("cuts", [2, 5, 16, 17, 100, 256])
def test_uuid_cuts_take_every_series_once(cuts: int) -> None:
    names = [f"GPU-{i:02x}345678-aaaa" for i in range(256)] + [f"GPU-{i:02X}345678" for i in range(256)]
    names += ["", "MIG-12", "strange"]
    matchers = uuid_cuts(cuts)
    assert len(matchers) == cuts
    for name in names:
        hits = 0
        for matcher in matchers:
            pattern = matcher[3:-1]
            hits += bool(re.fullmatch(pattern, name)) != matcher.startswith("!")
        assert hits == 1, name


def test_answers_stay_under_their_limits() -> None:
    assert slices_needed(16_000, "query", 1 << 28) == 1
    assert slices_needed(100_000, "query", 1 << 28) == 5
    assert slices_needed(100_000, "export", 1 << 28) == 1
    assert slices_needed(100_000, "export", 10_000_000) > 4


async def test_labels_of_the_series_tell_what_nodes_have_every_ten_minutes() -> None:
    rows = [gpu_row(POWER, f"n{i // 8:02d}", i % 8, "60", DCGM_FI_DRIVER_VERSION=f"580.{i // 8}") for i in range(16)]
    of = FakeStore(rows, NOW)
    ticking = Ticking(of)
    facts = [part for part in await ticking.parts() if isinstance(part, FactsPart)]
    assert [(part.fact, dict(zip(part.keys.names, part.values, strict=True))) for part in facts] == [
        ("driver", {"n00": "580.0", "n01": "580.1"})
    ]
    asked = [promql for promql in of.asked if promql.startswith("group by")]
    assert asked == [f'group by (Hostname, DCGM_FI_DRIVER_VERSION) ({{__name__="{POWER}"}})']
    ticking.now = 60.0
    await ticking.parts()
    assert [promql for promql in of.asked if promql.startswith("group by")] == asked
    await ticking.source.aclose()


async def test_a_store_that_refuses_to_tell_facts_costs_nothing_else() -> None:
    rows = [gpu_row(POWER, "n00", i, "60", DCGM_FI_DRIVER_VERSION="580") for i in range(8)]
    ticking = Ticking(FakeStore(rows, NOW, refuse="group by"))
    assert set(columns(await ticking.parts())) == {"power_w"}
    assert any("too many samples" in warning for warning in ticking.reading.warnings)
    await ticking.source.aclose()
