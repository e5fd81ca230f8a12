from __future__ import annotations

import pytest

from tests.support.cli import FLEET, gigadeck


def why(*arguments, fleet=FLEET):
    return gigadeck("why", "--fleet", fleet, *arguments)


def first(level, where=""):
    rows = gigadeck("status", "--fleet", FLEET, "--level", level, "--format", "id", "--limit", "1", "--where", where)
    return rows.lines[0]


def test_a_node_is_answered_in_the_envelope_of_the_contract():
    node = first("node")
    document = why(node, "--json").json
    assert document["schema"] == "gigadeck/why/v1"
    (row,) = document["rows"]
    assert (row["id"], row["kind"], row["nodes"]) == (node, "node", [node])
    assert row["begin_at"] < row["end_at"]
    assert {voice["name"] for voice in row["voices"]} >= {"scheduler", "kernel log", "telemetry", "alerts", "BMC"}
    assert {voice["hearing"] for voice in row["voices"]} <= {"heard", "silent", "late", "missing"}
    assert row["suspect"] is None or set(row["suspect"]) == {"text", "path", "kind", "at", "likely", "evidence"}


def test_a_job_is_answered_as_text():
    job = gigadeck("jobs", "--fleet", FLEET, "--where", 'state == "RUNNING"', "--format", "id", "--limit", "1").lines[0]
    said = why(job)
    assert said.code == 0
    assert job in said.out
    for word in ("SUSPECT", "TIME LINE", "VOICES"):
        assert word in said.out


def test_another_time_and_window():
    (row,) = why(first("node"), "--at", "2026-01-01T00:00:00Z", "--window", "1h", "--json").json["rows"]
    assert (row["at"], row["end_at"] - row["begin_at"]) == (1767225600.0, 3600.0)
    assert row["at_is"] == "the time asked for"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [(["job:0"], "nothing of that name"), (["nonsense"], "nonsense"), (["n1", "--at", "yesterday"], "RFC|2026")],
)
def test_usage_errors_exit_2_and_print_nothing_else(arguments, names):
    said = why(*arguments)
    assert said.code == 2
    assert any(name in said.err for name in names.split("|"))
    assert said.out == ""
