from __future__ import annotations

import csv
import io

import yaml

from console.model.builtin_metrics import BUILTIN
from console.sources.prometheus.rules import exporter_counters, parts_of, recording_rules, rule_name


def rules() -> dict[str, str]:
    return {rule["record"]: rule["expr"] for rule in yaml.safe_load(recording_rules(BUILTIN))["groups"][0]["rules"]}


def test_every_gpu_metric_is_recorded_with_its_count_and_oldest_sample() -> None:
    found = rules()
    for metric in BUILTIN.at("gpu"):
        assert rule_name(metric.name, "count") in found
        assert "min by (site, hall) (timestamp(" in found[rule_name(metric.name, "oldest")]


def test_repeated_rows_count_once_and_sentinels_not_at_all() -> None:
    expression = rules()["gigadeck:power_w:sum"]
    assert expression.startswith("sum by (site, hall) (max by (site, hall, UUID) (")
    assert ">= 0 <= 5000" in expression


def test_ranges_are_in_the_exporters_unit() -> None:
    assert "<= 9.536743164e+11" in rules()["gigadeck:mem_used_bytes:max"]


def test_codes_are_not_summed() -> None:
    assert "sum" not in parts_of(BUILTIN["xid"])
    assert "gigadeck:xid:sum" not in rules()


def test_other_labels_group_where_a_site_has_them() -> None:
    assert "sum by (cluster) (max by (cluster, uuid) (" in recording_rules(BUILTIN, ("cluster",), "uuid")


def test_counters_name_what_the_exporters_default_leaves_out() -> None:
    text = exporter_counters()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = {row[0].strip(): row[1].strip() for row in csv.reader(io.StringIO("\n".join(lines)))}
    assert rows["DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"] == "counter"
    assert rows["DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL"] == "counter"
    assert rows["DCGM_FI_DEV_CLOCK_THROTTLE_REASONS"] == "gauge"
    assert rows["DCGM_FI_DRIVER_VERSION"] == "label"
    assert all(len(line.split(", ")) == 3 for line in lines), "the exporter splits at commas"
