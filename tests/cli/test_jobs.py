from __future__ import annotations

import csv
import io
import json

import pytest

from tests.support.cli import FLEET, gigadeck

CONTRACT = {
    "id", "name", "user", "state", "gpus", "nodes", "time_s", "limit_s", "wait_s", "gpu_hours", "reason", "site",
    "cluster", "tasks", "slowest_node", "slowest_by", "slowdown_pct", "straggler", "lost_gpu_hours", "ettr_ratio",
    "restarts", "exit_code", "exit_signal", "output", "comment", "features", "reservation",
}  # fmt: skip


def jobs(*arguments, fleet=FLEET):
    return gigadeck("jobs", "--fleet", fleet, *arguments)


def test_json_has_the_envelope_and_every_field_of_the_contract():
    document = jobs("--json").json
    assert document["schema"] == "gigadeck/jobs/v1"
    assert document["partial"] is False
    assert document["rows"]
    assert all(set(row) >= CONTRACT for row in document["rows"])
    assert all(row["id"].startswith(f"job:{row['site']}/") for row in document["rows"])


def test_every_format_has_the_same_jobs():
    ids = jobs("--format", "id", "--sort", "id").lines
    lines = jobs("--format", "ndjson", "--sort", "id").lines
    assert [json.loads(line)["id"] for line in lines[:-1]] == ids
    assert json.loads(lines[-1]) == {"end": True, "rows": len(ids), "partial": False}
    rows = list(csv.DictReader(io.StringIO(jobs("--format", "csv", "--sort", "id").out)))
    assert [row["id"] for row in rows] == ids
    table = jobs("--sort", "id").lines
    assert [line.split()[0] for line in table[1:]] == ids
    assert len(set(ids)) == len(ids)


def test_where_sort_and_limit_work_together():
    rows = jobs("--where", 'state == "RUNNING" and gpus > 1', "--sort=-gpus", "--limit", "5", "--json").json["rows"]
    assert 0 < len(rows) <= 5
    assert {row["state"] for row in rows} == {"RUNNING"}
    gpus = [row["gpus"] for row in rows]
    assert gpus == sorted(gpus, reverse=True)


def test_fields_are_those_asked_for_in_that_order():
    rows = jobs("--fields", "gpus,id", "--json").json["rows"]
    assert all(list(row) == ["gpus", "id"] for row in rows)


def test_after_pages_through_everything():
    everything = jobs("--format", "id", "--sort", "id").lines
    paged, after = [], ""
    while page := jobs("--format", "id", "--sort", "id", "--limit", "7", "--after", after).lines:
        paged += page
        after = page[-1]
    assert paged == everything


def test_a_place_has_fewer_jobs_than_its_site():
    running = 'state == "RUNNING"'
    site = jobs("--format", "id", "--where", running, "--sort", "id").lines[0].removeprefix("job:").partition("/")[0]
    whole = jobs("--within", site, "--where", running, "--format", "id").lines
    node = gigadeck("status", "--fleet", FLEET, "--level", "node", "--site", site, "--format", "id").lines[0]
    here = jobs("--within", node, "--where", running, "--format", "id").lines
    assert set(here) < set(whole)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--where", "gpus >"], "column"),
        (["--where", "temp_c > 5"], "temp_c"),
        (["--fields", "idd"], "idd"),
        (["--sort", "nonsense"], "nonsense"),
        (["--within", "nowhere"], "nowhere"),
    ],
)
def test_usage_errors_exit_2_name_the_word_and_print_nothing_else(arguments, names):
    said = jobs(*arguments)
    assert said.code == 2
    assert names in said.err
    assert said.out == ""


def test_a_fleet_whose_sources_know_no_jobs_says_so(tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("fleet: f\nsites: [{name: muc1, sources: [{kind: slurm, url: 'http://127.0.0.1:9'}]}]\n")
    said = jobs("--timeout", "5s", fleet=str(fleet))
    assert said.code == 3
    assert "muc1/slurm: cannot connect" in said.err


def test_free_capacity_has_an_envelope_and_rows_of_its_own():
    document = jobs("--free", "--json").json
    assert document["schema"] == "gigadeck/free/v1"
    assert document["rows"]
    for row in document["rows"]:
        assert 0 <= row["free_nodes"] <= row["nodes"]
        assert row["whole"] == (row["free_nodes"] == row["nodes"])
    most = [row["free_gpus"] for row in document["rows"]]
    assert most == sorted(most, reverse=True)
    site = gigadeck("status", "--fleet", FLEET, "--fields", "free_gpus", "--json").json["rows"]
    assert all(row["free_gpus"] is not None for row in site)


def test_free_capacity_takes_no_filter_over_jobs():
    said = jobs("--free", "--where", "gpus > 1")
    assert said.code == 2
    assert "gigadeck status --by nvlink" in said.err
    assert jobs("--free", "--fields", "nonsense").code == 2


def test_free_capacity_as_a_table_and_by_another_domain():
    lines = jobs("--free", "--by", "cdu", "--limit", "2").lines
    assert lines[0].split()[:4] == ["id", "nodes", "gpus", "free_nodes"]
    assert len(lines) == 3
