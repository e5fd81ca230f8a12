from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from prometheus_client.parser import text_string_to_metric_families

from console.cli.check_formats import nagios_code
from console.model.events import CheckResult
from console.model.levels import Severity
from tests.support.cli import FLEET, gigadeck


def check(*arguments, fleet=FLEET):
    return gigadeck("check", "--fleet", fleet, *arguments)


def result(severity):
    return CheckResult("c", severity, 1, 0, 8, 0.0, (), "text")


@pytest.mark.parametrize(
    ("severities", "code"),
    [
        ([Severity.OK], 0),
        ([Severity.OK, Severity.WARNING], 1),
        ([Severity.WARNING, Severity.CRITICAL, Severity.UNKNOWN], 2),
        ([Severity.WARNING, Severity.UNKNOWN], 3),
        ([], 3),
    ],
)
def test_critical_beats_unknown_and_nothing_is_unknown(severities, code):
    assert nagios_code([result(each) for each in severities]) == code


def test_old_data_is_never_ok():
    assert nagios_code([result(Severity.OK)], too_old=True) == 3


def test_nagios_output_is_one_status_line_with_perfdata():
    said = check("--format", "nagios")
    head, _, perfdata = said.lines[0].partition("|")
    assert head.split(" - ")[0] == ["OK", "WARNING", "CRITICAL", "UNKNOWN"][said.code]
    assert all(re.fullmatch(r"'[^'=]+'=\d+;[@\d:]*;[@\d:]*;0;\d+", each) for each in perfdata.split(" "))
    assert not any("|" in line for line in said.lines[1:])


def test_junit_is_xml_with_a_case_a_check():
    suite = ET.fromstring(check("--format", "junit").out).find("testsuite")
    assert int(suite.get("tests")) == len(suite.findall("testcase")) > 0


def test_prometheus_text_is_read_by_the_reference_parser():
    families = {family.name: family for family in text_string_to_metric_families(check("--format", "prometheus").out)}
    assert set(families) == {"gigadeck_check_state", "gigadeck_check_matches", "gigadeck_check_unknown"}
    assert all(sample.labels["check"] for sample in families["gigadeck_check_state"].samples)


def test_json_and_the_exit_code_agree():
    said = check("--json")
    states = {row["state"] for row in said.json["rows"]}
    assert said.json["schema"] == "gigadeck/check/v1"
    assert said.code == (2 if "critical" in states else 3 if "unknown" in states else 1 if "warning" in states else 0)


def test_only_named_checks_run():
    name = check("--format", "id").lines[0]
    assert check("--format", "id", "--only", name).lines == [name]


@pytest.mark.parametrize(
    "arguments", [["--only", "nonsense"], ["--no-such-option"], ["--fleet", "no/such.yaml"], ["--site", "nowhere"]]
)
def test_every_error_of_its_own_is_unknown(arguments):
    said = check(*arguments)
    assert said.code == 3
    assert said.out.startswith("UNKNOWN - ")
    assert said.err


@pytest.mark.parametrize(("limits", "code"), [("warning: 1", 1), ("critical: 1", 2), ("warning: 5000", 0)])
def test_the_process_ends_with_the_code_of_the_checks(limits, code, tmp_path):
    fleet = tmp_path / "fleet.yaml"
    check_line = f"  - {{name: any, where: gpus > 0, level: node, {limits}}}"
    source = "{kind: emulator, gpus: 160, scenario: calm}"
    fleet.write_text(f"fleet: lab\nsites:\n  - name: lab\n    sources: [{source}]\nchecks:\n{check_line}\n")
    assert check(fleet=str(fleet)).code == code


def test_disagreements_are_a_check_like_any_other(tmp_path):
    # Of every thousand nodes of the emulator one has another driver, which is worth knowing; a storm silences GPUs.
    fleet = tmp_path / "fleet.yaml"
    text = "fleet: lab\nsites:\n  - name: lab\n    sources: [{kind: emulator, gpus: 8000, scenario: storm}]\n"
    fleet.write_text(text)
    said = check("--only", "disagreements", "--format", "nagios", fleet=str(fleet))
    assert said.code == 1
    assert re.match(r"WARNING - disagreements \d+\|'disagreements'=\d+;@1:;;0;\d+$", said.lines[0])
    assert "gpus-silent" in said.lines[1]
    assert "minority" not in said.lines[1]
    row = check("--only", "disagreements", "--json", fleet=str(fleet)).json["rows"][0]
    assert row["matches"] >= len(row["paths"]) > 0
    assert all(path.startswith("lab/") for path in row["paths"])
    dispute = row["disagreements"][0]
    assert dispute["path"] == row["paths"][0]
    assert {"voice", "says", "at", "stale"} == set(dispute["voices"][0])
    assert row["counts"]["minority-driver"] > 0
    assert sum(count for kind, count in row["counts"].items() if not kind.startswith("minority")) == row["matches"]
    fleet.write_text(f"{text}checks:\n  - {{name: strays, where: disagreements, level: node, warning: 500}}\n")
    said = check("--format", "id", fleet=str(fleet))
    assert said.lines == ["strays"]
    assert said.code == 0
