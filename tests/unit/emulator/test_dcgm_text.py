from __future__ import annotations

import gzip
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from console.core.site_api.packing import gzip_chunks
from console.emulator.wire.dcgm_fields import DCGM_FIELDS
from console.emulator.wire.dcgm_text import DcgmPages, node_range, shard
from console.emulator.wire.exporter_labels import escape
from console.emulator.wire.facility_text import facility_name, facility_page
from console.emulator.wire.feed import Feed
from console.model.builtin_metrics import BUILTIN
from tests.support.toy_world import ToyWorld

CAPTURES = Path(__file__).parents[4] / "shared" / "payloads" / "dcgm-exporter"


def make_feed(world: ToyWorld | None = None) -> Feed:
    return Feed(world or ToyWorld(), lambda: 5000.0, 1.0)


def whole(feed: Feed, site: str = "muc1", index: int = 0, count: int = 1, host: str = "Hostname") -> str:
    return "".join(DcgmPages().page([shard(feed.sample(site), index, count)], host))


def samples(text: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name.removesuffix("_total"), sample.labels["UUID"]): sample.value  # the parser adds it to counters
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_an_independent_parser_reads_back_every_value_in_dcgm_units() -> None:
    feed = make_feed()
    sample = feed.sample("muc1")
    read = samples(whole(feed))
    for field in DCGM_FIELDS:
        column = sample.state.columns[field.metric]
        for row, value in enumerate(column):
            key = (field.name, sample.topology.uuid(row))
            if np.isnan(value):
                assert key not in read
            else:
                step = 0.51 if field.printed == "%d" else 1e-6
                assert read[key] == pytest.approx(float(value) / field.per_unit, abs=step)


def test_every_field_has_the_dcgm_name_and_unit_of_the_metric_table() -> None:
    for field in DCGM_FIELDS:
        metric = BUILTIN[field.metric]
        assert field.name in metric.dcgm
        assert field.per_unit == metric.scale
        assert field.type == ("counter" if metric.kind == "counter" else "gauge")
    assert {field.metric for field in DCGM_FIELDS} == {metric.name for metric in BUILTIN.values() if metric.dcgm}


def test_a_gpu_that_does_not_report_has_no_line() -> None:
    feed = make_feed()
    assert f'UUID="{feed.sample("muc1").topology.uuid(3)}"' not in whole(feed)


def test_a_field_that_nobody_reports_has_no_head() -> None:
    world = ToyWorld(nodes=1, gpus=1, blind=(0,))
    assert whole(make_feed(world)) == ""


def test_each_family_is_announced_once_over_sites_and_chunks() -> None:
    world = ToyWorld(("muc1", "bcn1"), nodes=700)
    feed = make_feed(world)
    ranges = [shard(feed.sample(site), 0, 1) for site in world.site_names]
    text = "".join(DcgmPages().page(ranges))
    heads = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads)) == len(DCGM_FIELDS)


def test_shards_cover_a_site_once() -> None:
    feed = make_feed(ToyWorld(nodes=7))
    parts: list[tuple[str, str]] = []
    for index in range(3):
        parts += samples(whole(feed, index=index, count=3))
    assert len(parts) == len(set(parts))
    assert set(parts) == set(samples(whole(feed)))


def test_more_shards_than_nodes_leave_some_empty_and_a_bad_index_is_refused() -> None:
    feed = make_feed(ToyWorld(nodes=1))
    assert sum(bool(whole(feed, index=index, count=4)) for index in range(4)) == 1
    with pytest.raises(ValueError, match="0 to 3"):
        shard(feed.sample("muc1"), 4, 4)


def test_labels_are_spelled_and_ordered_as_dcgm_exporter_does() -> None:
    sample = make_feed().sample("muc1")
    nodes = node_range(sample, "muc1-n0001")
    assert nodes is not None
    line = next(line for line in "".join(DcgmPages().page([nodes])).splitlines() if "POWER_USAGE{" in line)
    names = re.findall(r'[{,]([A-Za-z_]+)="', line)
    fixed = ["gpu", "UUID", "pci_bus_id", "device", "modelName", "Hostname", "DCGM_FI_DRIVER_VERSION"]
    assert names == [*fixed, "container", "namespace", "pod"]
    assert re.search(r"} \d+\.\d{6}$", line)


def test_xid_lines_carry_code_and_text_among_the_attributes() -> None:
    text = whole(make_feed())
    lines = [line for line in text.splitlines() if line.startswith("DCGM_FI_DEV_XID_ERRORS{")]
    assert lines[-1].endswith(',err_code="79",err_msg="GPU has fallen off the bus"} 79')
    running = next(line for line in lines if "pod=" in line)
    assert re.search(r',container="main",err_code="0",err_msg="No Error",namespace="research",pod="', running)


def test_the_host_label_has_both_spellings() -> None:
    assert 'hostname="muc1-n0000"' in whole(make_feed(), host="hostname")
    assert "hostname=" not in whole(make_feed())


def test_a_pod_is_numbered_by_its_node_within_the_job() -> None:
    text = whole(make_feed())
    pods = {
        (sample.labels["Hostname"], sample.labels.get("pod", ""))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert pods == {
        ("muc1-n0000", ""), ("muc1-n0001", "llm-7-41-0"), ("muc1-n0002", "llm-7-41-1"),
        ("muc1-n0003", ""), ("muc1-n0004", ""), ("muc1-n0005", ""),
    }  # fmt: skip


def test_hostile_names_are_escaped_and_read_back() -> None:
    world = ToyWorld(nodes=1)
    name = 'n"0\\1\n[red]'
    world.topologies["muc1"] = replace(world.topology("muc1"), nodes=(name,))
    hosts = {
        sample.labels["Hostname"]
        for family in text_string_to_metric_families(whole(make_feed(world)))
        for sample in family.samples
    }
    assert hosts == {name}
    assert "\n" not in escape(name)


def test_gzip_chunks_are_one_gzip_body() -> None:
    assert gzip.decompress(b"".join(gzip_chunks([b"a" * 5000, b"", b"b"]))) == b"a" * 5000 + b"b"


def test_the_facility_page_names_units_and_places() -> None:
    text = "".join(facility_page(make_feed().sample("muc1")))
    read = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert read["gigadeck_it_power_watts", ("site", "muc1")] == 1.5e8
    assert read["gigadeck_hall_inlet_celsius", ("hall", "h1"), ("site", "muc1")] == 24.5
    assert read["gigadeck_cdu_flow_liters_per_minute", ("cdu", "c0"), ("site", "muc1")] == 900
    assert not any(("cdu", "c1") in key for key in read)  # a flow meter that does not report
    place = (("hall", "h1"), ("node", "muc1-n0002"), ("rack", "r001"), ("site", "muc1"))
    assert ("gigadeck_host_power_watts", *place) in read
    assert facility_name("grid_g_kwh") == "gigadeck_grid_grams_co2_per_kwh"
    assert facility_name("pue") == "gigadeck_pue"


@pytest.mark.payload
@pytest.mark.skipif(not CAPTURES.is_dir(), reason="no captured payloads beside the checkout")
@pytest.mark.parametrize(
    "capture", ["kops_tests_TestObservability_AcceleratorMetrics_ViaDCGM_output", "upcloud_accelerator-metrics"]
)
def test_our_page_has_the_shape_of_a_captured_one(capture: str) -> None:
    captured = (CAPTURES / f"cncf-v1.35_{capture}.prom.txt").read_text().splitlines()
    ours = whole(make_feed()).splitlines()
    for field in DCGM_FIELDS:
        theirs = [line for line in captured if re.match(rf"(# (HELP|TYPE) )?{field.name}[ {{]", line)]
        mine = [line for line in ours if re.match(rf"(# (HELP|TYPE) )?{field.name}[ {{]", line)]
        assert {_shape(line) for line in theirs} <= {_shape(line) for line in mine} | {""}


def _shape(line: str) -> str:
    """Heads as they are; samples with label values and digits blanked, and without a job's attributes."""
    if line.startswith("#"):
        return line
    line = re.sub(r',(container|namespace|pod)="[^"]*"', "", line)
    return re.sub(r"\d+(\.\d{6})?$", lambda number: "0.000000" if number[1] else "0", re.sub(r'="[^"]*"', "=", line))
