from __future__ import annotations

import csv
import io
import json

import pytest

from tests.support.cli import FLEET, gigadeck

CONTRACT = {
    "id", "name", "parent", "gpus", "gpus_reporting", "nodes", "age_s", "source", "alerts", "jobs",
    "util_pct", "temp_c_max", "temp_c_avg", "gpu_power_w_sum", "it_power_w", "pue",
}  # fmt: skip


def status(*arguments, fleet=FLEET):
    return gigadeck("status", "--fleet", fleet, *arguments)


def test_json_has_the_envelope_and_every_field_of_the_contract():
    document = status("--level", "site", "--json").json
    assert document["schema"] == "gigadeck/status/v1"
    assert document["partial"] is False
    assert isinstance(document["at"], float)
    assert all(set(row) >= CONTRACT for row in document["rows"])


@pytest.mark.parametrize("command", [("status",), ("jobs",)], ids=" ".join)
def test_where_nobody_answers_each_source_has_a_line(command, tmp_path):
    fleet = tmp_path / "fleet.yaml"
    sources = ["{kind: site, name: a, url: 'http://127.0.0.1:9'}", "{kind: site, name: b, url: 'http://127.0.0.1:9'}"]
    fleet.write_text(f"fleet: x\nsites:\n  - name: muc1\n    sources: [{', '.join(sources)}]\n")
    said = gigadeck(*command, "--fleet", str(fleet), "--timeout", "5s")
    assert said.code == 3
    lines = said.err.splitlines()
    assert [line.partition(" cannot")[0] for line in lines[1:]] == ["  muc1/a:", "  muc1/b:"]


def test_the_gpus_of_the_sites_sum_to_the_fleet_s():
    rows = status("--level", "site", "--json", fleet="demo:400000").json["rows"]
    assert len(rows) == 4
    assert sum(row["gpus"] for row in rows) == 400_000


@pytest.mark.parametrize("level", ["fleet", "site", "hall", "rack", "node", "gpu"])
def test_every_level_sums_to_the_same_gpus(level):
    rows = status("--level", level, "--format", "ndjson").lines
    assert json.loads(rows[-1])["end"] is True
    counted = [json.loads(row) for row in rows[:-1]]
    assert len(counted) == json.loads(rows[-1])["rows"]
    assert len({row["id"] for row in counted}) == len(counted)
    total = len(counted) if level == "gpu" else sum(row["gpus"] for row in counted)
    assert total == 800


def test_missing_is_null_and_nan_never_appears():
    out = status("--level", "gpu", "--format", "ndjson").out
    assert "NaN" not in out
    assert "Infinity" not in out


def test_csv_and_ids_agree_and_come_in_natural_order():
    ids = status("--level", "node", "--format", "id").lines
    rows = list(csv.DictReader(io.StringIO(status("--level", "node", "--format", "csv").out)))
    assert [row["id"] for row in rows] == ids
    assert len(ids) == len(set(ids))


def test_fields_are_those_asked_for_in_that_order():
    rows = status("--level", "site", "--json", "--fields", "gpus,id").json["rows"]
    assert [list(row) for row in rows] == [["gpus", "id"]] * len(rows)


def test_where_sort_and_limit_work_together():
    rows = status(
        "--level", "gpu", "--where", "temp_c > 30", "--sort=-temp_c", "--limit", "5", "--fields", "id,temp_c", "--json"
    ).json["rows"]
    temps = [row["temp_c"] for row in rows]
    assert len(rows) == 5
    assert temps == sorted(temps, reverse=True)


def test_after_pages_through_everything():
    everything = status("--level", "node", "--format", "id").lines
    paged, after = [], ""
    while page := status("--level", "node", "--format", "id", "--limit", "17", "--after", after).lines:
        paged += page
        after = page[-1]
    assert paged == everything


def test_rows_by_a_domain():
    rows = status("--by", "nvlink", "--json").json["rows"]
    assert rows
    assert all(row["gpus"] > 0 for row in rows)


def test_one_site_alone():
    name = status("--level", "site", "--format", "id").lines[0]
    assert status("--level", "site", "--format", "id", "--site", name).lines == [name]


def test_a_table_is_aligned_and_may_go_without_its_header():
    table = status("--level", "site").lines
    assert len({len(line.rstrip()) for line in table}) <= 3
    assert status("--level", "site", "--no-header").lines[0].split()[0] == table[1].split()[0]


def test_too_many_rows_for_one_json_value_ask_for_ndjson():
    said = gigadeck("status", "--fleet", "demo:12000", "--level", "gpu", "--json")
    assert said.code == 2
    assert "ndjson" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--where", "temp_c >"], "column"),
        (["--level", "site", "--where", "temp_c > 5"], "temp_c_max"),
        (["--where", "nonsense > 5"], "nonsense"),
        (["--fields", "idd"], "idd"),
        (["--sort", "nonsense"], "nonsense"),
        (["--site", "nowhere"], "nowhere"),
        (["--by", "nonsense"], "nonsense"),
        (["--timeout", "soon"], "soon"),
    ],
)
def test_usage_errors_exit_2_name_the_word_and_print_nothing_else(arguments, names):
    said = status(*arguments)
    assert said.code == 2
    assert names in said.err
    assert said.out == ""


def test_an_expression_s_error_points_at_its_column():
    said = status("--where", "temp_c_max > 5 and and")
    caret = next(line for line in said.err.splitlines() if line.strip() == "^")
    text = said.err.splitlines()[said.err.splitlines().index(caret) - 1]
    assert text[caret.index("^") :].startswith("and")


@pytest.mark.parametrize("fleet", ["demo:0", "demo:x", "demo:99999999999", "no/such/fleet.yaml"])
def test_a_fleet_that_cannot_be_is_said(fleet):
    said = status(fleet=fleet)
    assert said.code == 2
    assert fleet in said.err


def test_max_age_of_nothing_is_no_data():
    said = status("--max-age", "0s")
    assert said.code in (0, 3)
    assert said.code == 0 or "no data newer than 0 s" in said.err
