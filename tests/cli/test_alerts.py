from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from tests.support.cli import FLEET, gigadeck

CONTRACT = {
    "id", "kind", "state", "severity", "site", "path", "title", "text", "since", "age_s", "gpus", "exact", "matches",
    "level", "jobs", "acknowledged_by", "acknowledged_at", "note", "worse", "worst", "changed_at", "seen_at",
    "resolved_at", "returns", "key", "folds", "paths", "keeper", "origin", "silenced_by",
}  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]
FAILING = "{name: any, where: gpus > 0, level: node, warning: 1, title: there are nodes}"


@pytest.fixture
def fleet(tmp_path):
    """A fleet whose one check always fails, with a memory that lasts from one command to the next."""
    file = tmp_path / "fleet.yaml"
    site = "  - {name: lab, sources: [{kind: emulator, gpus: 160, scenario: calm}]}"
    file.write_text(f"fleet: lab\nstate: sqlite:///{tmp_path}/memory.db\nsites:\n{site}\nchecks:\n  - {FAILING}\n")
    return str(file)


def alerts(*arguments, fleet):
    return gigadeck("alerts", *arguments, "--fleet", fleet)


def the_one(fleet):
    return next(row for row in alerts("--json", fleet=fleet).json["rows"] if row["key"] == "check:any")


def test_json_has_the_envelope_and_every_field_of_the_contract(fleet):
    document = alerts("--json", fleet=fleet).json
    assert document["schema"] == "gigadeck/alerts/v1"
    (row,) = [row for row in document["rows"] if row["key"] == "check:any"]
    assert set(row) == CONTRACT
    assert (row["state"], row["severity"], row["site"], row["title"]) == ("firing", "warning", "lab", "there are nodes")
    assert (row["acknowledged_by"], row["resolved_at"], row["folds"]) == (None, None, [])
    assert row["id"].startswith("lab-")


def test_every_field_is_documented():
    written = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "incidents.md").read_text()))
    assert written >= CONTRACT


def test_every_format_has_the_same_incidents(fleet):
    ids = alerts("--format", "id", fleet=fleet).lines
    lines = alerts("--format", "ndjson", fleet=fleet).lines
    assert [json.loads(line)["id"] for line in lines[:-1]] == ids
    assert json.loads(lines[-1]) == {"end": True, "rows": len(ids), "partial": False}
    assert [row["id"] for row in csv.DictReader(io.StringIO(alerts("--format", "csv", fleet=fleet).out))] == ids
    table = alerts(fleet=fleet).lines
    assert [line.split()[-1] for line in table[1:]] == ids
    assert {"severity", "ack", "since", "where", "why", "GPUs"} <= set(table[0].split())


def test_an_acknowledgement_is_there_for_the_next_command(fleet):
    row = the_one(fleet)
    said = alerts("ack", row["id"], "--note", "on it", fleet=fleet)
    assert (said.code, said.err) == (0, "")
    assert row["id"] in said.out
    taken = the_one(fleet)
    assert (taken["id"], taken["state"], taken["note"], taken["worse"]) == (row["id"], "acknowledged", "on it", False)
    assert taken["acknowledged_by"]
    assert taken["acknowledged_by"] in alerts(fleet=fleet).out
    assert alerts("--where", "missing(acknowledged_by)", "--format", "id", fleet=fleet).lines == []
    assert alerts("unack", f"incident:{row['id']}", fleet=fleet).code == 0
    assert the_one(fleet)["state"] == "firing"


def test_the_fleet_may_be_named_before_the_deed(fleet):
    id = the_one(fleet)["id"]
    assert gigadeck("alerts", "--fleet", fleet, "ack", id).code == 0
    assert gigadeck("--fleet", fleet, "alerts", "unack", id).code == 0


def test_what_is_refused_ends_with_5_and_says_why(fleet):
    said = alerts("ack", "lab-00000000", fleet=fleet)
    assert (said.code, said.out) == (5, "")
    assert "lab-00000000" in said.err
    id = the_one(fleet)["id"]
    assert alerts("unack", id, fleet=fleet).code == 5
    read_only = alerts("ack", id, "--read-only", fleet=fleet)
    assert (read_only.code, "read-only" in read_only.err) == (5, True)
    assert alerts("ack", "moon-00000000", fleet=fleet).code == 5


def test_of_several_those_that_can_be_kept_are_kept(fleet):
    id = the_one(fleet)["id"]
    said = alerts("ack", id, "lab-00000000", "--json", fleet=fleet)
    assert said.code == 6
    assert [(row["id"], row["ok"]) for row in said.json["rows"]] == [(id, True), ("lab-00000000", False)]
    assert the_one(fleet)["state"] == "acknowledged"


def test_a_memory_that_cannot_be_kept_is_named_and_the_incidents_are_listed_all_the_same(fleet, tmp_path):
    (tmp_path / "memory.db").write_bytes(b"this is no database" * 100)
    id = the_one(fleet)["id"]
    said = alerts("ack", id, fleet=fleet)
    assert said.code == 1
    assert "memory.db" in said.err


def test_alerts_of_other_systems_are_rows_of_their_own():
    assert gigadeck("alerts", "--fleet", FLEET, "--what", "alerts", "--json").json["rows"] == []
    said = gigadeck("alerts", "--fleet", FLEET, "--what", "nonsense")
    assert (said.code, "incidents, alerts" in said.err) == (2, True)


def test_a_misspelt_field_is_named():
    said = gigadeck("alerts", "--fleet", FLEET, "--fields", "sverity")
    assert (said.code, "severity" in said.err) == (2, True)


def test_notes_are_written_listed_and_dropped(fleet):
    node = gigadeck("status", "--level", "node", "--format", "id", "--limit", "1", "--fleet", fleet).lines[0]
    name = node.rpartition("/")[2]
    assert gigadeck("note", name, "PSU 2", "ordered", "--fleet", fleet).code == 0
    rows = gigadeck("note", "--list", node, "--json", "--fleet", fleet).json["rows"]
    assert [(row["site"], row["subject"], row["text"]) for row in rows] == [
        ("lab", f"node:lab/{name}", "PSU 2 ordered")
    ]
    assert gigadeck("note", "--list", "lab", "--format", "id", "--fleet", fleet).lines == []
    assert "PSU 2 ordered" in gigadeck("note", "--list", "--fleet", fleet).out
    assert gigadeck("note", "--drop", rows[0]["id"], "--fleet", fleet).code == 0
    assert gigadeck("note", "--list", "--json", "--fleet", fleet).json["rows"] == []
    assert gigadeck("note", "--drop", rows[0]["id"], "--fleet", fleet).code == 2
    assert gigadeck("note", "nowhere", "x", "--fleet", fleet).code == 2


@pytest.mark.parametrize(
    "words", [("note",), ("note", "n1"), ("note", "--list", "a", "b"), ("note", "--drop", "1", "a")]
)
def test_a_note_needs_an_object_and_a_text(words):
    assert gigadeck(*words, "--fleet", FLEET).code == 2
